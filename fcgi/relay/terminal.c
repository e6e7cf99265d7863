#include "relay/terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/number.h"
#include "relay/viewer.h"
#include "store/secret.h"
#include "store/store.h"

enum { RETRY_FIRST_MS = 250, RETRY_MAX_MS = 5000, CLOSE_NORMAL = 1000, CLOSE_POLICY = 1008, CLOSE_TOO_BIG = 1009 };

static const struct conn_ops host_ops;
static void connect_host(void *arg);

/* ---- ending ---- */
static void drop_host(struct viewer *v)
{
	if (v->host != NULL)
		conn_close(v->host, CLOSE_NORMAL);
}

/* The session is over: say so, once, and close. */
static void end(struct viewer *v, bool told)
{
	if (v->link == LINK_ENDED)
		return;
	v->link = LINK_ENDED;
	wsock_timer_set(v->relay->loop, &v->retry, -1, NULL, NULL);
	viewer_tell_link(v);
	if (!told)
		viewer_note(v, "{\"type\":\"exit\",\"code\":%d}", v->exit_code);
	drop_host(v);
}

static void free_viewer(struct viewer *v)
{
	wsock_timer_set(v->relay->loop, &v->retry, -1, NULL, NULL);
	credentials_release(&v->credentials);
	while (v->pieces != NULL) {
		struct piece *p = v->pieces;
		v->pieces = p->next;
		free(p);
	}
	strbuf_release(&v->notes);
	strbuf_release(&v->from_browser);
	strbuf_release(&v->from_host);
	strbuf_release(&v->input);
	strbuf_release(&v->controls);
	free(v);
}

/* ---- what the store says of the session ---- */
/* Fill sid, sandbox and over from the session that is shown; false when it is gone. */
static bool look_up(struct viewer *v)
{
	struct arena a = { 0 };
	struct errinfo e;
	struct task t;
	const struct session *s = NULL;

	if (store_get(v->relay->store, &a, v->task, &t, &e) == ERR_OK)
		s = v->sid[0] != '\0' ? task_find_session(&t, v->sid) : task_last_session(&t);
	if (s != NULL && task_heir(&t, s) != NULL)
		s = task_heir(&t, s); /* a gate opened the next session on the same terminal */
	if (s != NULL) {
		v->site = task_site(&t, v->relay->usual);
		(void)snprintf(v->sid, sizeof v->sid, "%.20s", s->id);
		(void)snprintf(v->sandbox, sizeof v->sandbox, "%.72s", s->sandbox_id != NULL ? s->sandbox_id : "");
		v->over = !session_open(s);
		if (s->has_exit_code)
			v->exit_code = (int)s->exit_code;
	}
	arena_reset(&a);
	return s != NULL;
}

static void retry_later(struct viewer *v)
{
	int64_t ms = RETRY_FIRST_MS;

	for (int i = 0; i < v->tries && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	v->tries++;
	wsock_timer_set(v->relay->loop, &v->retry, ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS, connect_host, v);
}

static void set_link(struct viewer *v, enum link link)
{
	if (v->link == link)
		return;
	v->link = link;
	viewer_tell_link(v);
}

static void connect_host(void *arg)
{
	struct viewer *v = arg;
	struct relay *r = v->relay;
	struct arena a = { 0 };
	struct errinfo e;
	const char *secret = NULL;

	if (v->host != NULL || v->link == LINK_ENDED)
		return;
	if (!look_up(v) || (v->over && v->sandbox[0] == '\0')) {
		end(v, false);
		return;
	}
	if (v->sandbox[0] == '\0') {
		set_link(v, LINK_WAITING); /* terminal_changed comes back when it is started */
		return;
	}
	set_link(v, v->tries > 0 ? LINK_RECONNECTING : LINK_CONNECTING);
	const struct relay_host *at = &r->at[v->site];
	if (at->url == NULL) {
		set_link(v, LINK_WAITING); /* for the dispatcher, which ends the session */
		return;
	}
	if (at->secret_file != NULL && secret_read_file(at->secret_file, &a, &secret, &e) != ERR_OK)
		log_err(LOG_ERROR, "terminal.no_secret", &e);
	/* The size is that of who types: a watcher's arrival changes nothing. */
	const char *size = v->pen ? arena_printf(&a, "cols=%d&rows=%d&", v->cols, v->rows) : "";
	const char *offset = v->offset >= 0 ? arena_printf(&a, "offset=%" PRId64, v->offset) : "";
	v->ready = v->opened = false;
	v->host = wsock_connect(r->loop, at->url,
				arena_printf(&a, "/ws/terminal/%s?%s%s", v->sandbox, size, offset),
				secret, v, &host_ops);
	arena_reset(&a);
	if (v->host == NULL)
		retry_later(v);
}

/* ---- from the host ---- */
static void host_open(void *owner)
{
	struct viewer *v = owner;

	v->tries = 0;
	v->opened = true;
	set_link(v, LINK_LIVE);
	if (v->pen)
		pen_take(v); /* the host learns the size again */
	conn_want_write(v->host);
}

static void host_closed(void *owner, int code)
{
	struct viewer *v = owner;

	(void)code;
	v->host = NULL;
	strbuf_reset(&v->from_host);
	strbuf_reset(&v->controls);
	int64_t held = (int64_t)replay_rewind(&v->replay);
	if (v->offset >= 0)
		v->offset -= held; /* the browser does not have them yet */
	if (v->browser == NULL) {
		free_viewer(v);
		return;
	}
	conn_pause(v->browser, false);
	if (v->link == LINK_ENDED)
		return;
	/* A box that is over and that the host no longer knows has nothing more to show. */
	if (v->over && !v->opened) {
		end(v, false);
		return;
	}
	retry_later(v);
	set_link(v, LINK_RECONNECTING); /* not live: who types now has nobody to type to */
}

/* ---- to the browser ---- */
static void to_browser(struct viewer *v, const char *p, size_t len, bool text, bool first, bool last)
{
	conn_send(v->browser, p, len, text, first, last);
	if (!text)
		v->in_binary = !last;
}

/* What cannot go out now is kept, and the host waits. */
static void keep(struct viewer *v, const char *p, size_t len, bool text, bool first, bool last)
{
	struct piece *piece = xmalloc(sizeof *piece + len);

	*piece = (struct piece){ .len = len, .text = text, .first = first, .last = last };
	memcpy(piece->data, p, len);
	if (v->pieces == NULL)
		v->pieces_end = &v->pieces;
	*v->pieces_end = piece;
	v->pieces_end = &piece->next;
	v->pieces_len += len;
}

/* Straight on when there is room: at best a piece costs one read and one write. */
static void pass_on(struct viewer *v, const char *p, size_t len, bool text, bool first, bool last)
{
	if (v->pieces == NULL && (v->notes.len == 0 || v->in_binary) && conn_ready(v->browser)) {
		to_browser(v, p, len, text, first, last);
		if (!conn_backed_up(v->browser))
			return;
	} else {
		keep(v, p, len, text, first, last);
	}
	if (v->host != NULL)
		conn_pause(v->host, true);
	conn_want_write(v->browser);
}

/* ---- from the host ---- */
static void host_bytes(struct viewer *v, const char *p, size_t len, bool first, bool last)
{
	static char filtered[REPLAY_HELD + WSOCK_PIECE];
	size_t n = len;

	if (v->offset >= 0)
		v->offset += (int64_t)len;
	if (!v->ready) {
		replay_filter(&v->replay, p, len, filtered, &n);
		p = filtered;
	}
	while (n > WSOCK_PIECE) { /* what was held comes in addition */
		pass_on(v, p, WSOCK_PIECE, false, first, false);
		p += WSOCK_PIECE;
		n -= WSOCK_PIECE;
		first = false;
	}
	pass_on(v, p, n, false, first, last);
}

/* What the filter held back goes out as a message of its own when the replay is over. */
static void flush_replay(struct viewer *v)
{
	char held[REPLAY_HELD];
	size_t n;

	v->ready = true;
	replay_end(&v->replay, held, &n);
	if (n > 0)
		pass_on(v, held, n, false, true, true);
}

static void host_text(struct viewer *v, const char *p, size_t len, bool last)
{
	if (v->from_host.len + len > TEXT_MESSAGE_MAX) {
		conn_close(v->host, CLOSE_TOO_BIG);
		return;
	}
	strbuf_add(&v->from_host, p, len);
	if (!last)
		return;
	enum host_word word = viewer_host_text(v, v->from_host.buf, v->from_host.len);
	if (word == HOST_READY)
		flush_replay(v);
	if (word != HOST_NONSENSE)
		pass_on(v, v->from_host.buf, v->from_host.len, true, true, true);
	strbuf_reset(&v->from_host);
	if (word == HOST_EXIT)
		end(v, true);
}

static void host_receive(void *owner, const char *p, size_t len, bool text, bool first, bool last)
{
	struct viewer *v = owner;

	if (v->browser == NULL || v->link == LINK_ENDED)
		return;
	if (text)
		host_text(v, p, len, last);
	else if (v->pieces_len + len <= PIECES_MAX)
		host_bytes(v, p, len, first, last);
	else
		conn_close(v->host, CLOSE_POLICY); /* it was told to wait and did not: come again from our offset */
}

static bool send_line(struct strbuf *lines, struct conn *c)
{
	char *nl = memchr(lines->buf, '\n', lines->len);

	if (nl == NULL)
		return false;
	size_t n = (size_t)(nl - lines->buf);
	conn_send(c, lines->buf, n, true, true, true);
	memmove(lines->buf, nl + 1, lines->len - n - 1);
	lines->len -= n + 1;
	lines->buf[lines->len] = '\0';
	return true;
}

static void host_writable(void *owner)
{
	struct viewer *v = owner;

	if (!send_line(&v->controls, v->host) && v->input.len > 0) {
		size_t n = v->input.len < WSOCK_PIECE ? v->input.len : WSOCK_PIECE;
		conn_send(v->host, v->input.buf, n, false, true, true);
		memmove(v->input.buf, v->input.buf + n, v->input.len - n);
		v->input.len -= n;
		if (v->input.len < INPUT_MAX / 2 && v->browser != NULL)
			conn_pause(v->browser, false);
	}
	if (v->controls.len > 0 || v->input.len > 0)
		conn_want_write(v->host);
}

static const struct conn_ops host_ops = { host_open, host_receive, host_writable, host_closed };

/* ---- from the browser ---- */
static void browser_open(void *owner)
{
	struct viewer *v = owner;

	viewer_tell_link(v);
	pen_offer(v);
	connect_host(v);
}

static bool too_many(struct viewer *v)
{
	int64_t second = clock_mono_ms() / 1000;

	if (second != v->second) {
		v->second = second;
		v->messages = 0;
	}
	return ++v->messages > MESSAGES_PER_S;
}

static void typing(struct viewer *v, const char *p, size_t len, bool first)
{
	v->input_len = (first ? 0 : v->input_len) + len;
	if (v->input_len > INPUT_MAX) {
		conn_close(v->browser, CLOSE_TOO_BIG);
		return;
	}
	if (!v->pen || v->link != LINK_LIVE)
		return; /* watchers send nothing, not even their terminal's automatic answers */
	strbuf_add(&v->input, p, len);
	if (v->input.len > INPUT_MAX)
		conn_pause(v->browser, true);
	if (conn_ready(v->host))
		host_writable(v); /* one turn of the loop less until the echo */
	else
		conn_want_write(v->host);
}

static void browser_receive(void *owner, const char *p, size_t len, bool text, bool first, bool last)
{
	struct viewer *v = owner;

	if (first && too_many(v)) {
		conn_close(v->browser, CLOSE_POLICY);
		return;
	}
	if (!text) {
		typing(v, p, len, first);
		return;
	}
	if (first)
		strbuf_reset(&v->from_browser);
	if (v->from_browser.len + len > TEXT_MESSAGE_MAX) {
		conn_close(v->browser, CLOSE_TOO_BIG);
		return;
	}
	strbuf_add(&v->from_browser, p, len);
	if (last)
		viewer_browser_text(v, v->from_browser.buf, v->from_browser.len);
}

static void send_piece(struct viewer *v)
{
	struct piece *p = v->pieces;

	to_browser(v, p->data, p->len, p->text, p->first, p->last);
	v->pieces = p->next;
	v->pieces_len -= p->len;
	free(p);
}

/* The newest size, when there is room for it: a frozen viewer is not sent the history of somebody's window. */
static void tell_size(struct viewer *v)
{
	const struct viewer *who = pen_holder(v);

	v->told_size = true;
	if (who != NULL && who != v)
		viewer_note(v, "{\"type\":\"size\",\"cols\":%d,\"rows\":%d}", who->cols, who->rows);
}

static void browser_writable(void *owner)
{
	struct viewer *v = owner;

	if (v->pieces != NULL) {
		send_piece(v);
	} else if (v->in_binary && v->host == NULL) {
		to_browser(v, "", 0, false, false, true); /* the host went away inside a message */
	} else if (!v->in_binary && !send_line(&v->notes, v->browser) && v->link == LINK_ENDED) {
		conn_close(v->browser, CLOSE_NORMAL);
		return;
	}
	if (!v->told_size && v->notes.len == 0)
		tell_size(v);
	if (v->pieces != NULL || v->link == LINK_ENDED || (v->notes.len > 0 && !v->in_binary) ||
	    (v->in_binary && v->host == NULL))
		conn_want_write(v->browser);
	else if (v->host != NULL && !conn_backed_up(v->browser))
		conn_pause(v->host, false);
}

static void browser_closed(void *owner, int code)
{
	struct viewer *v = owner;

	(void)code;
	v->browser = NULL;
	v->link = LINK_ENDED;
	pen_leave(v);
	*v->prev = v->next;
	if (v->next != NULL)
		v->next->prev = v->prev;
	v->relay->viewer_count--;
	if (v->host != NULL)
		conn_close(v->host, CLOSE_NORMAL); /* host_closed frees */
	else
		free_viewer(v);
}

static const struct conn_ops browser_ops = { browser_open, browser_receive, browser_writable, browser_closed };

/* ---- accepting ---- */
/* A number of the query, or fallback. */
static int64_t number_of(struct request *rq, const char *name, int64_t min, int64_t max, int64_t fallback)
{
	const char *text = request_query(rq, name);
	int64_t n;

	return text != NULL && number_parse(text, min, max, &n) == 0 ? n : fallback;
}

int terminal_accept(struct relay *r, const struct upgrade *u, struct conn *c, void **owner,
		    const struct conn_ops **ops)
{
	struct credentials cred = { 0 };
	struct request rq = { .query = u->query };
	int64_t task;
	int status = relay_admit(r, u, &cred);

	if (status != 0)
		return status;
	struct errinfo e;
	struct task t;
	const char *id = u->path + strlen("/ws/terminal/");
	bool exists = number_parse(id, 1, NUMBER_MAX, &task) == 0 && store_get(r->store, &rq.arena, task, &t, &e) == ERR_OK &&
		      t.session_count > 0;
	if (!exists || r->viewer_count >= VIEWERS_MAX) {
		credentials_release(&cred);
		arena_reset(&rq.arena);
		return exists ? 503 : 404;
	}
	struct viewer *v = xmalloc(sizeof *v);
	memset(v, 0, sizeof *v);
	v->relay = r;
	v->browser = c;
	v->credentials = cred;
	v->task = task;
	v->cols = (int)number_of(&rq, "cols", 1, SIZE_MAX_CELLS, 80);
	v->rows = (int)number_of(&rq, "rows", 1, SIZE_MAX_CELLS, 24);
	v->offset = number_of(&rq, "offset", 0, NUMBER_MAX, -1);
	(void)snprintf(v->sid, sizeof v->sid, "%.20s", task_last_session(&t)->id);
	arena_reset(&rq.arena);
	strbuf_init(&v->notes);
	strbuf_init(&v->from_browser);
	strbuf_init(&v->from_host);
	strbuf_init(&v->input);
	strbuf_init(&v->controls);
	v->next = r->viewers;
	v->prev = &r->viewers;
	if (v->next != NULL)
		v->next->prev = &v->next;
	r->viewers = v;
	r->viewer_count++;
	*owner = v;
	*ops = &browser_ops;
	return 0;
}

/* ---- what happens outside ---- */
void terminal_changed(struct relay *r)
{
	for (struct viewer *v = r->viewers, *next; v != NULL; v = next) {
		next = v->next;
		if (v->host == NULL && v->link == LINK_WAITING)
			connect_host(v);
		else if (v->link != LINK_ENDED && !look_up(v))
			end(v, false); /* deleted */
	}
}

void terminal_recheck(struct relay *r)
{
	for (struct viewer *v = r->viewers; v != NULL; v = v->next) {
		if (!relay_still_good(r, &v->credentials))
			conn_close(v->browser, CLOSE_POLICY);
	}
}

#include "sandbox/terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/strbuf.h"

enum { CHUNK = 64 * 1024, CONTROL_MAX = 4096, AGAIN_MS = 10, FAREWELL_MS = 2000 };

struct terminal {
	struct feed_reader reader; /* first: found from it */
	lws_sorted_usec_list_t again;
	struct lws *wsi; /* NULL until the handshake is through */
	int64_t offset, replay_end;
	bool said_at, said_ready, said_exit, goodbye;
	struct strbuf message; /* a text message being received */
	size_t received;       /* bytes of the message being received */
	struct strbuf typed;   /* waits for the agent to read */
	const char *complaint; /* a literal, to be said */
};

static void on_news(struct feed_reader *r)
{
	struct terminal *t = (struct terminal *)r;

	if (t->wsi == NULL)
		return;
	/* At once when there is room: a turn of the loop is most of what an echo costs here.  What the socket did not take the
	 * library would keep, and read no typing meanwhile. */
	if (lws_send_pipe_choked(t->wsi) || terminal_writable(t) < 0)
		lws_callback_on_writable(t->wsi);
}

/* Not in the middle of a line: the first half of an escape sequence would be missing. */
static int64_t line_start(struct feed *f, int64_t from)
{
	char buf[4096];
	ssize_t n = from > 0 ? feed_read(f, buf, sizeof buf, from) : 0;
	const char *nl = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;

	return nl != NULL ? from + (nl - buf) + 1 : from;
}

enum err terminal_new(struct feeds *feeds, const struct terminal_want *want, struct terminal **out,
		      struct errinfo *e)
{
	struct terminal *t = memset(xmalloc(sizeof *t), 0, sizeof *t);

	*out = NULL;
	t->reader.news = on_news;
	strbuf_init(&t->message);
	strbuf_init(&t->typed);
	enum err rc = feed_join(feeds, want->id, &t->reader, e);
	if (rc != ERR_OK) {
		free(t);
		return rc;
	}
	t->replay_end = feed_size(t->reader.feed);
	t->offset = want->offset;
	if (t->offset < 0)
		t->offset = line_start(t->reader.feed, t->replay_end > TERMINAL_REPLAY
							       ? t->replay_end - TERMINAL_REPLAY
							       : 0);
	if (t->offset > t->replay_end)
		t->offset = t->replay_end;
	if (want->cols > 0 && want->rows > 0)
		(void)feed_resize(t->reader.feed, want->cols,
				  want->rows); /* an ended box has no size */
	*out = t;
	return ERR_OK;
}

void terminal_free(struct terminal *t)
{
	if (t == NULL)
		return;
	if (t->wsi != NULL)
		lws_sul_schedule(lws_get_context(t->wsi), 0, &t->again, NULL,
				 (lws_usec_t)LWS_SET_TIMER_USEC_CANCEL);
	feed_leave(&t->reader);
	strbuf_release(&t->message);
	strbuf_release(&t->typed);
	free(t);
}

void terminal_open(struct terminal *t, struct lws *wsi)
{
	t->wsi = wsi;
	lws_callback_on_writable(wsi);
}

/* ---- up: typing and control messages ---- */
static void type(lws_sorted_usec_list_t *sul)
{
	struct terminal *t = lws_container_of(sul, struct terminal, again);

	while (t->typed.len > 0) {
		ssize_t n = feed_type(t->reader.feed, t->typed.buf, t->typed.len);
		if (n <= 0) {
			if (n == 0 || errno != EAGAIN)
				strbuf_reset(&t->typed); /* nobody is there to read it */
			break;
		}
		memmove(t->typed.buf, t->typed.buf + n, t->typed.len - (size_t)n);
		t->typed.len -= (size_t)n;
	}
	bool wait = t->typed.len > 0;
	(void)lws_rx_flow_control(t->wsi, wait ? 0 : 1);
	if (wait)
		lws_sul_schedule(lws_get_context(t->wsi), 0, &t->again, type,
				 AGAIN_MS * LWS_US_PER_MS);
}

static void complain(struct terminal *t, const char *text)
{
	t->complaint = text;
	lws_callback_on_writable(t->wsi);
}

static void control(struct terminal *t)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	const char *kind = "";
	int64_t cols, rows;

	if (json_parse(&a, t->message.buf, t->message.len, &o, &e) != ERR_OK ||
	    !json_is_object(o) || jr_str_opt(o, "type", 0, 32, &kind, &e) != ERR_OK) {
		complain(t, "Invalid control message");
	} else if (strcmp(kind, "resize") == 0 || (*kind == '\0' && jr_has(o, "cols"))) {
		if (jr_i64(o, "cols", 1, TERMINAL_CELLS_MAX, &cols, &e) != ERR_OK ||
		    jr_i64(o, "rows", 1, TERMINAL_CELLS_MAX, &rows, &e) != ERR_OK)
			complain(t, "Invalid dimensions: cols and rows must be positive");
		else
			(void)feed_resize(t->reader.feed, (int)cols,
					  (int)rows); /* an ended box has no size */
	}
	arena_reset(&a); /* unknown types are ignored */
}

int terminal_receive(struct terminal *t, const char *p, size_t len)
{
	bool last = lws_is_final_fragment(t->wsi) && lws_remaining_packet_payload(t->wsi) == 0;
	bool binary = lws_frame_is_binary(t->wsi) != 0;

	if (t->said_exit)
		return 0; /* nobody is there to read it */

	if (lws_is_first_fragment(t->wsi)) {
		strbuf_reset(&t->message);
		t->received = 0;
	}
	t->received += len;
	if (t->received > (binary ? (size_t)TERMINAL_INPUT_MAX : (size_t)CONTROL_MAX)) {
		lws_close_reason(t->wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
		return -1;
	}
	if (binary) {
		strbuf_add(&t->typed, p, len);
		type(&t->again);
		return 0;
	}
	strbuf_add(&t->message, p, len);
	if (last)
		control(t);
	return 0;
}

/* ---- down: at, the log, ready, exit ---- */
static int say(struct terminal *t, const char *text)
{
	unsigned char buf[LWS_PRE + 256];
	size_t len = strlen(text);

	if (len > sizeof buf - LWS_PRE)
		return -1;
	memcpy(buf + LWS_PRE, text, len);
	return lws_write(t->wsi, buf + LWS_PRE, len, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}

static void leave(lws_sorted_usec_list_t *sul)
{
	struct terminal *t = lws_container_of(sul, struct terminal, again);

	t->goodbye = true;
	lws_callback_on_writable(t->wsi);
}

/*
 * The peer closes when it has read this.  Closing at once would be a hang-up for a peer that has paused its reading, and
 * some event loops (libwebsockets' own) then throw away what they have not read yet.
 */
static int say_exit(struct terminal *t, int code)
{
	char text[80];

	t->said_exit = true;
	lws_sul_schedule(lws_get_context(t->wsi), 0, &t->again, leave, FAREWELL_MS * LWS_US_PER_MS);
	(void)snprintf(text, sizeof text, "{\"type\":\"exit\",\"code\":%d}", code);
	return say(t, text);
}

/* The next text message that is due before any byte; NULL when none is. */
static const char *due(struct terminal *t, char *text, size_t size)
{
	if (t->complaint != NULL) {
		(void)snprintf(text, size, "{\"type\":\"error\",\"message\":\"%s\"}", t->complaint);
		t->complaint = NULL;
		return text;
	}
	if (!t->said_at) {
		t->said_at = true;
		(void)snprintf(text, size, "{\"type\":\"at\",\"offset\":%" PRId64 "}", t->offset);
		return text;
	}
	if (!t->said_ready && t->offset >= t->replay_end) {
		t->said_ready = true;
		return "{\"type\":\"ready\"}";
	}
	return NULL;
}

int terminal_writable(struct terminal *t)
{
	static unsigned char buf[LWS_PRE + CHUNK];
	char text[160];
	int code;

	if (t->goodbye) {
		lws_close_reason(t->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		return -1;
	}
	if (t->said_exit)
		return 0;
	const char *message = due(t, text, sizeof text);
	if (message != NULL) {
		lws_callback_on_writable(t->wsi);
		return say(t, message);
	}
	/* Asked first: a box that has ended writes nothing after the bytes that are read next. */
	bool ended = feed_ended(t->reader.feed, &code);
	ssize_t n = feed_read(t->reader.feed, buf + LWS_PRE, CHUNK, t->offset);
	if (n < 0)
		return -1;
	if (n == 0 && !ended)
		return 0; /* on_news comes back */
	if (n == 0)
		return say_exit(t, code);
	t->offset += n;
	if (n == CHUNK || ended || !t->said_ready)
		lws_callback_on_writable(t->wsi); /* there is more to say; else on_news comes back */
	return lws_write(t->wsi, buf + LWS_PRE, (size_t)n, LWS_WRITE_BINARY) < 0 ? -1 : 0;
}

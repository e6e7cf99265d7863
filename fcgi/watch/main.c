/*
 * chomp-watch URL TASK: the live terminal of a task in one's own terminal (docs/PROTOCOL.md, "The
 * terminal's WebSocket"). Started by `scripts/chomp watch`, which puts the owner's token on
 * descriptor 3: it is never an argument.
 *
 * Every byte comes once and in order: bytes are counted from the first {"type":"at"}, and a lost
 * connection is opened again at the byte that is wanted next.  Keys are sent by who holds the pen;
 * Ctrl-] is ours (see `keys`).
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/json.h"
#include "core/number.h"
#include "core/strbuf.h"
#include "watch/net.h"
#include "watch/screen.h"

enum {
	TOKEN_FD = 3,
	TOKEN_MAX = 500,
	FIRST_MS = 250,
	MAX_MS = 8000,
	EARLY_MAX = 4 * 1024 * 1024, /* bytes before the word where they belong */
	KEY_OURS = 0x1d,             /* Ctrl-] */
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
};

struct watch {
	struct net *net;
	const char *task;
	int keyboard, signals;
	int64_t next; /* offset of the byte that is wanted next, -1: not known */
	int64_t skip; /* bytes of this connection that we have already */
	struct strbuf early;
	bool placed; /* this connection has said where its bytes belong */
	bool live, over, pen, hinted, ours;
	bool told; /* that the connection is lost */
	int tries, result;
	int64_t cols, rows; /* of who types, as last told */
};

/* ---- bytes ---- */
static void show(struct watch *w, const char *p, size_t len)
{
	size_t dropped = (uint64_t)w->skip < len ? (size_t)w->skip : len;

	w->skip -= (int64_t)dropped;
	if (w->next >= 0)
		w->next += (int64_t)(len - dropped);
	if (!screen_show(p + dropped, len - dropped))
		net_quit(w->net);
}

static void on_bytes(void *owner, const char *p, size_t len)
{
	struct watch *w = owner;

	if (!w->placed && w->early.len + len <= EARLY_MAX)
		strbuf_add(&w->early, p, len);
	else
		show(w, p, len);
}

static void place(struct watch *w)
{
	w->placed = true;
	show(w, w->early.buf, w->early.len);
	strbuf_reset(&w->early);
}

static void at(struct watch *w, int64_t offset)
{
	if (w->placed) {
		if (w->next >= 0 && offset > w->next)
			net_hang_up(w->net); /* the relay lost bytes on its way to the host: ask for
						them */
		return;
	}
	if (w->next < 0)
		w->next = offset;
	if (offset > w->next) {
		screen_say("%" PRId64 " bytes are no longer kept", offset - w->next);
		w->next = offset;
	}
	w->skip = w->next - offset;
	place(w);
}

/* ---- words ---- */
static void state(struct watch *w, const char *name)
{
	w->live = strcmp(name, "live") == 0;
	if (strcmp(name, "waiting") == 0)
		screen_say("waiting for the sandbox");
	else if (w->live && w->told)
		screen_say("connected again");
	if (w->live) {
		w->told = false;
		w->tries = 0;
	}
	if (strcmp(name, "ended") == 0)
		w->over = true;
}

static void pen(struct watch *w, bool mine)
{
	if (w->pen && !mine)
		screen_say("somebody else types now; Ctrl-] p takes the pen back");
	if (!w->pen && mine && w->hinted)
		screen_say("you may type");
	w->pen = mine;
}

/* The agent draws for the window of who types.  Nobody's terminal is made larger from outside: say so, once for each size. */
static void sized(struct watch *w, int64_t cols, int64_t rows)
{
	int here_cols, here_rows;

	if (w->cols == cols && w->rows == rows)
		return;
	w->cols = cols;
	w->rows = rows;
	screen_size(&here_cols, &here_rows);
	if (cols > here_cols || rows > here_rows)
		screen_say("drawn for %" PRId64 " columns and %" PRId64 " rows, here are %d and %d: a larger window shows it "
			   "right, Ctrl-] p takes the pen",
			   cols, rows, here_cols, here_rows);
}

static void on_text(void *owner, const char *p, size_t len)
{
	struct watch *w = owner;
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	const char *type = "", *text = "";
	int64_t n = -1, rows = 0;
	bool mine = false;

	if (json_parse(&a, p, len, &o, &e) != ERR_OK || !json_is_object(o) ||
	    jr_str(o, "type", 1, 32, &type, &e) != ERR_OK)
		type = "";
	if (strcmp(type, "at") == 0 && jr_i64(o, "offset", 0, NUMBER_MAX, &n, &e) == ERR_OK) {
		at(w, n);
	} else if (strcmp(type, "ready") == 0 && !w->placed) {
		w->next = -1; /* a host that does not count: all of it comes again */
		place(w);
	} else if (strcmp(type, "state") == 0 && jr_str(o, "state", 1, 32, &text, &e) == ERR_OK) {
		state(w, text);
	} else if (strcmp(type, "pen") == 0 && jr_bool_opt(o, "mine", &mine, &e) == ERR_OK) {
		pen(w, mine);
	} else if (strcmp(type, "size") == 0 && jr_i64(o, "cols", 1, 1000, &n, &e) == ERR_OK &&
		   jr_i64(o, "rows", 1, 1000, &rows, &e) == ERR_OK) {
		sized(w, n, rows);
	} else if (strcmp(type, "exit") == 0) {
		w->over = true;
		if (jr_i64(o, "code", -255, 255, &n, &e) == ERR_OK)
			w->result = n < 0 ? 255 : (int)n;
	}
	arena_reset(&a);
}

/* ---- the connection ---- */
static void dial(void *owner)
{
	struct watch *w = owner;
	char path[200], offset[40] = "";
	int cols, rows;

	screen_size(&cols, &rows);
	if (w->next >= 0)
		(void)snprintf(offset, sizeof offset, "&offset=%" PRId64, w->next);
	(void)snprintf(path, sizeof path, "/ws/terminal/%s?cols=%d&rows=%d%s", w->task, cols, rows,
		       offset);
	w->placed = w->live = false;
	w->skip = 0;
	strbuf_reset(&w->early);
	net_connect(w->net, path);
}

static void on_open(void *owner)
{
	(void)owner; /* the first word says how it stands */
}

static void end(struct watch *w, int result)
{
	w->result = result;
	net_quit(w->net);
}

static void on_closed(void *owner, int code)
{
	struct watch *w = owner;

	w->live = w->pen = false;
	if (w->over) {
		end(w, w->result);
	} else if (code == 401 || code == 403 || code == 404 || code == 421) {
		screen_say(code == 404 ? "there is no such task, or it has not run yet"
				       : "chomp refused this (%d): is the token right?",
			   code);
		end(w, EXIT_REFUSED);
	} else {
		int64_t ms = FIRST_MS;
		for (int i = 0; i < w->tries && ms < MAX_MS; i++)
			ms *= 2;
		w->tries++;
		if (!w->told)
			screen_say(w->next < 0 ? "no connection, trying again"
					       : "connection lost, reconnecting");
		w->told = true;
		net_after(w->net, ms < MAX_MS ? ms : MAX_MS, dial);
	}
}

static const struct net_ops ops = { on_open, on_bytes, on_text, on_closed };

/* ---- keys ---- */
static void own_key(struct watch *w, char key)
{
	static const char take[] = "{\"type\":\"pen\",\"take\":true}", ours = KEY_OURS;

	if (key == 'q' || key == 'Q' || key == '.') {
		net_quit(w->net);
	} else if (key == 'p' || key == 'P') {
		w->hinted = true;
		net_send(w->net, take, sizeof take - 1, true);
	} else if (key == KEY_OURS && w->pen) {
		net_send(w->net, &ours, 1, false);
	}
}

static void typed(struct watch *w, const char *p, size_t len)
{
	if (len == 0)
		return;
	if (w->pen && w->live) {
		net_send(w->net, p, len, false);
	} else if (w->live && !w->hinted) {
		w->hinted = true;
		screen_say("you are watching; Ctrl-] p takes the pen, Ctrl-] q leaves");
	}
}

static void keys(void *owner)
{
	struct watch *w = owner;
	char buf[4096];
	ssize_t n = read(w->keyboard, buf, sizeof buf);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		net_quit(w->net); /* the terminal is gone */
		return;
	}
	ssize_t from = 0;
	for (ssize_t i = 0; i < n; i++) {
		if (w->ours) {
			w->ours = false;
			own_key(w, buf[i]);
			from = i + 1;
		} else if (buf[i] == KEY_OURS) {
			typed(w, buf + from, (size_t)(i - from));
			w->ours = true;
			from = i + 1;
		}
	}
	if (n > from)
		typed(w, buf + from, (size_t)(n - from));
}

static void signalled(void *owner)
{
	struct watch *w = owner;
	struct signalfd_siginfo si;
	char text[80];
	int cols, rows;

	while (read(w->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo != SIGWINCH) {
			end(w, 128 + (int)si.ssi_signo);
			continue;
		}
		screen_size(&cols, &rows);
		int len = snprintf(text, sizeof text,
				   "{\"type\":\"resize\",\"cols\":%d,\"rows\":%d}", cols, rows);
		net_send(w->net, text, (size_t)len, true);
	}
}

/* ---- the start ---- */
static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (const int *s = (const int[]){ SIGWINCH, SIGTERM, SIGINT, SIGHUP, 0 }; *s != 0; s++)
		sigaddset(&set, *s);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool read_token(char *token, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while (len < room - 1 && (n = read(TOKEN_FD, token + len, room - 1 - len)) > 0)
		len += (size_t)n;
	close(TOKEN_FD);
	token[len] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	return *token != '\0';
}

static int run(struct watch *w)
{
	w->signals = catch_signals();
	w->keyboard = screen_open();
	if (w->signals < 0 || !net_watch(w->net, w->signals, signalled) ||
	    (w->keyboard >= 0 && !net_watch(w->net, w->keyboard, keys))) {
		screen_close();
		screen_say("the terminal cannot be watched");
		return EXIT_REFUSED;
	}
	dial(w);
	net_run(w->net);
	screen_close();
	if (w->over && w->result >= 0)
		screen_say("ended with exit code %d", w->result);
	return w->result;
}

int main(int argc, char **argv)
{
	struct watch w = { .keyboard = -1, .next = -1 };
	char token[TOKEN_MAX];
	int64_t id;

	if (argc != 3 || number_parse(argv[2], 1, NUMBER_MAX, &id) < 0) {
		screen_say("usage: chomp-watch URL TASK 3<TOKEN; see chomp watch --help");
		return EXIT_USAGE;
	}
	if (!read_token(token, sizeof token)) {
		screen_say("no token on descriptor 3; see chomp watch --help");
		return EXIT_USAGE;
	}
	w.task = argv[2];
	w.net = net_new(argv[1], token, &ops, &w);
	explicit_bzero(token, sizeof token);
	if (w.net == NULL) {
		screen_say("%s: http://HOST[:PORT] or https://HOST[:PORT] is wanted", argv[1]);
		return EXIT_USAGE;
	}
	strbuf_init(&w.early);
	int result = run(&w);
	net_free(w.net);
	strbuf_release(&w.early);
	return result;
}

/*
 * A dispatcher on a real store in a temporary directory, with a clock that the test turns and a
 * host whose answers the test gives.  `worker` is the store as another process has it.
 */
#ifndef CHOMP_TESTS_DISPATCH_KIT_H
#define CHOMP_TESTS_DISPATCH_KIT_H

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "core/rand.h"
#include "dispatch/dispatcher.h"
#include "model/transition.h"
#include "store/output.h"
#include "store/secret.h"
#include "unit.h"

enum { KIT_CALLS = 256, KIT_TIMEOUT_MS = 4 * 3600 * 1000 };
#define KIT_SECRET "a-secret-of-the-sandbox-host-0123456789"
#define KIT_START INT64_C(1770000000000)

static struct kit {
	char var[64];
	struct store *worker;
	struct dispatcher d;
	struct call *calls[KIT_CALLS]; /* not answered yet, oldest first */
	size_t count, total;
	int64_t now;
	struct arena a;
} kit;

static int64_t kit_wall(void)
{
	return KIT_START + kit.now;
}

static int64_t kit_mono(void)
{
	return 1000000 + kit.now;
}

static void kit_send(void *to, struct call *c)
{
	(void)to;
	assert_true(kit.count < KIT_CALLS);
	kit.calls[kit.count++] = c;
	kit.total++;
}

static inline void kit_start(void)
{
	struct errinfo e;

	memset(&kit.d, 0, sizeof kit.d);
	assert_ok(store_open(&kit.d.store, kit.var, STORE_WRITER, &e), &e);
	kit.d.var = kit.var;
	kit.d.at[SITE_HERE] = (struct at_site){ "http://127.0.0.1:8000", KIT_SECRET };
	kit.d.send = kit_send;
	kit.d.wall_ms = kit_wall;
	kit.d.mono_ms = kit_mono;
	kit.d.changed = true;
}

/* kill -9: whatever was under way is gone, the store stays. */
static inline void kit_stop(void)
{
	for (size_t i = 0; i < kit.count; i++)
		call_free(kit.calls[i]);
	kit.count = 0;
	dispatcher_release(&kit.d);
	store_close(kit.d.store);
}

static inline void kit_restart(void)
{
	kit_stop();
	kit_start();
}

static inline int kit_open(void **state)
{
	static const char *const dirs[] = { "",           "/state",        "/secrets",
					    "/log",       "/log/sessions", "/run",
					    "/run/worker" };
	struct errinfo e;

	(void)state;
	memset(&kit, 0, sizeof kit);
	setenv("CHOMP_LOG", "error", 0);
	log_init("test");
	strcpy(kit.var, "/tmp/chomp-dispatch-XXXXXX");
	if (mkdtemp(kit.var) == NULL)
		return -1;
	for (size_t i = 1; i < sizeof dirs / sizeof dirs[0]; i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s%s", kit.var, dirs[i]);
		if (mkdir(path, 0700) < 0)
			return -1;
	}
	if (secret_ensure(kit.var, SECRET_AGENT, &e) != ERR_OK ||
	    store_open(&kit.worker, kit.var, STORE_OWNER, &e) != ERR_OK)
		return -1;
	kit_start();
	return 0;
}

static int kit_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int kit_close(void **state)
{
	(void)state;
	kit_stop();
	store_close(kit.worker);
	arena_reset(&kit.a);
	return nftw(kit.var, kit_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- time ---- */
/* What the loop does between two sleeps.  Returns when the next thing is due. */
static inline int64_t kit_turn(void)
{
	struct errinfo e;
	int64_t next;

	do {
		if (kit.d.changed)
			assert_ok(dispatcher_refresh(&kit.d, &e), &e);
		next = dispatcher_round(&kit.d);
	} while (kit.d.changed);
	return next;
}

/* Another process changed the store: inotify would say so. */
static inline void kit_news(void)
{
	kit.d.changed = true;
	kit_turn();
}

/* Let time pass, waking when something is due. */
static inline void kit_pass(int64_t ms)
{
	int64_t end = kit.now + ms;

	for (int64_t next = kit_turn(); next != NEVER && next - 1000000 <= end; next = kit_turn()) {
		if (next - 1000000 > kit.now)
			kit.now = next - 1000000;
		else
			kit.now++; /* due already and waiting for an answer of ours */
	}
	kit.now = end;
	kit_turn();
}

/* ---- the host's side ---- */
static inline size_t kit_waiting(enum call_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < kit.count; i++)
		n += kit.calls[i]->kind == kind;
	return n;
}

/* Takes the oldest call of this kind off the list. */
static inline struct call *kit_take(enum call_kind kind)
{
	for (size_t i = 0; i < kit.count; i++) {
		struct call *c = kit.calls[i];
		if (c->kind != kind)
			continue;
		memmove(&kit.calls[i], &kit.calls[i + 1],
			(--kit.count - i) * sizeof(struct call *));
		return c;
	}
	fail_msg("no call of kind %d is waiting", (int)kind);
	abort(); /* fail_msg does not return, which the compiler cannot know */
}

static inline void kit_end(struct call *c)
{
	c->done(c);
	call_free(c);
	kit_turn();
}

static inline void kit_reply(struct call *c, int status, const char *body)
{
	c->status = status;
	c->retry_after_ms = -1;
	if (status == 0)
		(void)snprintf(c->why, sizeof c->why, "Connection refused");
	strbuf_puts(&c->answer, body);
	kit_end(c);
}

static inline void kit_answer(enum call_kind kind, int status, const char *body)
{
	kit_reply(kit_take(kind), status, body);
}

static inline const char *kit_id_of(const struct call *c)
{
	const char *id = strrchr(c->path, '/') + 1;

	return arena_strndup(&kit.a, id, strcspn(id, "?"));
}

/* {"sandboxId":…, rest} for the oldest status call */
static inline void kit_status(const char *rest)
{
	struct call *c = kit_take(CALL_STATUS);

	kit_reply(c, 200, arena_printf(&kit.a, "{\"sandboxId\":\"%s\",%s}", kit_id_of(c), rest));
}
#define KIT_RUNS "\"alive\":true,\"running\":true"
#define KIT_GONE "\"alive\":false,\"running\":false"
#define KIT_EXIT(code) "\"alive\":true,\"running\":false,\"reason\":\"exit\",\"exitCode\":" #code

/* The terminal has `text`; answer the oldest logs call as a host would. */
static inline void kit_logs_from(const char *text, size_t start, size_t len)
{
	struct call *c = kit_take(CALL_LOGS);
	size_t from = (size_t)strtoull(strchr(c->path, '=') + 1, NULL, 10);

	if (from < start)
		from = start;
	if (from > start + len)
		from = start + len;
	c->status = 200;
	c->log_start = (int64_t)from;
	c->log_end = (int64_t)(start + len);
	for (size_t at = from - start; at < len;) { /* in pieces, as a network does */
		size_t n = len - at < 1000 ? len - at : 1000;
		if (!c->take(c, text + at, n))
			break;
		at += n;
	}
	kit_end(c);
}

static inline void kit_logs(const char *text)
{
	kit_logs_from(text, 0, strlen(text));
}

static inline void kit_started(const char *sandbox)
{
	kit_answer(CALL_DISPATCH, 200,
		   arena_printf(&kit.a, "{\"sandboxId\":\"%s\",\"status\":\"started\"}", sandbox));
}

/* A host that answers every look and every copy at once, for so long.  Kills and dispatches stay
 * with the test. */
static inline void kit_serve(int64_t ms, const char *status, const char *text)
{
	int64_t end = kit.now + ms;

	for (;;) {
		int64_t next = kit_turn();
		if (kit_waiting(CALL_FILM) > 0) {
			kit_answer(CALL_FILM, 404, "");
		} else if (kit_waiting(CALL_STATUS) > 0) {
			kit_status(status);
		} else if (kit_waiting(CALL_LOGS) > 0) {
			kit_logs(text);
		} else if (next != NEVER && next - 1000000 <= end) {
			kit.now = next - 1000000 > kit.now ? next - 1000000 : kit.now + 1;
		} else {
			kit.now = end;
			return;
		}
	}
}

/* ---- the worker's side ---- */
static inline struct task kit_task(int64_t id)
{
	struct task t;
	struct errinfo e;

	assert_ok(store_get(kit.worker, &kit.a, id, &t, &e), &e);
	return t;
}

static inline struct session kit_session(int64_t id)
{
	struct task t = kit_task(id);

	assert_true(t.session_count > 0);
	return t.sessions[t.session_count - 1];
}

static inline int64_t kit_create(const char *prompt)
{
	struct task t = { .prompt = prompt,
			  .platform = "shell",
			  .model = "bash",
			  .created = kit_wall(),
			  .updated = kit_wall() };
	struct errinfo e;

	assert_ok(store_create(kit.worker, &kit.a, &t, &e), &e);
	return t.id;
}

struct kit_run {
	const char *agent, *model, *router;
	int64_t timeout_ms;
};

static inline enum err kit_run_fn(struct task *t, struct arena *a, void *arg, bool *skip,
				  struct errinfo *e)
{
	const struct kit_run *r = arg;
	char *dispatch_id = arena_alloc(a, 33), *nonce = arena_alloc(a, 33);
	struct run_input in = { .agent = r->agent,
				.model = r->model,
				.router = r->router,
				.dispatch_id = dispatch_id,
				.nonce = nonce,
				.expires_at = kit_wall() + r->timeout_ms };

	(void)skip;
	rand_hex(dispatch_id, 16);
	rand_hex(nonce, 16);
	return task_run(t, a, &in, kit_wall(), e);
}

static inline void kit_change(int64_t id,
			      enum err (*fn)(struct task *, struct arena *, void *, bool *,
					     struct errinfo *),
			      void *arg)
{
	struct errinfo e;

	assert_ok(store_change(kit.worker, &kit.a, id, (struct change){ fn, arg }, NULL, &e), &e);
	kit_news();
}

static inline void kit_run_as(int64_t id, const char *agent, const char *router)
{
	struct kit_run r = { agent, "bash", router, KIT_TIMEOUT_MS };

	kit_change(id, kit_run_fn, &r);
}

static inline int64_t kit_run_new(void)
{
	int64_t id = kit_create("echo hello");

	kit_run_as(id, "shell", NULL);
	return id;
}

/* A task whose sandbox "box<id>" runs and was looked at once. */
static inline int64_t kit_running(void)
{
	int64_t id = kit_run_new();

	kit_started(arena_printf(&kit.a, "box%" PRId64, id));
	kit_status(KIT_RUNS);
	kit_logs("");
	return id;
}

static inline enum err kit_done_fn(struct task *t, struct arena *a, void *arg, bool *skip,
				   struct errinfo *e)
{
	struct report r = { .tokens = -1, .summary = "said done" };

	(void)arg;
	(void)skip;
	return task_done(t, a, &r, kit_wall(), e);
}

static inline enum err kit_cancel_fn(struct task *t, struct arena *a, void *arg, bool *skip,
				     struct errinfo *e)
{
	(void)a;
	(void)arg;
	(void)skip;
	return task_cancel(t, kit_wall(), e);
}

static inline enum err kit_handoff_fn(struct task *t, struct arena *a, void *arg, bool *skip,
				      struct errinfo *e)
{
	(void)skip;
	(void)a;
	(void)arg;
	return task_handoff(t, "half done: see notes.md", kit_wall(), e);
}

/* A failed gate: the next session goes on in the same sandbox while `arg` (an int) is not the attempt. */
static inline enum err kit_gate_fn(struct task *t, struct arena *a, void *arg, bool *skip,
				   struct errinfo *e)
{
	struct gate_input in = { .verdict = { .exit_code = 1 }, .report = REPORT_NONE };
	struct session *next;

	(void)skip;
	t->gate_loops = *(int *)arg;
	in.nonce = arena_strdup(a, "of the next session");
	return task_gate(t, a, &in, kit_wall(), &next, e);
}

static inline enum err kit_park_fn(struct task *t, struct arena *a, void *arg, bool *skip,
				   struct errinfo *e)
{
	(void)skip;
	(void)a;
	return task_park(t, "rate limited", kit_wall() + *(int64_t *)arg, true, kit_wall(), e);
}

static inline void kit_delete(int64_t id)
{
	struct errinfo e;

	assert_ok(store_delete(kit.worker, &kit.a, id, kit_wall(), NULL, &e), &e);
	kit_news();
}

/* What was copied of the session, as text. */
static inline const char *kit_output(int64_t id, const char *sid)
{
	struct errinfo e;
	int64_t len;
	int fd;

	if (output_open(kit.var, id, sid, &fd, &len, &e) != ERR_OK)
		return NULL;
	char *text = arena_alloc(&kit.a, (size_t)len + 1);
	assert_int_equal(read(fd, text, (size_t)len), len);
	close(fd);
	return text;
}

static inline void kit_write(const char *name, const char *text)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", kit.var, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

#define kit_test(p, fn) \
	((p)->tests[(p)->count++] = (struct CMUnitTest){ #fn, fn, kit_open, kit_close, NULL })

#endif

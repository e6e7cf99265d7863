/*
 * Pages from a real store in a temporary directory, with a clock that the test turns, rendered by the real templates.
 * Runs in the project's root, as make and tests/run do.
 */
#ifndef CHOMP_TESTS_PARTIALS_KIT_H
#define CHOMP_TESTS_PARTIALS_KIT_H

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "model/transition.h"
#include "partials/partials.h"
#include "store/output.h"
#include "store/store.h"
#include "unit.h"

#define KIT_NOW INT64_C(1763830800000) /* 2025-11-22 17:00 UTC */

static struct kit {
	char var[64];
	struct app app;
	struct arena a;
	int64_t now;
	struct request rq;
	struct response rs;
} kit;

static int64_t kit_clock(void)
{
	return kit.now;
}

static inline int kit_setup(void **state)
{
	static const char *const dirs[] = { "state", "log", "log/sessions", "run", "run/worker" };
	struct errinfo e;
	char path[128];

	(void)state;
	memset(&kit, 0, sizeof kit);
	(void)snprintf(kit.var, sizeof kit.var, "/tmp/chomp-partials-XXXXXX");
	assert_non_null(mkdtemp(kit.var));
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", kit.var, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	kit.now = KIT_NOW;
	kit.app.var = kit.var;
	kit.app.templates = "cgi-templates";
	kit.app.now = kit_clock;
	assert_ok(store_open(&kit.app.store, kit.var, STORE_OWNER, &e), &e);
	response_init(&kit.rs);
	return 0;
}

static inline int kit_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline int kit_teardown(void **state)
{
	(void)state;
	response_release(&kit.rs);
	arena_reset(&kit.rq.arena);
	store_close(kit.app.store);
	arena_reset(&kit.a);
	return nftw(kit.var, kit_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* A request of the owner's for path?query; htmx: for the fragment. */
static inline struct request *kit_request(const char *path, const char *query, bool htmx)
{
	response_release(&kit.rs);
	arena_reset(&kit.rq.arena);
	memset(&kit.rq, 0, sizeof kit.rq);
	kit.rq.method = "GET";
	kit.rq.path = path;
	kit.rq.query = query;
	kit.rq.content_type = kit.rq.host = kit.rq.origin = kit.rq.fetch_site = kit.rq.authorization = "";
	kit.rq.cookie = kit.rq.if_none_match = kit.rq.idempotency_key = kit.rq.remote_addr = kit.rq.referer = "";
	kit.rq.accept = "text/html";
	kit.rq.body = arena_strdup(&kit.rq.arena, "");
	kit.rq.htmx = htmx;
	kit.rq.who = WHO_OWNER;
	(void)snprintf(kit.rq.id, sizeof kit.rq.id, "9f2c0001");
	response_init(&kit.rs);
	return &kit.rq;
}

/* The page a handler makes of it. */
static inline const char *kit_get(handler_fn *handler, const char *path, const char *query, bool htmx)
{
	struct request *rq = kit_request(path, query, htmx);
	struct errinfo e;

	rq->params[0] = strrchr(path, '/') + 1;
	assert_ok(handler(&kit.app, rq, &kit.rs, &e), &e);
	assert_int_equal(kit.rs.status, 200);
	assert_string_equal(kit.rs.type, "text/html; charset=utf-8");
	return kit.rs.body.buf;
}

static inline enum err kit_fail(handler_fn *handler, const char *path, const char *query, struct errinfo *e)
{
	struct request *rq = kit_request(path, query, true);

	rq->params[0] = strrchr(path, '/') + 1;
	return handler(&kit.app, rq, &kit.rs, e);
}

static inline const char *kit_header(const char *name)
{
	for (int i = 0; i < kit.rs.header_count; i++) {
		if (strcmp(kit.rs.headers[i].name, name) == 0)
			return kit.rs.headers[i].value;
	}
	return NULL;
}

static inline int64_t kit_create(struct task t)
{
	struct errinfo e;

	t.created = t.updated = kit.now;
	assert_ok(store_create(kit.app.store, &kit.a, &t, &e), &e);
	return t.id;
}

static inline int64_t kit_prompt(const char *prompt)
{
	return kit_create((struct task){ .prompt = prompt });
}

/* Change a task by any of the transitions, given as a function of the task. */
static inline enum err kit_apply(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	enum err (*fn)(struct task *, struct arena *, struct errinfo *) =
		*(enum err(**)(struct task *, struct arena *, struct errinfo *))arg;

	(void)skip;
	return fn(t, a, e);
}

static inline void kit_change(int64_t id, enum err (*fn)(struct task *, struct arena *, struct errinfo *))
{
	struct errinfo e;

	assert_ok(store_change(kit.app.store, &kit.a, id, (struct change){ kit_apply, &fn }, NULL, &e), &e);
}

static inline enum err kit_run(struct task *t, struct arena *a, struct errinfo *e)
{
	const struct run_input in = { .agent = "pi", .model = "claude-sonnet-4", .nonce = "n",
				      .dispatch_id = "00112233445566778899aabbccddeeff", .expires_at = kit.now + 1000 };

	return task_run(t, a, &in, kit.now, e);
}

static inline enum err kit_started(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)a;
	return task_started(t, task_last_session(t)->id, "box-1", kit.now, e);
}

#endif

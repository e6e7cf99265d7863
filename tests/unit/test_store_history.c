/*
 * Four processes do whatever comes to their minds to five tasks.  The log then tells the whole
 * history: every step from one line of a task to its next must be one the state machine allows.
 */
#include <sys/wait.h>

#include "core/log.h"
#include "model/transition.h"
#include "store/record.h"
#include "tasks.h"
#include "world.h"

enum { WORKERS = 4, TASKS = 5, ACTS = 250 };

static struct world w;

/* ---- a worker ---- */
static uint32_t seed;

static uint32_t any(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static enum err anything(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	const int64_t now = *(const int64_t *)arg;
	const struct report r = { .tokens = (int64_t)any(1000) };
	const struct run_input in = { .agent = "pi",
				      .model = "m",
				      .dispatch_id = arena_printf(a, "%016x%016x", any(1 << 20),
								  any(1 << 20)),
				      .nonce = arena_printf(a, "%u", any(1 << 20)),
				      .expires_at = now + 1000 };
	const char *sid = arena_printf(a, "s%u", any((uint32_t)t->session_count + 1) + 1);

	(void)skip;
	switch (any(11)) {
	case 0:
		return task_done(t, a, &r, now, e);
	case 1:
		return task_fail(t, a, "broken", &r, now, e);
	case 2:
		return task_handoff(t, "go on", now, e);
	case 3:
		return task_cancel(t, now, e);
	case 4:
		return task_retry(t, now, e);
	case 5:
	case 6:
		return task_update(t, a, &r, now, e);
	case 7:
		return task_started(t, sid, "box", now, e);
	case 8:
		return task_ended(t, sid, any(2) != 0 ? RESULT_LOST : RESULT_DONE, "gone", NULL,
				  now, e);
	case 9:
		return task_killed(t, sid, e);
	default:
		return task_run(t, a, &in, now, e);
	}
}

static int worker(int n)
{
	struct store *s;
	struct errinfo e;

	if (store_open(&s, w.var, STORE_WRITER, &e) != ERR_OK)
		return 1;
	seed = (uint32_t)n + 1;
	for (int64_t now = 1000; now < 1000 + ACTS; now++) {
		struct change c = { anything, &now };
		struct arena a = { 0 };
		enum err rc = store_change(s, &a, any(TASKS) + 1, c, NULL, &e);
		arena_reset(&a);
		if (rc != ERR_OK && rc != ERR_CONFLICT && rc != ERR_NOT_FOUND &&
		    rc != ERR_BAD_INPUT)
			return 2;
	}
	store_close(s);
	return 0;
}

/* ---- the history ---- */
static bool may_follow(enum status from, enum status to)
{
	static const bool allowed[STATUS_COUNT][STATUS_COUNT] = {
		[STATUS_QUEUED] = { [STATUS_QUEUED] = true, [STATUS_ACTIVE] = true },
		[STATUS_ACTIVE] = { true, true, true, true },
		[STATUS_DONE] = { [STATUS_QUEUED] = true, [STATUS_DONE] = true },
		[STATUS_FAILED] = { [STATUS_QUEUED] = true, [STATUS_FAILED] = true },
	};

	return allowed[from][to];
}

static void assert_session_follows(const struct session *old, const struct session *s)
{
	assert_string_equal(s->id, old->id);
	assert_string_equal(s->dispatch.id, old->dispatch.id);
	assert_string_equal(s->nonce, old->nonce);
	assert_int_equal(s->started_at, old->started_at);
	assert_true(s->tokens >= old->tokens);
	if (session_open(old))
		return;
	assert_int_equal(s->result, old->result); /* nothing is reopened, nor ended twice */
	assert_int_equal(s->ended_at, old->ended_at);
	assert_int_equal(s->tokens, old->tokens);
}

static void assert_follows(const struct task *old, const struct task *t)
{
	size_t more = t->session_count - old->session_count;
	int64_t sum = 0;

	assert_true(may_follow(old->status, t->status));
	assert_true(t->session_count >= old->session_count && more <= 1);
	assert_int_equal(more, old->status == STATUS_QUEUED && t->status == STATUS_ACTIVE ? 1 : 0);
	assert_true(t->tokens >= old->tokens);
	for (size_t i = 0; i < old->session_count; i++)
		assert_session_follows(&old->sessions[i], &t->sessions[i]);
	for (size_t i = 0; i < t->session_count; i++) {
		const struct session *s = &t->sessions[i];
		sum += s->tokens;
		assert_true(!session_open(s) ||
			    (t->status == STATUS_ACTIVE && i + 1 == t->session_count));
		assert_true(session_open(s) || s->kill.state != STEP_NONE);
	}
	assert_int_equal(t->tokens, sum);
	assert_int_equal(t->status == STATUS_ACTIVE, task_open_session(t) != NULL);
}

static void every_step_is_allowed(void **state)
{
	struct task last[TASKS + 1] = { 0 };
	struct errinfo e;
	int steps = 0;
	size_t len;

	(void)state;
	for (int i = 0; i < TASKS; i++) {
		struct task t = { .prompt = "x", .created = 1 };
		assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	}
	for (int i = 0; i < WORKERS; i++) {
		if (fork() == 0)
			_exit(worker(i));
	}
	for (int i = 0; i < WORKERS; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	char *log = world_read(&w, "state/tasks.log", &len);
	for (char *p = log, *nl; (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		struct record_head h;
		struct json_object *o;
		struct task t = { 0 };
		assert_true(record_read(p, (size_t)(nl - p), &h));
		if (h.kind != RECORD_SET)
			continue;
		assert_ok(json_parse(&w.a, p + RECORD_HEAD, (size_t)(nl - p) - RECORD_HEAD, &o, &e),
			  &e);
		assert_ok(task_read(&w.a, o, &t, &e), &e);
		assert_int_equal(h.todo, task_has_work(&t));
		assert_follows(&last[h.id], &t);
		last[h.id] = t;
		steps++;
	}
	assert_true(steps > WORKERS * ACTS / 5);
	/* What the store shows is the last line of each. */
	assert_ok(store_catch_up(w.store, &e), &e);
	for (int64_t id = 1; id <= TASKS; id++) {
		struct task t;
		assert_ok(store_peek(w.store, &w.a, id, &t, &e), &e);
		last[id].id = id;
		assert_string_equal(task_text(&w.a, &t), task_text(&w.a, &last[id]));
	}
}

static int create_keyed(int n)
{
	struct task t = { .prompt = "x", .created = 1, .idempotency_key = "the key" };
	struct store *s;
	struct errinfo e;

	(void)n;
	if (store_open(&s, w.var, STORE_WRITER, &e) != ERR_OK ||
	    store_create(s, &w.a, &t, &e) != ERR_OK)
		return 99;
	store_close(s);
	return (int)t.id;
}

static void one_key_at_once_is_one_task(void **state)
{
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 20; i++) {
		if (fork() == 0)
			_exit(create_keyed(i));
	}
	for (int i = 0; i < 20; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
	}
	assert_ok(store_catch_up(w.store, &e), &e);
	assert_int_equal(store_counts(w.store).next_id, 2);
}

static int setup(void **state)
{
	(void)state;
	world_open(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{ "every step of a wild history is allowed", every_step_is_allowed, setup, teardown,
		  NULL },
		{ "one key used at once is one task", one_key_at_once_is_one_task, setup, teardown,
		  NULL },
	};

	setenv("CHOMP_LOG", "error", 1);
	log_init("unit");
	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

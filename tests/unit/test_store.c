#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/number.h"
#include "model/transition.h"
#include "store/inside.h"
#include "tasks.h"
#include "world.h"

/* ---- what is wrapped: the lock's clock, and the sync, which is counted ---- */
static int64_t faster = 1;
static int syncs;

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int64_t __wrap_clock_mono_ms(void)
{
	static int64_t began;

	if (began == 0)
		began = __real_clock_mono_ms();
	return began + (__real_clock_mono_ms() - began) * faster;
}

int __wrap_fdatasync(int fd)
{
	syncs++;
	return __real_fdatasync(fd);
}

static struct world w;

static int setup(void **state)
{
	(void)state;
	faster = 1;
	world_open(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

enum { NOW = 1770804000 };

static int64_t create(struct store *s, const char *prompt)
{
	struct task t = { .prompt = prompt, .created = NOW * 1000LL, .updated = NOW * 1000LL };
	struct arena a = { 0 };
	struct errinfo e;

	assert_ok(store_create(s, &a, &t, &e), &e);
	arena_reset(&a);
	return t.id;
}

static enum err set_result(struct task *t, struct arena *a, void *arg, bool *skip,
			   struct errinfo *e)
{
	(void)a;
	(void)skip;
	(void)e;
	t->result = arg;
	return ERR_OK;
}

static enum err change_result(struct store *s, int64_t id, const char *text, struct errinfo *e)
{
	struct change c = { set_result, (void *)(uintptr_t)text };
	struct arena a = { 0 };
	enum err rc = store_change(s, &a, id, c, NULL, e);

	arena_reset(&a);
	return rc;
}

static void assert_result(struct store *s, int64_t id, const char *want)
{
	struct arena a = { 0 };
	struct errinfo e;
	struct task t;

	assert_ok(store_get(s, &a, id, &t, &e), &e);
	assert_int_equal(t.id, id);
	assert_text(t.result, want);
	arena_reset(&a);
}

/* ---- one process ---- */
static void task_comes_back_whole(void **state)
{
	struct task t = task_full(&w.a), back;
	struct errinfo e;

	(void)state;
	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	assert_int_equal(t.id, 1);
	for (int i = 0; i < 2; i++) {
		assert_ok(store_get(w.store, &w.a, 1, &back, &e), &e);
		assert_string_equal(task_text(&w.a, &back), task_text(&w.a, &t));
		world_reopen(&w, STORE_OWNER);
	}
}

static void ids_begin_at_one_and_are_never_used_again(void **state)
{
	struct errinfo e;

	(void)state;
	assert_int_equal(create(w.store, "a"), 1);
	assert_int_equal(create(w.store, "b"), 2);
	assert_ok(store_delete(w.store, &w.a, 2, NOW * 1000LL, NULL, &e), &e);
	assert_int_equal(create(w.store, "c"), 3);
	assert_ok(store_delete(w.store, &w.a, 3, NOW * 1000LL, NULL, &e), &e);
	world_reopen(&w, STORE_OWNER);
	assert_int_equal(create(w.store, "d"), 4);
}

static void change_is_seen_and_kept(void **state)
{
	struct errinfo e;

	(void)state;
	create(w.store, "x");
	int64_t before = store_version(w.store), task_before = store_task_version(w.store, 1);
	assert_ok(change_result(w.store, 1, "first", &e), &e);
	assert_true(store_version(w.store) > before);
	assert_int_not_equal(store_task_version(w.store, 1), task_before);
	assert_ok(change_result(w.store, 1, "second", &e), &e);
	assert_result(w.store, 1, "second");
	world_reopen(&w, STORE_WRITER);
	assert_result(w.store, 1, "second");
}

static enum err refuse(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)arg;
	(void)skip;
	t->result = "must not be seen";
	return err_wire(e, ERR_CONFLICT, "not_queued", "no");
}

static enum err skip_it(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)arg;
	(void)e;
	t->result = "must not be kept";
	*skip = true;
	return ERR_OK;
}

static void refused_change_writes_nothing(void **state)
{
	struct change no = { refuse, NULL }, skip = { skip_it, NULL };
	struct errinfo e;

	(void)state;
	create(w.store, "x");
	int64_t before = store_version(w.store);
	assert_err(store_change(w.store, &w.a, 1, no, NULL, &e), ERR_CONFLICT, &e);
	assert_string_equal(err_code(&e), "not_queued");
	assert_int_equal(store_version(w.store), before);
	/* The lock was given back: the next one does not wait. */
	assert_ok(store_change(w.store, &w.a, 1, skip, NULL, &e), &e);
	assert_int_equal(store_version(w.store), before);
	assert_result(w.store, 1, "");
	assert_ok(change_result(w.store, 1, "fine", &e), &e);
}

/*
 * Who is told "you said so before" must not be told wrong after a power cut: the first saying was
 * perhaps written by a process that has not synced it yet.
 */
static void skipped_change_is_synced_before_the_answer(void **state)
{
	struct change skip = { skip_it, NULL };
	struct errinfo e;

	(void)state;
	create(w.store, "x");
	syncs = 0;
	assert_ok(store_change(w.store, &w.a, 1, skip, NULL, &e), &e);
	assert_int_equal(syncs, 1);
}

static void every_answer_is_synced(void **state)
{
	struct errinfo e;

	(void)state;
	syncs = 0;
	create(w.store, "x");
	assert_int_equal(syncs, 1);
	assert_ok(change_result(w.store, 1, "y", &e), &e);
	assert_int_equal(syncs, 2);
	assert_ok(store_delete(w.store, &w.a, 1, NOW * 1000LL, NULL, &e), &e);
	assert_int_equal(syncs, 3);
}

static void what_is_not_there_is_not_found(void **state)
{
	static const int64_t ids[] = { 0, -1, 2, 4096, 1000000, NUMBER_MAX, INT64_MAX, INT64_MIN };
	struct errinfo e;
	struct task t;

	(void)state;
	create(w.store, "x");
	int64_t before = store_version(w.store);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		assert_err(store_get(w.store, &w.a, ids[i], &t, &e), ERR_NOT_FOUND, &e);
		assert_err(store_peek(w.store, &w.a, ids[i], &t, &e), ERR_NOT_FOUND, &e);
		assert_err(change_result(w.store, ids[i], "y", &e), ERR_NOT_FOUND, &e);
		assert_err(store_delete(w.store, &w.a, ids[i], 1, NULL, &e), ERR_NOT_FOUND, &e);
		assert_err(store_set_doomed(w.store, ids[i], NULL, 0, &e), ERR_NOT_FOUND, &e);
		assert_int_equal(store_task_version(w.store, ids[i]), 0);
		assert_false(store_is_deleted(w.store, ids[i]));
	}
	assert_int_equal(store_version(w.store), before);
}

static void deleted_task_is_gone(void **state)
{
	struct errinfo e;
	struct task t;

	(void)state;
	create(w.store, "x");
	create(w.store, "y");
	assert_ok(store_delete(w.store, &w.a, 1, NOW * 1000LL, &t, &e), &e);
	assert_string_equal(t.prompt, "x");
	for (int i = 0; i < 2; i++) {
		assert_err(store_get(w.store, &w.a, 1, &t, &e), ERR_NOT_FOUND, &e);
		assert_err(store_delete(w.store, &w.a, 1, NOW * 1000LL, NULL, &e), ERR_NOT_FOUND,
			   &e);
		assert_err(change_result(w.store, 1, "z", &e), ERR_NOT_FOUND, &e);
		assert_true(store_is_deleted(w.store, 1));
		assert_int_equal(store_next_live(w.store, 0), 2);
		assert_int_equal(store_counts(w.store).by_status[STATUS_QUEUED], 1);
		world_reopen(&w, STORE_OWNER);
	}
}

static void peek_leaves_out_what_never_changes(void **state)
{
	struct task t = task_full(&w.a), seen;
	struct errinfo e;

	(void)state;
	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	assert_ok(store_peek(w.store, &w.a, 1, &seen, &e), &e);
	assert_int_equal(seen.id, 1);
	assert_null(seen.prompt);
	assert_int_equal(seen.status, STATUS_ACTIVE);
	assert_int_equal(seen.session_count, 2);
	assert_string_equal(seen.sessions[0].nonce, "n0nce");
}

/* ---- lists ---- */
static void pages_hold_everybody_once(void **state)
{
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 25; i++)
		create(w.store, "x");
	assert_ok(store_delete(w.store, &w.a, 13, NOW * 1000LL, NULL, &e), &e);
	for (size_t page = 1; page < 30; page++) {
		int64_t ids[30], cursor = 0, want = 25;
		do {
			size_t n = store_list(w.store, ~0U, cursor, ids, page, &cursor);
			assert_true(n <= page);
			for (size_t i = 0; i < n; i++) {
				want -= want == 13 ? 1 : 0;
				assert_int_equal(ids[i], want--);
			}
		} while (cursor != 0);
		assert_int_equal(want, 0);
	}
}

static void empty_store_has_no_pages(void **state)
{
	int64_t ids[5], next = 7;

	(void)state;
	assert_int_equal(store_list(w.store, ~0U, 0, ids, 5, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(store_next_live(w.store, 0), 0);
	assert_int_equal(store_next_todo(w.store, 0), 0);
	assert_int_equal(store_counts(w.store).next_id, 1);
}

static void page_walks_no_further_than_it_may(void **state)
{
	struct strbuf lines;
	int64_t ids[10], next;
	size_t rounds = 0, found = 0;

	(void)state;
	/* 20,500 tasks, one in a chunk's worth queued, one failed at the very bottom, the rest done; written as
	 * the store writes them. */
	strbuf_init(&lines);
	record_log(&lines, 1, 1);
	for (int64_t id = 1; id <= 20500; id++) {
		struct task t = { .id = id,
				  .prompt = "x",
				  .created = 1,
				  .status = id == 1             ? STATUS_FAILED
					    : id % 4096 == 2 ? STATUS_QUEUED
							     : STATUS_DONE };
		record_new(&lines, &t);
		record_set(&lines, &t);
	}
	store_close(w.store);
	w.store = NULL;
	world_write(&w, "state/tasks.log", lines.buf, lines.len);
	strbuf_release(&lines);
	world_reopen(&w, STORE_OWNER);
	next = 0;
	do {
		found += store_list(w.store, 1U << STATUS_QUEUED, next, ids + found, 10 - found, &next);
		rounds++;
	} while (next != 0);
	assert_int_equal(found, 6);
	for (int64_t i = 0; i < 6; i++)
		assert_int_equal(ids[i], (5 - i) * 4096 + 2);
	assert_int_equal(rounds, 2); /* 20,000 at a time */
	/* Chunks without any are no walk at all. */
	assert_int_equal(store_list(w.store, 1U << STATUS_FAILED, 0, ids, 10, &next), 1);
	assert_int_equal(ids[0], 1);
	assert_int_equal(next, 0);
	/* Upwards. */
	assert_int_equal(store_next(w.store, 1U << STATUS_QUEUED, 0), 2);
	assert_int_equal(store_next(w.store, 1U << STATUS_QUEUED, 2), 4098);
	assert_int_equal(store_next(w.store, 1U << STATUS_QUEUED | 1U << STATUS_DONE, 4098), 4099);
	assert_int_equal(store_next(w.store, 1U << STATUS_FAILED, 1), 0);
	assert_int_equal(store_counts(w.store).by_status[STATUS_DONE], 20493);
}

/* ---- what is left of a deleted task ---- */
static const struct left {
	const char *name;
	enum step dispatch, kill;
	bool open;
	size_t doomed;
} lefts[] = {
	{ "a running sandbox is killed", STEP_DONE, STEP_NONE, true, 1 },
	{ "a dispatch on its way is killed", STEP_PENDING, STEP_NONE, true, 1 },
	{ "a kill not done yet is done", STEP_DONE, STEP_PENDING, false, 1 },
	{ "a kill that is done is not repeated", STEP_DONE, STEP_DONE, false, 0 },
	{ "a session never dispatched needs none", STEP_NONE, STEP_NONE, true, 0 },
	{ "an adopted closed session needs none", STEP_NONE, STEP_NONE, false, 0 },
};

static void deleted_task_leaves_its_sandboxes(void **state)
{
	ROW(struct left);
	struct session s = { .id = "s1",
			     .started_at = 5,
			     .ended_at = r->open ? 0 : 6,
			     .result = r->open ? RESULT_OPEN : RESULT_DONE,
			     .dispatch = { .id = r->dispatch != STEP_NONE
							 ? "00112233445566778899aabbccddeeff"
							 : NULL,
					   .state = r->dispatch },
			     .kill = { .state = r->kill } };
	struct task t = { .prompt = "x",
			  .created = 1,
			  .status = STATUS_ACTIVE,
			  .sessions = &s,
			  .session_count = 1 };
	struct doomed *kills = NULL;
	struct errinfo e;
	size_t n = 9;

	(void)setup(state);
	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	assert_ok(store_doomed(w.store, &w.a, 1, &kills, &n, &e), &e);
	assert_int_equal(n, 0); /* it lives */
	assert_ok(store_delete(w.store, &w.a, 1, NOW * 1000LL, NULL, &e), &e);
	assert_int_equal(store_next_todo(w.store, 0), r->doomed);
	for (int i = 0; i < 2; i++) {
		assert_ok(store_doomed(w.store, &w.a, 1, &kills, &n, &e), &e);
		assert_int_equal(n, r->doomed);
		if (n > 0) {
			assert_string_equal(kills[0].dispatch_id,
					    "00112233445566778899aabbccddeeff");
			assert_int_equal(kills[0].next_at, NOW * 1000LL);
			assert_int_equal(kills[0].attempts, 0);
		}
		world_reopen(&w, STORE_WRITER);
	}
	if (n > 0) {
		kills[0].attempts = 3;
		kills[0].next_at = NOW * 1000LL + 5;
		assert_ok(store_set_doomed(w.store, 1, kills, 1, &e), &e);
		assert_ok(store_doomed(w.store, &w.a, 1, &kills, &n, &e), &e);
		assert_int_equal(kills[0].attempts, 3);
		assert_int_equal(kills[0].next_at, NOW * 1000LL + 5);
		assert_ok(store_set_doomed(w.store, 1, NULL, 0, &e), &e);
		assert_ok(store_doomed(w.store, &w.a, 1, &kills, &n, &e), &e);
		assert_int_equal(n, 0);
	}
	assert_int_equal(store_next_todo(w.store, 0), 0);
	(void)teardown(state);
}

/* ---- the idempotency key ---- */
static int64_t create_keyed(const char *key, int64_t created)
{
	struct task t = {
		.prompt = key, .created = created, .updated = created, .idempotency_key = key
	};
	struct errinfo e;

	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	return t.id;
}

static void same_key_is_the_same_task(void **state)
{
	const int64_t day = 24 * 3600 * 1000, began = NOW * 1000LL;
	struct errinfo e;

	(void)state;
	assert_int_equal(create_keyed("k1", began), 1);
	assert_int_equal(create_keyed("k2", began + 1), 2);
	assert_int_equal(create(w.store, "no key"), 3);
	int64_t version = store_version(w.store);
	syncs = 0;
	assert_int_equal(create_keyed("k1", began + day), 1);
	assert_int_equal(store_version(w.store), version);
	assert_int_equal(syncs,
			 1); /* the first answer may come from a process that has not synced yet */
	world_reopen(&w, STORE_WRITER);
	assert_int_equal(create_keyed("k1", began + 5), 1);
	assert_int_equal(create_keyed("K1", began + 5), 4);
	assert_int_equal(create_keyed("k1", began + day + 1), 5); /* 24 hours are over */
	assert_ok(store_delete(w.store, &w.a, 2, began, NULL, &e), &e);
	assert_int_equal(create_keyed("k2", began + 6), 6); /* what is deleted cannot be answered */
}

static void first_task_is_answered_as_it_is_now(void **state)
{
	struct task t = { .prompt = "x", .created = NOW * 1000LL, .idempotency_key = "k" };
	struct errinfo e;

	(void)state;
	assert_int_equal(create_keyed("k", NOW * 1000LL), 1);
	assert_ok(change_result(w.store, 1, "half", &e), &e);
	t.prompt = "another body";
	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	assert_int_equal(t.id, 1);
	assert_string_equal(t.prompt, "k");
	assert_string_equal(t.result, "half");
}

/* ---- several processes ---- */
static void two_stores_see_each_other(void **state)
{
	struct store *other;
	struct errinfo e;

	(void)state;
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	for (int64_t i = 1; i < 20; i += 2) {
		assert_int_equal(create(w.store, "mine"), i);
		assert_int_equal(create(other, "theirs"), i + 1);
		assert_ok(change_result(w.store, i + 1, "by me", &e), &e);
		assert_result(other, i + 1, "by me");
		assert_ok(change_result(other, i, "by them", &e), &e);
		assert_result(w.store, i, "by them");
	}
	assert_ok(store_delete(other, &w.a, 1, NOW * 1000LL, NULL, &e), &e);
	assert_err(change_result(w.store, 1, "late", &e), ERR_NOT_FOUND, &e);
	store_close(other);
}

/* A child process that runs fn with a store of its own (or the inherited one) and reports by its
 * exit status. */
static pid_t child(int (*fn)(struct store *s, int n), int n, bool inherited)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct store *s = w.store;
		struct errinfo e;
		enum err rc = inherited ? store_after_fork(s, &e)
					: store_open(&s, w.var, STORE_WRITER, &e);
		_exit(rc == ERR_OK ? fn(s, n) : 100);
	}
	return pid;
}

static void all_end_well(const pid_t *pids, int n)
{
	for (int i = 0; i < n; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

enum { CHILDREN = 8, EACH = 50 };

static int create_many(struct store *s, int n)
{
	for (int i = 0; i < EACH; i++) {
		char prompt[32];
		struct task t = { .prompt = prompt, .created = 1, .updated = 1 };
		struct arena a = { 0 };
		struct errinfo e;
		snprintf(prompt, sizeof prompt, "%d of %d", i, n);
		if (store_create(s, &a, &t, &e) != ERR_OK)
			return 1;
		arena_reset(&a);
	}
	return 0;
}

static void eight_processes_create(bool inherited)
{
	static bool seen[CHILDREN][EACH];
	pid_t pids[CHILDREN];
	struct errinfo e;

	memset(seen, 0, sizeof seen);
	for (int i = 0; i < CHILDREN; i++)
		pids[i] = child(create_many, i, inherited);
	all_end_well(pids, CHILDREN);
	assert_ok(store_catch_up(w.store, &e), &e);
	assert_int_equal(store_counts(w.store).next_id, CHILDREN * EACH + 1);
	assert_int_equal(store_counts(w.store).by_status[STATUS_QUEUED], CHILDREN * EACH);
	for (int64_t id = 1; id <= CHILDREN * EACH; id++) {
		struct arena a = { 0 };
		struct task t;
		int i, n;
		assert_ok(store_get(w.store, &a, id, &t, &e), &e);
		assert_int_equal(sscanf(t.prompt, "%d of %d", &i, &n), 2);
		assert_false(seen[n][i]); /* distinct, and none lost */
		seen[n][i] = true;
		arena_reset(&a);
	}
}

static void eight_processes_with_stores_of_their_own(void **state)
{
	(void)state;
	eight_processes_create(false);
}

static void eight_children_with_an_inherited_store(void **state)
{
	(void)state;
	eight_processes_create(true);
}

static const struct run_input run_input = {
	.agent = "pi", .model = "m", .dispatch_id = "00", .nonce = "n"
};

static enum err run(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)arg;
	(void)skip;
	return task_run(t, a, &run_input, NOW * 1000LL, e);
}

static int run_one(struct store *s, int n)
{
	struct change c = { run, NULL };
	struct arena a = { 0 };
	struct errinfo e;
	enum err rc = store_change(s, &a, 1, c, NULL, &e);

	(void)n;
	arena_reset(&a);
	if (rc == ERR_OK) { /* the winner leaves a mark; two of them would not */
		char path[120];
		snprintf(path, sizeof path, "%s/winner", w.var);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		return fd >= 0 ? 0 : 50;
	}
	return rc == ERR_CONFLICT && strcmp(err_code(&e), "not_queued") == 0 ? 0 : 60;
}

static void twenty_runs_are_one_session(void **state)
{
	pid_t pids[20];
	struct errinfo e;
	struct task t;

	(void)state;
	create(w.store, "x");
	for (int i = 0; i < 20; i++)
		pids[i] = child(run_one, i, i % 2 == 0);
	all_end_well(pids, 20);
	assert_true(world_has(&w, "winner"));
	assert_ok(store_get(w.store, &w.a, 1, &t, &e), &e);
	assert_int_equal(t.session_count, 1);
	assert_int_equal(t.status, STATUS_ACTIVE);
}

static enum err add_one(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)arg;
	(void)skip;
	(void)e;
	t->tokens++;
	return ERR_OK;
}

static int count_many(struct store *s, int n)
{
	struct change c = { add_one, NULL };

	(void)n;
	for (int i = 0; i < EACH; i++) {
		struct arena a = { 0 };
		struct errinfo e;
		if (store_change(s, &a, 1, c, NULL, &e) != ERR_OK)
			return 1;
		arena_reset(&a);
	}
	return 0;
}

static void no_update_is_lost(void **state)
{
	pid_t pids[CHILDREN];
	struct errinfo e;
	struct task t;

	(void)state;
	create(w.store, "x");
	for (int i = 0; i < CHILDREN; i++)
		pids[i] = child(count_many, i, i % 2 == 0);
	all_end_well(pids, CHILDREN);
	assert_ok(store_get(w.store, &w.a, 1, &t, &e), &e);
	assert_int_equal(t.tokens, CHILDREN * EACH);
	assert_int_equal(store_counts(w.store).tokens, CHILDREN * EACH);
}

/*
 * A failed write-back is told once to each open file description.  Children that shared their
 * parent's would share the telling: one gets EIO, the others sync "well" what is not on disk.
 */
static void children_do_not_share_the_log_s_description(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		struct errinfo e;
		int fd = w.store->log.fd;
		if (store_after_fork(w.store, &e) != ERR_OK)
			_exit(1);
		fd = w.store->log.fd;
		/* A flag of the description, not of the descriptor: the parent would see it. */
		_exit(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fcntl(w.store->log.fd, F_GETFL) & O_NONBLOCK, 0);
}

static void lock_held_by_another_is_busy(void **state)
{
	struct lock l;
	struct errinfo e;
	struct task t;
	int dirfd = open(world_path(&w, "state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	create(w.store, "x");
	assert_ok(lock_open(&l, dirfd, &e), &e);
	close(dirfd);
	assert_ok(lock_take(&l, &e), &e);
	faster = 50;
	int64_t before = store_version(w.store);
	t = (struct task){ .prompt = "y", .created = 1 };
	assert_err(store_create(w.store, &w.a, &t, &e), ERR_BUSY, &e);
	assert_err(change_result(w.store, 1, "y", &e), ERR_BUSY, &e);
	assert_err(store_delete(w.store, &w.a, 1, 1, NULL, &e), ERR_BUSY, &e);
	assert_int_equal(store_version(w.store), before);
	assert_result(w.store, 1, ""); /* reading needs no lock */
	lock_close(&l);
	assert_ok(change_result(w.store, 1, "y", &e), &e);
}

/* ---- text that could not be read back ---- */
static void what_is_no_text_is_not_written(void **state)
{
	struct errinfo e;
	struct task t = { .prompt = "x", .created = 1, .idempotency_key = "\xff" };

	(void)state;
	create(w.store, "x");
	int64_t before = store_version(w.store);
	assert_err(store_create(w.store, &w.a, &t, &e), ERR_BAD_INPUT, &e);
	assert_err(change_result(w.store, 1, "\xed\xa0\x80", &e), ERR_BAD_INPUT, &e);
	assert_int_equal(store_version(w.store), before);
	assert_ok(change_result(w.store, 1, "\xc3\xa4", &e), &e); /* and the lock was given back */
	assert_result(w.store, 1, "\xc3\xa4");
}

static void large_task_is_kept(void **state)
{
	char *prompt = arena_alloc(&w.a, PROMPT_MAX + 1);
	struct task t = { .prompt = prompt, .created = 1 }, back;
	struct errinfo e;

	(void)state;
	memset(prompt, '\x01', PROMPT_MAX); /* six times as long once it is escaped: longer than the
					       reader's first buffer */
	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	create(w.store, "after");
	world_reopen(&w, STORE_WRITER);
	assert_ok(store_get(w.store, &w.a, 1, &back, &e), &e);
	assert_string_equal(back.prompt, prompt);
	assert_int_equal(store_counts(w.store).next_id, 3);
}

static void last_id_is_the_end(void **state)
{
	struct task t = { .prompt = "x", .created = 1 };
	struct strbuf lines;
	struct errinfo e;

	(void)state;
	strbuf_init(&lines);
	record_log(&lines, TASK_ID_MAX + 1, 1);
	store_close(w.store);
	w.store = NULL;
	world_write(&w, "state/tasks.log", lines.buf, lines.len);
	strbuf_release(&lines);
	world_reopen(&w, STORE_OWNER);
	assert_err(store_create(w.store, &w.a, &t, &e), ERR_CONFLICT, &e);
	assert_ok(store_writable(w.store, &e), &e);
}

/* ---- opening ---- */
static void store_that_cannot_be_opened_says_why(void **state)
{
	struct store *s = (void *)&s;
	struct errinfo e;

	(void)state;
	assert_err(store_open(&s, world_path(&w, "nowhere"), STORE_WRITER, &e), ERR_IO, &e);
	assert_null(s);
	assert_err(store_open(&s, world_path(&w, "secrets"), STORE_WRITER, &e), ERR_IO,
		   &e); /* has no state/ */
	assert_non_null(strstr(e.what, "state/"));
	store_close(w.store);
	w.store = NULL;
	assert_int_equal(
		rename(world_path(&w, "state/tasks.log"), world_path(&w, "state/elsewhere")), 0);
	assert_int_equal(symlink("elsewhere", world_path(&w, "state/tasks.log")), 0);
	assert_err(store_open(&s, w.var, STORE_WRITER, &e), ERR_IO, &e);
}

static void only_the_owner_begins_a_log(void **state)
{
	size_t len;

	(void)state;
	store_close(w.store);
	w.store = NULL;
	assert_int_equal(unlink(world_path(&w, "state/tasks.log")), 0);
	world_reopen(&w, STORE_WRITER);
	(void)world_read(&w, "state/tasks.log", &len);
	assert_int_equal(len, 0);
	world_reopen(&w, STORE_OWNER);
	(void)world_read(&w, "state/tasks.log", &len);
	assert_true(len > 0);
	world_reopen(&w, STORE_OWNER);
	size_t again;
	(void)world_read(&w, "state/tasks.log", &again);
	assert_int_equal(again, len);
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("a task comes back whole", task_comes_back_whole),
		T("ids begin at 1 and are never used again",
		  ids_begin_at_one_and_are_never_used_again),
		T("a change is seen and kept", change_is_seen_and_kept),
		T("a refused change writes nothing", refused_change_writes_nothing),
		T("a skipped change is synced before the answer",
		  skipped_change_is_synced_before_the_answer),
		T("every answer is synced", every_answer_is_synced),
		T("what is not there is not found", what_is_not_there_is_not_found),
		T("a deleted task is gone", deleted_task_is_gone),
		T("peek leaves out what never changes", peek_leaves_out_what_never_changes),
		T("pages hold everybody once", pages_hold_everybody_once),
		T("an empty store has no pages", empty_store_has_no_pages),
		T("a page walks no further than it may", page_walks_no_further_than_it_may),
		T("the same key is the same task", same_key_is_the_same_task),
		T("the first task is answered as it is now", first_task_is_answered_as_it_is_now),
		T("two stores see each other", two_stores_see_each_other),
		T("eight processes with stores of their own lose no task",
		  eight_processes_with_stores_of_their_own),
		T("eight children with an inherited store lose no task",
		  eight_children_with_an_inherited_store),
		T("twenty runs at once are one session", twenty_runs_are_one_session),
		T("no update is lost", no_update_is_lost),
		T("children do not share the log's description",
		  children_do_not_share_the_log_s_description),
		T("a lock held by another is busy", lock_held_by_another_is_busy),
		T("what is no text is not written", what_is_no_text_is_not_written),
		T("a large task is kept", large_task_is_kept),
		T("the last id is the end", last_id_is_the_end),
		T("a store that cannot be opened says why", store_that_cannot_be_opened_says_why),
		T("only the owner begins a log", only_the_owner_begins_a_log),
	};
	static struct plan p;

	setenv("CHOMP_LOG", "error", 1);
	log_init("unit");
	memcpy(p.tests, tests, sizeof tests);
	p.count = sizeof tests / sizeof tests[0];
	PLAN_ROWS(&p, lefts, deleted_task_leaves_its_sandboxes);
	return plan_run("store", &p);
}

/* Compaction beside writers, and the snapshot: nothing is lost, ids stay used, others follow. */
#include "unit.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/json.h"
#include "scratch.h"
#include "store/store.h"
#include "tasks.h"

static void var_open(struct scratch *s)
{
	char path[128];

	scratch_open(s);
	static const char *const dirs[] = { "state", "run", "run/worker" };
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", s->path, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static struct store *open_store(struct scratch *s, enum store_mode mode)
{
	struct store *st;
	struct errinfo e = { 0 };

	assert_ok(store_open(&st, s->path, mode, &e), &e);
	return st;
}

static int64_t create(struct store *st, const char *prompt)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct task t = { .prompt = prompt, .created = 1770804000123, .updated = 1770804000123 };

	assert_ok(store_create(st, &a, &t, &e), &e);
	arena_reset(&a);
	return t.id;
}

static enum err add_tokens(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)skip;
	(void)e;
	t->tokens += *(int64_t *)arg;
	return ERR_OK;
}

static void change(struct store *st, int64_t id, int64_t tokens)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct change c = { add_tokens, &tokens };

	assert_ok(store_change(st, &a, id, c, NULL, &e), &e);
	arena_reset(&a);
}

/* Every live task's text, one behind the other. */
static char *world(struct store *st)
{
	struct strbuf sb;
	struct errinfo e = { 0 };

	strbuf_init(&sb);
	assert_ok(store_catch_up(st, &e), &e);
	for (int64_t id = 0; (id = store_next_live(st, id)) != 0;) {
		struct arena a = { 0 };
		struct task t;
		assert_ok(store_get(st, &a, id, &t, &e), &e);
		strbuf_puts(&sb, task_text(&a, &t));
		arena_reset(&a);
	}
	char *text = strdup(sb.buf);
	strbuf_release(&sb);
	return text;
}

static void fill(struct store *st, int tasks, int changes)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };

	for (int i = 0; i < tasks; i++)
		create(st, "a prompt with \"quotes\" and \n lines");
	for (int i = 0; i < changes; i++)
		change(st, 1 + i % tasks, 1);
	assert_ok(store_delete(st, &a, 2, 1, NULL, &e), &e);
	assert_ok(store_delete(st, &a, tasks, 1, NULL, &e), &e);
	arena_reset(&a);
}

static void keeps_everything(void **state)
{
	struct scratch s;
	struct errinfo e = { 0 };

	(void)state;
	var_open(&s);
	struct store *st = open_store(&s, STORE_OWNER);
	fill(st, 20, 200);
	char *before = world(st);
	struct store_counts counts = store_counts(st);
	int64_t version = store_version(st);
	assert_ok(store_compact(st, &e), &e);
	char *after = world(st);
	assert_string_equal(before, after);
	assert_true(store_version(st) > version);
	assert_int_equal(store_counts(st).next_id, counts.next_id);
	assert_int_equal(store_counts(st).tokens, counts.tokens);
	/* The last task was deleted: its id stays used all the same. */
	assert_int_equal(create(st, "next"), counts.next_id);
	store_close(st);
	/* And a new process reads the same. */
	st = open_store(&s, STORE_OWNER);
	assert_int_equal(store_counts(st).next_id, counts.next_id + 1);
	store_close(st);
	free(before);
	free(after);
	scratch_close(&s);
}

static void others_follow(void **state)
{
	struct scratch s;
	struct errinfo e = { 0 };

	(void)state;
	var_open(&s);
	struct store *one = open_store(&s, STORE_OWNER), *two = open_store(&s, STORE_WRITER);
	fill(one, 10, 50);
	assert_ok(store_compact(one, &e), &e);
	change(two, 1, 5); /* has the old file open */
	char *a = world(one), *b = world(two);
	assert_string_equal(a, b);
	assert_non_null(strstr(a, "\"tokens\":10"));
	store_close(one);
	store_close(two);
	free(a);
	free(b);
	scratch_close(&s);
}

/* A tombstone whose sandboxes are still to be ended survives without its task. */
static enum err run_it(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	struct session *se = task_add_session(t, a);

	(void)arg;
	(void)skip;
	(void)e;
	se->agent = "shell";
	se->dispatch = (struct outbox){ .id = "00112233445566778899aabbccddeeff", .state = STEP_PENDING };
	t->status = STATUS_ACTIVE;
	return ERR_OK;
}

static void doomed_stay(void **state)
{
	struct scratch s;
	struct errinfo e = { 0 };
	struct arena a = { 0 };
	struct doomed *kills;
	size_t count;

	(void)state;
	var_open(&s);
	struct store *st = open_store(&s, STORE_OWNER);
	int64_t id = create(st, "doomed");
	assert_ok(store_change(st, &a, id, (struct change){ run_it, NULL }, NULL, &e), &e);
	assert_ok(store_delete(st, &a, id, 1, NULL, &e), &e);
	for (int pass = 0; pass < 2; pass++) { /* also a compacted log can be compacted */
		assert_ok(store_compact(st, &e), &e);
		assert_int_equal(store_next_todo(st, 0), id);
		assert_ok(store_doomed(st, &a, id, &kills, &count, &e), &e);
		assert_int_equal(count, 1);
	}
	assert_ok(store_set_doomed(st, id, kills, 0, &e), &e);
	assert_ok(store_compact(st, &e), &e);
	assert_int_equal(store_next_todo(st, 0), 0);
	assert_int_equal(create(st, "after"), id + 1);
	arena_reset(&a);
	store_close(st);
	scratch_close(&s);
}

enum { WRITERS = 3, EACH = 150 };

static _Noreturn void writer(struct scratch *s, int n)
{
	struct store *st = open_store(s, STORE_WRITER);

	for (int i = 0; i < EACH; i++)
		change(st, 1 + n, 1);
	_exit(0);
}

static void beside_writers(void **state)
{
	struct scratch s;
	struct errinfo e = { 0 };
	pid_t pids[WRITERS];
	int status, left = WRITERS, rounds = 0;

	(void)state;
	var_open(&s);
	struct store *st = open_store(&s, STORE_OWNER);
	fill(st, 10, 0);
	create(st, "one more");
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			writer(&s, i == 1 ? 2 : i); /* task 2 is deleted */
	}
	while (left > 0) {
		assert_ok(store_compact(st, &e), &e);
		rounds++;
		for (int i = 0; i < WRITERS; i++) {
			if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				assert_int_equal(status, 0);
				pids[i] = 0;
				left--;
			}
		}
	}
	assert_true(rounds > 1);
	assert_ok(store_catch_up(st, &e), &e);
	assert_int_equal(store_counts(st).tokens, WRITERS * EACH);
	store_close(st);
	scratch_close(&s);
}

/* ---- snapshot and adoption ---- */
static void snapshot_is_adopted(void **state)
{
	struct scratch one, two;
	struct errinfo e = { 0 };
	struct arena a = { 0 };
	char *text, path[128];
	size_t len;

	(void)state;
	var_open(&one);
	var_open(&two);
	struct store *st = open_store(&one, STORE_OWNER);
	fill(st, 5, 10);
	assert_ok(store_snapshot(st, &e), &e);
	char *before = world(st);
	int64_t next_id = store_counts(st).next_id;
	store_close(st);
	/* The day tasks.log is lost. */
	(void)snprintf(path, sizeof path, "%s/state/state.json", one.path);
	assert_ok(file_read(AT_FDCWD, path, 1 << 20, &a, &text, &len, &e), &e);
	(void)snprintf(path, sizeof path, "%s/state", two.path);
	int dirfd = open(path, O_RDONLY | O_DIRECTORY);
	assert_ok(file_replace(dirfd, "state.json", text, len, 0600, &e), &e);
	close(dirfd);
	st = open_store(&two, STORE_OWNER);
	assert_int_equal(store_counts(st).next_id, next_id);
	struct task t;
	assert_ok(store_get(st, &a, 1, &t, &e), &e);
	assert_int_equal(t.tokens, 2);
	assert_string_equal(t.prompt, "a prompt with \"quotes\" and \n lines");
	assert_err(store_get(st, &a, 2, &t, &e), ERR_NOT_FOUND, &e);
	store_close(st);
	free(before);
	arena_reset(&a);
	scratch_close(&one);
	scratch_close(&two);
}

static void bad_old_state_is_refused(void **state)
{
	static const char *const bad[] = {
		"{\"tasks\":[{\"id\":\"1\",\"prompt\":\"a\",\"status\":\"queued\"},{\"id\":1,\"prompt\":\"b\",\"status\":\"done\"}]}",
		"{\"tasks\":[{\"prompt\":\"no id\",\"status\":\"queued\"}]}",
		"{\"tasks\":[{\"id\":\"1\",\"prompt\":\"a\",\"status\":\"eaten\"}]}",
		"{\"tasks\":[{\"id\":\"1\",\"prompt\":7,\"status\":\"queued\"}]}",
		"{\"tasks\":[",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct scratch s;
		struct errinfo e = { 0 };
		struct store *st;
		char path[128];
		var_open(&s);
		(void)snprintf(path, sizeof path, "%s/state", s.path);
		int dirfd = open(path, O_RDONLY | O_DIRECTORY);
		assert_ok(file_replace(dirfd, "state.json", bad[i], strlen(bad[i]), 0600, &e), &e);
		assert_err(store_open(&st, s.path, STORE_OWNER, &e), ERR_CORRUPT, &e);
		assert_int_equal(faccessat(dirfd, "tasks.log", F_OK, 0), -1);
		close(dirfd);
		scratch_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "compaction keeps every task, counter and used id", keeps_everything, NULL, NULL, NULL },
		{ "a process with the old log open follows to the new one", others_follow, NULL, NULL, NULL },
		{ "sandboxes of deleted tasks are not forgotten by compaction", doomed_stay, NULL, NULL, NULL },
		{ "compaction beside three writers loses no change", beside_writers, NULL, NULL, NULL },
		{ "a snapshot is adopted when the log is lost", snapshot_is_adopted, NULL, NULL, NULL },
		{ "an old state that cannot be read is refused whole", bad_old_state_is_refused, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

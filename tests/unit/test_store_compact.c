/* Compaction and export, beside writers that go on, and over system calls that fail. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "core/json.h"
#include "core/log.h"
#include "tasks.h"
#include "world.h"

/* ---- what fails, and what happens in between ---- */
static struct {
	int seen, fail_at; /* openat, write, fsync, renameat counted together */
	int why;
	char last; /* the first letter of the one that failed */
	void (*at_fsync)(void);
} sys;

static bool fails(char kind)
{
	if (++sys.seen != sys.fail_at)
		return false;
	sys.last = kind;
	errno = sys.why;
	return true;
}

int __real_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails('o') ? -1 : __real_openat(dirfd, name, flags, mode);
}

ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	return fails('w') ? -1 : __real_write(fd, p, len);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	void (*then)(void) = sys.at_fsync;

	sys.at_fsync = NULL;
	if (then != NULL)
		then();
	return fails('f') ? -1 : __real_fsync(fd);
}

int __real_renameat(int a, const char *b, int c, const char *d);
int __wrap_renameat(int a, const char *b, int c, const char *d);
int __wrap_renameat(int a, const char *b, int c, const char *d)
{
	return fails('r') ? -1 : __real_renameat(a, b, c, d);
}

void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f);
void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f)
{
	(void)level;
	(void)ev;
	(void)f;
}

void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e);
void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e)
{
	(void)level;
	(void)ev;
	(void)e;
}

/* ---- a store with a history ---- */
static struct world w;

static int64_t create(struct store *s, const char *prompt)
{
	struct task t = { .prompt = prompt, .created = 1, .updated = 1 };
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

static void change(struct store *s, int64_t id, const char *text)
{
	struct change c = { set_result, (void *)(uintptr_t)text };
	struct arena a = { 0 };
	struct errinfo e;

	assert_ok(store_change(s, &a, id, c, NULL, &e), &e);
	arena_reset(&a);
}

/* 20 tasks, each changed five times; 3 and 20 deleted, 5 deleted with a sandbox to kill; 7 full of
 * everything. */
static int setup(void **state)
{
	struct errinfo e;

	(void)state;
	memset(&sys, 0, sizeof sys);
	world_open(&w);
	for (int i = 1; i <= 20; i++) {
		struct task t = task_full(&w.a);
		t.idempotency_key = i == 7 ? "key-7" : "key-5";
		if (i == 7 || i == 5)
			assert_ok(store_create(w.store, &w.a, &t, &e), &e);
		else
			create(w.store, arena_printf(&w.a, "task %d", i));
		for (int k = 0; k < 5; k++)
			change(w.store, i, arena_printf(&w.a, "change %d", k));
	}
	assert_ok(store_delete(w.store, &w.a, 3, 1000, NULL, &e), &e);
	assert_ok(store_delete(w.store, &w.a, 5, 1000, NULL, &e), &e);
	assert_ok(store_delete(w.store, &w.a, 20, 1000, NULL, &e), &e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memset(&sys, 0, sizeof sys);
	world_close(&w);
	return 0;
}

/* All that the store knows, as text. */
static const char *contents(struct store *s)
{
	struct errinfo e;
	struct store_counts c;
	const char *out = "";

	assert_ok(store_catch_up(s, &e), &e);
	c = store_counts(s);
	for (int64_t id = 1; id < c.next_id; id++) {
		struct doomed *kills = NULL;
		struct task t;
		size_t n;
		if (store_get(s, &w.a, id, &t, &e) == ERR_OK)
			out = arena_printf(&w.a, "%s%s\n", out, task_text(&w.a, &t));
		assert_ok(store_doomed(s, &w.a, id, &kills, &n, &e), &e);
		for (size_t i = 0; i < n; i++)
			out = arena_printf(&w.a, "%s%d dooms %s %d\n", out, (int)id,
					   kills[i].dispatch_id, (int)kills[i].attempts);
	}
	for (int64_t id = 0; (id = store_next_todo(s, id)) != 0;)
		out = arena_printf(&w.a, "%stodo %d\n", out, (int)id);
	return arena_printf(&w.a, "%snext %d, %d queued, %d tokens\n", out, (int)c.next_id,
			    (int)c.by_status[STATUS_QUEUED], (int)c.tokens);
}

static size_t log_size(void)
{
	struct stat st;

	assert_int_equal(stat(world_path(&w, "state/tasks.log"), &st), 0);
	return (size_t)st.st_size;
}

/* ---- compaction ---- */
static void content_is_the_same_and_smaller(void **state)
{
	const char *before = contents(w.store);
	size_t size = log_size();
	struct errinfo e;

	(void)state;
	assert_non_null(strstr(before, "5 dooms"));
	assert_ok(store_compact(w.store, &e), &e);
	assert_true(log_size() < size / 2);
	assert_string_equal(contents(w.store), before);
	assert_false(world_has(&w, "state/tasks.log.compact"));
	size = log_size();
	assert_ok(store_compact(w.store, &e), &e); /* again: nothing more to win, nothing to lose */
	assert_int_equal(log_size(), size);
	assert_string_equal(contents(w.store), before);
	world_reopen(&w, STORE_OWNER);
	assert_string_equal(contents(w.store), before);
	assert_int_equal(create(w.store, "next"), 21);
}

static void versions_go_up(void **state)
{
	struct errinfo e;

	(void)state;
	int64_t version = store_version(w.store), of_task = store_task_version(w.store, 7);
	assert_ok(store_compact(w.store, &e), &e);
	assert_true(store_version(w.store) > version); /* although the file is smaller */
	assert_int_not_equal(store_task_version(w.store, 7), of_task);
	version = store_version(w.store);
	change(w.store, 7, "x");
	assert_true(store_version(w.store) > version);
}

static void finished_tombstones_go(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(store_set_doomed(w.store, 5, NULL, 0, &e), &e);
	const char *before = contents(w.store);
	assert_ok(store_compact(w.store, &e), &e);
	world_reopen(&w, STORE_OWNER);
	assert_string_equal(contents(w.store), before);
	struct task t;
	assert_err(store_get(w.store, &w.a, 5, &t, &e), ERR_NOT_FOUND, &e);
	assert_err(store_delete(w.store, &w.a, 20, 1, NULL, &e), ERR_NOT_FOUND, &e);
}

static struct store *other;

static void others_follow(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	const char *before = contents(other);
	for (int i = 0; i < 3; i++) {
		assert_ok(store_compact(w.store, &e), &e);
		assert_string_equal(contents(other), before);
		assert_ok(store_compact(w.store, &e), &e);
		change(other, 1, "behind it"); /* also when the first thing it does is a change */
		change(w.store, 1, "change 4");
		assert_string_equal(contents(other), before);
	}
	store_close(other);
}

/* Between the copy and the taking over: what is appended meanwhile must follow. */
static void write_meanwhile(void)
{
	create(other, "meanwhile");
	change(other, 1, "meanwhile");
	change(other, 21, "at once");
	struct arena a = { 0 };
	struct errinfo e;
	assert_ok(store_delete(other, &a, 2, 1, NULL, &e), &e);
	assert_ok(store_set_doomed(other, 5, NULL, 0, &e), &e);
	arena_reset(&a);
}

static void changes_meanwhile_are_kept(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	sys.at_fsync = write_meanwhile;
	assert_ok(store_compact(w.store, &e), &e);
	assert_null(sys.at_fsync);
	const char *mine = contents(w.store);
	assert_string_equal(contents(other), mine);
	assert_non_null(strstr(mine, "\"prompt\":\"meanwhile\""));
	assert_non_null(strstr(mine, "at once"));
	assert_null(strstr(mine, "\"prompt\":\"task 2\""));
	assert_null(strstr(mine, "dooms"));
	world_reopen(&w, STORE_OWNER);
	assert_string_equal(contents(w.store), mine);
	store_close(other);
}

static void failed_step_leaves_the_old_log(void **state)
{
	const char *before = contents(w.store);
	static const int reasons[] = { EIO, ENOSPC };
	struct errinfo e;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		for (int nth = 1;; nth++) {
			memset(&sys, 0, sizeof sys);
			sys.fail_at = nth;
			sys.why = reasons[k];
			enum err rc = store_compact(w.store, &e);
			bool reached = sys.seen >= nth;
			char kind = sys.last;
			memset(&sys, 0, sizeof sys);
			if (rc == ERR_OK) {
				assert_false(reached);
				break;
			}
			assert_true(rc == ERR_IO || (rc == ERR_DISK_FULL && reasons[k] == ENOSPC));
			assert_false(world_has(&w, "state/tasks.log.compact"));
			assert_string_equal(contents(w.store), before);
			/*
			 * The last sync is that of the directory: the new log is in place, but a
			 * power cut may bring back the old one, which lacks whatever is written
			 * from now on.  So nothing may be.
			 */
			if (world_has(&w, "run/worker/read_only")) {
				assert_int_equal(kind, 'f');
				world_reopen(&w, STORE_OWNER);
			}
			change(w.store, 1, "x");
			change(w.store, 1, "change 4");
			assert_string_equal(contents(w.store), before);
			assert_true(nth < 50);
		}
	}
}

static void failed_sync_of_the_directory_is_final(void **state)
{
	struct errinfo e;
	int last = 0;

	(void)state;
	for (int nth = 1; nth < 50;
	     nth++) { /* which of the calls is the last fsync of a good run */
		assert_ok(store_compact(w.store, &e), &e);
		memset(&sys, 0, sizeof sys);
		sys.fail_at = nth;
		sys.why = EIO;
		(void)store_compact(w.store, &e);
		last = sys.last == 'f' ? nth : last;
		(void)unlink(world_path(&w, "run/worker/read_only"));
		memset(&sys, 0, sizeof sys);
		world_reopen(&w, STORE_OWNER);
	}
	assert_ok(store_compact(w.store, &e), &e);
	memset(&sys, 0, sizeof sys);
	sys.fail_at = last;
	sys.why = EIO;
	assert_err(store_compact(w.store, &e), ERR_IO, &e);
	memset(&sys, 0, sizeof sys);
	assert_true(world_has(&w, "run/worker/read_only"));
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	assert_err(store_writable(other, &e), ERR_READONLY, &e);
	store_close(other);
}

static void leftover_of_a_killed_compaction_is_no_obstacle(void **state)
{
	const char *before = contents(w.store);
	struct errinfo e;

	(void)state;
	world_write(&w, "state/tasks.log.compact", "half a line", 11);
	world_reopen(&w, STORE_OWNER);
	assert_ok(store_compact(w.store, &e), &e);
	assert_string_equal(contents(w.store), before);
}

/* A second name for the log (a backup by cp -l) keeps the old file alive: nobody may go on writing
 * to it. */
static void old_log_with_another_name_is_left(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	assert_int_equal(link(world_path(&w, "state/tasks.log"), world_path(&w, "state/backup")),
			 0);
	assert_ok(store_compact(w.store, &e), &e);
	change(other, 1, "to the new one");
	store_close(other);
	world_reopen(&w, STORE_OWNER);
	assert_non_null(strstr(contents(w.store), "to the new one"));
}

/* ---- compaction in a storm ---- */
enum { WRITERS = 4, EACH = 60, ROUNDS = 3 };

/* A third of the changes each, for each compaction at least: `turn` says when one is over. */
static int storm(int n, int turn)
{
	char go;
	struct store *s;
	struct errinfo e;

	if (store_open(&s, w.var, STORE_WRITER, &e) != ERR_OK)
		return 1;
	for (int i = 0; i < EACH; i++) {
		char text[32];
		struct task t = { .prompt = text, .created = 1, .updated = 1 };
		struct change c = { set_result, text };
		struct arena a = { 0 };
		if (i > 0 && i % (EACH / ROUNDS) == 0 && read(turn, &go, 1) != 1)
			return 3;
		(void)snprintf(text, sizeof text, "%d of %d", i, n);
		if (store_create(s, &a, &t, &e) != ERR_OK ||
		    store_change(s, &a, t.id, c, NULL, &e) != ERR_OK)
			return 2;
		arena_reset(&a);
	}
	store_close(s);
	return 0;
}

static void no_change_is_lost_in_a_storm(void **state)
{
	pid_t pids[WRITERS];
	struct errinfo e;
	int running = WRITERS, rounds = 0, turn[2];

	(void)state;
	assert_int_equal(pipe(turn), 0);
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			close(turn[1]); /* a parent that fails ends the wait */
			_exit(storm(i, turn[0]));
		}
	}
	while (running > 0) {
		int status;
		enum err rc = store_compact(w.store, &e);
		if (rc != ERR_BUSY)
			assert_ok(rc, &e);
		if (rc == ERR_OK && ++rounds < ROUNDS)
			assert_int_equal(write(turn[1], "gogo", WRITERS), WRITERS);
		while (waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			running--;
		}
	}
	close(turn[0]);
	close(turn[1]);
	assert_true(rounds >= ROUNDS);
	assert_ok(store_catch_up(w.store, &e), &e);
	int found = 0;
	for (int64_t id = 20; (id = store_next_live(w.store, id)) != 0; found++) {
		struct task t;
		assert_ok(store_get(w.store, &w.a, id, &t, &e), &e);
		assert_string_equal(t.result, t.prompt);
	}
	assert_int_equal(found, WRITERS * EACH);
	const char *mine = contents(w.store);
	world_reopen(&w, STORE_WRITER);
	assert_string_equal(contents(w.store), mine);
}

/* ---- the whole state as JSON ---- */
static int collect(void *arg, const char *p, size_t len)
{
	strbuf_add(arg, p, len);
	return 0;
}

static void assert_whole_state(const char *text, size_t len)
{
	struct json_object *o, *tasks = NULL;
	struct errinfo e;
	int64_t before = 0, next = 0;

	assert_ok(json_parse(&w.a, text, len, &o, &e), &e);
	assert_ok(jr_arr_opt(o, "tasks", &tasks, &e), &e);
	assert_ok(jr_i64(o, "next_id", 1, 99, &next, &e), &e);
	assert_int_equal(next, 21);
	assert_int_equal(json_array_len(tasks), 17);
	for (size_t i = 0; i < 17; i++) { /* oldest first */
		int64_t id = 0;
		assert_ok(jr_i64(json_array_at(tasks, i), "id", before + 1, 20, &id, &e), &e);
		before = id;
	}
	assert_null(strstr(text, "n0nce"));
}

static void export_is_the_whole_state(void **state)
{
	struct strbuf text;
	struct errinfo e;
	size_t len;

	(void)state;
	strbuf_init(&text);
	assert_ok(store_export(w.store, collect, &text, &e), &e);
	assert_whole_state(text.buf, text.len);
	assert_ok(store_snapshot(w.store, &e), &e);
	char *file = world_read(&w, "state/state.json", &len);
	assert_int_equal(len, text.len);
	assert_string_equal(file, text.buf);
	assert_false(world_has(&w, "state/state.json.new"));
	strbuf_release(&text);
}

static int gone(void *arg, const char *p, size_t len)
{
	(void)p;
	(void)len;
	return --*(int *)arg > 0 ? 0 : -1;
}

static void reader_that_leaves_ends_the_export(void **state)
{
	struct errinfo e;

	(void)state;
	for (int after = 1; after < 15; after++) {
		int left = after;
		assert_err(store_export(w.store, gone, &left, &e), ERR_IO, &e);
		assert_int_equal(left, 0);
	}
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("the content is the same and smaller", content_is_the_same_and_smaller),
		T("versions go up", versions_go_up),
		T("finished tombstones go, their ids stay used", finished_tombstones_go),
		T("other processes follow", others_follow),
		T("changes meanwhile are kept", changes_meanwhile_are_kept),
		T("a failed step leaves the old log", failed_step_leaves_the_old_log),
		T("a failed sync of the directory is final", failed_sync_of_the_directory_is_final),
		T("the leftover of a killed compaction is no obstacle",
		  leftover_of_a_killed_compaction_is_no_obstacle),
		T("an old log with another name is left", old_log_with_another_name_is_left),
		T("no change is lost in a storm", no_change_is_lost_in_a_storm),
		T("the export is the whole state", export_is_the_whole_state),
		T("a reader that leaves ends the export", reader_that_leaves_ends_the_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

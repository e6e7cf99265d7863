/*
 * The store over a disk that is really full, files that cannot be read or written, a clock that jumps, and memory that
 * ends.  The full disk is a small tmpfs in a mount namespace of the test's own; without the right to make one those tests
 * are skipped.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "core/log.h"
#include "store/document.h"
#include "store/output.h"
#include "store/reserve.h"
#include "world.h"

/* What is logged here is meant: the tests break things. */
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

static struct world w;

static enum err create(struct store *s, const char *prompt, struct errinfo *e)
{
	struct task t = { .prompt = prompt, .created = 1, .updated = 1 };
	struct arena a = { 0 };
	enum err rc = store_create(s, &a, &t, e);

	arena_reset(&a);
	return rc;
}

static enum err set_result(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)skip;
	(void)e;
	t->result = arg;
	return ERR_OK;
}

static enum err change(int64_t id, const char *text, struct errinfo *e)
{
	struct change c = { set_result, (void *)(uintptr_t)text };
	struct arena a = { 0 };
	enum err rc = store_change(w.store, &a, id, c, NULL, e);

	arena_reset(&a);
	return rc;
}

/* ---- the full disk ---- */
static bool disk_made;

/* state/ on a disk of its own of so many KiB.  false: not allowed here. */
static bool small_disk(int kib)
{
	static bool apart;

	if (!apart && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		return false;
	apart = true;
	store_close(w.store);
	w.store = NULL;
	assert_int_equal(mount("tmpfs", world_path(&w, "state"), "tmpfs", 0, arena_printf(&w.a, "size=%dk", kib)), 0);
	disk_made = true;
	world_reopen(&w, STORE_OWNER);
	return true;
}

/* Everything that is free, down to the last block; returns the filler's size. */
static void fill_disk(void)
{
	static char block[4096];
	int fd = open(world_path(&w, "state/filler"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	while (write(fd, block, sizeof block) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static bool reserve_whole(void)
{
	struct stat st;

	return stat(world_path(&w, "state/reserve"), &st) == 0 && st.st_size == RESERVE_BYTES;
}

static void work_ends_on_a_full_disk(void **state)
{
	static char text[20000];
	struct errinfo e;
	int refused = 0;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	if (!small_disk(8 * 1024))
		skip();
	for (int i = 0; i < 12; i++)
		assert_ok(create(w.store, text, &e), &e);
	assert_true(reserve_whole() && store_has_room(w.store));
	fill_disk();
	/* What begins work is refused: the first time for want of room for itself, then early. */
	for (int i = 0; i < 5; i++) {
		enum err rc = create(w.store, text, &e);
		refused += rc == ERR_DISK_FULL ? 1 : 0;
		fill_disk();
	}
	assert_true(refused >= 4);
	/* What ends it goes on: every task gets its result, and one is deleted. */
	for (int64_t id = 1; id <= 12; id++) {
		assert_ok(change(id, text, &e), &e);
		fill_disk();
	}
	assert_ok(store_delete(w.store, &w.a, 12, 1, NULL, &e), &e);
	assert_false(reserve_whole());
	assert_false(store_has_room(w.store));
	assert_err(create(w.store, "x", &e), ERR_DISK_FULL, &e);
	struct change c = { set_result, text };
	assert_err(store_change_if_room(w.store, &w.a, 1, c, NULL, &e), ERR_DISK_FULL, &e);
	assert_int_equal(err_status(e.code), 507);
	assert_ok(store_writable(w.store, &e), &e);
	/* No copy of the log is begun that cannot be finished, and nothing is left of other attempts. */
	assert_err(store_compact(w.store, &e), ERR_DISK_FULL, &e);
	assert_false(world_has(&w, "state/tasks.log.compact"));
	/* As soon as there is room all is as before, and another process sees the same. */
	assert_int_equal(unlink(world_path(&w, "state/filler")), 0);
	assert_ok(create(w.store, "again", &e), &e);
	assert_true(reserve_whole() && store_has_room(w.store));
	world_reopen(&w, STORE_WRITER);
	for (int64_t id = 1; id < 12; id++) {
		struct arena a = { 0 };
		struct task t;
		assert_ok(store_get(w.store, &a, id, &t, &e), &e);
		assert_string_equal(t.result, text);
		arena_reset(&a);
	}
}

/* Until the reserve is used up: then even that is refused, without harm. */
static void reserve_has_an_end(void **state)
{
	static char text[60000];
	struct errinfo e;
	enum err rc;
	int n = 0;

	(void)state;
	memset(text, 'y', sizeof text - 1);
	if (!small_disk(6 * 1024))
		skip();
	assert_ok(create(w.store, "x", &e), &e);
	while ((rc = change(1, text, &e)) == ERR_OK)
		n++;
	assert_int_equal(rc, ERR_DISK_FULL);
	assert_true(n > 20);
	assert_ok(store_writable(w.store, &e), &e);
	world_reopen(&w, STORE_WRITER);
	struct task t;
	assert_ok(store_get(w.store, &w.a, 1, &t, &e), &e);
	assert_string_equal(t.result, text);
}

static enum err write_text(const struct json_object *old, struct strbuf *out, void *arg, struct errinfo *e)
{
	(void)old;
	(void)e;
	strbuf_puts(out, arg);
	return ERR_OK;
}

static void documents_and_artifacts_stay_whole_on_a_full_disk(void **state)
{
	struct strbuf before, after;
	struct staged staged;
	struct errinfo e;
	static char large[64 * 1024] = "{}";

	(void)state;
	if (!small_disk(6 * 1024))
		skip();
	assert_ok(document_change(w.var, "doc.json", &w.a, write_text, large, &e), &e);
	fill_disk();
	before = world_picture(&w, "state");
	memset(large, ' ', sizeof large - 1);
	assert_err(document_change(w.var, "doc.json", &w.a, write_text, large, &e), ERR_DISK_FULL, &e);
	after = world_picture(&w, "state");
	assert_string_equal(after.buf, before.buf);
	assert_err(artifact_stage(w.var, 1, large, sizeof large, &staged, &e), ERR_DISK_FULL, &e);
	assert_ok(store_writable(w.store, &e), &e);
	strbuf_release(&before);
	strbuf_release(&after);
}

/* ---- files that are not as they should be ---- */
/* In a child that is nobody: root may read everything. */
static int as_nobody(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && (setegid(65534) < 0 || seteuid(65534) < 0))
			_exit(100);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_says(void)
{
	struct store *s;
	struct errinfo e;
	enum err rc = store_open(&s, w.var, STORE_WRITER, &e);

	return rc == ERR_IO && strstr(e.what, "tasks.log") != NULL && e.sys == EACCES ? 0 : 1;
}

static void unreadable_and_read_only_logs_are_named(void **state)
{
	static const mode_t modes[] = { 0000, 0400, 0200 };
	struct errinfo e;
	size_t len;

	(void)state;
	assert_ok(create(w.store, "x", &e), &e);
	assert_int_equal(chmod(w.var, 0777), 0);
	assert_int_equal(chmod(world_path(&w, "state"), 0777), 0);
	assert_int_equal(chmod(world_path(&w, "state/lock"), 0666), 0);
	if (geteuid() == 0) { /* the file is then somebody's */
		assert_int_equal(chown(world_path(&w, "state/tasks.log"), 65534, 65534), 0);
		assert_int_equal(chmod(scratch_base_, 0755), 0);
	}
	const char *before = world_read(&w, "state/tasks.log", &len);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_int_equal(chmod(world_path(&w, "state/tasks.log"), modes[i]), 0);
		assert_int_equal(as_nobody(open_says), 0);
	}
	assert_int_equal(chmod(world_path(&w, "state/tasks.log"), 0600), 0);
	assert_string_equal(world_read(&w, "state/tasks.log", &len), before);
}

static void what_is_no_file_is_refused(void **state)
{
	struct store *s;
	struct errinfo e;

	(void)state;
	store_close(w.store);
	w.store = NULL;
	assert_int_equal(rename(world_path(&w, "state/tasks.log"), world_path(&w, "state/elsewhere")), 0);
	assert_int_equal(symlink("elsewhere", world_path(&w, "state/tasks.log")), 0);
	assert_err(store_open(&s, w.var, STORE_OWNER, &e), ERR_IO, &e);
	assert_int_equal(unlink(world_path(&w, "state/tasks.log")), 0);
	assert_int_equal(mkdir(world_path(&w, "state/tasks.log"), 0700), 0);
	assert_err(store_open(&s, w.var, STORE_OWNER, &e), ERR_IO, &e);
}

/* ---- the clock ---- */
static enum err keyed(const char *key, int64_t now, int64_t *id)
{
	struct task t = { .prompt = "x", .created = now, .updated = now, .idempotency_key = key };
	struct errinfo e;
	enum err rc = store_create(w.store, &w.a, &t, &e);

	*id = t.id;
	return rc;
}

/* Forward by years, back before the beginning of time: ids grow, keys are found, and what was said is read again. */
static void clock_may_jump(void **state)
{
	static const int64_t times[] = { 1770800000000, 4102444800000, 1, 1770800000001, 1000000000000 };
	struct errinfo e;
	int64_t id;

	(void)state;
	for (int64_t i = 0; i < 5; i++) {
		assert_ok(keyed(arena_printf(&w.a, "k%d", (int)i), times[i], &id), &e);
		assert_int_equal(id, i + 1);
		/* sent again in the same moment, it is the same task */
		assert_ok(keyed(arena_printf(&w.a, "k%d", (int)i), times[i], &id), &e);
		assert_int_equal(id, i + 1);
	}
	world_reopen(&w, STORE_OWNER);
	assert_ok(store_compact(w.store, &e), &e);
	for (int64_t i = 0; i < 5; i++) {
		struct task t;
		assert_ok(store_get(w.store, &w.a, i + 1, &t, &e), &e);
		assert_int_equal(t.created, times[i]);
	}
}

/* ---- memory ---- */
#ifndef __SANITIZE_ADDRESS__
static int malloc_fail_at = -1;

/* Of every library in this process, json-c's and zlib's too. */
extern void *__libc_malloc(size_t len); /* NOLINT(bugprone-reserved-identifier) */
void *malloc(size_t len)
{
	if (malloc_fail_at > 0 && --malloc_fail_at == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(len);
}

/* A change of task 1 to its fullest, a creation, a list, a compaction. */
static int work_without_memory(int fail_at)
{
	const struct task *seen;
	struct errinfo e;
	struct task t;

	malloc_fail_at = fail_at;
	enum err rc = change(1, "changed", &e);
	if (rc == ERR_OK)
		rc = create(w.store, "two", &e);
	if (rc == ERR_OK)
		rc = store_get(w.store, &w.a, 1, &t, &e);
	if (rc == ERR_OK)
		rc = store_glance(w.store, 1, &seen, NULL, &e);
	if (rc == ERR_OK)
		rc = store_compact(w.store, &e);
	return malloc_fail_at > 0 || fail_at < 0 ? 0 : rc == ERR_OK ? 1 : 2; /* 0: not reached */
}

/* The nth allocation fails: the process ends or says so; what it acknowledged is there and nothing is broken. */
static void memory_may_end_anywhere(void **state)
{
	struct errinfo e;
	int ended = 0;

	(void)state;
	for (int nth = 1;; nth++) {
		(void)unlink(world_path(&w, "state/tasks.log"));
		world_reopen(&w, STORE_OWNER);
		assert_ok(create(w.store, "one", &e), &e);
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			(void)signal(SIGSEGV, SIG_DFL); /* cmocka would go on with the next test */
			(void)signal(SIGABRT, SIG_DFL);
			if (store_after_fork(w.store, &e) != ERR_OK)
				_exit(99);
			int null = open("/dev/null", O_WRONLY);
			(void)dup2(null, 2); /* "out of memory", each time */
			_exit(work_without_memory(nth));
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		/* json-c does not look at every answer of malloc: then a signal ends the process, which is as good. */
		int code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) == SIGSEGV ? 70 : 98;
		assert_true(code == 0 || code == 1 || code == 2 || code == 70);
		ended += code == 70 ? 1 : 0;
		struct store *s;
		struct task t;
		assert_ok(store_open(&s, w.var, STORE_WRITER, &e), &e);
		assert_ok(store_writable(s, &e), &e);
		assert_ok(store_get(s, &w.a, 1, &t, &e), &e);
		assert_string_equal(t.prompt, "one");
		assert_true(t.result == NULL || *t.result == '\0' || strcmp(t.result, "changed") == 0);
		assert_ok(create(s, "after", &e), &e);
		store_close(s);
		if (code == 0)
			break;
		assert_true(nth < 2000);
	}
	assert_true(ended > 5);
}
#endif

static int setup(void **state)
{
	(void)state;
	world_open(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (w.store != NULL)
		store_close(w.store);
	w.store = NULL;
	if (disk_made)
		(void)umount2(world_path(&w, "state"), MNT_DETACH);
	disk_made = false;
	world_close(&w);
	return 0;
}

int main(void)
{
#define T(name, fn) { name, fn, setup, teardown, NULL }
	static const struct CMUnitTest tests[] = {
		T("work ends on a full disk", work_ends_on_a_full_disk),
		T("the reserve has an end", reserve_has_an_end),
		T("documents and artifacts stay whole on a full disk",
		  documents_and_artifacts_stay_whole_on_a_full_disk),
		T("unreadable and read-only logs are named", unreadable_and_read_only_logs_are_named),
		T("what is no file is refused", what_is_no_file_is_refused),
		T("the clock may jump", clock_may_jump),
#ifndef __SANITIZE_ADDRESS__
		T("memory may end anywhere", memory_may_end_anywhere),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

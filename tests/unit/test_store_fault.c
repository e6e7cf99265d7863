/* The store over system calls that fail: no false answer, nothing half done, and it goes on when it
 * may. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/log.h"
#include "model/transition.h"
#include "store/reserve.h"
#include "world.h"

enum call {
	OPENAT,
	WRITE,
	FDATASYNC,
	FSYNC,
	FTRUNCATE,
	PREAD,
	FSTAT,
	FLOCK,
	RENAMEAT,
	LINKAT,
	CALLS
};

/* The nth call of a kind fails; kinds are counted apart, and together in `all`. */
static struct {
	int seen[CALLS], fail_at[CALLS];
	int all, fail_all;
	int why;
	size_t at_most; /* what a write takes before it stops, once; SIZE_MAX: everything */
	int interrupt;
} sys;

static void sys_reset(void)
{
	memset(&sys, 0, sizeof sys);
	sys.at_most = SIZE_MAX;
	sys.why = EIO;
}

static bool fails(enum call c)
{
	bool one = ++sys.seen[c] == sys.fail_at[c], all = ++sys.all == sys.fail_all;

	if (one || all)
		errno = sys.why;
	return one || all;
}

int __real_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(OPENAT) ? -1 : __real_openat(dirfd, name, flags, mode);
}

ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	if (sys.interrupt > 0) {
		sys.interrupt--;
		errno = EINTR;
		return -1;
	}
	if (fails(WRITE))
		return -1;
	if (sys.at_most < len) {
		len = sys.at_most;
		sys.at_most = SIZE_MAX;
	}
	return __real_write(fd, p, len);
}

ssize_t __real_pread(int fd, void *p, size_t len, off_t off);
ssize_t __wrap_pread(int fd, void *p, size_t len, off_t off);
ssize_t __wrap_pread(int fd, void *p, size_t len, off_t off)
{
	return fails(PREAD) ? -1 : __real_pread(fd, p, len, off);
}

#define WRAP(kind, name, params, args)                        \
	int __real_##name params;                             \
	int __wrap_##name params;                             \
	int __wrap_##name params                              \
	{                                                     \
		return fails(kind) ? -1 : __real_##name args; \
	}
WRAP(FDATASYNC, fdatasync, (int fd), (fd))
WRAP(FSYNC, fsync, (int fd), (fd))
WRAP(FTRUNCATE, ftruncate, (int fd, off_t len), (fd, len))
WRAP(FSTAT, fstat, (int fd, struct stat *st), (fd, st))
WRAP(FLOCK, flock, (int fd, int op), (fd, op))
WRAP(RENAMEAT, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(LINKAT, linkat, (int a, const char *b, int c, const char *d, int f), (a, b, c, d, f))

/* What is logged here is asked for by the tests, and of no use on the screen. */
static int errors_logged;

void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f);
void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f)
{
	(void)ev;
	(void)f;
	errors_logged += level == LOG_ERROR ? 1 : 0;
}

void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e);
void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e)
{
	(void)ev;
	(void)e;
	errors_logged += level == LOG_ERROR ? 1 : 0;
}

/* ---- the store under test ---- */
static struct world w;

static int setup(void **state)
{
	(void)state;
	sys_reset();
	errors_logged = 0;
	world_open(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sys_reset();
	world_close(&w);
	return 0;
}

static enum err create(struct store *s, const char *prompt, struct errinfo *e)
{
	struct task t = { .prompt = prompt, .created = 1, .updated = 1 };
	struct arena a = { 0 };
	enum err rc = store_create(s, &a, &t, e);

	arena_reset(&a);
	return rc;
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

static enum err change(struct store *s, const char *text, struct errinfo *e)
{
	struct change c = { set_result, (void *)(uintptr_t)text };
	struct arena a = { 0 };
	enum err rc = store_change(s, &a, 1, c, NULL, e);

	arena_reset(&a);
	return rc;
}

static enum err erase(struct store *s, struct errinfo *e)
{
	struct arena a = { 0 };
	enum err rc = store_delete(s, &a, 1, 1, NULL, e);

	arena_reset(&a);
	return rc;
}

/* What another process would see now: all tasks, in a line each. */
static const char *seen_by_another(void)
{
	struct store *s;
	struct errinfo e;
	const char *out = "";

	sys_reset();
	assert_ok(store_open(&s, w.var, STORE_WRITER, &e), &e);
	for (int64_t id = 0; (id = store_next_live(s, id)) != 0;) {
		struct task t;
		assert_ok(store_get(s, &w.a, id, &t, &e), &e);
		out = arena_printf(&w.a, "%s%d:%s:%s\n", out, (int)id, t.prompt, t.result);
	}
	store_close(s);
	return out;
}

/* ---- a change is made by each of these ---- */
enum act { CREATE, CHANGE, ERASE };

static enum err act(enum act which, struct errinfo *e)
{
	return which == CREATE   ? create(w.store, "new", e)
	       : which == CHANGE ? change(w.store, "new", e)
				 : erase(w.store, e);
}

static const struct row {
	const char *name;
	enum act act;
	const char *after; /* what is seen when it took effect */
} rows[] = {
	{ "a creation", CREATE, "1:old:\n2:new:\n" },
	{ "a change", CHANGE, "1:old:new\n" },
	{ "a deletion", ERASE, "" },
};

static void failed_write_changes_nothing(void **state)
{
	ROW(struct row);
	static const int reasons[] = { EIO, EFBIG, EROFS };
	struct errinfo e;

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		(void)setup(state);
		assert_ok(create(w.store, "old", &e), &e);
		struct strbuf before = world_picture(&w, "state"), after;
		sys_reset();
		sys.fail_at[WRITE] = 1;
		sys.why = reasons[i];
		assert_err(act(r->act, &e), ERR_IO, &e);
		after = world_picture(&w, "state");
		assert_string_equal(after.buf, before.buf);
		strbuf_release(&before);
		strbuf_release(&after);
		assert_string_equal(seen_by_another(), "1:old:\n");
		/* A disk that refuses a write is not trusted with another. */
		sys_reset();
		assert_err(act(r->act, &e), ERR_READONLY, &e);
		assert_true(world_has(&w, "run/worker/read_only"));
		world_reopen(&w, STORE_OWNER);
		assert_false(world_has(&w, "run/worker/read_only"));
		assert_ok(act(r->act, &e), &e);
		assert_string_equal(seen_by_another(), r->after);
		(void)teardown(state);
	}
}

static int64_t reserve_left(void)
{
	struct stat st;

	assert_int_equal(stat(world_path(&w, "state/reserve"), &st), 0);
	return st.st_size;
}

/* No room for the line: what ends work gives a piece of the reserve back and tries again, a creation does not. */
static void full_disk_is_no_failure(void **state)
{
	ROW(struct row);
	static const int reasons[] = { ENOSPC, EDQUOT };
	struct errinfo e;

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		(void)setup(state);
		assert_ok(create(w.store, "old", &e), &e);
		sys_reset();
		sys.fail_at[WRITE] = 1;
		sys.why = reasons[i];
		enum err rc = act(r->act, &e);
		if (r->act == CREATE) {
			assert_err(rc, ERR_DISK_FULL, &e);
			assert_int_equal(err_status(e.code), 507);
			assert_string_equal(seen_by_another(), "1:old:\n");
			assert_int_equal(reserve_left(), RESERVE_BYTES);
			assert_ok(act(r->act, &e), &e);
		} else {
			assert_ok(rc, &e);
			assert_int_equal(reserve_left(), RESERVE_BYTES - RESERVE_STEP);
		}
		assert_string_equal(seen_by_another(), r->after);
		assert_ok(store_writable(w.store, &e), &e);
		(void)teardown(state);
	}
}

/* The disk is full after n bytes, for every n: whole lines among them must not count as half a
 * change. */
static void short_write_changes_nothing(void **state)
{
	ROW(struct row);
	struct errinfo e;
	bool all = false;

	(void)setup(state);
	for (size_t n = 0; !all; n++) {
		teardown(state);
		setup(state);
		assert_ok(create(w.store, "old", &e), &e);
		struct store *other;
		assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
		sys_reset();
		sys.at_most = n;
		enum err rc = act(r->act, &e);
		all = rc == ERR_OK && sys.at_most == n;
		if (!all && r->act != CREATE) {
			/* cut, and written again into what the reserve gave back */
			assert_ok(rc, &e);
			assert_string_equal(seen_by_another(), r->after);
			assert_ok(create(other, "next", &e), &e);
			assert_ok(store_writable(w.store, &e), &e);
		} else if (!all) {
			assert_err(rc, ERR_DISK_FULL, &e);
			assert_string_equal(seen_by_another(), "1:old:\n");
			sys_reset();
			/* Both this process and another write on behind the torn line. */
			assert_ok(create(n % 2 != 0 ? other : w.store, "next", &e), &e);
			assert_ok(create(n % 2 != 0 ? w.store : other, "last", &e), &e);
			assert_non_null(strstr(seen_by_another(), ":next:\n"));
			assert_non_null(strstr(seen_by_another(), ":last:\n"));
			assert_null(strstr(seen_by_another(), "new"));
			assert_ok(store_writable(w.store, &e), &e);
		}
		store_close(other);
	}
	assert_string_equal(seen_by_another(), r->after);
	(void)teardown(state);
}

static void failed_sync_is_never_answered_well(void **state)
{
	ROW(struct row);
	struct store *other;
	struct errinfo e;

	(void)setup(state);
	assert_ok(create(w.store, "old", &e), &e);
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	sys_reset();
	sys.fail_at[FDATASYNC] = 1;
	assert_err(act(r->act, &e), ERR_IO, &e);
	assert_int_equal(errors_logged, 1);
	/* Final for everybody, though the next sync would succeed: what it would write is not
	 * known. */
	sys_reset();
	struct strbuf before = world_picture(&w, "state"), after;
	for (int i = 0; i < 2; i++) {
		struct store *s = i == 0 ? w.store : other;
		assert_err(create(s, "x", &e), ERR_READONLY, &e);
		assert_err(change(s, "x", &e), ERR_READONLY, &e);
		assert_err(erase(s, &e), ERR_READONLY, &e);
		assert_err(store_set_doomed(s, 1, NULL, 0, &e), ERR_READONLY, &e);
		assert_err(store_writable(s, &e), ERR_READONLY, &e);
		assert_int_equal(err_status(e.code), 503);
	}
	after = world_picture(&w, "state");
	assert_string_equal(after.buf, before.buf);
	strbuf_release(&before);
	strbuf_release(&after);
	/* A process that starts now does not clear it; the pool's parent does. */
	store_close(other);
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	assert_err(create(other, "x", &e), ERR_READONLY, &e);
	store_close(other);
	world_reopen(&w, STORE_OWNER);
	assert_ok(create(w.store, "x", &e), &e);
	(void)teardown(state);
}

struct row_name {
	char write[60], full[60], cut[60], sync[60];
};

/* ---- others ---- */
static void failed_sync_without_a_marker_stops_this_process(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(create(w.store, "old", &e), &e);
	assert_int_equal(rmdir(world_path(&w, "run/worker")), 0);
	sys.fail_at[FDATASYNC] = sys.seen[FDATASYNC] + 1;
	assert_err(create(w.store, "x", &e), ERR_IO, &e);
	assert_int_equal(errors_logged, 2); /* that, and that nobody else could be told */
	assert_err(create(w.store, "x", &e), ERR_READONLY, &e);
}

static void interrupted_write_goes_on(void **state)
{
	struct errinfo e;

	(void)state;
	sys.interrupt = 3;
	assert_ok(create(w.store, "old", &e), &e);
	assert_string_equal(seen_by_another(), "1:old:\n");
}

static void tail_that_cannot_be_cut_is_not_written_behind(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(create(w.store, "old", &e), &e);
	sys_reset();
	sys.at_most = 30;
	assert_err(create(w.store, "torn", &e), ERR_DISK_FULL, &e);
	sys_reset();
	sys.fail_at[FTRUNCATE] = 1;
	assert_err(change(w.store, "x", &e), ERR_IO, &e);
	assert_string_equal(seen_by_another(), "1:old:\n");
	sys_reset();
	assert_err(change(w.store, "x", &e), ERR_READONLY, &e);
	world_reopen(&w, STORE_OWNER);
	assert_ok(change(w.store, "fine", &e), &e);
	assert_string_equal(seen_by_another(), "1:old:fine\n");
}

static void log_that_cannot_be_read_is_not_changed(void **state)
{
	struct store *other;
	struct errinfo e;
	struct task t;

	(void)state;
	assert_ok(create(w.store, "old", &e), &e);
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	assert_ok(change(w.store, "by me", &e), &e);
	static const enum call kinds[] = { PREAD, FSTAT };
	for (int i = 0; i < 2; i++) {
		sys_reset();
		sys.fail_at[kinds[i]] = 1;
		assert_err(change(other, "blind", &e), ERR_IO, &e);
		sys_reset();
		sys.fail_at[kinds[i]] = 1;
		assert_err(store_get(other, &w.a, 1, &t, &e), ERR_IO, &e);
	}
	assert_string_equal(seen_by_another(), "1:old:by me\n");
	assert_ok(change(other, "seeing", &e), &e);
	store_close(other);
	assert_string_equal(seen_by_another(), "1:old:seeing\n");
}

static void lock_that_fails_is_an_error(void **state)
{
	struct errinfo e;

	(void)state;
	sys_reset();
	sys.fail_at[FLOCK] = 1;
	sys.why = ENOLCK;
	assert_err(create(w.store, "x", &e), ERR_IO, &e);
	sys_reset();
	assert_ok(create(w.store, "x", &e), &e);
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Every call of a start fails once: an error, nothing kept open, and the next start is good. */
static void start_that_fails_can_be_repeated(void **state)
{
	struct errinfo e;

	(void)state;
	for (int fresh = 0; fresh < 2; fresh++) {
		for (int nth = 1;; nth++) {
			struct store *s;
			if (w.store != NULL)
				store_close(w.store);
			w.store = NULL;
			if (fresh != 0)
				(void)unlink(world_path(&w, "state/tasks.log"));
			int before = open_descriptors();
			sys_reset();
			sys.fail_all = nth;
			enum err rc = store_open(&s, w.var, STORE_OWNER, &e);
			bool reached = sys.all >= nth;
			sys_reset();
			if (rc == ERR_OK) {
				store_close(s);
			} else {
				assert_null(s);
				assert_true(rc == ERR_IO || rc == ERR_BUSY);
			}
			assert_int_equal(open_descriptors(), before);
			world_reopen(&w, STORE_OWNER);
			assert_ok(create(w.store, "x", &e), &e);
			if (!reached)
				break;
			assert_true(nth < 100);
		}
	}
}

int main(void)
{
	static struct row_name text[3];
	static struct plan p;

	for (int i = 0; i < 3; i++) {
		(void)snprintf(text[i].write, sizeof text[i].write,
			       "%s whose write fails changes nothing", rows[i].name);
		(void)snprintf(text[i].full, sizeof text[i].full, "%s without room is no failure", rows[i].name);
		(void)snprintf(text[i].cut, sizeof text[i].cut,
			       "%s cut by a full disk changes nothing", rows[i].name);
		(void)snprintf(text[i].sync, sizeof text[i].sync, "%s whose sync fails is final",
			       rows[i].name);
		plan_add(&p, text[i].write, failed_write_changes_nothing, &rows[i]);
		plan_add(&p, text[i].full, full_disk_is_no_failure, &rows[i]);
		plan_add(&p, text[i].cut, short_write_changes_nothing, &rows[i]);
		plan_add(&p, text[i].sync, failed_sync_is_never_answered_well, &rows[i]);
	}
	static const struct CMUnitTest others[] = {
		{ "a failed sync without a marker stops this process",
		  failed_sync_without_a_marker_stops_this_process, setup, teardown, NULL },
		{ "an interrupted write goes on", interrupted_write_goes_on, setup, teardown,
		  NULL },
		{ "a tail that cannot be cut is not written behind",
		  tail_that_cannot_be_cut_is_not_written_behind, setup, teardown, NULL },
		{ "a log that cannot be read is not changed",
		  log_that_cannot_be_read_is_not_changed, setup, teardown, NULL },
		{ "a lock that fails is an error", lock_that_fails_is_an_error, setup, teardown,
		  NULL },
		{ "a start that fails can be repeated", start_that_fails_can_be_repeated, setup,
		  teardown, NULL },
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		p.tests[p.count++] = others[i];
	return plan_run("store_fault", &p);
}

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "scratch.h"
#include "unit.h"

/* ---- system calls that fail at will ---- */
enum call { OPENAT, WRITE, FSYNC, RENAMEAT, CALLS };

static struct {
	int seen, fail_at; /* of all four kinds, counted together; 0: never */
	int why;
	enum call kind[16]; /* which kind the nth was */
	size_t at_most;     /* what one write takes; 0: everything */
	int interrupt;      /* how many writes are interrupted first */
} sys;

static bool fails(enum call kind)
{
	if (++sys.seen < 16)
		sys.kind[sys.seen] = kind;
	if (sys.seen != sys.fail_at)
		return false;
	errno = sys.why;
	return true;
}

int __real_openat(int dirfd, const char *name, int flags, ...);
ssize_t __real_write(int fd, const void *p, size_t len);
int __real_fsync(int fd);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_openat(int dirfd, const char *name, int flags, ...);
ssize_t __wrap_write(int fd, const void *p, size_t len);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);

int __wrap_openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(OPENAT) ? -1 : __real_openat(dirfd, name, flags, mode);
}

ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	if (sys.interrupt > 0) {
		sys.interrupt--;
		errno = EINTR;
		return -1;
	}
	if (fails(WRITE))
		return -1;
	return __real_write(fd, p, sys.at_most != 0 && len > sys.at_most ? sys.at_most : len);
}

int __wrap_fsync(int fd)
{
	return fails(FSYNC) ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return fails(RENAMEAT) ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

static void sys_reset(void)
{
	memset(&sys, 0, sizeof sys);
}

/* ---- replace ---- */
static struct scratch dir;
static int dirfd = -1;

static int setup(void **state)
{
	(void)state;
	sys_reset();
	scratch_open(&dir);
	dirfd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0;
}

static int teardown(void **state)
{
	(void)state;
	sys_reset();
	close(dirfd);
	scratch_close(&dir);
	return 0;
}

static void assert_holds(const char *name, const char *want)
{
	struct arena a = { 0 };
	struct errinfo e;
	char *got;
	size_t len;

	sys_reset();
	assert_ok(file_read(dirfd, name, 1 << 20, &a, &got, &len, &e), &e);
	assert_string_equal(got, want);
	assert_int_equal(len, strlen(want));
	arena_reset(&a);
}

static bool there(const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void new_content_replaces_the_old(void **state)
{
	struct errinfo e;
	struct stat st;

	(void)state;
	assert_ok(file_replace(dirfd, "doc", "old", 3, 0600, &e), &e);
	assert_ok(file_replace(dirfd, "doc", "newer", 5, 0640, &e), &e);
	assert_holds("doc", "newer");
	assert_false(there("doc.new"));
	assert_int_equal(fstatat(dirfd, "doc", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_ok(file_replace(dirfd, "doc", "", 0, 0600, &e), &e);
	assert_holds("doc", "");
}

/* Open, write, sync, rename, sync of the directory: each fails once, with a full disk and with a
 * broken one. */
static void failed_step_leaves_the_old_content(void **state)
{
	static const enum call steps[] = { OPENAT, WRITE, FSYNC, RENAMEAT, FSYNC };
	static const int reasons[] = { EIO, ENOSPC, EDQUOT, EACCES };
	struct errinfo e;

	(void)state;
	assert_ok(file_replace(dirfd, "doc", "old", 3, 0600, &e), &e);
	sys_reset();
	assert_ok(file_replace(dirfd, "doc", "old", 3, 0600, &e), &e);
	assert_int_equal(sys.seen, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(sys.kind[i + 1], steps[i]);
	for (int nth = 1; nth <= 5; nth++) {
		for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; k++) {
			sys_reset();
			assert_ok(file_replace(dirfd, "doc", "old", 3, 0600, &e), &e);
			sys_reset();
			sys.fail_at = nth;
			sys.why = reasons[k];
			bool full = nth < 5 && (sys.why == ENOSPC || sys.why == EDQUOT);
			assert_err(file_replace(dirfd, "doc", "new", 3, 0600, &e),
				   full ? ERR_DISK_FULL : ERR_IO, &e);
			assert_int_equal(e.sys, reasons[k]);
			assert_non_null(strstr(e.what, "doc"));
			assert_false(there("doc.new"));
			assert_holds("doc",
				     nth < 5 ? "old"
					     : "new"); /* the last: visible, perhaps not durable */
		}
	}
}

static void failed_first_write_leaves_nothing(void **state)
{
	struct errinfo e;

	(void)state;
	for (int nth = 1; nth <= 4; nth++) {
		sys_reset();
		sys.fail_at = nth;
		sys.why = EIO;
		assert_err(file_replace(dirfd, "fresh", "x", 1, 0600, &e), ERR_IO, &e);
		assert_false(there("fresh"));
		assert_false(there("fresh.new"));
	}
}

static void short_and_interrupted_writes_go_on(void **state)
{
	struct errinfo e;

	(void)state;
	sys.at_most = 3;
	sys.interrupt = 2;
	assert_ok(file_replace(dirfd, "doc", "a longer text", 13, 0600, &e), &e);
	assert_true(sys.seen > 7);
	assert_holds("doc", "a longer text");
}

static void leftover_of_a_crash_is_no_obstacle(void **state)
{
	struct errinfo e;

	(void)state;
	int fd = openat(dirfd, "doc.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "half a document, longer", 23), 23);
	close(fd);
	assert_ok(file_replace(dirfd, "doc", "whole", 5, 0600, &e), &e);
	assert_holds("doc", "whole");
	assert_false(there("doc.new"));
}

static void link_is_not_followed(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(file_replace(dirfd, "victim", "intact", 6, 0600, &e), &e);
	assert_int_equal(symlinkat("victim", dirfd, "doc.new"), 0);
	assert_err(file_replace(dirfd, "doc", "evil", 4, 0600, &e), ERR_IO, &e);
	assert_holds("victim", "intact");
}

static void name_too_long_is_an_error(void **state)
{
	char name[140];
	struct errinfo e;

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_err(file_replace(dirfd, name, "x", 1, 0600, &e), ERR_IO, &e);
	assert_int_equal(e.sys, ENAMETOOLONG);
	assert_err(file_replace(dirfd, name, "x", 1, 0600, NULL), ERR_IO, &e);
}

/* ---- read ---- */
static void reads_up_to_the_limit(void **state)
{
	struct arena a = { 0 };
	struct errinfo e;
	char *text;
	size_t len;

	(void)state;
	assert_ok(file_replace(dirfd, "doc", "a\0bc", 4, 0600, &e), &e);
	assert_ok(file_read(dirfd, "doc", 4, &a, &text, &len, &e), &e);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "a\0bc", 5);
	assert_ok(file_read(dirfd, "doc", 4, &a, &text, NULL, &e), &e);
	assert_err(file_read(dirfd, "doc", 3, &a, &text, &len, &e), ERR_TOO_LARGE, &e);
	arena_reset(&a);
}

static void what_is_no_file_is_not_read(void **state)
{
	struct arena a = { 0 };
	struct errinfo e;
	char *text;

	(void)state;
	assert_err(file_read(dirfd, "nothing", 10, &a, &text, NULL, &e), ERR_NOT_FOUND, &e);
	assert_int_equal(mkdirat(dirfd, "directory", 0700), 0);
	assert_err(file_read(dirfd, "directory", 10, &a, &text, NULL, &e), ERR_IO, &e);
	assert_int_equal(symlinkat("doc", dirfd, "link"), 0);
	assert_err(file_read(dirfd, "link", 10, &a, &text, NULL, &e), ERR_IO, &e);
	assert_int_equal(mkfifoat(dirfd, "fifo", 0600), 0);
	assert_err(file_read(dirfd, "fifo", 10, &a, &text, NULL, &e), ERR_IO,
		   &e); /* and does not hang */
	arena_reset(&a);
}

static void directory_is_made_once(void **state)
{
	struct errinfo e;

	(void)state;
	assert_int_equal(make_dir(dirfd, "d", 0700), 0);
	assert_int_equal(make_dir(dirfd, "d", 0700), 0);
	assert_ok(file_replace(dirfd, "f", "", 0, 0600, &e), &e);
	assert_int_equal(make_dir(dirfd, "f", 0700), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(make_dir(dirfd, "no/where", 0700), -1);
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "new content replaces the old", new_content_replaces_the_old, setup, teardown,
		  NULL },
		{ "a failed step leaves the old content", failed_step_leaves_the_old_content, setup,
		  teardown, NULL },
		{ "a failed first write leaves nothing", failed_first_write_leaves_nothing, setup,
		  teardown, NULL },
		{ "short and interrupted writes go on", short_and_interrupted_writes_go_on, setup,
		  teardown, NULL },
		{ "the leftover of a crash is no obstacle", leftover_of_a_crash_is_no_obstacle,
		  setup, teardown, NULL },
		{ "a link is not followed", link_is_not_followed, setup, teardown, NULL },
		{ "a name too long is an error", name_too_long_is_an_error, setup, teardown, NULL },
		{ "it reads up to the limit and no further", reads_up_to_the_limit, setup, teardown,
		  NULL },
		{ "what is no file is not read", what_is_no_file_is_not_read, setup, teardown,
		  NULL },
		{ "a directory is made once", directory_is_made_once, setup, teardown, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

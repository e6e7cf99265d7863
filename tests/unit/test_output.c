#include <errno.h>
#include <fcntl.h>

#include "store/output.h"
#include "world.h"

static size_t at_most = SIZE_MAX; /* what a write takes before the disk is full */

ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	if (at_most == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (len > at_most)
		len = at_most;
	if (at_most != SIZE_MAX)
		at_most -= len;
	return __real_write(fd, p, len);
}

static struct world w;

static int setup(void **state)
{
	(void)state;
	at_most = SIZE_MAX;
	world_make(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	at_most = SIZE_MAX;
	world_close(&w);
	return 0;
}

static const char *read_all(int fd, int64_t len)
{
	char *text = arena_alloc(&w.a, (size_t)len + 1);

	assert_int_equal(read(fd, text, (size_t)len), len);
	close(fd);
	return text;
}

/* ---- terminal output ---- */
static const char *output(int64_t task, const char *sid)
{
	struct errinfo e;
	int64_t len;
	int fd;

	assert_ok(output_open(w.var, task, sid, &fd, &len, &e), &e);
	assert_int_equal(output_size(w.var, task, sid, OUTPUT_LOG), len);
	return read_all(fd, len);
}

static void output_grows_at_its_end_only(void **state)
{
	struct errinfo e;
	int64_t len;
	int fd;

	(void)state;
	assert_err(output_open(w.var, 7, "s1", &fd, &len, &e), ERR_NOT_FOUND, &e);
	assert_int_equal(output_size(w.var, 7, "s1", OUTPUT_LOG), 0);
	assert_ok(output_append(w.var, 7, "s1", OUTPUT_LOG, 0, "abc", 3, &e), &e);
	assert_ok(output_append(w.var, 7, "s1", OUTPUT_LOG, 3, "def", 3, &e), &e);
	/* Another dispatcher has copied, or this one looked at an old size: nothing is written
	 * twice. */
	assert_err(output_append(w.var, 7, "s1", OUTPUT_LOG, 3, "def", 3, &e), ERR_CONFLICT, &e);
	assert_err(output_append(w.var, 7, "s1", OUTPUT_LOG, 7, "x", 1, &e), ERR_CONFLICT, &e);
	assert_err(output_append(w.var, 7, "s2", OUTPUT_LOG, 1, "x", 1, &e), ERR_CONFLICT, &e);
	assert_string_equal(output(7, "s1"), "abcdef");
	output_remove(w.var, 7, "s1");
	output_remove(w.var, 7, "s1");
	assert_err(output_open(w.var, 7, "s1", &fd, &len, &e), ERR_NOT_FOUND, &e);
}

static void full_disk_leaves_no_half_piece(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(output_append(w.var, 7, "s1", OUTPUT_LOG, 0, "abc", 3, &e), &e);
	at_most = 2;
	assert_err(output_append(w.var, 7, "s1", OUTPUT_LOG, 3, "defghi", 6, &e), ERR_DISK_FULL, &e);
	at_most = SIZE_MAX;
	assert_string_equal(output(7, "s1"), "abc");
	assert_ok(output_append(w.var, 7, "s1", OUTPUT_LOG, 3, "defghi", 6, &e), &e);
	assert_string_equal(output(7, "s1"), "abcdefghi");
}

static void what_is_no_file_is_not_opened(void **state)
{
	struct errinfo e;
	int64_t len;
	int fd;

	(void)state;
	assert_int_equal(mkdir(world_path(&w, "log/sessions/7-s1.log"), 0700), 0);
	assert_err(output_open(w.var, 7, "s1", &fd, &len, &e), ERR_IO, &e);
	assert_int_equal(fd, -1);
	assert_int_equal(symlink("/etc/hostname", world_path(&w, "log/sessions/7-s2.log")), 0);
	assert_err(output_open(w.var, 7, "s2", &fd, &len, &e), ERR_IO, &e);
	assert_err(output_append(w.var, 7, "s2", OUTPUT_LOG, 0, "x", 1, &e), ERR_IO, &e);
	assert_int_equal(mkfifo(world_path(&w, "log/sessions/7-s3.log"), 0600), 0);
	assert_err(output_open(w.var, 7, "s3", &fd, &len, &e), ERR_IO, &e); /* and does not hang */
}

/* ---- artifacts ---- */
#define NAME60 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx"

static const struct name {
	const char *name;
	const char *file;
	bool valid;
} names[] = {
	{ "a patch is a name", "changes.patch", true },
	{ "one letter is", "a", true },
	{ "capitals, digits, dash and underscore are", "A_1-b.Log", true },
	{ "a digit first is", "1.txt", true },
	{ "two dots inside are", "a..b", true },
	{ "64 bytes are", NAME60 "yz01", true },
	{ "65 bytes are not", NAME60 "yz012", false },
	{ "nothing is not", "", false },
	{ "a dot alone is not", ".", false },
	{ "two dots are not", "..", false },
	{ "a hidden file is not", ".bashrc", false },
	{ "a dash first is not", "-rf", false },
	{ "an underscore first is not", "_x", false },
	{ "a slash is not", "a/b", false },
	{ "a way up is not", "../x", false },
	{ "a backslash is not", "a\\b", false },
	{ "a space is not", "a b", false },
	{ "a line feed is not", "a\nb", false },
	{ "a quote is not", "a\"b", false },
	{ "a percent sign is not", "a%2fb", false },
	{ "a colon is not", "a:b", false },
	{ "letters with accents are not", "\xC3\xA4", false },
	{ "a stray byte is not", "a\xE9", false },
	{ "our own temporary name is not", "changes.patch.new", false },
	{ "new alone is", "new", true },
	{ "dot new alone is not", ".new", false },
};

static void name_judged(void **state)
{
	ROW(struct name);

	assert_int_equal(artifact_name_valid(r->file), r->valid);
}

static const char *artifact(int64_t task, const char *name)
{
	struct errinfo e;
	int64_t len;
	int fd;

	assert_ok(artifact_open(w.var, task, name, &fd, &len, &e), &e);
	return read_all(fd, len);
}

static enum err artifact_write(const char *var, int64_t task, const char *name, const void *buf, size_t len,
			       struct errinfo *e)
{
	struct staged staged;
	enum err rc = artifact_stage(var, task, buf, len, &staged, e);

	return rc == ERR_OK ? artifact_keep(var, &staged, name, e) : rc;
}

static void what_is_staged_can_be_dropped(void **state)
{
	struct staged first, second;
	struct errinfo e;

	(void)state;
	assert_ok(artifact_stage(w.var, 7, "one", 3, &first, &e), &e);
	assert_ok(artifact_stage(w.var, 7, "two", 3, &second, &e), &e);
	artifact_drop(w.var, &first);
	assert_true(world_has(&w, "state/artifacts/7"));
	assert_ok(artifact_keep(w.var, &second, "x", &e), &e);
	assert_string_equal(artifact(7, "x"), "two");
	artifact_remove(w.var, 7, "x");
	assert_false(world_has(&w, "state/artifacts/7"));
	artifact_drop(w.var, &(struct staged){ .task = 7 });
}

static void artifacts_are_kept_by_task(void **state)
{
	struct errinfo e;
	int64_t len;
	int fd;

	(void)state;
	assert_err(artifact_open(w.var, 7, "changes.patch", &fd, &len, &e), ERR_NOT_FOUND, &e);
	assert_ok(artifact_write(w.var, 7, "changes.patch", "old", 3, &e), &e);
	assert_ok(artifact_write(w.var, 7, "changes.patch", "newer", 5, &e), &e);
	assert_ok(artifact_write(w.var, 7, "empty", "", 0, &e), &e);
	assert_ok(artifact_write(w.var, 8, "changes.patch", "eight", 5, &e), &e);
	assert_string_equal(artifact(7, "changes.patch"), "newer");
	assert_string_equal(artifact(7, "empty"), "");
	assert_string_equal(artifact(8, "changes.patch"), "eight");
	artifact_remove(w.var, 7, "changes.patch");
	assert_true(world_has(&w, "state/artifacts/7"));
	artifact_remove(w.var, 7, "empty");
	artifact_remove(w.var, 7, "empty");
	assert_false(world_has(&w, "state/artifacts/7"));
	assert_string_equal(artifact(8, "changes.patch"), "eight");
}

static void full_disk_leaves_the_old_artifact(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(artifact_write(w.var, 7, "x", "old", 3, &e), &e);
	at_most = 2;
	assert_err(artifact_write(w.var, 7, "x", "longer", 6, &e), ERR_DISK_FULL, &e);
	at_most = SIZE_MAX;
	assert_string_equal(artifact(7, "x"), "old");
	assert_false(world_has(&w, "state/artifacts/7/x.new"));
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("output grows at its end only", output_grows_at_its_end_only),
		T("a full disk leaves no half piece of output", full_disk_leaves_no_half_piece),
		T("what is no file is not opened", what_is_no_file_is_not_opened),
		T("what is staged can be dropped", what_is_staged_can_be_dropped),
		T("artifacts are kept by task", artifacts_are_kept_by_task),
		T("a full disk leaves the old artifact", full_disk_leaves_the_old_artifact),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, names, name_judged);
	return plan_run("output", &p);
}

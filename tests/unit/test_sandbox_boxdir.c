#include <fcntl.h>
#include <sys/file.h>

#include "core/file.h"
#include "sandbox/boxdir.h"
#include "sandbox/record.h"
#include "scratch.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef"

static const struct id_row {
	const char *name, *id;
	bool want;
} ids[] = {
	{ "32 digits are an id", ID, true },
	{ "31 are none", "0123456789abcdef0123456789abcde", false },
	{ "33 are none", "0123456789abcdef0123456789abcdef0", false },
	{ "capitals are none", "0123456789ABCDEF0123456789ABCDEF", false },
	{ "a path is none", "../3456789abcdef0123456789abcdef", false },
	{ "nothing is none", "", false },
};

static void id_row(void **state)
{
	ROW(struct id_row);

	assert_int_equal(sandbox_id_valid(r->id), r->want);
}

static int open_dir(const struct scratch *s)
{
	return open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(int dir, const char *name, const char *text)
{
	assert_ok(file_replace(dir, name, text, strlen(text), 0600, NULL), NULL);
}

static void claimed_once(void **state)
{
	struct scratch s;
	struct errinfo e = { 0 };
	int fd = -1, lock = -1, fd2 = -1, lock2 = -1;

	(void)state;
	scratch_open(&s);
	int root = open_dir(&s);
	assert_err(boxdir_open(root, ID, &fd, &e), ERR_NOT_FOUND, &e);
	assert_ok(boxdir_claim(root, ID, &fd, &lock, &e), &e);
	assert_true(boxdir_alive(fd));
	assert_err(boxdir_claim(root, ID, &fd2, &lock2, &e), ERR_BUSY, &e);
	int copy = dup(lock);
	close(lock);
	assert_true(boxdir_alive(fd)); /* held by the copy */
	close(copy);
	assert_false(boxdir_alive(fd));
	assert_ok(boxdir_claim(root, ID, &fd2, &lock2, &e), &e); /* again, after a crash */
	close(lock2);
	close(fd2);
	close(fd);
	close(root);
	scratch_close(&s);
}

static void begins_once(void **state)
{
	struct scratch s;
	struct begun b = { 0 };
	struct errinfo e = { 0 };

	(void)state;
	scratch_open(&s);
	int dir = open_dir(&s);
	assert_false(boxdir_begun(dir, &b));
	assert_ok(record_begin(dir, 1234567, &e), &e);
	assert_true(boxdir_begun(dir, &b));
	assert_int_equal(b.started_ms, 1234567);
	assert_int_equal(b.shim, getpid());
	assert_err(record_begin(dir, 7654321, &e), ERR_CONFLICT, &e);
	close(dir);
	scratch_close(&s);
}

static const struct begun_row {
	const char *name, *text;
	pid_t shim;
} begun_rows[] = {
	{ "a whole one names the shim", "5 77\n", 77 },
	{ "an empty one still forbids a second start", "", 0 },
	{ "a cut one names nobody", "5 7", 0 },
	{ "nonsense names nobody", "x y\n", 0 },
	{ "pid 0 is nobody", "5 0\n", 0 },
	{ "a pid below zero is nobody", "5 -1\n", 0 },
};

static void begun_row(void **state)
{
	ROW(struct begun_row);
	struct scratch s;
	struct begun b = { 0 };

	scratch_open(&s);
	int dir = open_dir(&s);
	put(dir, "begun", r->text);
	assert_true(boxdir_begun(dir, &b));
	assert_int_equal(b.shim, r->shim);
	close(dir);
	scratch_close(&s);
}

static void marked(void **state)
{
	struct scratch s;
	struct errinfo e = { 0 };

	(void)state;
	scratch_open(&s);
	int dir = open_dir(&s);
	assert_false(boxdir_killed(dir));
	for (int i = 0; i < 2; i++) {
		assert_ok(boxdir_mark_killed(dir, dir, true, &e), &e);
		assert_true(boxdir_killed(dir));
	}
	close(dir);
	scratch_close(&s);
}

static void told_and_read(void **state)
{
	struct scratch s;
	struct exit_record rec;
	struct errinfo e = { 0 };
	struct ending end = { .started_ms = 1000,
			      .ended_ms = 2500,
			      .output = 10,
			      .kept = 5,
			      .code = 7,
			      .reason = "exit" };

	(void)state;
	scratch_open(&s);
	int dir = open_dir(&s);
	assert_false(boxdir_record(dir, &rec));
	(void)snprintf(end.error, sizeof end.error, "a \"b\" \\ \x1b[31m \xff\n");
	assert_ok(record_end(dir, &end, &e), &e);
	assert_true(boxdir_record(dir, &rec));
	assert_true(rec.has_code);
	assert_int_equal(rec.code, 7);
	assert_text(rec.reason, "exit");
	assert_text(rec.error, "a ?b? ? ?[31m ??");
	assert_text(rec.ended, "1970-01-01T00:00:02.500Z");
	end.code = -1;
	end.reason = "error";
	memset(end.error, 'x', sizeof end.error); /* without its NUL */
	assert_ok(record_end(dir, &end, &e), &e);
	assert_true(boxdir_record(dir, &rec));
	assert_false(rec.has_code);
	assert_int_equal(strlen(rec.error), sizeof end.error - 1);
	close(dir);
	scratch_close(&s);
}

static const struct record_row {
	const char *name, *text, *reason;
	bool has_code;
} record_rows[] = {
	{ "a record", "{\"exitCode\":0,\"reason\":\"exit\"}", "exit", true },
	{ "a record without a code", "{\"exitCode\":null,\"reason\":\"error\",\"error\":\"e\"}",
	  "error", false },
	{ "a code that is none", "{\"exitCode\":999,\"reason\":\"exit\"}", "exit", false },
	{ "an empty file", "", "error", false },
	{ "half a record", "{\"exitCode\":0,\"rea", "error", false },
	{ "another JSON", "[]", "error", false },
	{ "a reason too long", "{\"reason\":\"exit exit exit exit\"}", "error", false },
};

static void record_row(void **state)
{
	ROW(struct record_row);
	struct scratch s;
	struct exit_record rec;

	scratch_open(&s);
	int dir = open_dir(&s);
	put(dir, "exit", r->text);
	assert_true(boxdir_record(dir, &rec));
	assert_text(rec.reason, r->reason);
	assert_int_equal(rec.has_code, r->has_code);
	close(dir);
	scratch_close(&s);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, ids, id_row);
	plan_add(&p, "one claims it; alive as long as a copy of the lock", claimed_once, NULL);
	plan_add(&p, "it begins once", begins_once, NULL);
	PLAN_ROWS(&p, begun_rows, begun_row);
	plan_add(&p, "a mark may be left again", marked, NULL);
	plan_add(&p, "an ending is read as it was told, its text made harmless", told_and_read,
		 NULL);
	PLAN_ROWS(&p, record_rows, record_row);
	return plan_run("sandbox boxdir", &p);
}

/* What becomes of the store when the bytes of its log are not what was written: torn tails and
 * damage. */
#include "core/log.h"
#include "store/store.h"
#include "world.h"

/* Damage is one loud line, once. */
static int damage_lines;

void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f);

void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f)
{
	(void)f;
	if (level == LOG_ERROR && strcmp(ev, "store.damaged") == 0)
		damage_lines++;
}

/* What pread finds may be in motion: a byte of it is another one, this many times. */
static int torn_reads;

ssize_t __real_pread(int fd, void *p, size_t len, off_t off);
ssize_t __wrap_pread(int fd, void *p, size_t len, off_t off);

ssize_t __wrap_pread(int fd, void *p, size_t len, off_t off)
{
	ssize_t n = __real_pread(fd, p, len, off);

	if (torn_reads > 0 && n > 20) {
		torn_reads--;
		((char *)p)[20] ^= 1;
	}
	return n;
}

static struct world w;
static char whole[8192]; /* the log as the store wrote it */
static size_t whole_len;
static size_t lines[64], line_count; /* where each line begins; one more for the end */

static enum err set_result(struct task *t, struct arena *a, void *arg, bool *skip,
			   struct errinfo *e)
{
	(void)a;
	(void)skip;
	(void)e;
	t->result = arg;
	return ERR_OK;
}

static enum err create(struct store *s, const char *prompt, int64_t *id, struct errinfo *e)
{
	struct task t = { .prompt = prompt, .created = 1, .updated = 1 };
	struct arena a = { 0 };
	enum err rc = store_create(s, &a, &t, e);

	if (id != NULL)
		*id = t.id;
	arena_reset(&a);
	return rc;
}

static enum err change(struct store *s, int64_t id, const char *text, struct errinfo *e)
{
	struct change c = { set_result, (void *)(uintptr_t)text };
	struct arena a = { 0 };
	enum err rc = store_change(s, &a, id, c, NULL, e);

	arena_reset(&a);
	return rc;
}

/* The task's prompt and result as "prompt/result"; "-" when it is not there. */
static const char *shown(int64_t id)
{
	struct errinfo e;
	struct task t;
	enum err rc = store_get(w.store, &w.a, id, &t, &e);

	if (rc == ERR_NOT_FOUND)
		return "-";
	assert_ok(rc, &e);
	return arena_printf(&w.a, "%s/%s", t.prompt, t.result);
}

/* One head, tasks 1 and 2, a change of task 1: lines 0, 1-2, 3-4, 5. */
static int setup(void **state)
{
	struct errinfo e;

	(void)state;
	world_open(&w);
	assert_ok(create(w.store, "one", NULL, &e), &e);
	assert_ok(create(w.store, "two", NULL, &e), &e);
	assert_ok(change(w.store, 1, "changed", &e), &e);
	const char *log = world_read(&w, "state/tasks.log", &whole_len);
	assert_true(whole_len < sizeof whole);
	memcpy(whole, log, whole_len);
	line_count = 0;
	for (size_t i = 0; i < whole_len; i++) {
		if (i == 0 || whole[i - 1] == '\n')
			lines[line_count++] = i;
	}
	lines[line_count] = whole_len;
	assert_int_equal(line_count, 6);
	store_close(w.store);
	w.store = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

/* The store over a log of these bytes. */
static void over(const char *p, size_t len, enum store_mode mode)
{
	if (w.store != NULL)
		store_close(w.store);
	w.store = NULL;
	damage_lines = 0;
	world_write(&w, "state/tasks.log", p, len);
	world_reopen(&w, mode);
}

static void assert_log_is(const char *p, size_t len)
{
	size_t now_len;
	char *now = world_read(&w, "state/tasks.log", &now_len);

	assert_int_equal(now_len, len);
	assert_memory_equal(now, p, len);
}

/* ---- torn tails ---- */
static void cut_change_is_the_old_task(void **state)
{
	struct errinfo e;

	(void)state;
	for (size_t cut = lines[5]; cut < whole_len; cut++) {
		over(whole, cut, STORE_WRITER);
		assert_string_equal(shown(1), "one/");
		assert_string_equal(shown(2), "two/");
		assert_log_is(whole, cut); /* a reader cuts nothing */
		assert_ok(change(w.store, 2, "later", &e), &e);
		world_reopen(&w, STORE_WRITER);
		assert_string_equal(shown(1), "one/");
		assert_string_equal(shown(2), "two/later");
		assert_ok(store_writable(w.store, &e), &e);
	}
}

static void cut_creation_is_no_task(void **state)
{
	struct errinfo e;
	int64_t id;

	(void)state;
	for (size_t cut = lines[3]; cut < lines[5]; cut++) {
		over(whole, cut, STORE_WRITER);
		assert_string_equal(shown(1), "one/");
		assert_string_equal(shown(2), "-");
		assert_int_equal(store_counts(w.store).by_status[STATUS_QUEUED], 1);
		assert_ok(create(w.store, "later", &id, &e), &e);
		/* Its id may be spent when its first line is whole; it is never given to two tasks.
		 */
		assert_int_equal(id, cut < lines[4] ? 2 : 3);
		world_reopen(&w, STORE_WRITER);
		assert_string_equal(shown(1), "one/");
		assert_string_equal(shown(id), "later/");
		assert_ok(change(w.store, id, "fine", &e), &e);
		assert_int_equal(store_next_live(w.store, 1), id);
	}
}

static void cut_head_is_an_empty_store(void **state)
{
	struct errinfo e;
	int64_t id;

	(void)state;
	for (size_t cut = 0; cut < lines[1]; cut++) {
		over(whole, cut, STORE_OWNER);
		assert_string_equal(shown(1), "-");
		assert_ok(create(w.store, "first", &id, &e), &e);
		assert_int_equal(id, 1);
		world_reopen(&w, STORE_WRITER);
		assert_string_equal(shown(1), "first/");
		size_t len;
		char *now = world_read(&w, "state/tasks.log", &len);
		assert_memory_equal(now, whole, lines[1]); /* its first line is there again */
	}
}

static void garbage_behind_the_last_line_is_cut(void **state)
{
	static const char *const tails[] = { "x", "00000000 ", "00000000 {}", "\xff\xfe\x01",
					     "00000000 {\"k\":\"set\",\"id\":1," };
	struct errinfo e;

	(void)state;
	for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
		char *bad = arena_printf(&w.a, "%.*s%s", (int)whole_len, whole, tails[i]);
		over(bad, strlen(bad), STORE_WRITER);
		assert_string_equal(shown(1), "one/changed");
		assert_ok(store_writable(w.store, &e), &e);
		assert_ok(change(w.store, 1, "again", &e), &e);
		world_reopen(&w, STORE_WRITER);
		assert_string_equal(shown(1), "one/again");
		assert_string_equal(shown(2), "two/");
	}
}

static void zeros_behind_the_last_line_are_cut(void **state)
{
	char *bad = arena_alloc(
		&w.a, whole_len + 5000); /* what some file systems leave after a power cut */
	struct errinfo e;

	(void)state;
	memcpy(bad, whole, whole_len);
	over(bad, whole_len + 5000, STORE_WRITER);
	assert_ok(change(w.store, 2, "later", &e), &e);
	world_reopen(&w, STORE_WRITER);
	assert_string_equal(shown(1), "one/changed");
	assert_string_equal(shown(2), "two/later");
}

/* A reader that looks while a line is only half there takes it in when the rest has come. */
static void half_a_line_is_waited_for(void **state)
{
	(void)state;
	for (size_t cut = lines[5]; cut < whole_len; cut++) {
		over(whole, cut, STORE_WRITER);
		assert_string_equal(shown(1), "one/");
		int fd = open(world_path(&w, "state/tasks.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
		assert_int_equal(write_all(fd, whole + cut, whole_len - cut), 0);
		close(fd);
		assert_string_equal(shown(1), "one/changed");
	}
}

/* ---- damage ---- */
static void assert_refuses_changes(size_t offset)
{
	struct errinfo e;
	char where[40];

	(void)snprintf(where, sizeof where, "byte %zu", offset);
	assert_err(store_writable(w.store, &e), ERR_CORRUPT, &e);
	assert_non_null(strstr(e.what, where));
	assert_err(create(w.store, "x", NULL, &e), ERR_CORRUPT, &e);
	assert_non_null(strstr(e.what, where));
	assert_err(change(w.store, 1, "x", &e), ERR_CORRUPT, &e);
	assert_err(store_delete(w.store, &w.a, 1, 1, NULL, &e), ERR_CORRUPT, &e);
	assert_err(store_set_doomed(w.store, 1, NULL, 0, &e), ERR_CORRUPT, &e);
	assert_err(store_compact(w.store, &e), ERR_CORRUPT, &e);
	assert_int_equal(damage_lines, 1);
}

/* Every byte of every line that has a line behind it; the newlines too. */
static void flipped_byte_is_damage_and_never_cut(void **state)
{
	(void)state;
	for (size_t at = 0; at < lines[5]; at++) {
		char bad[sizeof whole];
		size_t line = 0;
		memcpy(bad, whole, whole_len);
		bad[at] ^= 1;
		while (lines[line + 1] <= at)
			line++;
		over(bad, whole_len, STORE_OWNER);
		assert_refuses_changes(lines[line]);
		assert_log_is(bad, whole_len);
		/* What lies before it is served. */
		assert_string_equal(shown(1), line > 2 ? "one/" : "-");
		assert_string_equal(shown(2), line > 4 ? "two/" : "-");
		arena_reset(&w.a);
	}
}

static void missing_line_is_damage(void **state)
{
	(void)state;
	/* Without line 1 the change in line 2 has no task; without line 3 neither has line 4. */
	for (size_t line = 1; line <= 3; line += 2) {
		char *bad = arena_alloc(&w.a, whole_len);
		size_t len = whole_len - (lines[line + 1] - lines[line]);
		memcpy(bad, whole, lines[line]);
		memcpy(bad + lines[line], whole + lines[line + 1], whole_len - lines[line + 1]);
		over(bad, len, STORE_WRITER);
		assert_refuses_changes(lines[line]);
		assert_log_is(bad, len);
	}
}

static void repeated_line_is_damage(void **state)
{
	size_t one = lines[2] - lines[1];
	char *bad = arena_alloc(&w.a, whole_len + one);

	(void)state;
	memcpy(bad, whole, whole_len);
	memcpy(bad + whole_len, whole + lines[1], one);
	over(bad, whole_len + one, STORE_WRITER);
	assert_refuses_changes(whole_len);
	assert_string_equal(shown(1), "one/changed");
}

static void empty_line_is_damage(void **state)
{
	char *bad = arena_alloc(&w.a, whole_len + 1);

	(void)state;
	memcpy(bad, whole, whole_len);
	bad[whole_len] = '\n';
	over(bad, whole_len + 1, STORE_WRITER);
	assert_refuses_changes(whole_len);
	assert_string_equal(shown(1), "one/changed");
}

static void damage_is_seen_by_a_store_that_is_open(void **state)
{
	(void)state;
	over(whole, whole_len, STORE_WRITER);
	assert_string_equal(shown(1), "one/changed");
	int fd = open(world_path(&w, "state/tasks.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write_all(fd, "not a record\n", 13), 0);
	close(fd);
	assert_string_equal(shown(1), "one/changed");
	assert_refuses_changes(whole_len);
	assert_string_equal(shown(2), "two/");
}

/*
 * A reader holds no lock: while it reads, a torn tail may be cut and written over, and what it sees
 * is half of each.  That is no damage; what is bad still when it is read again is.
 */
static void line_in_motion_is_read_again(void **state)
{
	struct errinfo e;

	(void)state;
	for (int times = 1; times < 4; times++) {
		over(whole, lines[5], STORE_WRITER);
		int fd = open(world_path(&w, "state/tasks.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
		assert_int_equal(write_all(fd, whole + lines[5], whole_len - lines[5]), 0);
		close(fd);
		torn_reads = times;
		enum err rc = store_catch_up(w.store, &e);
		torn_reads = 0;
		assert_err(rc, times < 3 ? ERR_OK : ERR_CORRUPT, &e);
		assert_string_equal(shown(1), times < 3 ? "one/changed" : "one/");
	}
}

/* Cutting below what was read is nobody's right: the store that saw more says so, and does not
 * write behind it. */
static void shortened_log_is_damage(void **state)
{
	struct errinfo e;

	(void)state;
	over(whole, whole_len, STORE_WRITER);
	assert_int_equal(truncate(world_path(&w, "state/tasks.log"), (off_t)lines[5]), 0);
	assert_err(store_catch_up(w.store, &e), ERR_CORRUPT, &e);
	assert_refuses_changes(whole_len);
	assert_log_is(whole, lines[5]);
}

static void another_version_is_not_touched(void **state)
{
	struct errinfo e;

	(void)state;
	/* Its checksum is right: this is no damage of ours, but a newer chomp's log. */
	const char future[] = "2c23f67f {\"k\":\"log\",\"v\":2,\"next_id\":1}\n";
	over(future, sizeof future - 1, STORE_OWNER);
	assert_err(store_writable(w.store, &e), ERR_CORRUPT, &e);
	assert_log_is(future, sizeof future - 1);
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("a change cut anywhere leaves the old task", cut_change_is_the_old_task),
		T("a creation cut anywhere leaves no task", cut_creation_is_no_task),
		T("a head cut anywhere leaves an empty store", cut_head_is_an_empty_store),
		T("garbage behind the last line is cut", garbage_behind_the_last_line_is_cut),
		T("zeros behind the last line are cut", zeros_behind_the_last_line_are_cut),
		T("half a line is waited for", half_a_line_is_waited_for),
		T("a flipped byte is damage and never cut", flipped_byte_is_damage_and_never_cut),
		T("a missing line is damage", missing_line_is_damage),
		T("a repeated line is damage", repeated_line_is_damage),
		T("an empty line is damage", empty_line_is_damage),
		T("damage is seen by a store that is open", damage_is_seen_by_a_store_that_is_open),
		T("a line in motion is read again", line_in_motion_is_read_again),
		T("a shortened log is damage", shortened_log_is_damage),
		T("another version's log is not touched", another_version_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

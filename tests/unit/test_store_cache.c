/* What a list reads: the same as store_get gives, without reading it twice; and the keys of the last day. */
#include "core/log.h"
#include "store/cache.h"
#include "store/keys.h"
#include "tasks.h"
#include "world.h"

static int reads;

ssize_t __real_pread(int fd, void *p, size_t len, off_t off);
ssize_t __wrap_pread(int fd, void *p, size_t len, off_t off);
ssize_t __wrap_pread(int fd, void *p, size_t len, off_t off)
{
	reads++;
	return __real_pread(fd, p, len, off);
}

static struct world w;

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

static void create(struct task *t)
{
	struct errinfo e;

	assert_ok(store_create(w.store, &w.a, t, &e), &e);
}

static enum err set_result(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)skip;
	(void)e;
	t->result = arg;
	return ERR_OK;
}

static void change(int64_t id, const char *text)
{
	struct change c = { set_result, (void *)(uintptr_t)text };
	struct errinfo e;

	assert_ok(store_change(w.store, &w.a, id, c, NULL, &e), &e);
}

/* No pointer of the original is in the copy: addresses are between 2^44 and 2^47, times and counts are not. */
static void assert_apart(const void *copy, const void *original, size_t len)
{
	for (size_t i = 0; i + sizeof(uintptr_t) <= len; i += sizeof(uintptr_t)) {
		uintptr_t x, y;
		memcpy(&x, (const char *)copy + i, sizeof x);
		memcpy(&y, (const char *)original + i, sizeof y);
		if (x == y && x >= (uintptr_t)1 << 44 && x < (uintptr_t)1 << 47)
			fail_msg("the word at byte %zu is shared", i);
	}
}

static void clone_is_equal(void **state)
{
	struct arena a = { 0 };
	struct task full = task_full(&a), copy;
	struct clone *c;

	full.gate = "gates/health.sh";
	full.review.comment = "no";
	full.sessions[0].gate = (struct gate_verdict){ .known = true,
						       .name = "g",
						       .output = "o",
						       .tree = "t",
						       .gate_hash = "h",
						       .log_hash = "l" };
	c = task_clone(&full, SIZE_MAX);
	assert_apart(&c->task, &full, sizeof full);
	for (size_t i = 0; i < full.session_count; i++)
		assert_apart(&c->task.sessions[i], &full.sessions[i], sizeof full.sessions[i]);
	for (size_t i = 0; i < full.artifact_count; i++)
		assert_apart(&c->task.artifacts[i], &full.artifacts[i], sizeof full.artifacts[i]);

	(void)state;
	assert_false(c->cut);
	assert_string_equal(task_text(&a, &c->task), task_text(&a, &full));
	task_copy(&a, &full, &copy);
	assert_string_equal(task_text(&a, &copy), task_text(&a, &full));
	assert_true(copy.prompt != full.prompt && copy.sessions != full.sessions);
	free(c);
	arena_reset(&a);
}

static void long_texts_end_at_a_character(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *want;
	} cuts[] = {
		{ "abcdef", 6, "abcdef" }, { "abcdef", 5, "abcde" },	    { "ab\xc3\xa4", 4, "ab\xc3\xa4" },
		{ "ab\xc3\xa4", 3, "ab" }, { "\xe2\x82\xac\xe2\x82\xac", 5, "\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80", 3, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		struct task t = { .id = 1, .prompt = cuts[i].text, .extra = "{\"a\":1}" };
		struct clone *c = task_clone(&t, cuts[i].max);
		assert_string_equal(c->task.prompt, cuts[i].want);
		assert_int_equal(c->cut, strlen(cuts[i].text) > cuts[i].max || cuts[i].max < 7);
		free(c);
	}
}

static void second_look_reads_nothing(void **state)
{
	const struct task *seen;
	struct errinfo e;
	struct task t = { .prompt = "p", .created = 1 }, got;
	bool cut = true;

	(void)state;
	create(&t);
	assert_ok(store_glance(w.store, 1, &seen, &cut, &e), &e);
	assert_false(cut);
	reads = 0;
	assert_ok(store_glance(w.store, 1, &seen, NULL, &e), &e);
	assert_string_equal(seen->prompt, "p");
	assert_ok(store_get(w.store, &w.a, 1, &got, &e), &e);
	assert_int_equal(reads, 0);
	/* After a change it is another version. */
	change(1, "new");
	assert_ok(store_glance(w.store, 1, &seen, NULL, &e), &e);
	assert_true(reads > 0);
	assert_string_equal(seen->result, "new");
	/* What came out of the cache lives on in the arena. */
	assert_ok(store_get(w.store, &w.a, 1, &got, &e), &e);
	change(1, "newer");
	assert_ok(store_glance(w.store, 1, &seen, NULL, &e), &e);
	assert_string_equal(got.result, "new");
	assert_ok(store_delete(w.store, &w.a, 1, 1, NULL, &e), &e);
	assert_err(store_glance(w.store, 1, &seen, NULL, &e), ERR_NOT_FOUND, &e);
	assert_err(store_get(w.store, &w.a, 1, &got, &e), ERR_NOT_FOUND, &e);
}

static void compaction_is_another_version(void **state)
{
	struct store *other;
	const struct task *seen;
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct task t = { .prompt = "p", .created = 1 };
		create(&t);
		change(i + 1, "r");
	}
	assert_ok(store_open(&other, w.var, STORE_WRITER, &e), &e);
	assert_ok(store_glance(other, 2, &seen, NULL, &e), &e);
	assert_ok(store_compact(w.store, &e), &e);
	change(2, "after");
	assert_ok(store_catch_up(other, &e), &e);
	assert_ok(store_glance(other, 2, &seen, NULL, &e), &e);
	assert_string_equal(seen->result, "after");
	store_close(other);
}

static char *long_text(size_t len)
{
	char *p = arena_alloc(&w.a, len + 1);

	memset(p, 'x', len);
	return p;
}

static void long_prompt_is_cut_in_a_list_alone(void **state)
{
	struct task t = { .prompt = long_text(100000), .created = 1 }, got;
	const struct task *seen;
	struct errinfo e;
	bool cut = false;

	(void)state;
	create(&t);
	assert_ok(store_glance(w.store, 1, &seen, &cut, &e), &e);
	assert_true(cut);
	assert_int_equal(strlen(seen->prompt), CACHE_TEXT_MAX);
	assert_ok(store_get(w.store, &w.a, 1, &got, &e), &e);
	assert_int_equal(strlen(got.prompt), 100000);
}

static void json_of_a_glance_is_the_tasks(void **state)
{
	struct task t = task_full(&w.a), got;
	const struct task *seen;
	struct strbuf want;
	struct errinfo e;
	struct jw jw;
	size_t len;

	(void)state;
	create(&t);
	for (int i = 0; i < 3; i++) {
		assert_ok(store_glance(w.store, 1, &seen, NULL, &e), &e);
		const char *json = store_glance_json(w.store, seen, &len);
		assert_ok(store_get(w.store, &w.a, 1, &got, &e), &e);
		strbuf_init(&want);
		jw_init(&jw, &want);
		task_write_public(&jw, NULL, &got);
		assert_int_equal(len, want.len);
		assert_memory_equal(json, want.buf, len);
		strbuf_release(&want);
		if (i == 1)
			change(1, "other");
	}
	struct task long_one = { .prompt = long_text(100000), .created = 1 };
	create(&long_one);
	assert_ok(store_glance(w.store, 2, &seen, NULL, &e), &e);
	assert_null(store_glance_json(w.store, seen, &len));
}

static void cache_stays_within_bounds(void **state)
{
	struct cache *c = xmalloc(sizeof *c);
	struct session *sessions = arena_alloc(&w.a, SESSIONS_MAX * sizeof *sessions);

	(void)state;
	memset(c, 0, sizeof *c);
	for (int i = 0; i < SESSIONS_MAX; i++)
		sessions[i].id = "s";
	for (int64_t id = 1; id < 5000; id++) {
		/* Some are too large to be kept, all are answered. */
		struct task t = { .id = id, .prompt = "p", .sessions = sessions, .session_count = (size_t)(id % 7) * 50 };
		const struct clone *got = cache_put(c, &t, 1);
		assert_int_equal(got->task.id, id);
		assert_int_equal(got->task.session_count, t.session_count);
		assert_true(c->bytes <= CACHE_BYTES);
		assert_null(cache_find(c, id, 2));
		if (got->size <= CACHE_ENTRY_MAX)
			assert_ptr_equal(cache_find(c, id, 1), got);
	}
	cache_release(c);
	assert_int_equal(c->bytes, 0);
	free(c);
}

/* ---- keys ---- */
static bool has(const struct keys *k, uint32_t sum, int64_t want)
{
	size_t at = 0;
	int64_t id;

	while ((id = keys_find(k, sum, &at)) != 0) {
		if (id == want)
			return true;
	}
	return false;
}

static void keys_are_found_for_a_day(void **state)
{
	const int64_t t0 = 1770800000000;
	struct keys k = { 0 };

	(void)state;
	assert_false(has(&k, 1, 1));
	/* All in one place of the table, and all alike: every one is found. */
	for (int64_t id = 1; id <= 300; id++)
		keys_add(&k, id % 3 != 0 ? 7 : 7 + 4096, id, t0 + id);
	for (int64_t id = 1; id <= 300; id++)
		assert_true(has(&k, id % 3 != 0 ? 7 : 7 + 4096, id));
	assert_false(has(&k, 8, 1));
	/* A day later they are still there, two days later they are not: memory is two days' at most. */
	keys_add(&k, 9, 301, t0 + 1 + KEY_AGE_MS + 1);
	assert_true(has(&k, 7, 1));
	assert_true(has(&k, 9, 301));
	keys_add(&k, 10, 302, t0 + 2 + 2 * (int64_t)KEY_AGE_MS + 2);
	assert_false(has(&k, 7, 1));
	assert_true(has(&k, 9, 301));
	assert_true(has(&k, 10, 302));
	/* A clock that jumps back loses nothing. */
	keys_add(&k, 11, 303, t0);
	assert_true(has(&k, 11, 303));
	keys_release(&k);
}

/* Under the lock a key costs two reads at most, however many tasks the day has. */
static void key_is_found_without_a_walk(void **state)
{
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct task t = { .prompt = "p", .created = 1000, .idempotency_key = arena_printf(&w.a, "key %d", i) };
		create(&t);
	}
	world_reopen(&w, STORE_OWNER); /* from the log, too */
	struct task again = { .prompt = "p", .created = 2000, .idempotency_key = "key 0" };
	reads = 0;
	assert_ok(store_create(w.store, &w.a, &again, &e), &e);
	assert_int_equal(again.id, 1);
	assert_true(reads <= 4);
	struct task fresh = { .prompt = "p", .created = 2000, .idempotency_key = "none" };
	reads = 0;
	create(&fresh);
	assert_int_equal(fresh.id, 2001);
	assert_int_equal(reads, 0);
	/* And through a compaction. */
	assert_ok(store_compact(w.store, &e), &e);
	again = (struct task){ .prompt = "p", .created = 2000, .idempotency_key = "key 1999" };
	create(&again);
	assert_int_equal(again.id, 2000);
}

int main(void)
{
#define T(name, fn) { name, fn, setup, teardown, NULL }
	static const struct CMUnitTest tests[] = {
		T("a clone is equal", clone_is_equal),
		T("long texts end at a character", long_texts_end_at_a_character),
		T("a second look reads nothing", second_look_reads_nothing),
		T("a compaction is another version", compaction_is_another_version),
		T("a long prompt is cut in a list alone", long_prompt_is_cut_in_a_list_alone),
		T("the JSON of a glance is the task's", json_of_a_glance_is_the_tasks),
		T("the cache stays within bounds", cache_stays_within_bounds),
		T("keys are found for a day", keys_are_found_for_a_day),
		T("a key is found without a walk", key_is_found_without_a_walk),
	};

	setenv("CHOMP_LOG", "error", 1);
	log_init("unit");
	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

/* The state of chomp's first version, taken over at the first start. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

#include "core/json.h"
#include "core/log.h"
#include "tasks.h"
#include "world.h"

static struct {
	int seen, fail_at; /* openat, write, fsync, renameat, linkat */
} sys;

static bool fails(void)
{
	errno = EIO;
	return ++sys.seen == sys.fail_at;
}

int __real_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...);
int __wrap_openat(int dirfd, const char *name, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails() ? -1 : __real_openat(dirfd, name, flags, mode);
}

#define WRAP(type, name, params, args)                    \
	type __real_##name params;                        \
	type __wrap_##name params;                        \
	type __wrap_##name params                         \
	{                                                 \
		return fails() ? -1 : __real_##name args; \
	}
WRAP(ssize_t, write, (int fd, const void *p, size_t len), (fd, p, len))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, linkat, (int a, const char *b, int c, const char *d, int f), (a, b, c, d, f))

void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f);
void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f)
{
	(void)level;
	(void)ev;
	(void)f;
}

static struct world w;

static int setup(void **state)
{
	(void)state;
	memset(&sys, 0, sizeof sys);
	world_make(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memset(&sys, 0, sizeof sys);
	world_close(&w);
	return 0;
}

static const char *fixture(size_t *len)
{
	struct errinfo e;
	char *text;

	assert_ok(file_read(AT_FDCWD, "tests/fixtures/old-state/state.json", 1 << 20, &w.a, &text,
			    len, &e),
		  &e);
	return text;
}

static int collect(void *arg, const char *p, size_t len)
{
	strbuf_add(arg, p, len);
	return 0;
}

/* Whether everything in `old` is also in `now`: what was null, empty or left out may be either. */
static void assert_within(const struct json_object *old, const struct json_object *now,
			  const char *where);

struct within {
	const struct json_object *now;
	const char *where;
};

static enum err member_within(const char *key, struct json_object *value, void *arg)
{
	const struct within *in = arg;
	struct json_object *now = NULL, *arr = NULL, *now_arr = NULL;
	const char *text = NULL, *now_text = NULL;
	struct errinfo e;
	char where[200];

	(void)snprintf(where, sizeof where, "%s.%s", in->where, key);
	if (value == NULL)
		return ERR_OK;
	if (!jr_has(in->now, key))
		print_error("%s is lost\n", where);
	assert_true(jr_has(in->now, key));
	if (json_is_object(value)) {
		assert_ok(jr_obj_opt(in->now, key, &now, &e), &e);
		assert_within(value, now, where);
		return ERR_OK;
	}
	/* Compare by the value's own text; arrays of objects member by member. */
	struct json_object *old_one = NULL;
	if (jr_arr_opt(in->now, key, &now_arr, &e) == ERR_OK && now_arr != NULL) {
		arr = value;
		assert_int_equal(json_array_len(arr), json_array_len(now_arr));
		for (size_t i = 0; i < json_array_len(arr); i++) {
			old_one = json_array_at(arr, i);
			if (json_is_object(old_one))
				assert_within(old_one, json_array_at(now_arr, i), where);
		}
		return ERR_OK;
	}
	text = json_text(&w.a, value);
	int64_t n = 0;
	if (jr_str_opt(in->now, key, 0, SIZE_MAX, &now_text, &e) == ERR_OK && now_text != NULL) {
		struct strbuf sb;
		struct jw jw;
		strbuf_init(&sb);
		jw_init(&jw, &sb);
		jw_str(&jw, NULL, now_text);
		assert_string_equal(sb.buf, text);
		strbuf_release(&sb);
	} else if (jr_i64_opt(in->now, key, INT64_MIN, INT64_MAX, &n, &e) == ERR_OK) {
		assert_string_equal(arena_printf(&w.a, "%lld", (long long)n), text);
	}
	return ERR_OK;
}

static void assert_within(const struct json_object *old, const struct json_object *now,
			  const char *where)
{
	struct within in = { now, where };

	(void)json_each(old, member_within, &in);
}

static void nothing_is_lost(void **state)
{
	struct json_object *old, *now;
	struct strbuf text;
	struct errinfo e;
	size_t len;
	const char *from = fixture(&len);

	(void)state;
	world_write(&w, "state/state.json", from, len);
	for (int i = 0; i < 2; i++) {
		world_reopen(&w, STORE_OWNER);
		strbuf_init(&text);
		assert_ok(store_export(w.store, collect, &text, &e), &e);
		assert_ok(json_parse(&w.a, from, len, &old, &e), &e);
		assert_ok(json_parse(&w.a, text.buf, text.len, &now, &e), &e);
		assert_within(old, now, "state");
		assert_non_null(strstr(text.buf, "\"extra_field\":{\"kept\":true}"));
		assert_non_null(strstr(text.buf, "\"schema_note\":\"unknown top-level field\""));
		assert_non_null(strstr(text.buf, "\"next_id\":9"));
		strbuf_release(&text);
	}
	size_t kept_len;
	assert_string_equal(world_read(&w, "state/state.json.adopted", &kept_len), from);
}

static void adopted_store_goes_on(void **state)
{
	struct task t = { .prompt = "new", .created = 1 };
	struct errinfo e;
	size_t len;
	const char *from = fixture(&len);

	(void)state;
	world_write(&w, "state/state.json", from, len);
	world_reopen(&w, STORE_OWNER);
	assert_int_equal(store_counts(w.store).by_status[STATUS_QUEUED], 3);
	assert_int_equal(store_counts(w.store).by_status[STATUS_ACTIVE], 1);
	assert_int_equal(store_next_todo(w.store, 0), 0); /* the active one is left alone */
	assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	assert_int_equal(t.id, 9); /* next_id was ahead of the ids */
	/* Deleting is for good: the old file is not taken again. */
	assert_ok(store_delete(w.store, &w.a, 2, 1, NULL, &e), &e);
	world_reopen(&w, STORE_OWNER);
	assert_err(store_get(w.store, &w.a, 2, &t, &e), ERR_NOT_FOUND, &e);
	assert_ok(store_get(w.store, &w.a, 9, &t, &e), &e);
	assert_ok(store_get(w.store, &w.a, 1, &t, &e), &e);
	assert_int_equal(t.token_budget, 300000);
	/* Compaction keeps what was adopted. */
	assert_ok(store_compact(w.store, &e), &e);
	assert_ok(store_get(w.store, &w.a, 5, &t, &e), &e);
	assert_string_equal(t.extra, "{\"extra_field\":{\"kept\":true}}");
}

static void store_with_a_log_takes_nothing(void **state)
{
	struct errinfo e;
	struct task t;
	size_t len;
	const char *from = fixture(&len);

	(void)state;
	world_reopen(&w, STORE_OWNER);
	world_write(&w, "state/state.json", from, len);
	world_reopen(&w, STORE_OWNER);
	assert_err(store_get(w.store, &w.a, 1, &t, &e), ERR_NOT_FOUND, &e);
}

static void only_the_owner_adopts(void **state)
{
	struct errinfo e;
	struct task t;
	size_t len;
	const char *from = fixture(&len);

	(void)state;
	world_write(&w, "state/state.json", from, len);
	world_reopen(&w, STORE_WRITER);
	assert_err(store_get(w.store, &w.a, 1, &t, &e), ERR_NOT_FOUND, &e);
	world_reopen(&w, STORE_OWNER);
	assert_ok(store_get(w.store, &w.a, 1, &t, &e), &e);
}

/* ---- other shapes ---- */
static const struct row {
	const char *name;
	const char *json;
	const char *why; /* a word of the refusal; NULL: adopted */
	int64_t tasks, next;
} rows[] = {
	{ "an empty state is adopted", "{}", NULL, 0, 1 },
	{ "no tasks are adopted", "{\"tasks\":null,\"next_id\":5}", NULL, 0, 5 },
	{ "an empty list is adopted", "{\"tasks\":[]}", NULL, 0, 1 },
	{ "ids out of order are adopted",
	  "{\"tasks\":[{\"id\":\"7\",\"prompt\":\"x\",\"status\":\"done\"},{\"id\":\"2\","
	  "\"prompt\":\"x\",\"status\":\"done\"}]}",
	  NULL, 2, 8 },
	{ "a next id behind the ids is adopted",
	  "{\"tasks\":[{\"id\":\"7\",\"prompt\":\"x\",\"status\":\"done\"}],\"next_id\":3}", NULL,
	  1, 8 },
	{ "numbers for ids are adopted",
	  "{\"tasks\":[{\"id\":7,\"prompt\":\"x\",\"status\":\"done\"}],\"next_id\":\"9\"}", NULL,
	  1, 9 },
	{ "an id beyond all counting is refused",
	  "{\"tasks\":[{\"id\":\"9007199254740992\",\"prompt\":\"x\",\"status\":\"done\"}]}", "id",
	  0, 0 },
	{ "a next id beyond all counting is refused", "{\"next_id\":9007199254740992}", "next_id",
	  0, 0 },
	{ "nothing is refused", "", "JSON", 0, 0 },
	{ "half a file is refused", "{\"tasks\":[", "JSON", 0, 0 },
	{ "a list is refused", "[]", "object", 0, 0 },
	{ "tasks by name are refused", "{\"tasks\":{}}", "tasks", 0, 0 },
	{ "one id twice is refused",
	  "{\"tasks\":[{\"id\":\"7\",\"prompt\":\"x\",\"status\":\"done\"},{\"id\":7,\"prompt\":"
	  "\"x\",\"status\":\"done\"}]}",
	  "id 7", 0, 0 },
	{ "a task without id is refused", "{\"tasks\":[{\"prompt\":\"x\",\"status\":\"done\"}]}",
	  "id", 0, 0 },
	{ "an unknown status is refused", "{\"tasks\":[{\"id\":\"1\",\"status\":\"waiting\"}]}",
	  "status", 0, 0 },
	{ "a next id that is none is refused", "{\"next_id\":\"soon\"}", "next_id", 0, 0 },
	{ "a negative next id is refused", "{\"next_id\":-1}", "next_id", 0, 0 },
};

static void adopted_or_refused(void **state)
{
	ROW(struct row);
	struct strbuf before, after;
	struct errinfo e;

	(void)setup(state);
	world_write(&w, "state/state.json", r->json, strlen(r->json));
	world_write(&w, "state/lock", "", 0);
	before = world_picture(&w, "state");
	enum err rc = store_open(&w.store, w.var, STORE_OWNER, &e);
	if (r->why == NULL) {
		assert_ok(rc, &e);
		struct store_counts c = store_counts(w.store);
		assert_int_equal(c.by_status[STATUS_DONE], r->tasks);
		assert_int_equal(c.next_id, r->next);
	} else {
		assert_err(rc, ERR_CORRUPT, &e);
		assert_non_null(strstr(e.what, "state/state.json"));
		if (strstr(e.what, r->why) == NULL)
			print_error("%s\n", e.what);
		assert_non_null(strstr(e.what, r->why));
		after = world_picture(&w, "state");
		assert_string_equal(after.buf, before.buf);
		strbuf_release(&after);
	}
	strbuf_release(&before);
	(void)teardown(state);
}

/* Every call fails once; the next start does it all again and the result is the same. */
static void interrupted_adoption_is_done_again(void **state)
{
	const char *want = NULL;

	(void)state;
	for (int nth = 0;; nth++) {
		size_t len, log_len;
		struct errinfo e;
		teardown(state);
		setup(state);
		const char *from = fixture(&len);
		world_write(&w, "state/state.json", from, len);
		memset(&sys, 0, sizeof sys);
		sys.fail_at = nth;
		enum err rc = store_open(&w.store, w.var, STORE_OWNER, &e);
		bool reached = nth == 0 || sys.seen >= nth;
		memset(&sys, 0, sizeof sys);
		if (rc != ERR_OK)
			assert_ok(store_open(&w.store, w.var, STORE_OWNER, &e), &e);
		const char *log = world_read(&w, "state/tasks.log", &log_len);
		if (nth == 0)
			want = strdup(log);
		assert_string_equal(log, want);
		assert_string_equal(world_read(&w, "state/state.json.adopted", &len), from);
		assert_true(world_has(&w, "state/adopted.json"));
		assert_false(world_has(&w, "state/tasks.log.new"));
		if (!reached)
			break;
		assert_true(nth < 100);
	}
	free((void *)(uintptr_t)want);
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("nothing is lost", nothing_is_lost),
		T("an adopted store goes on", adopted_store_goes_on),
		T("a store with a log takes nothing", store_with_a_log_takes_nothing),
		T("only the owner adopts", only_the_owner_adopts),
		T("an interrupted adoption is done again", interrupted_adoption_is_done_again),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, rows, adopted_or_refused);
	return plan_run("adopt", &p);
}

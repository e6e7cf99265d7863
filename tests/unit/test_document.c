#include <sys/wait.h>

#include "core/json.h"
#include "store/document.h"
#include "world.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static enum err put(const struct json_object *old, struct strbuf *out, void *arg, struct errinfo *e)
{
	(void)old;
	(void)e;
	strbuf_puts(out, arg);
	return ERR_OK;
}

static enum err refuse(const struct json_object *old, struct strbuf *out, void *arg,
		       struct errinfo *e)
{
	(void)old;
	(void)arg;
	strbuf_puts(out, "{}");
	return err_set(e, ERR_CONFLICT, 0, "no");
}

static void missing_document_is_none(void **state)
{
	struct json_object *o = (void *)&o;
	struct errinfo e;

	(void)state;
	assert_ok(document_read(w.var, "doc.json", &w.a, &o, &e), &e);
	assert_null(o);
}

static void document_is_replaced_whole(void **state)
{
	static char first[] = "{\"a\":1}", second[] = "{\"b\":2}";
	struct json_object *o;
	struct errinfo e;
	size_t len;

	(void)state;
	assert_ok(document_change(w.var, "doc.json", &w.a, put, first, &e), &e);
	assert_ok(document_change(w.var, "doc.json", &w.a, put, second, &e), &e);
	assert_ok(document_read(w.var, "doc.json", &w.a, &o, &e), &e);
	assert_true(jr_has(o, "b"));
	assert_false(jr_has(o, "a"));
	assert_err(document_change(w.var, "doc.json", &w.a, refuse, NULL, &e), ERR_CONFLICT, &e);
	assert_string_equal(world_read(&w, "state/doc.json", &len), second);
	assert_false(world_has(&w, "state/doc.json.new"));
	struct stat st;
	assert_int_equal(stat(world_path(&w, "state/doc.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600); /* keys.json is one of them */
}

static const struct bad {
	const char *name;
	const char *text;
} bad[] = {
	{ "an empty document is damage", "" }, { "half a document is damage", "{\"a\":" },
	{ "a list is damage", "[]" },          { "null is damage", "null" },
	{ "text is damage", "hello" },         { "a key twice is damage", "{\"a\":1,\"a\":2}" },
};

static void damage_is_told_and_kept(void **state)
{
	ROW(struct bad);
	static char text[] = "{}";
	struct json_object *o;
	struct errinfo e;
	size_t len;

	(void)setup(state);
	world_write(&w, "state/doc.json", r->text, strlen(r->text));
	assert_err(document_read(w.var, "doc.json", &w.a, &o, &e), ERR_CORRUPT, &e);
	assert_non_null(strstr(e.what, "state/doc.json"));
	/* Writing over it would lose what somebody may still mend. */
	assert_err(document_change(w.var, "doc.json", &w.a, put, text, &e), ERR_CORRUPT, &e);
	assert_string_equal(world_read(&w, "state/doc.json", &len), r->text);
	(void)teardown(state);
}

static void large_document_is_refused(void **state)
{
	char *text = arena_alloc(&w.a, DOCUMENT_MAX + 2);
	struct json_object *o;
	struct errinfo e;

	(void)state;
	memset(text, ' ', DOCUMENT_MAX + 1);
	text[0] = '{';
	text[1] = '}';
	world_write(&w, "state/doc.json", text, DOCUMENT_MAX);
	assert_ok(document_read(w.var, "doc.json", &w.a, &o, &e), &e);
	world_write(&w, "state/doc.json", text, DOCUMENT_MAX + 1);
	assert_err(document_read(w.var, "doc.json", &w.a, &o, &e), ERR_TOO_LARGE, &e);
}

static void missing_directory_is_an_error(void **state)
{
	static char text[] = "{}";
	struct json_object *o;
	struct errinfo e;

	(void)state;
	assert_err(document_read("/nowhere", "doc.json", &w.a, &o, &e), ERR_IO, &e);
	assert_err(document_change("/nowhere", "doc.json", &w.a, put, text, &e), ERR_IO, &e);
}

/* ---- several processes ---- */
static enum err add_one(const struct json_object *old, struct strbuf *out, void *arg,
			struct errinfo *e)
{
	int64_t n = 0;
	enum err rc = old != NULL ? jr_i64(old, "n", 0, 1 << 20, &n, e) : ERR_OK;

	(void)arg;
	strbuf_printf(out, "{\"n\":%d}", (int)n + 1);
	return rc;
}

static void no_update_is_lost(void **state)
{
	enum { CHILDREN = 4, EACH = 50 };
	struct json_object *o;
	struct errinfo e;
	int64_t n = 0;

	(void)state;
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() != 0)
			continue;
		for (int k = 0; k < EACH; k++) {
			if (document_change(w.var, "doc.json", &w.a, add_one, NULL, &e) != ERR_OK)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_ok(document_read(w.var, "doc.json", &w.a, &o, &e), &e);
	assert_ok(jr_i64(o, "n", 0, 1 << 20, &n, &e), &e);
	assert_int_equal(n, CHILDREN * EACH);
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("a missing document is none", missing_document_is_none),
		T("a document is replaced whole", document_is_replaced_whole),
		T("a large document is refused", large_document_is_refused),
		T("a missing directory is an error", missing_directory_is_an_error),
		T("no update is lost", no_update_is_lost),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, bad, damage_is_told_and_kept);
	return plan_run("document", &p);
}

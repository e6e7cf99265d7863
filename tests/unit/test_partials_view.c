#include "partials/view.h"

#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char dir[] = "/tmp/chomp-view-XXXXXX";
static struct app app = { .templates = dir };
static struct arena arena;
static struct strbuf out;

static void template(const char *name, const char *text)
{
	FILE *f = fopen(arena_printf(&arena, "%s/%s", dir, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const char *render(struct view *v, const char *text)
{
	struct errinfo e;

	template("t.cs", text);
	strbuf_reset(&out);
	assert_ok(view_render(v, "t.cs", &out, &e), &e);
	return out.buf;
}

struct row {
	const char *name, *template, *value, *want;
};

static const struct row rows[] = {
	{ "text is escaped", "<?cs var:x ?>", "<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;" },
	{ "an expression is escaped", "<?cs var:x + \"!\" ?>", "<b>", "&lt;b&gt;!" },
	{ "a macro's argument is escaped", "<?cs def:m(y) ?><?cs var:y ?><?cs /def ?><?cs call:m(x) ?>", "<b>",
	  "&lt;b&gt;" },
	{ "a value is no template", "<?cs var:x ?>", "<?cs var:x ?>", "&lt;?cs var:x ?&gt;" },
	{ "a NULL value is no value", "[<?cs var:x ?>]", NULL, "[]" },
	{ "an empty value is none to a test", "<?cs if:x ?>yes<?cs else ?>no<?cs /if ?>", "", "no" },
	{ "an include is found beside the template", "<?cs include:\"inc.cs\" ?>", "<", "inc &lt;" },
};

static void renders(void **state)
{
	ROW(struct row);
	struct view *v = view_new(&app, &arena);

	template("inc.cs", "inc <?cs var:x ?>");
	view_text(v, "x", r->value);
	assert_string_equal(render(v, r->template), r->want);
}

static void lists(void **state)
{
	struct view *v = view_new(&app, &arena);

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct view *item = view_item(v, "list");
		view_num(item, "n", i);
		view_flag(item, "odd", i % 2 == 1);
		view_text(view_item(item, "inner"), "w", "<");
	}
	assert_string_equal(render(v, "<?cs each:i = list ?><?cs var:i.n ?><?cs if:i.odd ?>!<?cs /if ?>"
				      "<?cs each:j = i.inner ?><?cs var:j.w ?><?cs /each ?> <?cs /each ?>"),
			    "0&lt; 1!&lt; 2&lt; 3!&lt; 4&lt; 5!&lt; 6&lt; 7!&lt; 8&lt; 9!&lt; 10&lt; 11!&lt; ");
}

static void zero_is_a_number(void **state)
{
	struct view *v = view_new(&app, &arena);

	(void)state;
	view_num(v, "n", 0);
	view_num(v, "large", INT64_C(9007199254740993));
	assert_string_equal(render(v, "<?cs if:?n ?><?cs var:n ?><?cs /if ?> <?cs var:large ?>"),
			    "0 9007199254740993");
}

static void reads_files(void **state)
{
	struct view *v = view_new(&app, &arena);

	(void)state;
	template("a.hdf", "assets.css = /a.css\n");
	assert_false(view_read(v, arena_printf(&arena, "%s/none.hdf", dir)));
	assert_true(view_read(v, arena_printf(&arena, "%s/a.hdf", dir)));
	assert_string_equal(render(v, "<?cs var:assets.css ?>"), "/a.css");
}

static void says_what_is_wrong(void **state)
{
	struct errinfo e;

	(void)state;
	strbuf_reset(&out);
	strbuf_puts(&out, "before");
	template("broken.cs", "text <?cs iff:x ?> more");
	assert_err(view_render(view_new(&app, &arena), "broken.cs", &out, &e), ERR_IO, &e);
	assert_non_null(strstr(e.what, "broken.cs"));
	assert_string_equal(out.buf, "before");
	assert_err(view_render(view_new(&app, &arena), "none.cs", &out, &e), ERR_IO, &e);
	assert_non_null(strstr(e.what, "none.cs"));
}

int main(void)
{
	static struct plan p;

	if (mkdtemp(dir) == NULL)
		return 1;
	strbuf_init(&out);
	PLAN_ROWS(&p, rows, renders);
	plan_add(&p, "lists keep their order, and hold lists", lists, NULL);
	plan_add(&p, "numbers are text of any size, and 0 is one", zero_is_a_number, NULL);
	plan_add(&p, "a file of ours adds what it holds", reads_files, NULL);
	plan_add(&p, "a broken template is an error that names it", says_what_is_wrong, NULL);
	int rc = plan_run("partials_view", &p);
	static const char *const names[] = { "t.cs", "inc.cs", "a.hdf", "broken.cs" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlink(arena_printf(&arena, "%s/%s", dir, names[i]));
	(void)rmdir(dir);
	strbuf_release(&out);
	arena_reset(&arena);
	return rc;
}

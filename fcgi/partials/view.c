#include "partials/view.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Their headers define names like ours (MIN, BOOL, string_init); this file is where they end. */
#include <util/neo_hdf.h>
#include <cs/cs.h>

struct tree {
	const struct app *app;
	struct arena *arena;
	HDF *root;
	uint64_t items; /* made so far: names of list items */
	bool failed;
	char why[160];
};

struct view {
	struct tree *tree;
	HDF *node;
};

/* The NEOERR's text into buf; the error is freed. */
static void explain(NEOERR *err, char *buf, size_t len)
{
	STRING s;

	string_init(&s);
	nerr_error_string(err, &s);
	(void)snprintf(buf, len, "%s", s.buf != NULL ? s.buf : "ClearSilver failed");
	string_clear(&s);
	nerr_ignore(&err);
}

static void check(struct tree *t, NEOERR *err)
{
	if (err == STATUS_OK)
		return;
	if (t->failed) {
		nerr_ignore(&err);
		return;
	}
	t->failed = true;
	explain(err, t->why, sizeof t->why);
}

static void destroy(void *root)
{
	HDF *hdf = root;

	hdf_destroy(&hdf);
}

static struct view *make(struct tree *t, HDF *node)
{
	struct view *v = arena_alloc(t->arena, sizeof *v);

	v->tree = t;
	v->node = node;
	return v;
}

struct view *view_new(const struct app *app, struct arena *a)
{
	struct tree *t = arena_alloc(a, sizeof *t);

	t->app = app;
	t->arena = a;
	check(t, hdf_init(&t->root));
	if (!t->failed) {
		arena_defer(a, destroy, t->root);
		check(t, hdf_set_value(t->root, "Config.VarEscapeMode", "html"));
		check(t, hdf_set_value(t->root, "hdf.loadpaths.0", app->templates));
	}
	return make(t, t->root);
}

/* Names come from our source alone: a dot in data would make a child, and names print unescaped. */
static void check_name(const char *name)
{
	assert(*name != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0');
}

void view_text(struct view *v, const char *name, const char *text)
{
	check_name(name);
	if (text != NULL && !v->tree->failed)
		check(v->tree, hdf_set_value(v->node, name, text));
}

void view_num(struct view *v, const char *name, int64_t n)
{
	char buf[24];

	(void)snprintf(buf, sizeof buf, "%" PRId64, n);
	view_text(v, name, buf);
}

void view_flag(struct view *v, const char *name, bool on)
{
	view_text(v, name, on ? "1" : NULL);
}

struct view *view_item(struct view *v, const char *name)
{
	struct tree *t = v->tree;
	char path[64];
	HDF *node = NULL;

	check_name(name);
	if ((size_t)snprintf(path, sizeof path, "%s.%" PRIu64, name, t->items++) >= sizeof path)
		assert(!"a list's name is short");
	if (!t->failed)
		check(t, hdf_get_node(v->node, path, &node));
	return make(t, node);
}

bool view_read(struct view *v, const char *path)
{
	NEOERR *err = v->tree->failed ? STATUS_OK : hdf_read_file(v->node, path);
	bool there = err == STATUS_OK && !v->tree->failed;

	nerr_ignore(&err);
	return there;
}

static NEOERR *append(void *out, char *text)
{
	strbuf_puts(out, text);
	return STATUS_OK;
}

enum err view_render(struct view *v, const char *template, struct strbuf *out, struct errinfo *e)
{
	struct tree *t = v->tree;
	CSPARSE *cs = NULL;
	size_t before = out->len;

	if (!t->failed)
		check(t, cs_init(&cs, t->root));
	if (!t->failed)
		check(t, cs_parse_file(cs, arena_printf(t->arena, "%s/%s", t->app->templates, template)));
	if (!t->failed)
		check(t, cs_render(cs, out, append));
	cs_destroy(&cs);
	if (!t->failed)
		return ERR_OK;
	out->len = before;
	out->buf[before] = '\0';
	return err_set(e, ERR_IO, 0, "%s: %s", template, t->why);
}

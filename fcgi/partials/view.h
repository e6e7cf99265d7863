/*
 * From data to HTML.  The only user of ClearSilver.
 *
 * A view is a node of the data a template sees.  Values are text, escaped when the template prints them; names are
 * literals of ours, never data.  Everything lives in the arena; an error on the way (memory) is kept and returned by
 * view_render.
 */
#ifndef CHOMP_PARTIALS_VIEW_H
#define CHOMP_PARTIALS_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/strbuf.h"
#include "http/app.h"

struct view;

/* An empty tree for templates below app->templates. */
struct view *view_new(const struct app *app, struct arena *a);

/* UTF-8 without NUL; NULL sets nothing. */
void view_text(struct view *v, const char *name, const char *text);
void view_num(struct view *v, const char *name, int64_t n);
/* "1" or nothing: templates test flags, never text ("0" is false to them). */
void view_flag(struct view *v, const char *name, bool on);

/* A further item of the list `name`; templates see the items in the order they were made. */
struct view *view_item(struct view *v, const char *name);

/* Add what an HDF file of ours holds; a file that is not there adds nothing and returns false. */
bool view_read(struct view *v, const char *path);

/*
 * Append what the template (a literal, relative to app->templates) makes of the tree v belongs to.
 * ERR_IO with ClearSilver's reason; out is then as it was.
 */
enum err view_render(struct view *v, const char *template, struct strbuf *out, struct errinfo *e);

#endif

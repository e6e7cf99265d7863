/* Whole pages, and what all of them have in common. */
#include "partials/parts.h"

#include <string.h>

#include "core/env.h"
#include "core/log.h"
#include "http/form.h"
#include "partials/partials.h"
#include "store/store.h"

#define HTML "text/html; charset=utf-8"

/*
 * htdocs/build writes the names of the static files, with their hashes, to assets.hdf.  Read for every page: a new
 * build shows at once.  Without one the pages have the style sheet's plain name and no scripts, which they do not need.
 */
static void add_assets(struct app *app, struct request *rq, struct view *v)
{
	const char *dir = env_text("CHOMP_HTDOCS", NULL);

	if (dir != NULL && view_read(v, arena_printf(&rq->arena, "%s/assets.hdf", dir)))
		return;
	/* From a clone, or from the copy that chompctl makes for users who cannot enter the clone. */
	if (!view_read(v, arena_printf(&rq->arena, "%s/../build/htdocs/assets.hdf", app->templates)))
		(void)view_read(v, arena_printf(&rq->arena, "%s/../htdocs/assets.hdf", app->templates));
}

struct view *page_new(struct app *app, struct request *rq, const char *title)
{
	struct view *v = view_new(app, &rq->arena);

	view_text(v, "title", title);
	add_assets(app, rq, v);
	view_flag(v, "owner", rq->who == WHO_OWNER);
	view_flag(v, "answers_form", strcmp(rq->method, "POST") == 0);
	return v;
}

enum err page_send(struct view *v, const char *template, struct response *rs, struct errinfo *e)
{
	rs->type = HTML;
	return view_render(v, template, &rs->body, e);
}

bool page_unchanged(struct request *rq, struct response *rs, const char *etag)
{
	/* The fragment and the whole page at one address are different things. */
	const char *quoted = arena_printf(&rq->arena, "\"%s%s\"", etag, rq->htmx ? "" : "-page");

	response_header(rs, "ETag", quoted);
	response_header(rs, "Vary", "HX-Request");
	if (strstr(rq->if_none_match, quoted) == NULL)
		return false;
	rs->status = 304;
	rs->type = HTML;
	return true;
}

enum err page_index(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct tasks_query q;
	enum err rc = tasks_query(rq, &q, e);

	if (rc != ERR_OK || ((rc = store_catch_up(app->store, e)) != ERR_OK && rc != ERR_CORRUPT))
		return rc;
	struct view *v = page_new(app, rq, balance_title(app, rq));
	view_flag(v, "home", true);
	view_flag(v, "damaged", rc == ERR_CORRUPT);
	balance_fill(app, rq, v);
	if ((rc = tasks_fill(app, rq, &q, v, e)) != ERR_OK)
		return rc;
	return page_send(v, "index.cs", rs, e);
}

enum err page_login(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct view *v = page_new(app, rq, "Log in – chomp");

	view_text(v, "owner", ""); /* nothing to log out of here, whoever asks */
	return page_send(v, "login.cs", rs, e);
}

/* ---- errors ---- */
static const char *heading(enum err code)
{
	switch ((int)code) {
	case ERR_BAD_INPUT:
	case ERR_BAD_JSON:
		return "That did not fit";
	case ERR_FORBIDDEN:
		return "Not allowed";
	case ERR_NOT_FOUND:
		return "Nothing here";
	case ERR_CONFLICT:
		return "Too late for that";
	case ERR_LIMIT:
		return "Too many attempts";
	case ERR_BUSY:
		return "Busy";
	case ERR_READONLY:
	case ERR_CORRUPT:
	case ERR_DISK_FULL:
		return "Nothing can be changed now";
	case ERR_IO:
		return "Something went wrong";
	default:
		return "That was refused";
	}
}

static const char *advice(enum err code)
{
	switch ((int)code) {
	case ERR_CONFLICT:
		return "The task has moved on since this page was shown. Look at it again and decide anew.";
	case ERR_BUSY:
		return "Nothing was changed. Go back and try again in a moment.";
	case ERR_READONLY:
		return "Look at the task before you repeat what you did. On the host: scripts/chompctl restart";
	case ERR_CORRUPT:
		return "On the host: scripts/chompctl doctor";
	case ERR_DISK_FULL:
		return "Nothing was changed. Make room on the host's disk, then try again.";
	case ERR_IO:
		return "On the host, scripts/chompctl logs worker has the reason. Quote this number:";
	case ERR_MISDIRECTED:
		return "Open chomp under one of its own addresses.";
	default:
		return NULL;
	}
}

/* As response_error tells it: 5xx keep their reasons for the log. */
static const char *message(const struct errinfo *e)
{
	if (e->code == ERR_IO)
		return "The server could not do this.";
	if (e->code == ERR_CORRUPT)
		return "The stored state is damaged.";
	return e->what;
}

static bool refused_creation(const struct request *rq, const struct errinfo *e)
{
	return strcmp(rq->method, "POST") == 0 && strcmp(rq->path, "/api/tasks") == 0 && rq->who == WHO_OWNER &&
	       e->code != ERR_TOO_LARGE;
}

static enum err error_body(struct app *app, struct request *rq, struct response *rs, const struct errinfo *what,
			   struct errinfo *e)
{
	struct form f;

	if (what->code == ERR_NO_TOKEN) {
		struct view *v = page_new(app, rq, "Log in – chomp");
		view_text(v, "message", what->what);
		return page_send(v, "login.cs", rs, e);
	}
	if (refused_creation(rq, what) && form_read(rq, &f, e) == ERR_OK) {
		struct view *v = page_new(app, rq, "New task – chomp");
		if (create_refused(app, rq, &f, message(what), v, e) == ERR_OK)
			return page_send(v, "create.cs", rs, e);
	}
	struct view *v = page_new(app, rq, arena_printf(&rq->arena, "%s – chomp", heading(what->code)));
	view_text(v, "heading", heading(what->code));
	view_text(v, "message", message(what));
	view_text(v, "advice", advice(what->code));
	view_text(v, "request", what->code == ERR_IO ? rq->id : NULL);
	return page_send(v, "error.cs", rs, e);
}

void page_error(struct app *app, struct request *rq, struct response *rs, const struct errinfo *e)
{
	struct errinfo second;

	strbuf_reset(&rs->body);
	if (error_body(app, rq, rs, e, &second) != ERR_OK) {
		/* The templates themselves are broken or gone. */
		log_err(LOG_ERROR, "page.error_failed", &second);
		strbuf_reset(&rs->body);
		strbuf_puts(&rs->body, "<!doctype html><html lang=\"en\"><title>chomp</title><h1>Something went wrong</h1>"
				       "<p>chomp cannot show its pages. On the host: scripts/chompctl logs worker</p>");
	}
	rs->type = HTML;
	rs->status = err_status(e->code);
}

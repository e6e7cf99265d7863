/* What the files of this room share.  The fill functions put what a template needs below `v`. */
#ifndef CHOMP_PARTIALS_PARTS_H
#define CHOMP_PARTIALS_PARTS_H

#include "http/app.h"
#include "http/request.h"
#include "http/response.h"
#include "model/task.h"
#include "partials/view.h"
#include "store/agents.h"

enum { STALE_MS = 5 * 60 * 1000 };

/* ---- page.c ---- */
/* A view that holds what every page needs: title (a literal or arena text) and the names of the static files. */
struct view *page_new(struct app *app, struct request *rq, const char *title);

/* Render into the response and mark it as HTML. */
enum err page_send(struct view *v, const char *template, struct response *rs, struct errinfo *e);

/* Sets the ETag (arena text, without quotes); true when the client has it already: the response is then a 304. */
bool page_unchanged(struct request *rq, struct response *rs, const char *etag);

/* ---- balance.c ---- */
/* The dashboard's title: how many tasks are live. */
const char *balance_title(struct app *app, struct request *rq);
void balance_fill(struct app *app, struct request *rq, struct view *v);

/* ---- tasks.c ---- */
struct tasks_query {
	bool completed;
	int64_t cursor; /* completed: below this id; active: how many to pass over */
	int64_t pages;	/* so many pages at once, 1 … */
	const char *q;	/* completed: only those that hold this text, or NULL */
};
enum err tasks_query(struct request *rq, struct tasks_query *out, struct errinfo *e);
const char *tasks_etag(struct app *app, struct request *rq, const struct tasks_query *q);
/* The store has been caught up by the caller. */
enum err tasks_fill(struct app *app, struct request *rq, const struct tasks_query *q, struct view *v,
		    struct errinfo *e);

/* ---- create.c ---- */
struct form;
/* agents, routers and models to choose from, the present ones marked; either may be NULL. */
void choices_fill(struct app *app, struct arena *a, const char *agent, const char *router, struct view *v);
/* The step that a refusal of these values is about, with the values in it. */
enum err create_refused(struct app *app, struct request *rq, const struct form *values, const char *message,
			struct view *v, struct errinfo *e);

/* ---- diff.c ---- */
/* The work product, changes.patch, file by file; nothing when there is none. */
void diff_fill(struct app *app, struct arena *a, const struct task *t, struct view *v);

/* ---- agents.c ---- */
/* The owner's own agents, read when the first of them is asked for. */
struct roster {
	const struct app *app;
	struct arena *arena; /* what is found lives here */
	struct own_agent *own;
	size_t count;
	bool read;
};
/* NULL when it is none of the owner's; id NULL only reads. */
const struct own_agent *roster_find(struct roster *r, const char *id);

/* How an agent is shown: its name (NULL for none) and the class of its colour. */
struct face {
	const char *name, *class;
};
struct face agent_face(struct roster *r, const char *id);
/* The nearest of our readable colours to "#rgb" or "#rrggbb". */
const char *agent_color_class(const char *color);

/* No sign of life for STALE_MS from a session that runs. */
bool session_stale(const struct session *s, int64_t now);
/* Seconds until then, when it may come; else 0.  Nobody announces it: the page asks again at that moment. */
int64_t session_stale_in(const struct session *s, int64_t now);
/* Whether any session reported tokens; without a report there is no number to show. */
bool tokens_reported(const struct task *t);
/* tokens, reported, budget, has_bar, over, percent: the token line and the bar. */
void tokens_fill(struct arena *a, const struct task *t, struct view *v);

#endif

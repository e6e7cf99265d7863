/*
 * The lists: what runs and waits (in the order of creation), what has ended (newest first).
 * Cards are filled from one task at a time, from what this worker has read before (store_glance).
 */
#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "core/number.h"
#include "partials/parts.h"
#include "partials/partials.h"
#include "partials/text.h"
#include "store/store.h"

enum {
	PAGE = 50,
	PAGES_MAX = 20, /* at once */
	Q_MAX = 200,
	WALK_CALLS = 64,
	SEARCHED = 2000, /* tasks that one request looks into */
};

#define MASK_ACTIVE (1U << STATUS_ACTIVE)
#define MASK_QUEUED (1U << STATUS_QUEUED)
#define MASK_COMPLETED (1U << STATUS_DONE | 1U << STATUS_FAILED)

enum err tasks_query(struct request *rq, struct tasks_query *out, struct errinfo *e)
{
	const char *tab = request_query(rq, "tab"), *cursor = request_query(rq, "cursor");
	const char *pages = request_query(rq, "pages"), *q = request_query(rq, "q");

	*out = (struct tasks_query){ .pages = 1 };
	if (tab != NULL && strcmp(tab, "completed") == 0)
		out->completed = true;
	else if (tab != NULL && *tab != '\0' && strcmp(tab, "active") != 0)
		return err_set(e, ERR_BAD_INPUT, 0, "tab: active or completed is wanted");
	if (cursor != NULL && number_parse(cursor, 1, NUMBER_MAX, &out->cursor) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "cursor: take the one of the link to more");
	if (pages != NULL && number_parse(pages, 1, PAGES_MAX, &out->pages) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "pages: 1 to %d are wanted", PAGES_MAX);
	if (q != NULL && strlen(q) > Q_MAX)
		return err_set(e, ERR_BAD_INPUT, 0, "q: at most %d bytes are wanted", Q_MAX);
	out->q = out->completed && q != NULL && *q != '\0' ? q : NULL;
	return ERR_OK;
}

const char *tasks_etag(struct app *app, struct request *rq, const struct tasks_query *q)
{
	int64_t version = store_version(app->store);

	if (q->completed)
		return arena_printf(&rq->arena, "c%" PRId64 ".%" PRId64 ".%" PRId64 ".%s", version, q->cursor, q->pages,
				    q->q != NULL ? text_query(&rq->arena, q->q) : "");
	/* Ages are counted on by the page's script: a minute old is new enough. */
	return arena_printf(&rq->arena, "a%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64, version, q->cursor, q->pages,
			    app->now() / 60000);
}

/* ---- cards ---- */
static void fill_running(struct roster *r, struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	const struct session *s = task_open_session(t);
	int64_t since = s != NULL ? s->started_at : t->created;
	bool stale = s != NULL && session_stale(s, now);

	view_text(c, "agent", agent_face(r, s != NULL && s->agent != NULL ? s->agent : t->platform).name);
	view_text(c, "age", text_age(a, now - since));
	view_num(c, "age_s", now > since ? (now - since) / 1000 : 0);
	view_flag(c, "stale", stale);
	view_num(c, "stale_in", s != NULL ? session_stale_in(s, now) : 0);
	view_flag(c, "starting", s != NULL && s->dispatch.state == STEP_PENDING);
	view_flag(c, "trouble", s != NULL && s->dispatch.state == STEP_PENDING && s->dispatch.error != NULL);
	view_flag(c, "unknown", s != NULL && s->dispatch.state == STEP_DONE && s->dispatch.error != NULL);
	view_flag(c, "detached", s == NULL || s->dispatch.state == STEP_NONE);
	view_text(c, "bar_class", stale ? "bar-stale" : "bar");
}

static void fill_queued(struct roster *r, struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	view_text(c, "agent", agent_face(r, t->platform).name);
	view_text(c, "age", text_age(a, now - t->created));
	view_num(c, "age_s", now > t->created ? (now - t->created) / 1000 : 0);
	view_flag(c, "held", t->held);
	if (t->parked_until > now)
		view_text(c, "parked", text_date(a, t->parked_until, now));
	/* What an agent has worked on is not thrown away by one tap. */
	view_flag(c, "worked_on", t->session_count > 0);
}

static void fill_completed(struct roster *r, struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	const struct session *s = task_last_session(t);
	const char *agent = s != NULL && s->agent != NULL ? s->agent : t->platform;
	int64_t ended = s != NULL && s->ended_at > 0 ? s->ended_at : t->updated;
	bool whole;

	view_flag(c, "failed", t->status == STATUS_FAILED);
	view_flag(c, "for_review", t->status == STATUS_DONE && t->review.state == REVIEW_WAITING);
	view_flag(c, "verified", task_verified(t));
	view_text(c, "agent", agent_face(r, agent).name);
	if (t->status == STATUS_FAILED && t->error != NULL)
		view_text(c, "reason", text_title(a, t->error, &whole));
	if (s != NULL && s->ended_at > 0)
		view_text(c, "took", text_took(a, s->ended_at - s->started_at));
	if (ended > 0)
		view_text(c, "date", text_date(a, ended, now));
}

static void fill_card(struct roster *r, struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	bool whole;
	const char *title = text_title(a, t->prompt != NULL ? t->prompt : "", &whole);

	view_num(c, "id", t->id);
	view_text(c, "subject", *title != '\0' ? title : arena_printf(a, "Task %" PRId64, t->id));
	tokens_fill(a, t, c);
	switch (t->status) {
	case STATUS_ACTIVE:
		fill_running(r, a, t, now, c);
		break;
	case STATUS_QUEUED:
		fill_queued(r, a, t, now, c);
		break;
	case STATUS_DONE:
	case STATUS_FAILED:
		fill_completed(r, a, t, now, c);
		break;
	case STATUS_COUNT:
		break;
	}
}

/* Whether the task holds the text, in any case; NULL: always. */
static bool says(const struct task *t, const char *q)
{
	return q == NULL || (t->prompt != NULL && strcasestr(t->prompt, q) != NULL) ||
	       (t->result != NULL && strcasestr(t->result, q) != NULL) ||
	       (t->error != NULL && strcasestr(t->error, q) != NULL);
}

static const char *list_of(enum status s)
{
	return s == STATUS_ACTIVE ? "running" : s == STATUS_QUEUED ? "waiting" : "completed";
}

/* A task that does not say the word is passed over; *shown counts the others. */
static enum err fill_one(struct roster *r, int64_t id, const char *word, struct view *v, size_t *shown,
			 struct errinfo *e)
{
	struct arena a = { 0 };
	const struct task *t;
	struct task whole;
	bool cut;
	enum err rc = store_glance(r->app->store, id, &t, &cut, e);

	if (rc == ERR_OK && cut && word != NULL) {
		rc = store_get(r->app->store, &a, id, &whole, e);
		t = &whole;
	}
	if (rc == ERR_OK && says(t, word)) {
		fill_card(r, &a, t, r->app->now(), view_item(v, list_of(t->status)));
		++*shown;
	} else if (rc == ERR_CORRUPT) {
		log_err(LOG_ERROR, "page.task_unreadable", e);
	}
	arena_reset(&a);
	return rc == ERR_NOT_FOUND || rc == ERR_CORRUPT ? ERR_OK : rc;
}

/* ---- which ones ---- */
/*
 * What runs, then what waits, each oldest first: the first `skip` are passed over.  Returns how many ids were put down, at
 * most max.
 */
static size_t oldest_first(const struct app *app, int64_t skip, int64_t *ids, size_t max)
{
	static const unsigned masks[] = { MASK_ACTIVE, MASK_QUEUED };
	size_t n = 0;

	for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
		for (int64_t id = 0; n < max && (id = store_next(app->store, masks[i], id)) != 0;) {
			if (skip > 0)
				skip--;
			else
				ids[n++] = id;
		}
	}
	return n;
}

/* Where the next page is: by itself (a link), and with all before it (what a script asks for). */
static void fill_more(struct arena *a, const struct tasks_query *q, int64_t next, struct view *v)
{
	const char *tab = q->completed ? "completed" : "active";
	const char *word = q->q != NULL ? arena_printf(a, "&q=%s", text_query(a, q->q)) : "";

	view_text(v, "more", arena_printf(a, "/?tab=%s%s&cursor=%" PRId64, tab, word, next));
	if (q->cursor == 0 && q->pages < PAGES_MAX)
		view_text(v, "more_at", arena_printf(a, "/partials/tasks?tab=%s%s&pages=%" PRId64, tab, word, q->pages + 1));
}

static enum err fill_active(struct request *rq, struct roster *r, const struct tasks_query *q, struct view *v,
			    struct errinfo *e)
{
	size_t wanted = (size_t)q->pages * PAGE, shown = 0;
	int64_t *ids = arena_alloc(&rq->arena, (wanted + 1) * sizeof *ids); /* one more: only then there is a next page */
	size_t n = oldest_first(r->app, q->cursor, ids, wanted + 1);

	if (n > wanted)
		fill_more(&rq->arena, q, q->cursor + (int64_t)wanted, v);
	view_flag(v, "empty", n == 0);
	for (size_t i = 0; i < n && i < wanted; i++) {
		enum err rc = fill_one(r, ids[i], NULL, v, &shown, e);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* Newest first. A search ends after SEARCHED tasks; its link to more goes on from there. */
static enum err fill_ended(struct request *rq, struct roster *r, const struct tasks_query *q, struct view *v,
			   struct errinfo *e)
{
	size_t wanted = (size_t)q->pages * PAGE, most = q->q != NULL ? SEARCHED : wanted + 1, seen = 0, shown = 0;
	int64_t next = q->cursor, last = 0;
	int calls = 0;

	do {
		int64_t ids[PAGE];
		size_t n = store_list(r->app->store, MASK_COMPLETED, next, ids, most - seen < PAGE ? most - seen : PAGE, &next);
		for (size_t i = 0; i < n; i++) {
			if (shown == wanted) { /* one more than fits: there is a next page */
				fill_more(&rq->arena, q, last, v);
				return ERR_OK;
			}
			enum err rc = fill_one(r, ids[i], q->q, v, &shown, e);
			if (rc != ERR_OK)
				return rc;
			last = ids[i];
		}
		seen += n;
	} while (next != 0 && seen < most && ++calls < WALK_CALLS);
	if (next != 0) {
		fill_more(&rq->arena, q, next, v);
		view_flag(v, "searched_on", q->q != NULL);
	}
	view_flag(v, "empty", shown == 0);
	return ERR_OK;
}

/* The address of the fragment as it is shown. */
static const char *here(struct arena *a, const struct tasks_query *q)
{
	const char *at = arena_printf(a, "/partials/tasks?tab=%s", q->completed ? "completed" : "active");

	if (q->q != NULL)
		at = arena_printf(a, "%s&q=%s", at, text_query(a, q->q));
	if (q->cursor > 0)
		at = arena_printf(a, "%s&cursor=%" PRId64, at, q->cursor);
	return q->pages > 1 ? arena_printf(a, "%s&pages=%" PRId64, at, q->pages) : at;
}

enum err tasks_fill(struct app *app, struct request *rq, const struct tasks_query *q, struct view *v,
		    struct errinfo *e)
{
	struct roster roster = { .app = app, .arena = &rq->arena };

	view_text(v, "tab", q->completed ? "completed" : "active");
	view_flag(v, "tab_completed", q->completed);
	view_flag(v, "has_cursor", q->cursor > 0);
	view_flag(v, "has_q", q->q != NULL);
	view_text(v, "q", q->q);
	view_text(v, "here", here(&rq->arena, q));
	view_text(v, "etag", arena_printf(&rq->arena, "\"%s\"", tasks_etag(app, rq, q)));
	return q->completed ? fill_ended(rq, &roster, q, v, e) : fill_active(rq, &roster, q, v, e);
}

enum err partial_tasks(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct tasks_query q;
	enum err rc = tasks_query(rq, &q, e);

	if (rc != ERR_OK || ((rc = store_catch_up(app->store, e)) != ERR_OK && rc != ERR_CORRUPT))
		return rc;
	if (page_unchanged(rq, rs, tasks_etag(app, rq, &q)))
		return ERR_OK;
	if (!rq->htmx)
		return page_index(app, rq, rs, e);
	struct view *v = view_new(app, &rq->arena);
	if ((rc = tasks_fill(app, rq, &q, v, e)) != ERR_OK)
		return rc;
	return page_send(v, "partials/tasks.cs", rs, e);
}

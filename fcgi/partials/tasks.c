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

enum { PAGE = 50, REASON_MAX = 300, WALK_CALLS = 64 };

#define MASK_ACTIVE (1U << STATUS_ACTIVE)
#define MASK_QUEUED (1U << STATUS_QUEUED)
#define MASK_COMPLETED (1U << STATUS_DONE | 1U << STATUS_FAILED)

enum err tasks_query(struct request *rq, struct tasks_query *out, struct errinfo *e)
{
	const char *tab = request_query(rq, "tab"), *cursor = request_query(rq, "cursor");

	*out = (struct tasks_query){ 0 };
	if (tab != NULL && strcmp(tab, "completed") == 0)
		out->completed = true;
	else if (tab != NULL && *tab != '\0' && strcmp(tab, "active") != 0)
		return err_set(e, ERR_BAD_INPUT, 0, "tab: active or completed is wanted");
	if (cursor != NULL && number_parse(cursor, 1, NUMBER_MAX, &out->cursor) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "cursor: take the one of the link to more");
	return ERR_OK;
}

const char *tasks_etag(struct app *app, struct request *rq, const struct tasks_query *q)
{
	int64_t version = store_version(app->store);

	if (q->completed)
		return arena_printf(&rq->arena, "c%" PRId64 ".%" PRId64, version, q->cursor);
	/* Ages are counted on by the page's script: a minute old is new enough. */
	return arena_printf(&rq->arena, "a%" PRId64 ".%" PRId64 ".%" PRId64, version, q->cursor, app->now() / 60000);
}

/* ---- cards ---- */
static void fill_running(struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	const struct session *s = task_open_session(t);
	int64_t since = s != NULL ? s->started_at : t->created;
	bool stale = s != NULL && session_stale(s, now);

	view_text(c, "agent", text_shown(a, agent_label(s != NULL && s->agent != NULL ? s->agent : t->platform)));
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

static void fill_queued(struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	view_text(c, "agent", text_shown(a, agent_label(t->platform)));
	view_text(c, "age", text_age(a, now - t->created));
	view_num(c, "age_s", now > t->created ? (now - t->created) / 1000 : 0);
	view_flag(c, "held", t->held);
	/* What an agent has worked on is not thrown away by one tap. */
	view_flag(c, "worked_on", t->session_count > 0);
}

static void fill_completed(struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	const struct session *s = task_last_session(t);
	const char *agent = s != NULL && s->agent != NULL ? s->agent : t->platform;
	int64_t ended = s != NULL && s->ended_at > 0 ? s->ended_at : t->updated;
	bool whole;

	view_flag(c, "failed", t->status == STATUS_FAILED);
	view_text(c, "agent", text_shown(a, agent_label(agent)));
	if (t->status == STATUS_FAILED && t->error != NULL)
		view_text(c, "reason", text_title(a, t->error, &whole));
	if (s != NULL && s->ended_at > 0)
		view_text(c, "took", text_took(a, s->ended_at - s->started_at));
	if (ended > 0)
		view_text(c, "date", text_date(a, ended, now));
}

static void fill_card(struct arena *a, const struct task *t, int64_t now, struct view *c)
{
	bool whole;
	const char *title = text_title(a, t->prompt != NULL ? t->prompt : "", &whole);

	view_num(c, "id", t->id);
	view_text(c, "subject", *title != '\0' ? title : arena_printf(a, "Task %" PRId64, t->id));
	tokens_fill(a, t, c);
	switch (t->status) {
	case STATUS_ACTIVE:
		fill_running(a, t, now, c);
		break;
	case STATUS_QUEUED:
		fill_queued(a, t, now, c);
		break;
	case STATUS_DONE:
	case STATUS_FAILED:
		fill_completed(a, t, now, c);
		break;
	case STATUS_COUNT:
		break;
	}
}

static const char *list_of(enum status s)
{
	return s == STATUS_ACTIVE ? "running" : s == STATUS_QUEUED ? "waiting" : "completed";
}

static enum err fill_cards(struct app *app, const int64_t *ids, size_t n, struct view *v, struct errinfo *e)
{
	for (size_t i = 0; i < n; i++) {
		struct arena a = { 0 };
		const struct task *t;
		enum err rc = store_glance(app->store, ids[i], &t, NULL, e);
		if (rc == ERR_OK)
			fill_card(&a, t, app->now(), view_item(v, list_of(t->status)));
		else if (rc == ERR_CORRUPT)
			log_err(LOG_ERROR, "page.task_unreadable", e);
		arena_reset(&a);
		if (rc != ERR_OK && rc != ERR_NOT_FOUND && rc != ERR_CORRUPT)
			return rc;
	}
	return ERR_OK;
}

/* ---- which ones ---- */
/*
 * What runs, then what waits, each oldest first: the first `skip` are passed over.  Returns how many ids were put down, at
 * most max.
 */
static size_t oldest_first(struct app *app, int64_t skip, int64_t *ids, size_t max)
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

static enum err fill_active(struct app *app, int64_t skip, struct view *v, struct errinfo *e)
{
	int64_t ids[PAGE + 1]; /* one more than shown: only then there is a next page */
	size_t n = oldest_first(app, skip, ids, PAGE + 1);

	if (n > PAGE) {
		n = PAGE;
		view_num(v, "more", skip + PAGE);
	}
	view_flag(v, "empty", n == 0);
	return fill_cards(app, ids, n, v, e);
}

static enum err fill_ended(struct app *app, int64_t cursor, struct view *v, struct errinfo *e)
{
	int64_t ids[PAGE + 1], next = cursor; /* one more than shown: only then there is a next page */
	size_t n = 0;

	for (int i = 0; i < WALK_CALLS && n <= PAGE; i++) {
		n += store_list(app->store, MASK_COMPLETED, next, ids + n, PAGE + 1 - n, &next);
		if (next == 0)
			break;
	}
	if (n > PAGE) {
		n = PAGE;
		next = ids[PAGE - 1];
	}
	if (next > 0)
		view_num(v, "more", next);
	view_flag(v, "empty", n == 0);
	return fill_cards(app, ids, n, v, e);
}

enum err tasks_fill(struct app *app, struct request *rq, const struct tasks_query *q, struct view *v,
		    struct errinfo *e)
{
	view_text(v, "tab", q->completed ? "completed" : "active");
	view_flag(v, "tab_completed", q->completed);
	if (q->cursor > 0)
		view_num(v, "cursor", q->cursor);
	view_text(v, "etag", arena_printf(&rq->arena, "\"%s\"", tasks_etag(app, rq, q)));
	if (q->completed)
		return fill_ended(app, q->cursor, v, e);
	return fill_active(app, q->cursor, v, e);
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

/*
 * One task: what it is, how it stands, every session, the newest one's output, and what can be done with it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/ansi.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/utf8.h"
#include "partials/parts.h"
#include "partials/partials.h"
#include "partials/text.h"
#include "store/output.h"
#include "store/store.h"

enum {
	LONG_LINES = 8,
	LONG_BYTES = 400,
	OUTPUT_SHOWN = 256 * 1024,
	AFTERGLOW_MS = 10 * 1000, /* so long after the end the last output may still be on its way */
};

/* ---- how it stands ---- */
struct badge {
	const char *label, *class;
	bool spins;
};

static struct badge badge_of(const struct task *t, const struct session *open)
{
	switch (t->status) {
	case STATUS_ACTIVE:
		if (open == NULL || open->dispatch.state == STEP_NONE)
			return (struct badge){ "Not attached", "badge badge-orange", false };
		if (open->dispatch.state == STEP_PENDING)
			return (struct badge){ "Starting", "badge badge-green", true };
		if (open->dispatch.error != NULL)
			return (struct badge){ "Unknown", "badge badge-orange", false };
		return (struct badge){ "Running", "badge badge-green", true };
	case STATUS_DONE:
		if (t->review.state == REVIEW_WAITING)
			return (struct badge){ "For review", "badge badge-blue", false };
		return (struct badge){ task_verified(t) ? "✓ Verified" : "✓ Done", "badge badge-green", false };
	case STATUS_FAILED:
		return (struct badge){ "✗ Failed", "badge badge-red", false };
	case STATUS_QUEUED:
	case STATUS_COUNT:
		break;
	}
	return (struct badge){ t->held ? "Held" : "Queued", "badge badge-grey", false };
}

/* Output may be coming: a page without a terminal asks again by itself. */
static bool output_grows(const struct task *t, int64_t now)
{
	const struct session *last = task_last_session(t);

	return t->status == STATUS_ACTIVE || (last != NULL && last->ended_at > 0 && now - last->ended_at < AFTERGLOW_MS);
}

static void fill_review(struct arena *a, const struct task *t, struct view *v)
{
	view_flag(v, "for_review", t->status == STATUS_DONE && t->review.state == REVIEW_WAITING);
	view_text(v, "review_word", t->review.state == REVIEW_APPROVED	 ? "Approved"
				    : t->review.state == REVIEW_SENT_BACK ? "Sent back"
									  : NULL);
	view_text(v, "review_comment", text_shown(a, t->review.comment));
}

static void fill_standing(struct arena *a, const struct task *t, int64_t now, struct view *v)
{
	const struct session *open = task_open_session(t), *last = task_last_session(t);
	struct badge b = badge_of(t, open);

	view_text(v, "badge", b.label);
	view_text(v, "badge_class", b.class);
	view_flag(v, "spins", b.spins);
	view_flag(v, "stale", open != NULL && session_stale(open, now));
	view_num(v, "stale_in", open != NULL ? session_stale_in(open, now) : 0);
	if (open != NULL) {
		view_text(v, "age", text_age(a, now - open->started_at));
		view_num(v, "age_s", now > open->started_at ? (now - open->started_at) / 1000 : 0);
	} else if (last != NULL && last->ended_at > 0 && t->status != STATUS_QUEUED) {
		view_text(v, "took", text_took(a, last->ended_at - last->started_at));
	}
	if (t->status == STATUS_QUEUED && t->parked_until > now)
		view_text(v, "parked", text_date(a, t->parked_until, now));
	view_flag(v, "is_active", t->status == STATUS_ACTIVE);
	view_flag(v, "is_queued", t->status == STATUS_QUEUED);
	view_flag(v, "is_finished", t->status == STATUS_DONE || t->status == STATUS_FAILED);
	view_flag(v, "detached", t->status == STATUS_ACTIVE && (open == NULL || open->dispatch.state == STEP_NONE));
	view_flag(v, "refresh", output_grows(t, now));
}

/* ---- what it is ---- */
/* name, and name_long when it will not fit its place on a phone. */
static void fill_long(struct arena *a, struct view *v, const char *name, const char *text)
{
	size_t lines = 0;

	if (text == NULL)
		return;
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	view_text(v, name, text_shown(a, text));
	view_flag(v, arena_printf(a, "%s_long", name), lines >= LONG_LINES || strlen(text) >= LONG_BYTES);
}

static void fill_facts(struct roster *r, struct arena *a, const struct task *t, int64_t now, struct view *v)
{
	const struct session *last = task_last_session(t);
	const char *agent = last != NULL && last->agent != NULL ? last->agent : t->platform;
	bool whole;
	const char *title = text_title(a, t->prompt != NULL ? t->prompt : "", &whole);

	view_num(v, "id", t->id);
	view_text(v, "subject", *title != '\0' ? title : arena_printf(a, "Task %" PRId64, t->id));
	fill_long(a, v, "prompt", whole ? NULL : t->prompt);
	view_text(v, "dir", text_shown(a, t->dir));
	view_text(v, "repo_url", text_shown(a, t->repo_url));
	view_text(v, "branch", text_shown(a, t->branch));
	view_text(v, "used_router", text_shown(a, last != NULL && last->router != NULL ? last->router : t->router));
	view_text(v, "used_model", text_shown(a, last != NULL && last->model != NULL ? last->model : t->model));
	view_text(v, "agent", agent_face(r, agent).name);
	view_text(v, "agent_class", agent_face(r, agent).class);
	view_text(v, "used_gate", text_shown(a, t->gate));
	view_text(v, "created", text_date(a, t->created, now));
	if (last != NULL)
		view_text(v, "started", text_date(a, last->started_at, now));
	if (t->session_count > 0)
		view_num(v, "session_count", (int64_t)t->session_count);
	tokens_fill(a, t, v);
	/* A session's summary is in the timeline already. */
	bool told = last != NULL && last->summary != NULL && t->result != NULL && strcmp(last->summary, t->result) == 0;
	fill_long(a, v, "result", told ? NULL : t->result);
	fill_long(a, v, "error", t->status == STATUS_FAILED ? t->error : NULL);
}

/* ---- sessions ---- */
/* Fit for an address and a file's name; an adopted state may have session ids of any shape. */
static bool plain_sid(const char *sid)
{
	return *sid != '\0' && sid[strspn(sid, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

static const char *pill_class(enum result r)
{
	static const char *const classes[] = {
		[RESULT_OPEN] = "pill pill-grey",	[RESULT_DONE] = "pill pill-green",
		[RESULT_FAILED] = "pill pill-red",	[RESULT_HANDOFF] = "pill pill-blue",
		[RESULT_GATE_FAILED] = "pill pill-orange", [RESULT_CANCELLED] = "pill pill-grey",
		[RESULT_LOST] = "pill pill-orange",	[RESULT_BUDGET] = "pill pill-orange",
	};

	return classes[r];
}

static const char *pill_label(enum result r)
{
	return r == RESULT_OPEN ? "no result" : r == RESULT_GATE_FAILED ? "gate failed" : result_name(r);
}

/* The dispatcher's or the host's trouble with this session, if any. */
static const char *trouble(struct arena *a, const struct session *s, int64_t now)
{
	const struct outbox *o = &s->dispatch;

	if (o->state == STEP_PENDING && o->error != NULL)
		return arena_printf(a, "Not started yet (%" PRId64 " attempts, next at %s): %s", o->attempts,
				    text_date(a, o->next_at > now ? o->next_at : now, now), text_shown(a, o->error));
	if (o->state == STEP_FAILED && o->error != NULL && (s->summary == NULL || strcmp(o->error, s->summary) != 0))
		return arena_printf(a, "Could not be started: %s", text_shown(a, o->error));
	if (o->state == STEP_DONE && o->error != NULL && session_open(s))
		return arena_printf(a, "No contact with the sandbox: %s", text_shown(a, o->error));
	if (s->kill.state == STEP_PENDING && s->kill.error != NULL)
		return arena_printf(a, "The sandbox could not be ended yet (%" PRId64 " attempts): %s", s->kill.attempts,
				    text_shown(a, s->kill.error));
	if (s->kill.state == STEP_FAILED && s->kill.error != NULL)
		return arena_printf(a, "The sandbox could not be ended: %s", text_shown(a, s->kill.error));
	return NULL;
}

/* What the gate said of this session's work: its end is shown, the whole log is among the files. */
static void fill_gate(struct arena *a, const struct gate_verdict *g, struct view *v)
{
	if (!g->known)
		return;
	view_text(v, "gate", g->passed ? "Gate passed" : "Gate failed");
	view_text(v, "gate_class", g->passed ? "gate gate-passed" : "gate gate-failed");
	view_text(v, "gate_name", text_shown(a, g->name));
	view_num(v, "gate_attempt", g->attempt);
	view_num(v, "gate_exit", g->exit_code);
	view_flag(v, "gate_changed", g->changed);
	view_text(v, "gate_output", g->output != NULL && *g->output != '\0' ? text_shown(a, g->output) : NULL);
}

/* told: a text the page shows already. */
static void fill_session(struct roster *r, struct arena *a, const struct session *s, const char *told, int64_t now,
			 struct view *v)
{
	bool open = session_open(s), again = told != NULL && s->summary != NULL && strcmp(told, s->summary) == 0;

	view_text(v, "sid", plain_sid(s->id) ? s->id : NULL);
	view_text(v, "agent", agent_face(r, s->agent).name);
	view_text(v, "model", text_shown(a, s->model));
	view_text(v, "started", text_date(a, s->started_at, now));
	view_text(v, "took", open ? "running" : text_took(a, s->ended_at - s->started_at));
	view_text(v, "tokens", s->reported ? text_count(a, s->tokens) : NULL);
	view_text(v, "pill", open ? NULL : pill_label(s->result));
	view_text(v, "pill_class", pill_class(s->result));
	fill_long(a, v, "summary", again ? NULL : s->summary);
	if (s->has_exit_code)
		view_num(v, "exit_code", s->exit_code);
	view_text(v, "trouble", trouble(a, s, now));
	fill_gate(a, &s->gate, v);
}

/* ---- output ---- */
/* The last OUTPUT_SHOWN bytes as plain text; *cut when there is more before them. */
static const char *read_output(struct app *app, struct arena *a, int64_t id, const char *sid, bool *cut)
{
	struct ansi st = { 0 };
	struct strbuf text;
	struct errinfo e;
	int64_t len;
	int fd;

	if (output_open(app->var, id, sid, &fd, &len, &e) != ERR_OK)
		return NULL;
	*cut = len > OUTPUT_SHOWN;
	size_t want = *cut ? OUTPUT_SHOWN : (size_t)len;
	char *raw = arena_alloc(a, want + 1);
	ssize_t got = pread(fd, raw, want, (off_t)(len - (int64_t)want));
	if (got < 0)
		log_event(LOG_ERROR, "page.output_unreadable", LOG_I("id", id), LOG_S("why", strerror(errno)));
	close(fd);
	/* The first line may begin in the middle of an escape sequence. */
	const char *from = raw, *newline = *cut && got > 0 ? memchr(raw, '\n', (size_t)got) : NULL;
	if (newline != NULL)
		from = newline + 1;
	strbuf_init(&text);
	if (got > 0)
		ansi_strip(&st, from, (size_t)(raw + got - from), &text);
	ansi_end(&st, &text);
	const char *out = arena_strndup(a, text.buf, text.len);
	strbuf_release(&text);
	return out;
}

static void fill_output(struct app *app, struct arena *a, const struct task *t, struct view *v)
{
	const struct session *last = task_last_session(t);
	bool cut = false;

	if (last == NULL || !plain_sid(last->id))
		return;
	/* A terminal to watch: there is a sandbox, or one is on its way. */
	if (t->status == STATUS_ACTIVE && session_open(last) && last->dispatch.state != STEP_NONE)
		view_text(v, "live_session", last->id);
	const char *text = read_output(app, a, t->id, last->id, &cut);
	view_flag(v, "has_session", true);
	view_text(v, "output_sid", last->id);
	view_text(v, "sandbox_id", text_shown(a, last->sandbox_id));
	if (last->boundary != NULL)
		view_text(v, "boundary", text_shown(a, last->boundary));
	if (text == NULL || *text == '\0')
		return;
	view_flag(v, "has_output", true);
	view_flag(v, "output_cut", cut);
	view_text(v, "output", text);
}

static void fill_artifacts(struct arena *a, const struct task *t, struct view *v)
{
	for (size_t i = 0; i < t->artifact_count; i++) {
		const struct artifact *f = &t->artifacts[i];
		/* The name goes into an address: an adopted state may hold others. */
		if (f->name == NULL || !artifact_name_valid(f->name))
			continue;
		struct view *item = view_item(v, "artifacts");
		view_text(item, "file", f->name);
		view_text(item, "size", text_size(a, f->size));
		view_text(item, "session", text_shown(a, f->session));
	}
}

/* ---- the whole ---- */
static const char *detail_etag(struct app *app, struct request *rq, const struct task *t, bool ask)
{
	const struct session *last = task_last_session(t);
	int64_t size = last != NULL && plain_sid(last->id) ? output_size(app->var, t->id, last->id, OUTPUT_LOG) : 0;

	return arena_printf(&rq->arena, "d%" PRId64 ".%" PRId64 ".%" PRId64 ".%d%d", store_version(app->store), size,
			    t->status == STATUS_ACTIVE ? app->now() / 60000 : 0, ask, output_grows(t, app->now()));
}

enum err partial_detail(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct arena *a = &rq->arena;
	struct roster roster = { .app = app, .arena = a };
	struct task t;
	int64_t id, now = app->now();
	enum err rc = request_id(rq->params[0], &id, e);

	if (rc == ERR_OK && id < 0)
		rc = err_set(e, ERR_NOT_FOUND, 0, "there is no such task");
	if (rc != ERR_OK || (rc = store_get(app->store, a, id, &t, e)) != ERR_OK)
		return rc;
	const char *ask = request_query(rq, "ask");
	bool asks = ask != NULL && strcmp(ask, "delete") == 0;
	const char *etag = detail_etag(app, rq, &t, asks);
	if (page_unchanged(rq, rs, etag))
		return ERR_OK;
	struct view *v = rq->htmx ? view_new(app, a) : page_new(app, rq, arena_printf(a, "Task %" PRId64 " – chomp", id));
	view_text(v, "etag", arena_printf(a, "\"%s\"", etag));
	view_flag(v, "ask_delete", asks);
	fill_standing(a, &t, now, v);
	fill_review(a, &t, v);
	fill_facts(&roster, a, &t, now, v);
	const char *told = t.status == STATUS_FAILED ? t.error : NULL;
	for (size_t i = 0; i < t.session_count; i++) {
		bool newest = i + 1 == t.session_count;
		struct view *item = view_item(v, "sessions");
		fill_session(&roster, a, &t.sessions[i], newest ? told : NULL, now, item);
		view_flag(item, "linked", !newest && plain_sid(t.sessions[i].id)); /* the newest one's is on the page */
	}
	fill_output(app, a, &t, v);
	fill_artifacts(a, &t, v);
	diff_fill(app, a, &t, v);
	if (t.status == STATUS_QUEUED) {
		view_text(v, "model", t.model);
		choices_fill(app, a, t.platform, t.router, v);
	}
	return page_send(v, rq->htmx ? "partials/detail.cs" : "detail.cs", rs, e);
}

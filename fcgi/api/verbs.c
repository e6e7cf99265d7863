/* The verbs of the state machine: run, update, done, fail, handoff, cancel, retry. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "api/access.h"
#include "api/answer.h"
#include "api/api.h"
#include "api/report.h"
#include "api/run.h"
#include "core/clock.h"
#include "core/number.h"
#include "model/transition.h"
#include "store/output.h"
#include "store/settings.h"
#include "store/store.h"

/* ---- run ---- */
struct run_job {
	struct app *app;
	struct request *rq;
	const struct form *f;
};

static enum err do_run(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	struct run_job *job = arg;
	struct run_input in;
	enum err rc;

	(void)skip;
	if (t->status == STATUS_QUEUED && (rc = run_input_make(job->app, job->rq, t, job->f, &in, e)) != ERR_OK)
		return rc;
	return task_run(t, a, &in, job->app->now(), e);
}

enum err api_task_run(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct form f;
	struct task t;
	int64_t id;
	enum err rc = form_read(rq, &f, e);

	if (rc != ERR_OK || (rc = wanted_id(rq, &f, &id, e)) != ERR_OK)
		return rc;
	struct run_job job = { app, rq, &f };
	struct change c = { do_run, &job };
	if ((rc = store_change_if_room(app->store, &rq->arena, id, c, &t, e)) != ERR_OK)
		return rc;
	answer_changed(rs, &t);
	return ERR_OK;
}

/* ---- what agents report ---- */
enum verb { UPDATE, DONE, FAIL, HANDOFF };

struct verb_job {
	enum verb verb;
	struct access_claim claim;
	struct report report;
	const char *reason;
	int64_t parked_until; /* of a handoff; 0: it is none for a time */
	bool resume;
	int64_t now;
};

/* Old images say done with result "failed": that is a failure. */
static void settle_verb(struct verb_job *job)
{
	if (job->verb != DONE || job->report.result == NULL || strcmp(job->report.result, "failed") != 0)
		return;
	job->verb = FAIL;
	job->reason = job->report.summary != NULL ? job->report.summary : "the agent reported a failure";
	job->report.result = NULL;
}

static enum err read_handoff(struct app *app, struct request *rq, const struct form *f, struct verb_job *job,
			     struct errinfo *e)
{
	const char *until = NULL;
	struct settings s;
	enum err rc;

	job->reason = job->report.summary;
	if (job->reason == NULL && form_str(f, "context", 1, LONG_TEXT_MAX, &job->reason, e) != ERR_OK)
		return err_set(e, ERR_BAD_INPUT, 0, "summary is missing: what should the next agent know?");
	if ((rc = form_str_opt(f, "parked_until", 0, 64, &until, e)) != ERR_OK || until == NULL || *until == '\0')
		return rc;
	if (clock_parse(until, &job->parked_until) < 0 || job->parked_until <= 0)
		return err_set(e, ERR_BAD_INPUT, 0, "parked_until: a time (RFC 3339) is wanted");
	if ((rc = settings_read(app->var, &rq->arena, &s, e)) == ERR_OK)
		job->resume = s.auto_resume;
	return rc;
}

static enum err read_job(struct app *app, struct request *rq, const struct form *f, struct verb_job *job,
			 struct errinfo *e)
{
	enum err rc;

	if ((rc = access_claim(app, rq, &job->claim, e)) != ERR_OK || (rc = report_read(f, &rq->arena, &job->report, e)) != ERR_OK)
		return rc;
	job->now = app->now();
	settle_verb(job);
	if (job->verb == UPDATE && job->report.tokens < 0 && !job->report.usage.known &&
	    job->report.result == NULL && job->report.summary == NULL)
		return err_set(e, ERR_BAD_INPUT, 0, "tokens is missing: an update reports tokens or usage");
	if (job->verb == FAIL && job->reason == NULL) {
		if (form_has(f, "reason"))
			return form_str(f, "reason", 1, LONG_TEXT_MAX, &job->reason, e);
		if (job->report.summary == NULL)
			return err_set(e, ERR_BAD_INPUT, 0, "reason is missing: say what went wrong");
		job->reason = job->report.summary;
	}
	return job->verb == HANDOFF ? read_handoff(app, rq, f, job, e) : ERR_OK;
}

static enum err do_verb(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	static const enum result closing[] = { RESULT_OPEN, RESULT_DONE, RESULT_FAILED, RESULT_HANDOFF };
	struct verb_job *job = arg;
	enum err rc = access_check(&job->claim, t, closing[job->verb], job->now, skip, e);

	if (rc != ERR_OK || *skip)
		return rc;
	switch (job->verb) {
	case UPDATE:
		return task_update(t, a, &job->report, job->now, e);
	case DONE:
		if (!job->claim.owner && task_gate_due(t))
			return err_wire(e, ERR_CONFLICT, "gate_due", "the gate %s has not passed this work yet", t->gate);
		return task_done(t, a, &job->report, job->now, e);
	case FAIL:
		return task_fail(t, a, job->reason, &job->report, job->now, e);
	case HANDOFF:
		break;
	}
	if (job->parked_until != 0)
		return task_park(t, job->reason, job->parked_until, job->resume, job->now, e);
	return task_handoff(t, job->reason, job->now, e);
}

/* For whoever watches the recording: what was reported when. */
static void mark(struct app *app, struct arena *a, const struct verb_job *job, const struct task *t)
{
	static const char *const names[] = { "tokens", "done", "failed", "handoff" };
	const struct session *s = task_last_session(t);
	const char *sid = job->claim.owner ? (s != NULL ? s->id : NULL) : job->claim.cap.sid;

	if (sid == NULL || (job->verb == UPDATE && (s == NULL || !s->reported)))
		return;
	output_mark(app->var, t->id, sid, job->now,
		    job->verb == UPDATE ? arena_printf(a, "tokens %" PRId64, s->tokens) : names[job->verb]);
}

static enum err report_verb(struct app *app, struct request *rq, struct response *rs, enum verb verb,
			    struct errinfo *e)
{
	struct verb_job job = { .verb = verb };
	struct form f;
	struct task t;
	int64_t id;
	enum err rc = form_read(rq, &f, e);

	if (rc != ERR_OK || (rc = read_job(app, rq, &f, &job, e)) != ERR_OK ||
	    (rc = wanted_id(rq, &f, &id, e)) != ERR_OK)
		return rc;
	if (!job.claim.owner && job.claim.cap.task != id)
		return err_set(e, ERR_FORBIDDEN, 0, "this token is for another task");
	struct change c = { do_verb, &job };
	rc = (verb == UPDATE ? store_change_if_room : store_change)(app->store, &rq->arena, id, c, &t, e);
	if (rc != ERR_OK)
		return rc;
	mark(app, &rq->arena, &job, &t);
	answer_changed(rs, &t);
	return ERR_OK;
}

enum err api_task_update(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	return report_verb(app, rq, rs, UPDATE, e);
}

enum err api_task_done(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	return report_verb(app, rq, rs, DONE, e);
}

enum err api_task_fail(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	return report_verb(app, rq, rs, FAIL, e);
}

enum err api_task_handoff(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	return report_verb(app, rq, rs, HANDOFF, e);
}

/* ---- the owner's other verbs ---- */
struct owner_job {
	enum err (*fn)(struct task *t, int64_t now, struct errinfo *e);
	int64_t now;
	int64_t budget; /* -1: leave it */
};

static enum err do_owner_verb(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	struct owner_job *job = arg;

	(void)a;
	(void)skip;
	if (job->budget >= 0) {
		t->token_budget = job->budget;
		t->budget_exceeded = t->token_budget > 0 && t->tokens >= t->token_budget;
	}
	return job->fn(t, job->now, e);
}

static enum err owner_verb(struct app *app, struct request *rq, struct response *rs, struct owner_job *job,
			   struct errinfo *e)
{
	struct form f;
	struct task t;
	int64_t id;
	enum err rc = form_read(rq, &f, e);

	job->now = app->now();
	job->budget = -1;
	if (rc != ERR_OK || (rc = wanted_id(rq, &f, &id, e)) != ERR_OK ||
	    (rc = form_i64_opt(&f, "token_budget", 0, NUMBER_MAX, &job->budget, e)) != ERR_OK)
		return rc;
	struct change c = { do_owner_verb, job };
	rc = (job->fn == task_retry ? store_change_if_room : store_change)(app->store, &rq->arena, id, c, &t, e);
	if (rc != ERR_OK)
		return rc;
	answer_changed(rs, &t);
	return ERR_OK;
}

enum err api_task_cancel(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct owner_job job = { .fn = task_cancel };

	return owner_verb(app, rq, rs, &job, e);
}

enum err api_task_retry(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct owner_job job = { .fn = task_retry };

	return owner_verb(app, rq, rs, &job, e);
}

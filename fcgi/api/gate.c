/*
 * POST /api/tasks/gate: the verdict of a gate that ran in the box.  The answer says what comes next, and brings the token
 * of the session that opens in the same sandbox.
 */
#include <limits.h>
#include <string.h>

#include "api/access.h"
#include "api/answer.h"
#include "api/api.h"
#include "api/report.h"
#include "core/json.h"
#include "core/number.h"
#include "core/rand.h"
#include "model/capability.h"
#include "store/secret.h"
#include "store/output.h"
#include "store/store.h"

enum { HASH_MAX = 64, NONCE_BYTES = 16 };

struct gate_job {
	struct access_claim claim;
	struct gate_input in;
	int64_t now;
};

static enum err read_hash(const struct form *f, const char *name, const char **out, struct errinfo *e)
{
	enum err rc = form_str_opt(f, name, 0, HASH_MAX, out, e);

	if (rc != ERR_OK || *out == NULL)
		return rc;
	if ((*out)[strspn(*out, "0123456789abcdef")] != '\0')
		return err_set(e, ERR_BAD_INPUT, 0, "%s: hex digits are wanted, at most %d", name, HASH_MAX);
	if (**out == '\0')
		*out = NULL;
	return ERR_OK;
}

static enum err read_verdict(const struct form *f, struct gate_verdict *v, struct errinfo *e)
{
	enum err rc;

	if (!form_has(f, "passed"))
		return err_set(e, ERR_BAD_INPUT, 0, "passed is missing: true or false is wanted");
	if ((rc = form_bool_opt(f, "passed", &v->passed, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "attempt", 0, NUMBER_MAX, &v->attempt, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "exit_code", -255, 255, &v->exit_code, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "output", 0, LONG_TEXT_MAX, &v->output, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "gate", 0, TEXT_MAX, &v->name, e)) != ERR_OK ||
	    (rc = form_bool_opt(f, "changed", &v->changed, e)) != ERR_OK ||
	    (rc = read_hash(f, "tree", &v->tree, e)) != ERR_OK ||
	    (rc = read_hash(f, "gate_hash", &v->gate_hash, e)) != ERR_OK)
		return rc;
	return read_hash(f, "log_hash", &v->log_hash, e);
}

static enum err do_gate(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	struct gate_job *job = arg;
	struct session *next;
	enum err rc = access_check(&job->claim, t, RESULT_GATE_FAILED, job->now, skip, e);

	if (rc != ERR_OK || *skip)
		return rc;
	if (job->in.verdict.name == NULL || *job->in.verdict.name == '\0')
		job->in.verdict.name = t->gate;
	return task_gate(t, a, &job->in, job->now, &next, e);
}

/* The session that took the sandbox over from this one: the next, if it has the same. */
static const struct session *successor(const struct task *t, const struct session *s)
{
	const struct session *next = s + 1;

	if (next >= t->sessions + t->session_count || next->dispatch.id == NULL || s->dispatch.id == NULL ||
	    strcmp(next->dispatch.id, s->dispatch.id) != 0)
		return NULL;
	return next;
}

static enum err answer_gate(struct app *app, struct request *rq, struct response *rs, const struct task *t,
			    const struct session *s, struct errinfo *e)
{
	const struct session *next = s->gate.passed ? NULL : successor(t, s);
	const char *key = NULL;
	struct jw w;

	if (next != NULL && secret_read(app->var, SECRET_AGENT, &rq->arena, &key, e) != ERR_OK)
		return err_set(e, ERR_IO, 0, "the agents' key cannot be read");
	jw_init(&w, &rs->body);
	jw_object(&w, NULL);
	jw_str(&w, "next", s->gate.passed ? "done" : next != NULL ? "loop" : "failed");
	jw_str(&w, "sessionId", next != NULL ? next->id : s->id);
	jw_str(&w, "token", next != NULL ? capability_make(&rq->arena, key, t->id, next) : NULL);
	jw_i64(&w, "attempt", s->gate.attempt);
	jw_i64(&w, "gate_loops", t->gate_loops);
	jw_object_end(&w);
	response_header(rs, "HX-Trigger", "refreshTasks");
	return ERR_OK;
}

enum err api_task_gate(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct gate_job job = { .now = app->now() };
	char *nonce = arena_alloc(&rq->arena, 2 * NONCE_BYTES + 1);
	struct form f;
	struct task t;
	int64_t id;
	enum err rc;

	if ((rc = access_claim(app, rq, &job.claim, e)) != ERR_OK || (rc = form_read(rq, &f, e)) != ERR_OK ||
	    (rc = wanted_id(rq, &f, &id, e)) != ERR_OK || (rc = read_verdict(&f, &job.in.verdict, e)) != ERR_OK ||
	    (rc = report_read(&f, &rq->arena, &job.in.report, e)) != ERR_OK)
		return rc;
	if (job.claim.owner)
		return err_set(e, ERR_FORBIDDEN, 0, "a gate's verdict comes from the sandbox that ran it");
	if (job.claim.cap.task != id)
		return err_set(e, ERR_FORBIDDEN, 0, "this token is for another task");
	job.in.report.has_exit_code = false; /* it is the gate's, not the agent's */
	rand_hex(nonce, NONCE_BYTES);
	job.in.nonce = nonce;
	struct change c = { do_gate, &job };
	if ((rc = store_change(app->store, &rq->arena, id, c, &t, e)) != ERR_OK)
		return rc;
	output_mark(app->var, t.id, job.claim.cap.sid, job.now, job.in.verdict.passed ? "gate passed" : "gate failed");
	return answer_gate(app, rq, rs, &t, task_find_session(&t, job.claim.cap.sid), e);
}

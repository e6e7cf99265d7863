#include "model/transition.h"

#include <inttypes.h>
#include <string.h>

#include "core/number.h"
#include "model/moves.h"

enum err want_status(const struct task *t, enum status want, const char *wire, const char *what,
		     struct errinfo *e)
{
	if (t->status == want)
		return ERR_OK;
	return err_wire(e, ERR_CONFLICT, wire, "task %" PRId64 " is %s; only %s", t->id, status_name(t->status),
			what);
}

enum err want_active(const struct task *t, const char *what, struct errinfo *e)
{
	return want_status(t, STATUS_ACTIVE, "not_active", what, e);
}

static void pending(struct outbox *o, int64_t now)
{
	o->state = STEP_PENDING;
	o->since = o->next_at = now;
	o->attempts = 0;
	o->error = NULL;
}

/*
 * Close the open session.  Every close asks the dispatcher to end the sandbox: after a session nothing of it may run
 * on, and the last of its log is copied on that occasion.  A dispatch never sent is withdrawn by the same kill.
 */
void close_session(struct task *t, enum result result, const char *summary, int64_t now)
{
	struct session *s = task_open_session(t);

	if (s == NULL)
		return;
	s->result = result;
	s->ended_at = now > s->started_at ? now : s->started_at;
	if (summary != NULL)
		s->summary = summary;
	if (s->dispatch.state != STEP_NONE)
		pending(&s->kill, now);
}

void leave(struct task *t, enum status to, int64_t now)
{
	t->status = to;
	t->updated = now;
}

void become_done(struct task *t, int64_t now)
{
	t->error = NULL;
	t->review.state = t->review.wanted ? REVIEW_WAITING : REVIEW_NONE;
	t->review.comment = NULL;
	leave(t, STATUS_DONE, now);
}

/* The session a report belongs to; one is made for a task that has none (adopted from an old state). */
static struct session *reporting_session(struct task *t, struct arena *a, int64_t now)
{
	struct session *s = task_open_session(t);

	if (s == NULL) {
		s = task_add_session(t, a);
		s->agent = t->platform;
		s->model = t->model;
		s->started_at = now;
	}
	return s;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void take_usage(struct session *s, const struct usage *u)
{
	if (!u->known)
		return;
	s->usage.known = true;
	s->usage.input = most(s->usage.input, u->input);
	s->usage.output = most(s->usage.output, u->output);
	s->usage.cache_read = most(s->usage.cache_read, u->cache_read);
	s->usage.cache_write = most(s->usage.cache_write, u->cache_write);
}

void take_report(struct task *t, struct arena *a, const struct report *r, int64_t now)
{
	struct session *s = reporting_session(t, a, now);
	int64_t tokens = r->tokens;

	take_usage(s, &r->usage);
	if (tokens < 0 && r->usage.known)
		tokens = usage_total(&s->usage);
	if (tokens >= 0)
		s->reported = true;
	if (tokens > s->tokens) {
		int64_t grown = tokens - s->tokens;
		t->tokens = t->tokens > NUMBER_MAX - grown ? NUMBER_MAX : t->tokens + grown;
		s->tokens = tokens;
	}
	if (r->result != NULL)
		t->result = r->result;
	if (r->summary != NULL)
		s->summary = r->summary;
	if (r->has_exit_code) {
		s->has_exit_code = true;
		s->exit_code = r->exit_code;
	}
	s->active_at = now;
	t->updated = now;
	t->budget_exceeded = t->token_budget > 0 && t->tokens >= t->token_budget;
}

enum err check_report(const struct report *r, struct errinfo *e)
{
	const struct usage *u = &r->usage;

	if (!u->known)
		return ERR_OK;
	if (u->input > NUMBER_MAX / 4 || u->output > NUMBER_MAX / 4 || u->cache_read > NUMBER_MAX / 4 ||
	    u->cache_write > NUMBER_MAX / 4)
		return err_set(e, ERR_BAD_INPUT, 0, "usage: more tokens than can be counted");
	return ERR_OK;
}

enum err task_run(struct task *t, struct arena *a, const struct run_input *in, int64_t now, struct errinfo *e)
{
	enum err rc = want_status(t, STATUS_QUEUED, "not_queued", "a queued task can be run", e);

	if (rc != ERR_OK)
		return rc;
	if (t->session_count >= SESSIONS_MAX)
		return err_set(e, ERR_CONFLICT, 0, "task %" PRId64 " has had %d sessions; create a new task", t->id,
			       SESSIONS_MAX);
	struct session *s = task_add_session(t, a);
	s->agent = in->agent;
	s->model = in->model;
	s->router = in->router;
	s->started_at = s->active_at = now;
	s->nonce = in->nonce;
	s->expires_at = in->expires_at;
	s->dispatch.id = in->dispatch_id;
	pending(&s->dispatch, now);
	t->platform = in->agent;
	t->model = in->model;
	t->router = in->router;
	t->error = NULL;
	t->held = false;
	t->parked_until = 0;
	leave(t, STATUS_ACTIVE, now);
	return ERR_OK;
}

enum err task_update(struct task *t, struct arena *a, const struct report *r, int64_t now, struct errinfo *e)
{
	enum err rc = want_active(t, "an active task can report", e);

	if (rc != ERR_OK || (rc = check_report(r, e)) != ERR_OK)
		return rc;
	take_report(t, a, r, now);
	if (t->budget_exceeded && t->on_budget == BUDGET_STOP) {
		t->error = "stopped: the token budget is used up";
		close_session(t, RESULT_BUDGET, t->error, now);
		leave(t, STATUS_FAILED, now);
	}
	return ERR_OK;
}

enum err task_done(struct task *t, struct arena *a, const struct report *r, int64_t now, struct errinfo *e)
{
	enum err rc = want_active(t, "an active task can be done", e);

	if (rc != ERR_OK || (rc = check_report(r, e)) != ERR_OK)
		return rc;
	take_report(t, a, r, now);
	close_session(t, RESULT_DONE, r->summary != NULL ? r->summary : r->result, now);
	if (r->result == NULL && r->summary != NULL)
		t->result = r->summary;
	become_done(t, now);
	return ERR_OK;
}

enum err task_fail(struct task *t, struct arena *a, const char *reason, const struct report *r, int64_t now,
		   struct errinfo *e)
{
	enum err rc = want_active(t, "an active task can fail", e);

	if (rc != ERR_OK || (rc = check_report(r, e)) != ERR_OK)
		return rc;
	take_report(t, a, r, now);
	close_session(t, RESULT_FAILED, reason, now);
	t->error = reason;
	leave(t, STATUS_FAILED, now);
	return ERR_OK;
}

enum err task_handoff(struct task *t, const char *summary, int64_t now, struct errinfo *e)
{
	enum err rc = want_active(t, "an active task can be handed off", e);

	if (rc != ERR_OK)
		return rc;
	close_session(t, RESULT_HANDOFF, summary, now);
	t->held = false;
	leave(t, STATUS_QUEUED, now);
	return ERR_OK;
}

/* How many of the newest sessions ended at a provider's limit, in a row. */
static int parks_in_a_row(const struct task *t)
{
	int n = 0;

	for (size_t i = t->session_count; i-- > 0 && t->sessions[i].parked_until != 0;)
		n++;
	return n;
}

enum err task_park(struct task *t, const char *reason, int64_t until, bool resume, int64_t now, struct errinfo *e)
{
	enum err rc = want_active(t, "an active task can be parked", e);
	struct session *s = task_open_session(t);

	if (rc != ERR_OK)
		return rc;
	if (until > now + PARK_MAX_MS)
		until = now + PARK_MAX_MS;
	if (s != NULL)
		s->parked_until = until > now ? until : now;
	if (parks_in_a_row(t) > PARKS_MAX) {
		close_session(t, RESULT_FAILED, reason, now);
		t->error = reason;
		leave(t, STATUS_FAILED, now);
		return ERR_OK;
	}
	close_session(t, RESULT_HANDOFF, reason, now);
	t->error = reason; /* shown while it waits; a run clears it */
	t->parked_until = until;
	t->held = !resume;
	leave(t, STATUS_QUEUED, now);
	return ERR_OK;
}

enum err task_cancel(struct task *t, int64_t now, struct errinfo *e)
{
	enum err rc = want_active(t, "an active task can be cancelled", e);

	if (rc != ERR_OK)
		return rc;
	close_session(t, RESULT_CANCELLED, NULL, now);
	t->held = true;
	leave(t, STATUS_QUEUED, now);
	return ERR_OK;
}

enum err task_retry(struct task *t, int64_t now, struct errinfo *e)
{
	if (t->status != STATUS_DONE && t->status != STATUS_FAILED)
		return err_wire(e, ERR_CONFLICT, "not_finished",
				"task %" PRId64 " is %s; only a finished task can be retried", t->id,
				status_name(t->status));
	if (t->on_budget == BUDGET_STOP && t->budget_exceeded)
		return err_wire(e, ERR_CONFLICT, "budget",
				"task %" PRId64 " has used its token budget; give it a higher one", t->id);
	t->error = NULL;
	if (t->review.state == REVIEW_WAITING || t->review.state == REVIEW_APPROVED)
		t->review.state = REVIEW_NONE;
	leave(t, STATUS_QUEUED, now);
	return ERR_OK;
}

static enum err want_session(const struct task *t, const char *sid, struct session **out, struct errinfo *e)
{
	*out = task_find_session(t, sid);
	if (*out == NULL)
		return err_set(e, ERR_NOT_FOUND, 0, "task %" PRId64 " has no session %.20s", t->id, sid);
	return ERR_OK;
}

static void note_sandbox(struct session *s, const char *sandbox_id)
{
	s->sandbox_id = sandbox_id;
	s->dispatch.state = STEP_DONE;
	s->dispatch.error = NULL;
	s->dispatch.attempts++;
	s->dispatch.next_at = 0;
}

enum err task_started(struct task *t, const char *sid, const char *sandbox_id, int64_t now, struct errinfo *e)
{
	struct session *s;
	enum err rc = want_session(t, sid, &s, e);

	if (rc != ERR_OK)
		return rc;
	note_sandbox(s, sandbox_id);
	/* a gate may have opened the next session in this sandbox before its answer was written down */
	struct session *heir = task_heir(t, s) != NULL ? task_last_session(t) : NULL;
	if (heir != NULL && heir->dispatch.state == STEP_PENDING)
		note_sandbox(heir, sandbox_id);
	else if (heir == NULL && !session_open(s) && s->kill.state != STEP_PENDING)
		pending(&s->kill, now);
	t->updated = now;
	return ERR_OK;
}

enum err task_dispatch_retry(struct task *t, const char *sid, const char *error, int64_t next_at,
			     struct errinfo *e)
{
	struct session *s;
	enum err rc = want_session(t, sid, &s, e);

	if (rc != ERR_OK)
		return rc;
	s->dispatch.attempts++;
	s->dispatch.error = error;
	s->dispatch.next_at = next_at;
	return ERR_OK;
}

enum err task_ended(struct task *t, const char *sid, enum result result, const char *reason,
		    const int64_t *exit_code, int64_t now, struct errinfo *e)
{
	struct session *s;
	enum err rc = want_session(t, sid, &s, e);

	if (rc != ERR_OK)
		return rc;
	if (exit_code != NULL && !s->has_exit_code) {
		s->has_exit_code = true;
		s->exit_code = *exit_code;
	}
	if (!session_open(s) || t->status != STATUS_ACTIVE)
		return ERR_OK; /* the agent's own word came first */
	if (s->dispatch.state == STEP_PENDING) {
		s->dispatch.state = STEP_FAILED;
		s->dispatch.attempts++;
		s->dispatch.error = reason;
	}
	if (result == RESULT_DONE && task_gate_due(t)) {
		result = RESULT_FAILED;
		reason = "the agent ended, but its gate gave no verdict";
	}
	close_session(t, result, result == RESULT_DONE ? NULL : reason, now);
	if (result == RESULT_DONE) {
		become_done(t, now);
		return ERR_OK;
	}
	t->error = reason;
	leave(t, STATUS_FAILED, now);
	return ERR_OK;
}

enum err task_killed(struct task *t, const char *sid, struct errinfo *e)
{
	struct session *s;
	enum err rc = want_session(t, sid, &s, e);

	if (rc != ERR_OK)
		return rc;
	if (task_heir(t, s) != NULL) { /* nothing was ended: the sandbox goes on with the next session */
		s->kill = (struct outbox){ 0 };
		return ERR_OK;
	}
	s->kill.state = STEP_DONE;
	s->kill.error = NULL;
	s->kill.attempts++;
	s->kill.next_at = 0;
	if (!session_open(s) && s->dispatch.state == STEP_PENDING) { /* nobody will send it any more */
		s->dispatch.state = STEP_FAILED;
		s->dispatch.error = "the session ended before its sandbox was known to have started";
		s->dispatch.next_at = 0;
	}
	return ERR_OK;
}

enum err task_kill_retry(struct task *t, const char *sid, const char *error, int64_t next_at,
			 struct errinfo *e)
{
	struct session *s;
	enum err rc = want_session(t, sid, &s, e);

	if (rc != ERR_OK)
		return rc;
	s->kill.attempts++;
	s->kill.error = error;
	s->kill.next_at = next_at;
	return ERR_OK;
}

enum err task_alive(struct task *t, const char *sid, int64_t now, struct errinfo *e)
{
	struct session *s;
	enum err rc = want_session(t, sid, &s, e);

	if (rc == ERR_OK && session_open(s) && now > s->active_at)
		s->active_at = now;
	return rc;
}

enum err task_contact(struct task *t, const char *sid, const char *error, struct errinfo *e)
{
	struct session *s;
	enum err rc = want_session(t, sid, &s, e);

	if (rc == ERR_OK && session_open(s) && s->dispatch.state == STEP_DONE)
		s->dispatch.error = error;
	return rc;
}

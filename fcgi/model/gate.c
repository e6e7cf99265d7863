/*
 * Gates.  Who ran the gate says how it ended; how often it may fail is counted here, from the sessions that shared the
 * sandbox, so that no box can give itself another try.
 */
#include <inttypes.h>
#include <string.h>

#include "model/moves.h"

/* The end of a text, from the beginning of a character on. */
static const char *tail(const char *text, size_t max)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len <= max)
		return text;
	text += len - max;
	while (((unsigned char)*text & 0xC0) == 0x80)
		text++;
	return text;
}

/* Sessions of this sandbox that a gate has closed. */
static int64_t failures(const struct task *t, const struct session *s)
{
	int64_t n = 0;

	for (size_t i = 0; i < t->session_count; i++) {
		const struct session *o = &t->sessions[i];
		if (o != s && o->result == RESULT_GATE_FAILED && o->dispatch.id != NULL && s->dispatch.id != NULL &&
		    strcmp(o->dispatch.id, s->dispatch.id) == 0)
			n++;
	}
	return n;
}

/* The same sandbox and the same time-out: the host knows nothing of what a session is. */
static struct session *open_next(struct task *t, struct arena *a, const char *nonce, int64_t now)
{
	struct session *s = task_add_session(t, a); /* moves them all */
	const struct session *last = &t->sessions[t->session_count - 2];

	s->agent = last->agent;
	s->model = last->model;
	s->router = last->router;
	s->started_at = s->active_at = now;
	s->nonce = nonce;
	s->expires_at = last->expires_at;
	s->dispatch = last->dispatch;
	s->sandbox_id = last->sandbox_id;
	return s;
}

enum err task_gate(struct task *t, struct arena *a, const struct gate_input *in, int64_t now, struct session **next,
		   struct errinfo *e)
{
	struct session *s = task_open_session(t);
	enum err rc = want_active(t, "an active task has a gate", e);

	*next = NULL;
	if (rc != ERR_OK || (rc = check_report(&in->report, e)) != ERR_OK)
		return rc;
	if (s == NULL || s->dispatch.state == STEP_NONE)
		return err_wire(e, ERR_CONFLICT, "not_active", "task %" PRId64 " has no sandbox to run a gate in", t->id);
	take_report(t, a, &in->report, now);
	s->gate = in->verdict;
	s->gate.known = true;
	s->gate.at = now;
	s->gate.output = tail(in->verdict.output, GATE_TAIL_MAX);
	s->gate.attempt = failures(t, s) + 1;
	if (s->gate.passed)
		return ERR_OK;
	bool last = s->gate.attempt >= t->gate_loops || t->session_count >= SESSIONS_MAX;
	const char *reason =
		arena_printf(a, "the gate %s failed, attempt %" PRId64 " of %" PRId64 ", exit code %" PRId64 "%s%s",
			     s->gate.name != NULL ? s->gate.name : "", s->gate.attempt,
			     t->gate_loops > 0 ? t->gate_loops : 1, s->gate.exit_code,
			     s->gate.output != NULL && *s->gate.output != '\0' ? ":\n" : "",
			     s->gate.output != NULL ? s->gate.output : "");
	/* the agent's own last words stay, if it had any: the verdict has the gate's */
	close_session(t, RESULT_GATE_FAILED, in->report.summary != NULL ? NULL : reason, now);
	if (!last) {
		*next = open_next(t, a, in->nonce, now);
		return ERR_OK;
	}
	t->error = reason;
	leave(t, STATUS_FAILED, now);
	return ERR_OK;
}

#include "dispatch/reconcile.h"

#include "core/log.h"
#include "dispatch/outcome.h"

static struct watched watched(const struct job *j)
{
	return (struct watched){ .started_at = j->started_at,
				 .expires_at = j->expires_at,
				 .wall = j->d->wall_ms() };
}

static void close_by(struct job *j, const struct verdict *v)
{
	bool closed;

	if (outcome_ended(j, v, &closed) != ERR_OK || !closed)
		return;
	log_event(v->result == RESULT_DONE ? LOG_INFO : LOG_WARN, "session.closed",
		  LOG_I("id", j->task), LOG_S("session", j->sid),
		  LOG_S("result", result_name(v->result)),
		  LOG_S("why", v->reason != NULL ? v->reason : ""));
}

/* Reached again: say so where the page says that it was not. */
static void contact_restored(struct job *j)
{
	if (j->open && j->contact_error && outcome_contact(j, NULL) == ERR_OK) {
		j->contact_error = false;
		log_event(LOG_INFO, "host.reached", LOG_I("id", j->task), LOG_S("session", j->sid));
	}
}

static void contact_lost(struct job *j, struct arena *a, const struct call *c)
{
	int64_t silent = j->watch.silent_at;

	if (!j->open || j->contact_error || silent == 0 ||
	    j->d->mono_ms() - silent < SILENT_SHOWN_MS)
		return;
	const char *why = host_complaint(a, c);
	if (outcome_contact(j, why) == ERR_OK) {
		j->contact_error = true;
		log_event(LOG_WARN, "host.silent", LOG_I("id", j->task), LOG_S("session", j->sid),
			  LOG_S("why", why));
	}
}

/* The agent's word closed the session, the box's record completes it. */
static void add_exit_code(struct job *j, const struct host_status *st)
{
	struct verdict v = { .result = RESULT_FAILED,
			     .has_exit_code = true,
			     .exit_code = st->exit_code };
	bool closed;

	if (!st->running && st->has_exit_code && !j->has_exit_code &&
	    (j->result == RESULT_DONE || j->result == RESULT_FAILED ||
	     j->result == RESULT_HANDOFF || j->result == RESULT_GATE_FAILED) &&
	    outcome_ended(j, &v, &closed) == ERR_OK)
		j->has_exit_code = true;
}

static void answered(struct call *c)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct job *j = c->job;
	struct host_status st;
	struct watched s = watched(j);
	struct verdict v;
	const char *id = c->path + sizeof "/status/" - 1;
	bool heard = c->status == 200 && host_read_status(&a, c, id, &st, &e) == ERR_OK;

	job_answered(c);
	if (heard)
		v = watch_answer(&j->watch, &a, &st, &s, j->d->mono_ms());
	else
		v = watch_silence(&j->watch, &s, j->d->mono_ms());
	if (!j->wanted) {
		/* nothing to find out any more */
	} else if (j->open && v.result != RESULT_OPEN) {
		close_by(j, &v);
	} else if (heard) {
		contact_restored(j);
		if (!j->open)
			add_exit_code(j, &st);
	} else {
		contact_lost(j, &a, c);
	}
	arena_reset(&a);
}

int64_t reconcile_look(struct job *j, const char *sandbox_id)
{
	if (j->calls[CALL_STATUS] != NULL)
		return NEVER;
	if (j->watch.next > j->d->mono_ms())
		return j->watch.next;
	job_send(j, host_call(CALL_STATUS, sandbox_id), answered);
	return NEVER;
}

int64_t reconcile_round(struct job *j)
{
	if (j->sandbox_id[0] == '\0')
		return NEVER;
	return reconcile_look(j, j->sandbox_id);
}

#include "dispatch/kill.h"

#include <string.h>

#include "core/arena.h"
#include "core/log.h"
#include "dispatch/outcome.h"
#include "dispatch/reconcile.h"
#include "dispatch/sessionlog.h"

int64_t kill_delay(int64_t attempts)
{
	return attempts < 6 ? (int64_t)KILL_FIRST_MS << attempts : KILL_MAX_MS;
}

/* The agent spoke, so its sandbox did start and is about to end.  What only time or we ended may
 * still be running on. */
static bool own_word(const struct job *j)
{
	bool late = j->expires_at != 0 && j->ended_at >= j->expires_at;

	return (j->result == RESULT_DONE || j->result == RESULT_FAILED ||
		j->result == RESULT_HANDOFF || (j->result == RESULT_GATE_FAILED && !j->passed_on)) &&
	       !late && j->dispatch_state != STEP_FAILED;
}

/*
 * The sandbox to look at and to copy from, NULL when there is none.  The agent may have spoken
 * before the answer to its dispatch was written down; when that answer was lost with a process, the
 * id follows from the secret.
 */
static const char *sandbox_of(const struct job *j, struct arena *a)
{
	const char *secret = j->d->at[j->site].secret;

	if (j->sandbox_id[0] != '\0')
		return j->sandbox_id;
	if (!own_word(j) || j->calls[CALL_DISPATCH] != NULL || secret == NULL ||
	    secret[0] == '\0')
		return NULL;
	return host_derive_id(a, secret, j->dispatch_id);
}

/* ---- before the kill ---- */
static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Waiting for the box to end by itself.  Returns until when, 0 when the wait is over. */
static int64_t wait_for_end(struct job *j, const char *sandbox, int64_t mono)
{
	int64_t until = j->farewell.since + KILL_GRACE_MS;

	if (!own_word(j) || j->watch.ended_at != 0 || mono >= until || j->kill_attempts > 0)
		return 0;
	if (sandbox == NULL)
		return j->calls[CALL_DISPATCH] != NULL ? until : 0;
	if (j->watch.next > mono + LOOK_CLOSING_MS)
		j->watch.next = mono + LOOK_CLOSING_MS;
	if (j->copy.next > mono + LOOK_CLOSING_MS)
		j->copy.next = mono + LOOK_CLOSING_MS;
	return earlier(until, earlier(reconcile_look(j, sandbox), sessionlog_copy(j, sandbox)));
}

/* Copying what the terminal showed up to now: a call sent before may have been answered before the
 * last byte came. Returns until when to wait, 0 when that is over. */
static int64_t copy_to_end(struct job *j, const char *sandbox, int64_t mono)
{
	struct farewell *f = &j->farewell;

	if (sandbox == NULL)
		return 0;
	if (f->copy_until == 0) {
		f->copy_until = mono + (own_word(j) ? KILL_COPY_MS : KILL_COPY_NOW_MS);
		f->copy_from = j->d->calls_sent;
		f->asked = false;
	}
	if (mono >= f->copy_until || sessionlog_through(j, f->copy_from))
		return 0;
	if (!f->asked && j->calls[CALL_LOGS] == NULL) {
		f->asked = true;
		j->copy.next = 0;
	}
	return earlier(f->copy_until, sessionlog_copy(j, sandbox));
}

static int64_t say_farewell(struct job *j, int64_t mono)
{
	struct arena a = { 0 };
	int64_t until = 0;

	if (j->sid[0] != '\0') { /* of a deleted task nothing is kept */
		const char *sandbox = sandbox_of(j, &a);
		until = wait_for_end(j, sandbox, mono);
		if (until == 0)
			until = copy_to_end(j, sandbox, mono);
	}
	arena_reset(&a);
	return until;
}

/* ---- the kill ---- */
/* Of a deleted task only the dispatch is known, not its site: it is ended at both. */
static bool elsewhere_too(struct job *j)
{
	bool more = j->sid[0] == '\0' && j->site == SITE_HERE &&
		    j->d->at[SITE_AWAY].callback_url != NULL;

	if (more)
		j->site = SITE_AWAY;
	return more;
}

static void killed(struct job *j, const struct call *c)
{
	enum err rc;

	if (elsewhere_too(j))
		return;
	if (j->farewell.again) { /* what was killed may have come before what was started */
		j->farewell.again = false;
		return;
	}
	rc = j->sid[0] != '\0' ? outcome_killed(j) : outcome_doomed_killed(j);
	if (rc == ERR_OK)
		log_event(LOG_INFO, "kill.done", LOG_I("id", j->task), LOG_S("session", j->sid),
			  LOG_I("ms", j->d->mono_ms() - c->sent_ms));
}

static void try_again(struct job *j, const char *why)
{
	int64_t mono = j->d->mono_ms(), delay = kill_delay(j->kill_attempts);
	int64_t next_at = j->d->wall_ms() + delay;
	bool record = j->kill_attempts < KILL_RECORDED ||
		      mono - j->farewell.recorded_at >= KILL_RECORD_MS;

	j->farewell.copy_until = 0;
	j->kill_next_at = next_at;
	j->due = 0;
	if (!record) {
		j->kill_attempts++;
		return;
	}
	enum err rc = j->sid[0] != '\0' ? outcome_kill_retry(j, why, next_at)
					: outcome_doomed_retry(j, next_at);
	if (rc == ERR_OK)
		j->farewell.recorded_at = mono;
	log_event(LOG_WARN, "kill.retry", LOG_I("id", j->task), LOG_S("session", j->sid),
		  LOG_I("attempt", j->kill_attempts + 1), LOG_I("wait_ms", delay),
		  LOG_S("why", why));
}

static void answered(struct call *c)
{
	struct arena a = { 0 };
	struct job *j = c->job;

	job_answered(c);
	if (c->status == 200)
		killed(j, c);
	else if (j->wanted)
		try_again(j, host_complaint(&a, c));
	arena_reset(&a);
}

int64_t kill_round(struct job *j)
{
	int64_t mono = j->d->mono_ms(), when = job_when(j, j->kill_next_at);

	if (j->calls[CALL_KILL] != NULL)
		return NEVER;
	if (j->farewell.since == 0)
		j->farewell.since = mono;
	if (when > mono)
		return when;
	int64_t until = say_farewell(j, mono);
	if (until != 0)
		return until;
	if (j->passed_on) { /* its output is copied; the sandbox is the next session's to end */
		enum err rc = outcome_killed(j);
		return rc == ERR_OK ? NEVER : j->d->mono_ms() + STORE_RETRY_MS;
	}
	if (!job_durable(j))
		return j->d->refused_until;
	const char *id = j->sandbox_id[0] != '\0' ? j->sandbox_id : j->dispatch_id;
	job_send(j, host_call(CALL_KILL, id), answered);
	return NEVER;
}

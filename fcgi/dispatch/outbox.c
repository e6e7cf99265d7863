/*
 * At most once, by idempotence: the same dispatchId is sent until an answer has been written down.
 * A 4xx is permanent (409 and 429 are not); all else is tried again with back-off, shown on the
 * session, and given up 10 minutes after the run.
 */
#include "dispatch/outbox.h"

#include <string.h>

#include "core/log.h"
#include "dispatch/outcome.h"
#include "dispatch/payload.h"

int64_t outbox_next_at(int64_t attempts, int64_t wait_ms, int64_t since, int64_t now)
{
	int64_t delay = attempts < 7 ? (int64_t)OUTBOX_FIRST_MS << attempts : OUTBOX_MAX_MS;
	int64_t last = since + OUTBOX_GIVE_UP_MS;

	if (delay > OUTBOX_MAX_MS)
		delay = OUTBOX_MAX_MS;
	if (wait_ms > delay)
		delay = wait_ms;
	/* The last attempt is made when the time is up, not up to half a minute before or after. */
	return now < last && now + delay > last ? last : now + delay;
}

/* ---- outcomes ---- */
static void fail(struct job *j, const char *reason)
{
	struct verdict v = { .result = RESULT_FAILED, .reason = reason };
	bool closed;

	if (outcome_ended(j, &v, &closed) == ERR_OK && closed)
		log_event(LOG_WARN, "dispatch.failed", LOG_I("id", j->task),
			  LOG_S("session", j->sid), LOG_S("why", reason));
}

static void again(struct job *j, const char *error, int64_t wait_ms)
{
	int64_t now = j->d->wall_ms();
	int64_t next_at = outbox_next_at(j->dispatch_attempts, wait_ms, j->dispatch_since, now);

	if (outcome_dispatch_retry(j, error, next_at) == ERR_OK)
		log_event(LOG_WARN, "dispatch.retry", LOG_I("id", j->task),
			  LOG_S("session", j->sid), LOG_I("attempt", j->dispatch_attempts + 1),
			  LOG_I("wait_ms", next_at - now), LOG_S("why", error));
}

/* c: the call that failed, NULL when none was made. */
static void not_taken(struct job *j, struct arena *a, const struct call *c, const char *error)
{
	bool late = j->d->wall_ms() - j->dispatch_since >= OUTBOX_GIVE_UP_MS;

	if (!j->open)
		return; /* closed meanwhile: its kill is on the way */
	if (!late)
		again(j, error, c != NULL ? c->retry_after_ms : -1);
	else if (c != NULL && c->status == 0)
		fail(j, arena_printf(a, "the sandbox host could not be reached for 10 minutes: %s",
				     c->why));
	else
		fail(j,
		     arena_printf(a, "the sandbox could not be started for 10 minutes: %s", error));
}

static void started(struct job *j, const struct call *c, const struct started *s)
{
	const char *sandbox_id = s->sandbox_id;
	int64_t now = j->d->wall_ms();
	enum err rc = outcome_started(j, sandbox_id, s->boundary);

	if (rc == ERR_NOT_FOUND) { /* deleted while it was started: end what came of it */
		rc = outcome_doom(j);
		log_event(LOG_INFO, "dispatch.orphan", LOG_I("id", j->task),
			  LOG_S("sandbox", sandbox_id));
		return;
	}
	if (rc != ERR_OK)
		return;
	if (j->calls[CALL_KILL] != NULL)
		j->farewell.again = true; /* it may have come too early */
	log_event(LOG_INFO, "dispatch.started", LOG_I("id", j->task), LOG_S("session", j->sid),
		  LOG_S("sandbox", sandbox_id), LOG_I("ms", j->d->mono_ms() - c->sent_ms),
		  LOG_I("since_run_ms", now - j->started_at));
}

/* Those that waited for an answer are due now. */
static void make_room(struct dispatcher *d, const struct call *c)
{
	d->dispatch_bytes -= c->body.len;
	d->dispatch_calls--;
	for (size_t i = 0; i < d->job_count; i++) {
		if (d->jobs[i]->open && d->jobs[i]->dispatch_state == STEP_PENDING)
			d->jobs[i]->due = 0;
	}
}

static void answered(struct call *c)
{
	struct arena a = { 0 };
	struct job *j = c->job;
	struct started s = { 0 };
	struct errinfo e = { 0 };

	make_room(j->d, c);
	job_answered(c);
	if (c->status == 200 && host_read_started(&a, c, &s, &e) != ERR_OK)
		not_taken(j, &a, c, e.what);
	else if (c->status == 200 && !s.destroyed)
		started(j, c, &s);
	else if (c->status == 200)
		fail(j, "the sandbox was ended before it started");
	else if (host_refused(c)) {
		const char *said = host_message(&a, c);
		fail(j, said != NULL && c->status != 401 ? said : host_complaint(&a, c));
	} else {
		not_taken(j, &a, c, host_complaint(&a, c));
	}
	arena_reset(&a);
}

/* ---- sending ---- */
static void send_body(struct job *j, struct strbuf *body)
{
	struct call *c = host_call(CALL_DISPATCH, "");

	strbuf_release(&c->body);
	c->body = *body; /* taken over */
	j->d->dispatch_bytes += c->body.len;
	j->d->dispatch_calls++;
	job_send(j, c, answered);
}

/* ERR_OK with an empty body: the store has news, there is nothing to send any more. */
static enum err build(struct job *j, struct arena *a, struct strbuf *body, struct errinfo *e)
{
	struct task t;
	size_t left_out = 0;
	enum err rc = store_get(j->d->store, a, j->task, &t, e); /* whole, prompt included */
	const struct session *s = rc == ERR_OK ? task_find_session(&t, j->sid) : NULL;

	if (rc != ERR_OK && rc != ERR_NOT_FOUND)
		return rc;
	if (s == NULL || !session_open(s) || s->dispatch.state != STEP_PENDING) {
		j->d->changed = true;
		return ERR_OK;
	}
	struct payload_input in = { .var = j->d->var,
				    .callback_url = j->d->at[j->site].callback_url,
				    .task = &t,
				    .session = s,
				    .now = j->d->wall_ms() };
	rc = payload_build(&in, a, body, &left_out, e);
	if (left_out > 0)
		log_event(LOG_WARN, "dispatch.history_cut", LOG_I("id", j->task),
			  LOG_S("session", j->sid), LOG_I("left_out", left_out));
	return rc;
}

static void build_and_send(struct job *j)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct strbuf body;

	if (j->d->at[j->site].callback_url == NULL) {
		fail(j, "there is no Cloudflare host: chompctl cloudflare setup, or host local");
		return;
	}
	strbuf_init(&body);
	enum err rc = build(j, &a, &body, &e);
	if (rc == ERR_OK && body.len > 0) {
		send_body(j, &body);
	} else {
		strbuf_release(&body);
		if (rc == ERR_TOO_LARGE)
			fail(j, e.what);
		else if (rc != ERR_OK) /* ours to mend: a missing secret, a broken document */
			not_taken(j, &a, NULL, e.what);
	}
	arena_reset(&a);
}

int64_t outbox_round(struct job *j)
{
	struct dispatcher *d = j->d;
	int64_t when = job_when(j, j->dispatch_next_at);

	if (j->calls[CALL_DISPATCH] != NULL || d->draining)
		return NEVER;
	if (j->expires_at != 0 && d->wall_ms() >= j->expires_at) {
		fail(j, "timed out before it could be started");
		return NEVER;
	}
	if (when > d->mono_ms())
		return when;
	if (d->dispatch_calls >= OUTBOX_CALLS || d->dispatch_bytes >= OUTBOX_BYTES)
		return NEVER; /* an answer makes room */
	if (!job_durable(j))
		return d->refused_until;
	build_and_send(j);
	return j->calls[CALL_DISPATCH] != NULL ? NEVER : d->mono_ms() + STORE_RETRY_MS;
}

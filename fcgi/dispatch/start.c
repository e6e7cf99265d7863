#include "dispatch/start.h"

#include "core/log.h"
#include "dispatch/dispatcher.h"
#include "store/plan.h"

/* A task that cannot be run waits for its owner, and says why. */
static void hold(struct task *t, struct arena *a, struct start *st, const struct errinfo *e)
{
	t->held = true;
	t->error = st->refused = arena_strdup(a, e->what);
	t->updated = st->d->wall_ms();
}

static enum err open_session(struct task *t, struct arena *a, void *arg, bool *skip,
			     struct errinfo *e)
{
	struct start *st = arg;
	struct dispatcher *d = st->d;
	struct plan_wish none = { 0 };
	struct run_input in;
	struct settings s;
	int64_t now = d->wall_ms();
	enum err rc = settings_read(d->var, a, &s, e);

	if (rc != ERR_OK)
		return rc;
	*skip = t->status != STATUS_QUEUED || !st->may(&s, t, now, st->arg);
	if (*skip)
		return ERR_OK;
	if ((rc = plan_session(d->var, a, &s, t, &none, now, &in, e)) == ERR_OK &&
	    (rc = task_run(t, a, &in, now, e)) == ERR_OK)
		st->started = true;
	if (rc == ERR_BAD_INPUT || rc == ERR_CONFLICT) {
		hold(t, a, st, e);
		rc = ERR_OK;
	}
	return rc;
}

enum err start_task(struct start *st, int64_t id)
{
	struct dispatcher *d = st->d;
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct task t = { 0 };
	enum err rc = store_change_if_room(d->store, &a, id, (struct change){ open_session, st }, &t, &e);

	d->changed = true;
	if (rc == ERR_OK)
		d->durable = store_version(d->store);
	if (rc == ERR_OK && st->started)
		log_event(LOG_INFO, "autorun.started", LOG_I("id", id),
			  LOG_S("session", task_last_session(&t)->id));
	else if (rc == ERR_OK && st->refused != NULL)
		log_event(LOG_WARN, "autorun.held", LOG_I("id", id), LOG_S("why", st->refused));
	else if (rc != ERR_OK && rc != ERR_NOT_FOUND)
		log_err(LOG_WARN, "autorun.refused", &e);
	arena_reset(&a);
	return rc;
}

#include "dispatch/resume.h"

#include "dispatch/start.h"

/* The setting may have been switched off meanwhile, the places may be full, the budget used up. */
static bool may_resume(const struct settings *s, const struct task *t, int64_t now, void *arg)
{
	const struct dispatcher *d = arg;

	return s->auto_resume && !s->paused && !t->held && t->parked_until != 0 && t->parked_until <= now &&
	       !(t->on_budget == BUDGET_STOP && t->budget_exceeded) &&
	       store_counts(d->store).by_status[STATUS_ACTIVE] < s->max_active;
}

int64_t resume_round(struct job *j)
{
	struct dispatcher *d = j->d;
	struct start st = { .d = d, .may = may_resume, .arg = d };
	int64_t wait = j->parked_until - d->wall_ms();

	if (d->draining)
		return NEVER;
	if (wait > 0) /* looked at again now and then: the wall clock may be set */
		return d->mono_ms() + (wait < AUTORUN_PARKED_MS ? wait : AUTORUN_PARKED_MS);
	enum err rc = start_task(&st, j->task);
	if (rc == ERR_OK && (st.started || st.refused != NULL))
		return NEVER; /* news */
	return d->mono_ms() + RESUME_LOOK_MS;
}

/*
 * The table of waiting tasks follows the store: a change of the store costs a walk over the queued
 * ids in the index, and only tasks that changed are read again, a bounded number in a round.
 * Nothing is started before all are read: the one with the highest priority may be the last.
 */
#include "dispatch/autorun.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "dispatch/dispatcher.h"
#include "dispatch/start.h"

void autorun_release(struct autorun *r)
{
	free(r->tasks);
	memset(r, 0, sizeof *r);
}

/* ---- settings ---- */
static void read_settings(struct dispatcher *d)
{
	struct autorun *r = &d->autorun;
	struct arena a = { 0 };
	struct settings s;
	struct errinfo e = { 0 };
	bool ok = settings_read(d->var, &a, &s, &e) == ERR_OK;

	r->known = true; /* what cannot be read is off until it changes */
	r->on = ok && s.auto_run && !s.paused;
	r->max_active = ok ? s.max_active : 0;
	r->seen = -1;
	arena_reset(&a);
	if (!ok)
		log_err(LOG_ERROR, "autorun.settings", &e);
	if (!r->on) {
		free(r->tasks);
		r->tasks = NULL;
		r->count = r->room = 0;
	}
}

/* ---- the table ---- */
static void add(struct autorun *r, struct waiting w)
{
	if (r->count == r->room) {
		r->room = r->room > 0 ? r->room * 2 : 64;
		r->tasks = xrealloc(r->tasks, r->room * sizeof *r->tasks);
	}
	r->tasks[r->count++] = w;
}

/* Who is queued now; what did not change since keeps what is known of it. */
static void follow(struct dispatcher *d)
{
	struct autorun *r = &d->autorun, old = *r;
	size_t at = 0;

	r->tasks = NULL;
	r->count = r->room = r->read = 0;
	for (int64_t id = 0; (id = store_next_queued(d->store, id)) != 0;) {
		struct waiting w = { .id = id };
		while (at < old.count && old.tasks[at].id < id)
			at++;
		if (at < old.count && old.tasks[at].id == id &&
		    old.tasks[at].version == store_task_version(d->store, id))
			w = old.tasks[at];
		add(r, w);
	}
	r->seen = store_version(d->store);
	free(old.tasks);
}

static enum err read_one(struct dispatcher *d, struct waiting *w, struct errinfo *e)
{
	struct arena a = { 0 };
	int64_t version = store_task_version(d->store, w->id);
	struct task t;
	enum err rc = store_peek(d->store, &a, w->id, &t, e);

	if (rc == ERR_OK) {
		w->version = version;
		w->priority = t.priority;
		w->parked_until = t.parked_until;
		w->held = t.held || t.status != STATUS_QUEUED;
	} else if (rc == ERR_NOT_FOUND) {
		w->held = true;
		rc = ERR_OK;
	}
	arena_reset(&a);
	return rc;
}

/* true when all are read; else *next says when to go on. */
static bool read_some(struct dispatcher *d, int64_t *next)
{
	struct autorun *r = &d->autorun;
	struct errinfo e = { 0 };
	int reads = 0;

	*next = 0;
	for (; r->read < r->count; r->read++) {
		if (r->tasks[r->read].version != 0)
			continue;
		if (reads++ == AUTORUN_READS)
			return false;
		if (read_one(d, &r->tasks[r->read], &e) != ERR_OK) {
			log_err(LOG_WARN, "autorun.unread", &e);
			r->retry_at = *next = d->mono_ms() + STORE_REFUSED_MS;
			return false;
		}
	}
	return true;
}

static bool comes_before(const struct waiting *a, const struct waiting *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

/* The one whose turn it is, NULL when there is none; *next: when a parked one is to be looked at.
 */
static const struct waiting *choose(struct dispatcher *d, int64_t *next)
{
	const struct autorun *r = &d->autorun;
	const struct waiting *best = NULL;
	int64_t wall = d->wall_ms(), wait = INT64_MAX;

	for (size_t i = 0; i < r->count; i++) {
		const struct waiting *w = &r->tasks[i];
		if (w->held)
			continue;
		if (w->parked_until > wall)
			wait = w->parked_until - wall < wait ? w->parked_until - wall : wait;
		else if (best == NULL || comes_before(w, best))
			best = w;
	}
	if (wait == INT64_MAX)
		*next = NEVER;
	else
		*next = d->mono_ms() + (wait < AUTORUN_PARKED_MS ? wait : AUTORUN_PARKED_MS);
	return best;
}

/* ---- starting ---- */
static bool may_start(const struct settings *s, const struct task *t, int64_t now, void *arg)
{
	struct dispatcher *d = arg;

	if (s->auto_run && !s->paused &&
	    store_counts(d->store).by_status[STATUS_ACTIVE] < s->max_active)
		return !t->held && t->parked_until <= now;
	d->autorun.known = false; /* the settings are others than we thought, or their news are on the way */
	return false;
}

static int64_t start(struct dispatcher *d, int64_t id)
{
	struct start st = { .d = d, .may = may_start, .arg = d };
	enum err rc = start_task(&st, id);

	if (rc == ERR_OK || rc == ERR_NOT_FOUND)
		return 0;
	d->autorun.retry_at = d->mono_ms() + (rc == ERR_BUSY ? STORE_RETRY_MS : STORE_REFUSED_MS);
	return d->autorun.retry_at;
}

int64_t autorun_round(struct dispatcher *d)
{
	struct autorun *r = &d->autorun;
	int64_t next = NEVER;

	if (!r->known)
		read_settings(d);
	if (!r->on || d->draining)
		return NEVER;
	if (r->retry_at > d->mono_ms())
		return r->retry_at;
	struct store_counts c = store_counts(d->store);
	if (c.by_status[STATUS_QUEUED] == 0 || c.by_status[STATUS_ACTIVE] >= r->max_active)
		return NEVER; /* the change that alters this is news */
	if (r->seen != store_version(d->store))
		follow(d);
	if (!read_some(d, &next))
		return next;
	const struct waiting *w = choose(d, &next);
	return w != NULL ? start(d, w->id) : next;
}

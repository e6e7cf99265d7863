#include "dispatch/outcome.h"

#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "model/transition.h"

enum what { STARTED, DISPATCH_RETRY, ENDED, KILLED, KILL_RETRY, ALIVE, CONTACT };

struct outcome {
	enum what what;
	const char *sid, *text; /* text: the sandbox, the error, or the reason */
	const struct verdict *verdict;
	const char *boundary; /* of STARTED */
	int64_t now, next_at;
	bool was_open;
};

static enum err apply_ended(struct task *t, struct outcome *o, bool *skip, struct errinfo *e)
{
	const struct verdict *v = o->verdict;
	struct session *s = task_find_session(t, o->sid);

	o->was_open = s != NULL && session_open(s) && t->status == STATUS_ACTIVE;
	if (s != NULL && !o->was_open && (s->has_exit_code || !v->has_exit_code))
		*skip = true; /* nothing to add to what was said before */
	return task_ended(t, o->sid, v->result, v->reason, v->has_exit_code ? &v->exit_code : NULL,
			  o->now, e);
}

static enum err started(struct task *t, const struct outcome *o, struct errinfo *e)
{
	enum err rc = task_started(t, o->sid, o->text, o->now, e);

	if (rc == ERR_OK)
		task_find_session(t, o->sid)->boundary = o->boundary;
	return rc;
}

static enum err apply(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	struct outcome *o = arg;

	(void)a;
	switch (o->what) {
	case STARTED:
		return started(t, o, e);
	case DISPATCH_RETRY:
		return task_dispatch_retry(t, o->sid, o->text, o->next_at, e);
	case ENDED:
		return apply_ended(t, o, skip, e);
	case KILLED:
		return task_killed(t, o->sid, e);
	case KILL_RETRY:
		return task_kill_retry(t, o->sid, o->text, o->next_at, e);
	case ALIVE:
		return task_alive(t, o->sid, o->now, e);
	case CONTACT:
		return task_contact(t, o->sid, o->text, e);
	}
	return ERR_OK;
}

/* Every change syncs the whole log, so all that was read before it is on disk too. */
static enum err finish(struct job *j, enum err rc, const struct errinfo *e)
{
	struct dispatcher *d = j->d;

	if (rc == ERR_OK) {
		d->durable = store_version(d->store);
		d->changed = true;
	} else if (rc == ERR_NOT_FOUND) {
		d->changed = true;
	} else {
		log_event(LOG_WARN, "outcome.refused", LOG_I("id", j->task),
			  LOG_S("session", j->sid), LOG_S("code", err_code(e)),
			  LOG_S("why", e->what));
		j->hold = d->mono_ms() + STORE_RETRY_MS;
		if (rc != ERR_BUSY)
			d->refused_until = d->mono_ms() + STORE_REFUSED_MS;
	}
	return rc;
}

static enum err write_down(struct job *j, struct outcome *o)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };

	o->sid = j->sid;
	o->now = j->d->wall_ms();
	enum err rc = store_change(j->d->store, &a, j->task, (struct change){ apply, o }, NULL, &e);
	arena_reset(&a);
	return finish(j, rc, &e);
}

enum err outcome_started(struct job *j, const char *sandbox_id, const char *boundary)
{
	struct outcome o = { .what = STARTED, .text = sandbox_id, .boundary = boundary };

	return write_down(j, &o);
}

enum err outcome_dispatch_retry(struct job *j, const char *error, int64_t next_at)
{
	struct outcome o = { .what = DISPATCH_RETRY, .text = error, .next_at = next_at };

	return write_down(j, &o);
}

enum err outcome_ended(struct job *j, const struct verdict *v, bool *closed)
{
	struct outcome o = { .what = ENDED, .verdict = v };
	enum err rc = write_down(j, &o);

	*closed = rc == ERR_OK && o.was_open;
	return rc;
}

enum err outcome_killed(struct job *j)
{
	struct outcome o = { .what = KILLED };

	return write_down(j, &o);
}

enum err outcome_kill_retry(struct job *j, const char *error, int64_t next_at)
{
	struct outcome o = { .what = KILL_RETRY, .text = error, .next_at = next_at };

	return write_down(j, &o);
}

enum err outcome_alive(struct job *j)
{
	struct outcome o = { .what = ALIVE };

	return write_down(j, &o);
}

enum err outcome_contact(struct job *j, const char *error)
{
	struct outcome o = { .what = CONTACT, .text = error };

	return write_down(j, &o);
}

/* ---- deleted tasks: after the deletion nobody but us changes their list ---- */
static size_t find_doomed(const struct doomed *kills, size_t count, const char *dispatch_id)
{
	size_t i = 0;

	while (i < count && strcmp(kills[i].dispatch_id, dispatch_id) != 0)
		i++;
	return i;
}

static enum err
change_doomed(struct job *j,
	      void (*fn)(struct doomed *kills, size_t *count, size_t at, int64_t arg), int64_t arg)
{
	struct store *store = j->d->store;
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct doomed *kills = NULL;
	size_t count = 0;
	enum err rc = store_doomed(store, &a, j->task, &kills, &count, &e);

	if (rc == ERR_OK) {
		struct doomed *more = arena_alloc(&a, (count + 1) * sizeof *more);
		if (count > 0)
			memcpy(more, kills, count * sizeof *more);
		size_t at = find_doomed(more, count, j->dispatch_id);
		more[count].dispatch_id = j->dispatch_id; /* room for one that is new */
		fn(more, &count, at, arg);
		rc = store_set_doomed(store, j->task, more, count, &e);
	}
	arena_reset(&a);
	return finish(j, rc, &e);
}

static void add_one(struct doomed *kills, size_t *count, size_t at, int64_t now)
{
	if (at == *count)
		++*count;
	kills[at].next_at = now;
}

static void drop_one(struct doomed *kills, size_t *count, size_t at, int64_t unused)
{
	(void)unused;
	if (at < *count)
		kills[at] = kills[--*count];
}

static void delay_one(struct doomed *kills, size_t *count, size_t at, int64_t next_at)
{
	if (at < *count) {
		kills[at].attempts++;
		kills[at].next_at = next_at;
	}
}

enum err outcome_doom(struct job *j)
{
	return change_doomed(j, add_one, j->d->wall_ms());
}

enum err outcome_doomed_killed(struct job *j)
{
	return change_doomed(j, drop_one, 0);
}

enum err outcome_doomed_retry(struct job *j, int64_t next_at)
{
	return change_doomed(j, delay_one, next_at);
}

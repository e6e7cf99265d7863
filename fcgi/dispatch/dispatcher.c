#include "dispatch/dispatcher.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/log.h"
#include "dispatch/kill.h"
#include "dispatch/outbox.h"
#include "dispatch/reconcile.h"
#include "dispatch/resume.h"
#include "dispatch/sessionlog.h"
#include "store/output.h"

enum { CLOCK_JUMP_MS = 3600 * 1000 };

/* ---- the table ---- */
static bool busy(const struct job *j)
{
	for (int i = 0; i < CALL_KINDS; i++) {
		if (j->calls[i] != NULL)
			return true;
	}
	return false;
}

void dispatcher_release(struct dispatcher *d)
{
	for (size_t i = 0; i < d->job_count; i++)
		free(d->jobs[i]);
	free(d->jobs);
	d->jobs = NULL;
	d->job_count = d->job_room = 0;
	autorun_release(&d->autorun);
	platforms_release(&d->platforms);
}

/* Jobs are ordered by task, and a task has few: find the first of it. */
static size_t first_of(const struct dispatcher *d, int64_t task)
{
	size_t lo = 0, hi = d->job_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (d->jobs[mid]->task < task)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct job *find(const struct dispatcher *d, int64_t task, const char *sid,
			const char *dispatch_id)
{
	for (size_t i = first_of(d, task); i < d->job_count && d->jobs[i]->task == task; i++) {
		if (strcmp(d->jobs[i]->sid, sid) == 0 &&
		    strcmp(d->jobs[i]->dispatch_id, dispatch_id) == 0)
			return d->jobs[i];
	}
	return NULL;
}

static struct job *insert(struct dispatcher *d, int64_t task)
{
	struct job *j = xmalloc(sizeof *j);
	size_t at = first_of(d, task + 1);

	if (d->job_count == d->job_room) {
		d->job_room = d->job_room > 0 ? d->job_room * 2 : 16;
		d->jobs = xrealloc(d->jobs, d->job_room * sizeof(struct job *));
	}
	memmove(&d->jobs[at + 1], &d->jobs[at], (d->job_count - at) * sizeof(struct job *));
	d->jobs[at] = j;
	d->job_count++;
	memset(j, 0, sizeof *j);
	j->d = d;
	j->task = task;
	return j;
}

/* Copy text that fits; false (and "") when it does not. */
static bool set_text(char *to, size_t room, const char *text)
{
	size_t len = text != NULL ? strlen(text) : room;

	to[0] = '\0';
	if (len >= room)
		return false;
	memcpy(to, text, len + 1);
	return true;
}

static struct job *find_or_insert(struct dispatcher *d, int64_t task, const char *sid,
				  const char *dispatch_id)
{
	struct job key, *j;

	/* Ids of ours are short; another is an adopted curiosity and names no sandbox. */
	if (!set_text(key.sid, sizeof key.sid, sid) ||
	    !set_text(key.dispatch_id, sizeof key.dispatch_id, dispatch_id) ||
	    !host_id_valid(dispatch_id))
		return NULL;
	if ((j = find(d, task, sid, dispatch_id)) != NULL)
		return j;
	j = insert(d, task);
	memcpy(j->sid, key.sid, sizeof j->sid);
	memcpy(j->dispatch_id, key.dispatch_id, sizeof j->dispatch_id);
	return j;
}

/* ---- news of the store ---- */
static void take_session(struct job *j, const struct session *s)
{
	j->wanted = true;
	j->open = session_open(s);
	j->result = s->result;
	j->has_exit_code = s->has_exit_code;
	j->dispatch_state = s->dispatch.state;
	j->dispatch_attempts = s->dispatch.attempts;
	j->dispatch_next_at = s->dispatch.next_at;
	j->dispatch_since = s->dispatch.since;
	j->contact_error = s->dispatch.error != NULL;
	j->kill_state = s->kill.state;
	j->kill_attempts = s->kill.attempts;
	j->kill_next_at = s->kill.next_at;
	j->started_at = s->started_at;
	j->ended_at = s->ended_at;
	j->expires_at = s->expires_at;
	j->active_at = s->active_at;
	if (!set_text(j->sandbox_id, sizeof j->sandbox_id, s->sandbox_id) ||
	    !host_id_valid(j->sandbox_id))
		j->sandbox_id[0] = '\0';
	j->due = 0;
}

/* A parked task has no session to watch: its job has neither session nor dispatch. */
static void take_parked(struct dispatcher *d, const struct task *t, int64_t version)
{
	struct job *j = find(d, t->id, "", "");

	if (j == NULL)
		j = insert(d, t->id);
	j->wanted = true;
	j->parked_until = t->parked_until;
	j->version = version;
	j->due = 0;
}

/* A task's host never changes, so it is looked up once for a job: it stands where the prompt stands, which is not read otherwise. */
static void find_site(struct job *j)
{
	struct arena a = { 0 };
	struct task t;

	j->site = j->d->usual;
	if (store_get(j->d->store, &a, j->task, &t, NULL) == ERR_OK)
		j->site = task_site(&t, j->d->usual);
	arena_reset(&a);
}

static enum err refresh_task(struct dispatcher *d, struct arena *a, int64_t id, int64_t version,
			     struct errinfo *e)
{
	struct task t;
	enum err rc = store_peek(d->store, a, id, &t, e);

	for (size_t i = 0; rc == ERR_OK && i < t.session_count; i++) {
		const struct session *s = &t.sessions[i];
		bool work = s->kill.state == STEP_PENDING ||
			    (session_open(s) && s->dispatch.state != STEP_NONE);
		struct job *j = work ? find_or_insert(d, id, s->id, s->dispatch.id) : NULL;
		if (j != NULL) {
			if (j->version == 0)
				find_site(j);
			take_session(j, s);
			j->passed_on = task_heir(&t, s) != NULL;
			j->version = version;
		}
	}
	if (rc == ERR_OK && t.status == STATUS_QUEUED && t.parked_until != 0 && !t.held)
		take_parked(d, &t, version);
	return rc;
}

static enum err refresh_deleted(struct dispatcher *d, struct arena *a, int64_t id, int64_t version,
				struct errinfo *e)
{
	struct doomed *kills = NULL;
	size_t count = 0;
	enum err rc = store_doomed(d->store, a, id, &kills, &count, e);

	for (size_t i = 0; rc == ERR_OK && i < count; i++) {
		struct job *j = find_or_insert(d, id, "", kills[i].dispatch_id);
		if (j == NULL)
			continue;
		j->wanted = true;
		j->kill_state = STEP_PENDING;
		j->kill_attempts = kills[i].attempts;
		j->kill_next_at = kills[i].next_at;
		j->version = version;
		j->due = 0;
	}
	return rc;
}

/* The jobs of a task that did not change stay as they are; true when there are any. */
static bool keep(struct dispatcher *d, int64_t id, int64_t version)
{
	bool any = false;

	for (size_t i = first_of(d, id); i < d->job_count && d->jobs[i]->task == id; i++) {
		if (d->jobs[i]->version == version)
			any = d->jobs[i]->wanted = true;
	}
	return any;
}

/* The copier may have made the output anew after the worker removed it. */
static void forget(struct job *j)
{
	bool deleted = store_is_deleted(j->d->store, j->task) ||
		       store_task_version(j->d->store, j->task) == 0;

	if (j->sid[0] != '\0' && deleted)
		output_remove(j->d->var, j->task, j->sid);
	free(j);
}

static void sweep(struct dispatcher *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->job_count; i++) {
		struct job *j = d->jobs[i];
		if (j->wanted || busy(j))
			d->jobs[kept++] = j;
		else
			forget(j);
	}
	d->job_count = kept;
}

enum err dispatcher_refresh(struct dispatcher *d, struct errinfo *e)
{
	struct arena a = { 0 };
	enum err rc = store_catch_up(d->store, e);

	d->changed = false;
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < d->job_count; i++)
		d->jobs[i]->wanted = false;
	for (int64_t id = 0; rc == ERR_OK && (id = store_next_todo(d->store, id)) != 0;) {
		int64_t version = store_task_version(d->store, id);
		if (keep(d, id, version))
			continue;
		rc = store_is_deleted(d->store, id) ? refresh_deleted(d, &a, id, version, e)
						    : refresh_task(d, &a, id, version, e);
		arena_reset(&a);
	}
	if (rc == ERR_OK)
		sweep(d);
	return rc;
}

/* ---- calls ---- */
void job_send(struct job *j, struct call *c, void (*done)(struct call *c))
{
	c->job = j;
	c->site = j->site;
	c->done = done;
	c->sent_ms = j->d->mono_ms();
	c->number = ++j->d->calls_sent;
	j->calls[c->kind] = c;
	j->d->send(j->d->to, c);
}

void job_answered(struct call *c)
{
	c->job->calls[c->kind] = NULL;
	c->job->due = 0;
	if (!c->job->wanted)
		c->job->d->changed = true; /* it may be forgotten now */
}

bool job_durable(struct job *j)
{
	struct dispatcher *d = j->d;
	int64_t version = store_version(d->store);
	struct errinfo e = { 0 };

	if (d->durable == version)
		return true;
	if (store_writable(d->store, &e) != ERR_OK || store_sync(d->store, &e) != ERR_OK) {
		log_err(LOG_WARN, "dispatch.waits", &e);
		d->refused_until = d->mono_ms() + STORE_REFUSED_MS;
		return false;
	}
	d->durable = version;
	return true;
}

int64_t job_when(const struct job *j, int64_t wall)
{
	int64_t wait = wall - j->d->wall_ms();

	if (wait <= 0 || wait > CLOCK_JUMP_MS)
		return 0;
	return j->d->mono_ms() + wait;
}

/* ---- rounds ---- */
static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Returns when this job has something to do again. */
static int64_t job_round(struct job *j, int64_t mono)
{
	if (!j->wanted)
		return NEVER; /* its last calls end, then it is forgotten */
	if (j->hold > mono)
		return j->hold;
	if (j->parked_until != 0)
		return resume_round(j);
	if (j->kill_state == STEP_PENDING)
		return kill_round(j);
	if (j->open && j->dispatch_state == STEP_PENDING)
		return outbox_round(j);
	if (j->open && j->dispatch_state == STEP_DONE)
		return earlier(reconcile_round(j), sessionlog_round(j));
	return NEVER;
}

static int64_t jobs_round(struct dispatcher *d)
{
	int64_t mono = d->mono_ms(), next = NEVER;

	if (d->refused_until > mono)
		return d->job_count > 0 || d->autorun.on ? d->refused_until : NEVER;
	for (size_t i = 0; i < d->job_count; i++) {
		struct job *j = d->jobs[i];
		if (j->due <= mono)
			j->due = job_round(j, mono);
		if (d->refused_until > mono)
			return d->refused_until;
		next = earlier(next, j->due);
	}
	return earlier(next, autorun_round(d));
}

int64_t dispatcher_round(struct dispatcher *d)
{
	int64_t next = jobs_round(d);

	return earlier(next, platforms_round(d));
}

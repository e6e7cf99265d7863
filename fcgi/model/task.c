#include "model/task.h"

#include <string.h>

static const char *const statuses[STATUS_COUNT] = {
	[STATUS_QUEUED] = "queued",
	[STATUS_ACTIVE] = "active",
	[STATUS_DONE] = "done",
	[STATUS_FAILED] = "failed",
};

const char *status_name(enum status s)
{
	return statuses[s];
}

int status_parse(const char *name, enum status *out)
{
	for (int i = 0; i < STATUS_COUNT; i++) {
		if (strcmp(statuses[i], name) == 0) {
			*out = (enum status)i;
			return 0;
		}
	}
	return -1;
}

struct session *task_last_session(const struct task *t)
{
	return t->session_count > 0 ? &t->sessions[t->session_count - 1] : NULL;
}

struct session *task_open_session(const struct task *t)
{
	struct session *s = task_last_session(t);

	return s != NULL && session_open(s) ? s : NULL;
}

struct session *task_find_session(const struct task *t, const char *sid)
{
	for (size_t i = t->session_count; i-- > 0;) {
		if (t->sessions[i].id != NULL && strcmp(t->sessions[i].id, sid) == 0)
			return &t->sessions[i];
	}
	return NULL;
}

struct session *task_add_session(struct task *t, struct arena *a)
{
	struct session *all = arena_alloc(a, (t->session_count + 1) * sizeof *all);

	if (t->session_count > 0)
		memcpy(all, t->sessions, t->session_count * sizeof *all);
	t->sessions = all;
	struct session *s = &all[t->session_count++];
	s->id = arena_printf(a, "s%zu", t->session_count);
	return s;
}

const struct session *task_heir(const struct task *t, const struct session *s)
{
	const struct session *last = task_last_session(t);

	if (s->result != RESULT_GATE_FAILED || last == NULL || last == s || s->dispatch.id == NULL || last->dispatch.id == NULL ||
	    strcmp(last->dispatch.id, s->dispatch.id) != 0)
		return NULL;
	return last;
}

bool task_verified(const struct task *t)
{
	const struct session *last = task_last_session(t);

	return t->status == STATUS_DONE && last != NULL && last->gate.known && last->gate.passed;
}

bool task_gate_due(const struct task *t)
{
	const struct session *s = task_open_session(t);

	return s != NULL && t->gate != NULL && strcmp(t->gate, "none") != 0 && !(s->gate.known && s->gate.passed);
}

static const char *const reviews[] = {
	[REVIEW_NONE] = NULL,
	[REVIEW_WAITING] = "waiting",
	[REVIEW_APPROVED] = "approved",
	[REVIEW_SENT_BACK] = "sent_back",
};

const char *review_name(enum review_state s)
{
	return reviews[s];
}

enum review_state review_parse(const char *name)
{
	for (size_t i = 1; name != NULL && i < sizeof reviews / sizeof reviews[0]; i++) {
		if (strcmp(reviews[i], name) == 0)
			return (enum review_state)i;
	}
	return REVIEW_NONE;
}

bool task_has_work(const struct task *t)
{
	if (t->status == STATUS_QUEUED && t->parked_until != 0 && !t->held)
		return true;
	for (size_t i = 0; i < t->session_count; i++) {
		const struct session *s = &t->sessions[i];
		if (s->kill.state == STEP_PENDING)
			return true;
		if (session_open(s) && s->dispatch.state != STEP_NONE)
			return true;
	}
	return false;
}

bool agent_id_valid(const char *id)
{
	size_t len = strlen(id);
	bool dash = true; /* a dash may not come first, nor after another */

	if (len == 0 || len > 64)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = id[i];
		if (c == '-') {
			if (dash)
				return false;
			dash = true;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
			dash = false;
		} else {
			return false;
		}
	}
	return !dash;
}

enum site task_site(const struct task *t, enum site usual)
{
	if (t->host == NULL || *t->host == '\0')
		return usual;
	return strcmp(t->host, "cloudflare") == 0 ? SITE_AWAY : SITE_HERE;
}

#include "model/codec.h"

#include <limits.h>
#include <string.h>

#include "core/clock.h"
#include "core/number.h"

/* ---- writing ---- */
static void write_usage(struct jw *w, const struct usage *u)
{
	if (!u->known) {
		jw_null(w, "usage");
		return;
	}
	jw_object(w, "usage");
	jw_i64(w, "input", u->input);
	jw_i64(w, "output", u->output);
	jw_i64(w, "cache_read", u->cache_read);
	jw_i64(w, "cache_write", u->cache_write);
	jw_object_end(w);
}

static void write_outbox(struct jw *w, const char *key, const struct outbox *o, const char *done)
{
	if (o->state == STEP_NONE) {
		jw_null(w, key);
		return;
	}
	jw_object(w, key);
	if (o->id != NULL)
		jw_str(w, "id", o->id);
	jw_str(w, "state", step_name(o->state, done));
	jw_i64(w, "attempts", o->attempts);
	jw_str(w, "error", o->error);
	jw_time(w, "next_at", o->next_at);
	jw_time(w, "since", o->since);
	jw_object_end(w);
}

static void write_gate(struct jw *w, const struct gate_verdict *g)
{
	if (!g->known) {
		jw_null(w, "gate");
		return;
	}
	jw_object(w, "gate");
	jw_str(w, "name", g->name);
	jw_i64(w, "attempt", g->attempt);
	jw_bool(w, "passed", g->passed);
	jw_i64(w, "exit_code", g->exit_code);
	jw_str(w, "output", g->output != NULL ? g->output : "");
	jw_str(w, "tree", g->tree);
	jw_str(w, "gate_hash", g->gate_hash);
	jw_str(w, "log_hash", g->log_hash);
	jw_bool(w, "changed", g->changed);
	jw_time(w, "at", g->at);
	jw_object_end(w);
}

/* Unknown members: as they were for a client, apart for the log, where our own names may grow. */
static void write_extra(struct jw *w, const char *extra, unsigned parts)
{
	if (extra == NULL)
		return;
	if ((parts & PART_PRIVATE) != 0)
		jw_raw(w, "extra", extra, strlen(extra));
	else
		jw_members(w, extra);
}

static void write_session(struct jw *w, const struct session *s, unsigned parts)
{
	jw_object(w, NULL);
	jw_str(w, "id", s->id);
	jw_str(w, "agent", s->agent);
	jw_str(w, "model", s->model);
	jw_str(w, "router", s->router);
	jw_time(w, "started_at", s->started_at);
	jw_time(w, "ended_at", s->ended_at);
	if (s->reported)
		jw_i64(w, "tokens", s->tokens);
	else
		jw_null(w, "tokens");
	write_usage(w, &s->usage);
	jw_str(w, "result", s->result == RESULT_OPEN ? NULL : result_name(s->result));
	jw_str(w, "summary", s->summary);
	jw_str(w, "sandbox_id", s->sandbox_id);
	jw_str(w, "boundary", s->boundary);
	if (s->has_exit_code)
		jw_i64(w, "exit_code", s->exit_code);
	else
		jw_null(w, "exit_code");
	write_outbox(w, "dispatch", &s->dispatch, "started");
	write_outbox(w, "kill", &s->kill, "done");
	write_gate(w, &s->gate);
	jw_time(w, "parked_until", s->parked_until);
	jw_time(w, "active_at", s->active_at);
	jw_time(w, "expires_at", s->expires_at);
	if ((parts & PART_PRIVATE) != 0)
		jw_str(w, "nonce", s->nonce);
	write_extra(w, s->extra, parts);
	jw_object_end(w);
}

static void write_fixed(struct jw *w, const struct task *t)
{
	jw_str(w, "prompt", t->prompt);
	jw_str(w, "dir", t->dir != NULL ? t->dir : "");
	jw_str(w, "repo_url", t->repo_url);
	jw_str(w, "branch", t->branch);
	jw_str(w, "host", t->host);
	jw_str(w, "network", t->network);
	jw_str(w, "gate", t->gate);
	jw_i64(w, "gate_loops", t->gate_loops);
	jw_bool(w, "gate_edits", t->gate_edits);
	jw_time(w, "created", t->created);
}

/* The task's own usage: the sum over its sessions, null while none has reported. */
static void write_task_usage(struct jw *w, const struct task *t)
{
	struct usage sum = { 0 };

	for (size_t i = 0; i < t->session_count; i++) {
		const struct usage *u = &t->sessions[i].usage;
		sum.known = sum.known || u->known;
		sum.input += u->input;
		sum.output += u->output;
		sum.cache_read += u->cache_read;
		sum.cache_write += u->cache_write;
	}
	write_usage(w, &sum);
}

/* {files, added, removed}, or null for what is no patch. */
static void write_patch(struct jw *w, const struct patch_stat *p)
{
	if (!p->known) {
		jw_null(w, "patch");
		return;
	}
	jw_object(w, "patch");
	jw_i64(w, "files", p->files);
	jw_i64(w, "added", p->added);
	jw_i64(w, "removed", p->removed);
	jw_object_end(w);
}

static void write_review(struct jw *w, const struct review *r)
{
	jw_object(w, "review");
	jw_bool(w, "wanted", r->wanted);
	jw_str(w, "state", review_name(r->state));
	jw_str(w, "comment", r->comment);
	jw_object_end(w);
}

static void write_artifacts(struct jw *w, const struct task *t)
{
	jw_array(w, "artifacts");
	for (size_t i = 0; i < t->artifact_count; i++) {
		const struct artifact *f = &t->artifacts[i];
		jw_object(w, NULL);
		jw_str(w, "name", f->name);
		jw_i64(w, "size", f->size);
		jw_time(w, "at", f->at);
		jw_str(w, "session", f->session);
		write_patch(w, &f->patch);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void write_changing(struct jw *w, const struct task *t, unsigned parts)
{
	/* status and tokens first: the store's index reads them from the head of the line (store/record.c) */
	jw_str(w, "status", status_name(t->status));
	jw_i64(w, "tokens", t->tokens);
	jw_str(w, "platform", t->platform != NULL ? t->platform : "");
	jw_str(w, "model", t->model != NULL ? t->model : "");
	jw_str(w, "router", t->router);
	jw_i64(w, "priority", t->priority);
	jw_time(w, "updated", t->updated);
	write_task_usage(w, t);
	jw_i64(w, "token_budget", t->token_budget);
	jw_str(w, "on_budget", t->on_budget == BUDGET_STOP ? "stop" : "flag");
	jw_bool(w, "budget_exceeded", t->budget_exceeded);
	jw_str(w, "result", t->result != NULL ? t->result : "");
	jw_str(w, "error", t->error);
	jw_bool(w, "held", t->held);
	jw_time(w, "parked_until", t->parked_until);
	jw_bool(w, "verified", task_verified(t));
	write_review(w, &t->review);
	write_artifacts(w, t);
	jw_array(w, "sessions");
	for (size_t i = 0; i < t->session_count; i++)
		write_session(w, &t->sessions[i], parts);
	jw_array_end(w);
}

void task_write(struct jw *w, const struct task *t, unsigned parts)
{
	if ((parts & PART_FIXED) != 0)
		write_fixed(w, t);
	if ((parts & PART_FIXED) != 0 && (parts & PART_PRIVATE) != 0 && t->idempotency_key != NULL)
		jw_str(w, "idempotency_key", t->idempotency_key);
	if ((parts & PART_FIXED) != 0)
		write_extra(w, t->extra, parts);
	if ((parts & PART_CHANGING) != 0)
		write_changing(w, t, parts);
}

void task_write_public(struct jw *w, const char *key, const struct task *t)
{
	char id[24];
	struct strbuf text;

	strbuf_init(&text);
	strbuf_i64(&text, t->id);
	memcpy(id, text.buf, text.len + 1);
	strbuf_release(&text);
	jw_object(w, key);
	jw_str(w, "id", id);
	task_write(w, t, PART_FIXED | PART_CHANGING);
	jw_object_end(w);
}

/* ---- reading ---- */
enum err usage_read(const struct json_object *o, struct usage *u, struct errinfo *e)
{
	enum err rc;

	if ((rc = jr_i64_opt(o, "input", 0, NUMBER_MAX, &u->input, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "output", 0, NUMBER_MAX, &u->output, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "cache_read", 0, NUMBER_MAX, &u->cache_read, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "cache_write", 0, NUMBER_MAX, &u->cache_write, e)) != ERR_OK)
		return rc;
	u->known = true;
	return ERR_OK;
}

static enum err read_text(const struct json_object *o, const char *key, const char **out, struct errinfo *e)
{
	return jr_str_opt(o, key, 0, SIZE_MAX, out, e);
}

static enum err read_time(const struct json_object *o, const char *key, int64_t *out, struct errinfo *e)
{
	const char *text = NULL;
	enum err rc = read_text(o, key, &text, e);

	if (rc != ERR_OK)
		return rc;
	if (text == NULL) {
		*out = 0;
		return ERR_OK;
	}
	if (clock_parse(text, out) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: a time (RFC 3339) is wanted", key);
	return ERR_OK;
}

static enum err read_outbox(const struct json_object *parent, const char *key, struct outbox *out,
			    struct errinfo *e)
{
	struct json_object *o = NULL;
	const char *state = NULL;
	enum err rc = jr_obj_opt(parent, key, &o, e);

	if (rc != ERR_OK || o == NULL)
		return rc;
	if ((rc = read_text(o, "id", &out->id, e)) != ERR_OK ||
	    (rc = read_text(o, "state", &state, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "attempts", 0, NUMBER_MAX, &out->attempts, e)) != ERR_OK ||
	    (rc = read_text(o, "error", &out->error, e)) != ERR_OK ||
	    (rc = read_time(o, "next_at", &out->next_at, e)) != ERR_OK ||
	    (rc = read_time(o, "since", &out->since, e)) != ERR_OK)
		return rc;
	out->state = step_parse(state);
	return ERR_OK;
}

static enum err read_gate(const struct json_object *parent, struct gate_verdict *g, struct errinfo *e)
{
	struct json_object *o = NULL;
	enum err rc = jr_obj_opt(parent, "gate", &o, e);

	if (rc != ERR_OK || o == NULL)
		return rc;
	g->known = true;
	if ((rc = read_text(o, "name", &g->name, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "attempt", 0, NUMBER_MAX, &g->attempt, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "passed", &g->passed, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "exit_code", INT_MIN, INT_MAX, &g->exit_code, e)) != ERR_OK ||
	    (rc = read_text(o, "output", &g->output, e)) != ERR_OK || (rc = read_text(o, "tree", &g->tree, e)) != ERR_OK ||
	    (rc = read_text(o, "gate_hash", &g->gate_hash, e)) != ERR_OK ||
	    (rc = read_text(o, "log_hash", &g->log_hash, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "changed", &g->changed, e)) != ERR_OK)
		return rc;
	return read_time(o, "at", &g->at, e);
}

static enum err read_extra(struct arena *a, const struct json_object *o, const char **out, struct errinfo *e)
{
	struct json_object *extra = NULL;
	enum err rc = jr_obj_opt(o, "extra", &extra, e);

	if (rc == ERR_OK && extra != NULL)
		*out = json_text(a, extra);
	return rc;
}

static enum err read_session(struct arena *a, const struct json_object *o, struct session *s, struct errinfo *e)
{
	struct json_object *usage = NULL;
	const char *result = NULL;
	enum err rc;

	if ((rc = read_text(o, "id", &s->id, e)) != ERR_OK || (rc = read_text(o, "agent", &s->agent, e)) != ERR_OK ||
	    (rc = read_text(o, "model", &s->model, e)) != ERR_OK ||
	    (rc = read_text(o, "router", &s->router, e)) != ERR_OK ||
	    (rc = read_time(o, "started_at", &s->started_at, e)) != ERR_OK ||
	    (rc = read_time(o, "ended_at", &s->ended_at, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "tokens", 0, NUMBER_MAX, &s->tokens, e)) != ERR_OK ||
	    (rc = jr_obj_opt(o, "usage", &usage, e)) != ERR_OK ||
	    (rc = read_text(o, "result", &result, e)) != ERR_OK ||
	    (rc = read_text(o, "summary", &s->summary, e)) != ERR_OK ||
	    (rc = read_text(o, "sandbox_id", &s->sandbox_id, e)) != ERR_OK ||
	    (rc = read_text(o, "boundary", &s->boundary, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "exit_code", INT_MIN, INT_MAX, &s->exit_code, e)) != ERR_OK ||
	    (rc = read_outbox(o, "dispatch", &s->dispatch, e)) != ERR_OK ||
	    (rc = read_outbox(o, "kill", &s->kill, e)) != ERR_OK || (rc = read_gate(o, &s->gate, e)) != ERR_OK ||
	    (rc = read_time(o, "parked_until", &s->parked_until, e)) != ERR_OK ||
	    (rc = read_time(o, "active_at", &s->active_at, e)) != ERR_OK ||
	    (rc = read_time(o, "expires_at", &s->expires_at, e)) != ERR_OK ||
	    (rc = read_text(o, "nonce", &s->nonce, e)) != ERR_OK || (rc = read_extra(a, o, &s->extra, e)) != ERR_OK)
		return rc;
	s->reported = jr_has(o, "tokens");
	s->has_exit_code = jr_has(o, "exit_code");
	s->result = result_parse(result);
	return usage != NULL ? usage_read(usage, &s->usage, e) : ERR_OK;
}

static enum err read_sessions(struct arena *a, const struct json_object *arr, struct task *t,
			      struct errinfo *e)
{
	t->session_count = json_array_len(arr);
	t->sessions = arena_alloc(a, (t->session_count + 1) * sizeof *t->sessions);
	for (size_t i = 0; i < t->session_count; i++) {
		enum err rc = read_session(a, json_array_at(arr, i), &t->sessions[i], e);
		if (rc != ERR_OK)
			return rc;
		if (t->sessions[i].id == NULL)
			t->sessions[i].id = arena_printf(a, "s%zu", i + 1);
	}
	return ERR_OK;
}

static enum err read_patch(const struct json_object *parent, struct patch_stat *p, struct errinfo *e)
{
	struct json_object *o = NULL;
	enum err rc = jr_obj_opt(parent, "patch", &o, e);

	if (rc != ERR_OK || o == NULL)
		return rc;
	p->known = true;
	if ((rc = jr_i64_opt(o, "files", 0, NUMBER_MAX, &p->files, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "added", 0, NUMBER_MAX, &p->added, e)) != ERR_OK)
		return rc;
	return jr_i64_opt(o, "removed", 0, NUMBER_MAX, &p->removed, e);
}

static enum err read_review(const struct json_object *parent, struct review *r, struct errinfo *e)
{
	struct json_object *o = NULL;
	const char *state = NULL;
	enum err rc = jr_obj_opt(parent, "review", &o, e);

	if (rc != ERR_OK || o == NULL)
		return rc;
	if ((rc = jr_bool_opt(o, "wanted", &r->wanted, e)) != ERR_OK || (rc = read_text(o, "state", &state, e)) != ERR_OK)
		return rc;
	r->state = review_parse(state);
	return read_text(o, "comment", &r->comment, e);
}

static enum err read_artifacts(struct arena *a, const struct json_object *arr, struct task *t,
			       struct errinfo *e)
{
	t->artifact_count = json_array_len(arr);
	t->artifacts = arena_alloc(a, (t->artifact_count + 1) * sizeof *t->artifacts);
	for (size_t i = 0; i < t->artifact_count; i++) {
		const struct json_object *o = json_array_at(arr, i);
		struct artifact *f = &t->artifacts[i];
		enum err rc;
		if ((rc = jr_str(o, "name", 1, TEXT_MAX, &f->name, e)) != ERR_OK ||
		    (rc = jr_i64_opt(o, "size", 0, NUMBER_MAX, &f->size, e)) != ERR_OK ||
		    (rc = read_time(o, "at", &f->at, e)) != ERR_OK ||
		    (rc = read_text(o, "session", &f->session, e)) != ERR_OK ||
		    (rc = read_patch(o, &f->patch, e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static enum err read_fixed(struct arena *a, const struct json_object *o, struct task *t, struct errinfo *e)
{
	enum err rc;

	if ((rc = jr_i64_opt(o, "id", 0, NUMBER_MAX, &t->id, e)) != ERR_OK ||
	    (rc = read_text(o, "prompt", &t->prompt, e)) != ERR_OK ||
	    (rc = read_text(o, "dir", &t->dir, e)) != ERR_OK ||
	    (rc = read_text(o, "repo_url", &t->repo_url, e)) != ERR_OK ||
	    (rc = read_text(o, "branch", &t->branch, e)) != ERR_OK ||
	    (rc = read_text(o, "host", &t->host, e)) != ERR_OK ||
	    (rc = read_text(o, "network", &t->network, e)) != ERR_OK || (rc = read_text(o, "gate", &t->gate, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "gate_loops", 0, NUMBER_MAX, &t->gate_loops, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "gate_edits", &t->gate_edits, e)) != ERR_OK ||
	    (rc = read_text(o, "idempotency_key", &t->idempotency_key, e)) != ERR_OK ||
	    (rc = read_extra(a, o, &t->extra, e)) != ERR_OK)
		return rc;
	return jr_has(o, "created") ? read_time(o, "created", &t->created, e) : ERR_OK;
}

static enum err read_changing(struct arena *a, const struct json_object *o, struct task *t, struct errinfo *e)
{
	struct json_object *sessions = NULL, *artifacts = NULL;
	const char *status = NULL, *on_budget = NULL;
	enum err rc;

	if ((rc = read_text(o, "status", &status, e)) != ERR_OK ||
	    (rc = read_text(o, "platform", &t->platform, e)) != ERR_OK ||
	    (rc = read_text(o, "model", &t->model, e)) != ERR_OK ||
	    (rc = read_text(o, "router", &t->router, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "priority", -PRIORITY_MAX, PRIORITY_MAX, &t->priority, e)) != ERR_OK ||
	    (rc = read_time(o, "updated", &t->updated, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "tokens", 0, NUMBER_MAX, &t->tokens, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "token_budget", 0, NUMBER_MAX, &t->token_budget, e)) != ERR_OK ||
	    (rc = read_text(o, "on_budget", &on_budget, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "budget_exceeded", &t->budget_exceeded, e)) != ERR_OK ||
	    (rc = read_text(o, "result", &t->result, e)) != ERR_OK ||
	    (rc = read_text(o, "error", &t->error, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "held", &t->held, e)) != ERR_OK ||
	    (rc = read_time(o, "parked_until", &t->parked_until, e)) != ERR_OK ||
	    (rc = read_review(o, &t->review, e)) != ERR_OK ||
	    (rc = jr_arr_opt(o, "artifacts", &artifacts, e)) != ERR_OK ||
	    (rc = jr_arr_opt(o, "sessions", &sessions, e)) != ERR_OK)
		return rc;
	if (status != NULL && status_parse(status, &t->status) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "status: %.20s is none", status);
	if (on_budget != NULL)
		t->on_budget = strcmp(on_budget, "stop") == 0 ? BUDGET_STOP : BUDGET_FLAG;
	if (artifacts != NULL && (rc = read_artifacts(a, artifacts, t, e)) != ERR_OK)
		return rc;
	return sessions != NULL ? read_sessions(a, sessions, t, e) : ERR_OK;
}

enum err task_read(struct arena *a, const struct json_object *o, struct task *t, struct errinfo *e)
{
	enum err rc = read_fixed(a, o, t, e);

	return rc == ERR_OK && jr_has(o, "status") ? read_changing(a, o, t, e) : rc;
}

/* ---- adopting ---- */
static const char *const task_members[] = {
	"id", "prompt", "dir", "repo_url", "branch", "host", "network", "idempotency_key", "created", "status",
	"platform", "model", "router", "priority", "updated", "tokens", "usage", "token_budget", "on_budget",
	"budget_exceeded", "result", "error", "held", "parked_until", "artifacts", "sessions", "extra", "gate",
	"gate_loops", "gate_edits", "review", "verified", NULL,
};
static const char *const session_members[] = {
	"id", "agent", "model", "router", "started_at", "ended_at", "tokens", "usage", "result", "summary",
	"sandbox_id", "boundary", "exit_code", "dispatch", "kill", "active_at", "expires_at", "nonce", "extra", "gate",
	"parked_until", NULL,
};

struct unknown {
	const char *const *known;
	struct arena *a;
	struct jw w;
	size_t count;
};

static enum err collect(const char *key, struct json_object *value, void *arg)
{
	struct unknown *u = arg;

	for (size_t i = 0; u->known[i] != NULL; i++) {
		if (strcmp(u->known[i], key) == 0)
			return ERR_OK;
	}
	const char *text = json_text(u->a, value);
	jw_raw(&u->w, key, text, strlen(text));
	u->count++;
	return ERR_OK;
}

static const char *unknown_members(struct arena *a, const struct json_object *o, const char *const *known)
{
	struct unknown u = { .known = known, .a = a };
	struct strbuf text;

	strbuf_init(&text);
	jw_init(&u.w, &text);
	jw_object(&u.w, NULL);
	(void)json_each(o, collect, &u); /* collect never fails */
	jw_object_end(&u.w);
	const char *out = u.count > 0 ? arena_strdup(a, text.buf) : NULL;
	strbuf_release(&text);
	return out;
}

enum err task_adopt(struct arena *a, const struct json_object *o, struct task *t, struct errinfo *e)
{
	struct json_object *sessions = NULL;
	enum err rc;

	memset(t, 0, sizeof *t);
	if (!json_is_object(o))
		return err_set(e, ERR_BAD_INPUT, 0, "a task is no JSON object");
	if (!jr_has(o, "id") || (rc = jr_i64_opt(o, "id", 1, TASK_ID_MAX, &t->id, e)) != ERR_OK)
		return err_set(e, ERR_BAD_INPUT, 0, "a task without a number for its id");
	if (!jr_has(o, "status")) /* task_read takes what changes only where there is one: it would be lost in silence */
		return err_set(e, ERR_BAD_INPUT, 0, "task %lld has no status", (long long)t->id);
	if ((rc = task_read(a, o, t, e)) != ERR_OK || (rc = jr_arr_opt(o, "sessions", &sessions, e)) != ERR_OK)
		return rc;
	t->extra = unknown_members(a, o, task_members);
	for (size_t i = 0; i < t->session_count; i++) {
		struct session *s = &t->sessions[i];
		s->extra = unknown_members(a, json_array_at(sessions, i), session_members);
		s->dispatch = (struct outbox){ 0 }; /* not attached to any sandbox of ours */
		s->kill = (struct outbox){ 0 };
	}
	if (t->updated == 0)
		t->updated = t->created;
	return ERR_OK;
}

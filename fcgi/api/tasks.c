/* Creating, listing, showing and deleting tasks. */
#include <inttypes.h>
#include <string.h>

#include "api/answer.h"
#include "api/api.h"
#include "api/run.h"
#include "core/json.h"
#include "core/number.h"
#include "model/codec.h"
#include "store/agents.h"
#include "store/output.h"
#include "store/settings.h"
#include "store/store.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200, KEY_MAX = 255, LIST_BYTES = 8 << 20, SEARCH_STEPS = 1000 };

/* ---- create ---- */
static bool blank(const char *s)
{
	return s[strspn(s, " \t\r\n\v\f")] == '\0';
}

static enum err one_of(const char *name, const char *value, const char *const *allowed, struct errinfo *e)
{
	char list[120] = "";

	if (value == NULL)
		return ERR_OK;
	for (size_t i = 0; allowed[i] != NULL; i++) {
		if (strcmp(value, allowed[i]) == 0)
			return ERR_OK;
		size_t used = strlen(list);
		for (const char *p = *list != '\0' ? ", " : ""; *p != '\0' && used + 1 < sizeof list; p++)
			list[used++] = *p;
		for (const char *p = allowed[i]; *p != '\0' && used + 1 < sizeof list; p++)
			list[used++] = *p;
		list[used] = '\0';
	}
	return err_set(e, ERR_BAD_INPUT, 0, "%s: one of %s is wanted", name, list);
}

/* An empty field of a form is a field left out. */
static const char *or_null(const char *s)
{
	return s != NULL && *s != '\0' ? s : NULL;
}

static enum err read_texts(const struct form *f, struct task *t, const char **on_budget, struct errinfo *e)
{
	enum err rc;

	if ((rc = form_str(f, "prompt", 1, PROMPT_MAX, &t->prompt, e)) != ERR_OK)
		return rc;
	if (blank(t->prompt))
		return err_set(e, ERR_BAD_INPUT, 0, "prompt: say what is to be done");
	if ((rc = form_str_opt(f, "dir", 0, TEXT_MAX, &t->dir, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "repo_url", 0, TEXT_MAX, &t->repo_url, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "branch", 0, TEXT_MAX, &t->branch, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "platform", 0, TEXT_MAX, &t->platform, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "agent", 0, TEXT_MAX, &t->platform, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "model", 0, TEXT_MAX, &t->model, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "router", 0, TEXT_MAX, &t->router, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "host", 0, TEXT_MAX, &t->host, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "network", 0, TEXT_MAX, &t->network, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "gate", 0, TEXT_MAX, &t->gate, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "on_budget", 0, TEXT_MAX, on_budget, e)) != ERR_OK)
		return rc;
	t->dir = or_null(t->dir);
	t->repo_url = or_null(t->repo_url);
	t->branch = or_null(t->branch);
	t->platform = or_null(t->platform);
	t->model = or_null(t->model);
	t->router = or_null(t->router);
	t->host = or_null(t->host);
	t->network = or_null(t->network);
	t->gate = or_null(t->gate);
	*on_budget = or_null(*on_budget);
	return ERR_OK;
}

/* A script of the repository: a path that stays inside it.  Which tree it is taken from is settled in the box. */
static enum err check_gate(const struct task *t, struct errinfo *e)
{
	enum err rc = plain_argument("gate", t->gate, e);

	if (rc != ERR_OK || t->gate == NULL || strcmp(t->gate, "none") == 0)
		return rc;
	for (const char *p = t->gate; *p != '\0';) {
		size_t n = strcspn(p, "/");
		if (n == 0 || (n == 2 && memcmp(p, "..", 2) == 0))
			return err_set(e, ERR_BAD_INPUT, 0,
				       "gate: a path inside the repository is wanted, such as gates/health.sh, or none");
		p += n + (p[n] == '/' ? 1 : 0);
	}
	return ERR_OK;
}

static enum err check_texts(struct app *app, struct request *rq, const struct task *t, const char *on_budget,
			    struct errinfo *e)
{
	static const char *const hosts[] = { "local", "cloudflare", NULL };
	static const char *const networks[] = { "none", "internet", "host", NULL };
	static const char *const budgets[] = { "flag", "stop", NULL };
	enum err rc;

	if ((rc = plain_argument("repo_url", t->repo_url, e)) != ERR_OK ||
	    (rc = plain_argument("branch", t->branch, e)) != ERR_OK ||
	    (rc = plain_argument("dir", t->dir, e)) != ERR_OK ||
	    (rc = plain_argument("model", t->model, e)) != ERR_OK ||
	    (rc = one_of("router", t->router, router_names, e)) != ERR_OK ||
	    (rc = one_of("host", t->host, hosts, e)) != ERR_OK ||
	    (rc = one_of("network", t->network, networks, e)) != ERR_OK ||
	    (rc = one_of("on_budget", on_budget, budgets, e)) != ERR_OK || (rc = check_gate(t, e)) != ERR_OK)
		return rc;
	if (t->host != NULL && strcmp(t->host, "cloudflare") == 0 && t->dir != NULL && t->repo_url == NULL)
		return err_wire(e, ERR_BAD_INPUT, "dir_needs_local",
				"dir: the Cloudflare host cannot see a directory of this machine; give a repo_url, or host local");
	return t->platform != NULL ? agents_known(app->var, &rq->arena, t->platform, e) : ERR_OK;
}

static enum err read_create(struct app *app, struct request *rq, const struct form *f, struct task *t, bool *run,
			    struct errinfo *e)
{
	const char *on_budget = NULL;
	struct settings s;
	enum err rc;

	if ((rc = settings_read(app->var, &rq->arena, &s, e)) != ERR_OK)
		return rc;
	t->token_budget = s.token_budget;
	t->gate_loops = s.gate_loops;
	if ((rc = read_texts(f, t, &on_budget, e)) != ERR_OK ||
	    (rc = check_texts(app, rq, t, on_budget, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "priority", -PRIORITY_MAX, PRIORITY_MAX, &t->priority, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "token_budget", 0, NUMBER_MAX, &t->token_budget, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "gate_loops", 0, GATE_LOOPS_MAX, &t->gate_loops, e)) != ERR_OK ||
	    (rc = form_bool_opt(f, "gate_edits", &t->gate_edits, e)) != ERR_OK ||
	    (rc = form_bool_opt(f, "review", &t->review.wanted, e)) != ERR_OK ||
	    (rc = form_bool_opt(f, "run", run, e)) != ERR_OK)
		return rc;
	t->on_budget = on_budget != NULL && strcmp(on_budget, "stop") == 0 ? BUDGET_STOP : BUDGET_FLAG;
	if (*rq->idempotency_key != '\0') {
		if (strlen(rq->idempotency_key) > KEY_MAX)
			return err_set(e, ERR_BAD_INPUT, 0, "Idempotency-Key: at most %d bytes are wanted", KEY_MAX);
		t->idempotency_key = rq->idempotency_key;
	}
	t->created = t->updated = app->now();
	return ERR_OK;
}

enum err api_task_create(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct task t = { 0 };
	struct run_input in;
	struct form f;
	bool run = false;
	enum err rc;

	if ((rc = form_read(rq, &f, e)) != ERR_OK || (rc = read_create(app, rq, &f, &t, &run, e)) != ERR_OK)
		return rc;
	if (run) {
		if ((rc = run_input_make(app, rq, &t, NULL, &in, e)) != ERR_OK ||
		    (rc = task_run(&t, &rq->arena, &in, t.created, e)) != ERR_OK)
			return rc;
	}
	if ((rc = store_create(app->store, &rq->arena, &t, e)) != ERR_OK)
		return rc;
	answer_changed(rs, &t);
	return ERR_OK;
}

/* ---- show, delete ---- */
enum err api_task_get(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct task t;
	int64_t id;
	enum err rc = wanted_id(rq, NULL, &id, e);

	if (rc != ERR_OK || (rc = store_get(app->store, &rq->arena, id, &t, e)) != ERR_OK)
		return rc;
	answer_task(rs, &t);
	return ERR_OK;
}

enum err api_task_delete(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct form f;
	struct task t;
	int64_t id;
	enum err rc = form_read(rq, &f, e);

	if (rc != ERR_OK || (rc = wanted_id(rq, &f, &id, e)) != ERR_OK ||
	    (rc = store_delete(app->store, &rq->arena, id, app->now(), &t, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < t.session_count; i++)
		output_remove(app->var, t.id, t.sessions[i].id);
	for (size_t i = 0; i < t.artifact_count; i++)
		artifact_remove(app->var, t.id, t.artifacts[i].name);
	answer_changed(rs, &t);
	return ERR_OK;
}

/* ---- list ---- */
struct list_query {
	unsigned mask;
	int64_t limit, cursor;
	const char *q;
};

static enum err read_query(struct request *rq, struct list_query *lq, struct errinfo *e)
{
	struct form f;
	const char *status = NULL;
	enum status one;
	enum err rc = form_decode(&rq->arena, rq->query, strlen(rq->query), &f, e);

	*lq = (struct list_query){ .mask = ~0U, .limit = LIMIT_DEFAULT };
	if (rc != ERR_OK || (rc = form_str_opt(&f, "status", 0, 16, &status, e)) != ERR_OK ||
	    (rc = form_i64_opt(&f, "limit", 1, LIMIT_MAX, &lq->limit, e)) != ERR_OK ||
	    (rc = form_i64_opt(&f, "cursor", 1, NUMBER_MAX, &lq->cursor, e)) != ERR_OK ||
	    (rc = form_str_opt(&f, "q", 0, TEXT_MAX, &lq->q, e)) != ERR_OK)
		return rc;
	if (status != NULL && *status != '\0') {
		if (status_parse(status, &one) < 0)
			return err_set(e, ERR_BAD_INPUT, 0, "status: queued, active, done or failed is wanted");
		lq->mask = 1U << one;
	}
	if (lq->q != NULL && *lq->q == '\0')
		lq->q = NULL;
	return ERR_OK;
}

static bool matches(const struct task *t, const char *q)
{
	return q == NULL || strcasestr(t->prompt, q) != NULL || (t->result != NULL && strcasestr(t->result, q) != NULL);
}

/* What one request may cost: so many tasks looked at, so many bytes read.  The first one is always looked at. */
struct effort {
	size_t tasks, bytes;
};

static bool exhausted(struct effort *f, size_t bytes)
{
	bool first = f->tasks == 0;

	f->tasks++;
	f->bytes += bytes;
	return !first && (f->bytes > LIST_BYTES || f->tasks > SEARCH_STEPS);
}

/* ERR_NOT_FOUND also when it does not match. */
static enum err list_one(struct app *app, int64_t id, const char *q, struct jw *w, struct errinfo *e)
{
	struct arena a = { 0 };
	const struct task *t;
	struct task whole;
	size_t len;
	bool cut;
	enum err rc = store_glance(app->store, id, &t, &cut, e);

	if (rc == ERR_OK && cut) {
		rc = store_get(app->store, &a, id, &whole, e);
		t = &whole;
	}
	if (rc == ERR_OK && !matches(t, q))
		rc = ERR_NOT_FOUND;
	const char *json = rc == ERR_OK && !cut ? store_glance_json(app->store, t, &len) : NULL;
	if (json != NULL)
		jw_raw(w, NULL, json, len);
	else if (rc == ERR_OK)
		task_write_public(w, NULL, t);
	arena_reset(&a);
	return rc;
}

/* Returns where the next page goes on, 0 at the end, through *next. */
static enum err list_tasks(struct app *app, const struct list_query *lq, struct jw *w, int64_t *next, struct errinfo *e)
{
	struct effort effort = { 0 };
	int64_t shown = 0, id, below = lq->cursor;

	for (*next = 0; shown < lq->limit; below = id) {
		if (store_list(app->store, lq->mask, below, &id, 1, next) == 0)
			return ERR_OK; /* *next is not 0 when the walk was only too long */
		if (exhausted(&effort, store_bytes(app->store, id))) {
			*next = id + 1;
			return ERR_OK;
		}
		enum err rc = list_one(app, id, lq->q, w, e);
		if (rc == ERR_OK)
			shown++;
		else if (rc != ERR_NOT_FOUND)
			return rc;
		if (*next == 0)
			return ERR_OK;
	}
	return ERR_OK;
}

enum err api_task_list(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct list_query lq;
	struct jw w;
	int64_t next;
	enum err rc = read_query(rq, &lq, e);

	if (rc != ERR_OK)
		return rc;
	if ((rc = store_catch_up(app->store, e)) != ERR_OK && rc != ERR_CORRUPT)
		return rc;
	jw_init(&w, &rs->body);
	jw_object(&w, NULL);
	jw_array(&w, "tasks");
	if ((rc = list_tasks(app, &lq, &w, &next, e)) != ERR_OK)
		return rc;
	jw_array_end(&w);
	if (next > 0)
		jw_str(&w, "next_cursor", arena_printf(&rq->arena, "%" PRId64, next));
	else
		jw_null(&w, "next_cursor");
	jw_object_end(&w);
	return ERR_OK;
}

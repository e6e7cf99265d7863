/*
 * The wizard that makes a task, in four steps: what, who, which model, review.
 *
 * Every step is one form that holds all values: those of its own step in fields, the others hidden, so that nothing typed
 * is lost on the way, forwards, backwards or through a refusal.  What a step's buttons send: `step` (go there), `choose`
 * (this agent or model, and on), `skip` (neither, and on); `at` says which step it was.
 */
#include <inttypes.h>
#include <string.h>

#include "http/form.h"
#include "model/agent.h"
#include "partials/parts.h"
#include "partials/partials.h"
#include "partials/text.h"
#include "store/settings.h"

enum { STEP_TASK = 1, STEP_AGENT, STEP_MODEL, STEP_REVIEW };

/* A task's fields, and the step that asks for each. */
static const struct field {
	const char *name;
	int step;
	bool advanced; /* below the fold */
} fields[] = {
	{ "prompt", STEP_TASK, false },	     { "dir", STEP_TASK, false },      { "repo_url", STEP_TASK, true },
	{ "branch", STEP_TASK, true },	     { "priority", STEP_TASK, true },  { "token_budget", STEP_TASK, true },
	{ "on_budget", STEP_TASK, true },    { "gate", STEP_TASK, true },      { "gate_loops", STEP_TASK, true },
	{ "review", STEP_TASK, true },	     { "agent", STEP_AGENT, false },   { "model", STEP_MODEL, false },
	{ "router", STEP_MODEL, true },
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

struct wizard {
	const char *values[FIELDS];
	int step;
};

static const char **value(struct wizard *w, const char *name)
{
	size_t i = 0;

	while (strcmp(fields[i].name, name) != 0)
		i++;
	return &w->values[i];
}

/* ---- what can be chosen ---- */
static void offer(struct view *v, const char *list, const char *id, const char *label, const char *chosen)
{
	struct view *item = view_item(v, list);

	view_text(item, "id", id);
	view_text(item, "label", label);
	view_flag(item, "chosen", chosen != NULL && strcmp(chosen, id) == 0);
}

static struct view *offer_agent(struct view *v, const char *id, struct face face, const char *chosen)
{
	struct view *item = view_item(v, "agents");

	view_text(item, "id", id);
	view_text(item, "label", face.name);
	view_text(item, "class", face.class);
	view_flag(item, "chosen", chosen != NULL && strcmp(chosen, id) == 0);
	return item;
}

static void fill_agents(struct app *app, struct roster *r, const char *chosen, struct view *v)
{
	struct settings s;
	struct errinfo e;
	bool found = chosen == NULL || *chosen == '\0' || agent_find(chosen) != NULL;

	for (size_t i = 0; i < builtin_agent_count; i++) {
		const char *id = builtin_agents[i].id, *missing = agents_missing(app->var, r->arena, id);
		struct view *item = offer_agent(v, id, agent_face(r, id), chosen);
		view_flag(item, "available", missing == NULL);
		view_text(item, "note", missing != NULL ? missing : strcmp(id, "shell") == 0 ? "Runs the task as a script" : NULL);
	}
	(void)roster_find(r, NULL);
	for (size_t i = 0; i < r->count; i++) {
		const struct own_agent *own = &r->own[i];
		struct view *item = offer_agent(v, own->id, agent_face(r, own->id), chosen);
		view_flag(item, "available", own->command != NULL);
		view_text(item, "note", own->command != NULL ? text_shown(r->arena, own->command) : "no command is set");
		found = found || strcmp(own->id, chosen) == 0;
	}
	/* What is chosen already stays on offer, known or not: the server says what is wrong with it. */
	if (!found)
		view_flag(offer_agent(v, chosen, agent_face(r, chosen), chosen), "available", false);
	if (settings_read(app->var, r->arena, &s, &e) == ERR_OK)
		view_text(v, "default_agent", agent_face(r, agents_default(app->var, r->arena, &s)).name);
}

static const char *const routers[][2] = {
	{ "custom", "Custom server" },
	{ "cf-ai", "Cloudflare AI Gateway" },
	{ "openrouter", "OpenRouter" },
	{ "zen", "OpenCode Zen" },
};

static void fill_routers(struct arena *a, const char *chosen, struct view *v)
{
	bool found = chosen == NULL || *chosen == '\0';

	for (size_t i = 0; i < sizeof routers / sizeof routers[0]; i++) {
		offer(v, "routers", routers[i][0], routers[i][1], chosen);
		found = found || strcmp(routers[i][0], chosen) == 0;
	}
	if (!found)
		offer(v, "routers", chosen, text_shown(a, chosen), chosen);
}

/* What the agent suggests; model is free text. No agent: every suggestion once. */
static void fill_models(struct roster *r, const char *agent, const char *chosen, struct view *v)
{
	enum { MODELS_MAX = 64 };
	const char *seen[MODELS_MAX];
	size_t n = 0;
	const struct own_agent *own = agent != NULL && agent_find(agent) == NULL ? roster_find(r, agent) : NULL;

	for (size_t i = 0; own != NULL && i < own->model_count; i++)
		offer(v, "models", own->models[i], text_shown(r->arena, own->models[i]), chosen);
	for (size_t i = 0; own == NULL && i < builtin_agent_count; i++) {
		if (agent != NULL && *agent != '\0' && strcmp(agent, builtin_agents[i].id) != 0)
			continue;
		char *save, *list = arena_strdup(r->arena, builtin_agents[i].models);
		for (char *m = strtok_r(list, " ", &save); m != NULL; m = strtok_r(NULL, " ", &save)) {
			size_t at = 0;
			while (at < n && strcmp(seen[at], m) != 0)
				at++;
			if (at < n || n == MODELS_MAX)
				continue;
			seen[n++] = m;
			offer(v, "models", m, m, chosen);
		}
	}
}

void choices_fill(struct app *app, struct arena *a, const char *agent, const char *router, struct view *v)
{
	struct roster r = { .app = app, .arena = a };

	fill_agents(app, &r, agent, v);
	fill_routers(a, router, v);
	fill_models(&r, NULL, NULL, v);
}

/* ---- the steps ---- */
static bool has_value(struct wizard *w, const char *name, const char *text)
{
	const char *is = *value(w, name);

	return is != NULL && strcmp(is, text) == 0;
}

static void fill_values(struct arena *a, struct wizard *w, struct view *v)
{
	bool folded_out = false;

	for (size_t i = 0; i < FIELDS; i++) {
		const char *text = w->values[i];
		if (text == NULL || *text == '\0')
			continue;
		view_text(v, fields[i].name, text);
		if (fields[i].step == w->step) {
			folded_out = folded_out || fields[i].advanced;
			continue;
		}
		struct view *item = view_item(v, "carried");
		view_text(item, "field", fields[i].name);
		view_text(item, "text", text);
	}
	view_flag(v, "folded_out", folded_out);
	view_flag(v, "stops", has_value(w, "on_budget", "stop"));
	view_flag(v, "reviewed", has_value(w, "review", "true"));
	view_num(v, "step", w->step);
	view_flag(v, arena_printf(a, "is_step_%s", (const char *[]){ "one", "two", "three", "four" }[w->step - 1]), true);
}

static void fill_review(struct roster *r, struct wizard *w, struct view *v)
{
	static const char *const names[] = { "prompt", "dir", "repo_url", "branch", "gate", "model" };
	const char *agent = *value(w, "agent"), *router = *value(w, "router");
	struct face face = agent_face(r, agent != NULL && *agent != '\0' ? agent : NULL);

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		view_text(v, arena_printf(r->arena, "shown_%s", names[i]), text_shown(r->arena, *value(w, names[i])));
	view_text(v, "agent_name", face.name);
	view_text(v, "agent_class", face.class);
	for (size_t i = 0; router != NULL && i < sizeof routers / sizeof routers[0]; i++) {
		if (strcmp(routers[i][0], router) == 0)
			view_text(v, "router_name", routers[i][1]);
	}
}

static void fill_step(struct app *app, struct request *rq, struct wizard *w, struct view *v)
{
	struct roster r = { .app = app, .arena = &rq->arena };
	struct settings s;
	struct errinfo e;

	fill_values(&rq->arena, w, v);
	if (w->step == STEP_TASK && settings_read(app->var, &rq->arena, &s, &e) == ERR_OK) {
		view_num(v, "default_budget", s.token_budget);
		view_num(v, "default_loops", s.gate_loops);
	}
	if (w->step == STEP_AGENT || w->step == STEP_REVIEW)
		fill_agents(app, &r, *value(w, "agent"), v);
	if (w->step == STEP_MODEL) {
		const char *agent = *value(w, "agent");
		struct face face = agent_face(&r, agent != NULL && *agent != '\0' ? agent : NULL);
		fill_models(&r, agent, *value(w, "model"), v);
		fill_routers(&rq->arena, *value(w, "router"), v);
		view_text(v, "agent_name", face.name);
		view_text(v, "agent_class", face.class);
	}
	if (w->step == STEP_REVIEW)
		fill_review(&r, w, v);
}

static enum err read_values(const struct form *f, struct wizard *w, struct errinfo *e)
{
	enum err rc = ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < FIELDS; i++)
		rc = form_str_opt(f, fields[i].name, 0, BODY_MAX, &w->values[i], e);
	return rc;
}

static enum err read_step(const struct form *f, const char *name, int *out, struct errinfo *e)
{
	int64_t step = *out;
	struct errinfo ignored;

	if (form_i64_opt(f, name, STEP_TASK, STEP_REVIEW, &step, &ignored) != ERR_OK)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: %d to %d is wanted", name, STEP_TASK, STEP_REVIEW);
	*out = (int)step;
	return ERR_OK;
}

static bool says_something(const char *s)
{
	return s != NULL && s[strspn(s, " \t\r\n\v\f")] != '\0';
}

/* From the step that was sent to the one that is wanted, with what was chosen there. */
static enum err go_on(const struct form *f, struct wizard *w, struct errinfo *e)
{
	const char *choice = NULL;
	bool skip = false;
	int at = STEP_TASK;
	enum err rc;

	w->step = STEP_TASK;
	if ((rc = read_step(f, "at", &at, e)) != ERR_OK || (rc = read_step(f, "step", &w->step, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "choose", 0, TEXT_MAX, &choice, e)) != ERR_OK ||
	    (rc = form_bool_opt(f, "skip", &skip, e)) != ERR_OK)
		return rc;
	if (choice == NULL && !skip)
		return ERR_OK;
	const char **chosen = value(w, at == STEP_MODEL ? "model" : "agent");
	/* Another agent has other models. */
	if (at != STEP_MODEL && (*chosen == NULL || choice == NULL || strcmp(*chosen, choice) != 0))
		*value(w, "model") = NULL;
	*chosen = choice;
	w->step = at == STEP_MODEL || skip ? STEP_REVIEW : STEP_MODEL;
	return ERR_OK;
}

enum err create_refused(struct app *app, struct request *rq, const struct form *values, const char *message,
			struct view *v, struct errinfo *e)
{
	struct wizard w = { .step = STEP_REVIEW };
	enum err rc = read_values(values, &w, e);

	if (rc != ERR_OK)
		return rc;
	/* Messages begin with the field they are about. */
	for (size_t i = 0; i < FIELDS; i++) {
		size_t n = strlen(fields[i].name);
		if (strncmp(message, fields[i].name, n) == 0 && message[n] == ':')
			w.step = fields[i].step;
	}
	view_text(v, "message", message);
	fill_step(app, rq, &w, v);
	return ERR_OK;
}

enum err partial_create(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	bool post = strcmp(rq->method, "POST") == 0;
	struct wizard w = { .step = STEP_TASK };
	struct form f;
	enum err rc = post ? form_read(rq, &f, e) : form_decode(&rq->arena, rq->query, strlen(rq->query), &f, e);

	if (rc != ERR_OK || (rc = read_values(&f, &w, e)) != ERR_OK || (rc = go_on(&f, &w, e)) != ERR_OK)
		return rc;
	struct view *v = rq->htmx ? view_new(app, &rq->arena) : page_new(app, rq, "New task – chomp");
	if (w.step > STEP_TASK && post && !says_something(*value(&w, "prompt"))) {
		w.step = STEP_TASK;
		view_text(v, "message", "Enter a task");
	}
	fill_step(app, rq, &w, v);
	return page_send(v, rq->htmx ? "partials/create.cs" : "create.cs", rs, e);
}

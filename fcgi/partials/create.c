/*
 * The form that makes a task.  One page for all steps for now; whatever values come with the request are in its fields,
 * so that nothing typed is lost on the way through an error or a step.
 */
#include <string.h>

#include "core/json.h"
#include "core/number.h"
#include "http/form.h"
#include "model/agent.h"
#include "partials/parts.h"
#include "partials/partials.h"
#include "partials/text.h"
#include "store/document.h"
#include "store/settings.h"

enum { STEPS = 4, MODELS_MAX = 32 };

/* ---- what can be chosen ---- */
struct chooser {
	struct arena *arena;
	struct view *view;
	const char *list, *chosen;
	bool found;
};

static void offer(struct chooser *c, const char *id, const char *label)
{
	struct view *item = view_item(c->view, c->list);
	bool chosen = c->chosen != NULL && strcmp(c->chosen, id) == 0;

	view_text(item, "id", id);
	view_text(item, "label", label);
	view_flag(item, "chosen", chosen);
	c->found = c->found || chosen;
}

/* What is chosen already stays on offer, known or not: the server says what is wrong with it. */
static void offer_stranger(struct chooser *c)
{
	if (!c->found && c->chosen != NULL && *c->chosen != '\0')
		offer(c, c->chosen, text_shown(c->arena, c->chosen));
}

static enum err offer_custom(const char *id, struct json_object *value, void *arg)
{
	struct chooser *c = arg;
	const char *name = id;
	struct errinfo e;

	if (agent_id_valid(id) && agent_find(id) == NULL && json_is_object(value)) {
		if (jr_str_opt(value, "name", 1, TEXT_MAX, &name, &e) != ERR_OK)
			name = id;
		offer(c, arena_strdup(c->arena, id), text_shown(c->arena, name));
	}
	return ERR_OK;
}

static void fill_agents(struct app *app, struct arena *a, const char *chosen, struct view *v)
{
	struct chooser c = { .arena = a, .view = v, .list = "agents", .chosen = chosen };
	struct json_object *custom = NULL;
	struct settings s;
	struct errinfo e;

	for (size_t i = 0; i < builtin_agent_count; i++)
		offer(&c, builtin_agents[i].id, builtin_agents[i].name);
	if (document_read(app->var, "agents.json", a, &custom, &e) == ERR_OK && custom != NULL)
		(void)json_each(custom, offer_custom, &c);
	offer_stranger(&c);
	if (settings_read(app->var, a, &s, &e) == ERR_OK && s.default_agent != NULL)
		view_text(v, "default_agent", text_shown(a, agent_label(s.default_agent)));
}

static void fill_routers(struct arena *a, const char *chosen, struct view *v)
{
	struct chooser c = { .arena = a, .view = v, .list = "routers", .chosen = chosen };

	offer(&c, "custom", "Custom server");
	offer(&c, "cf-ai", "Cloudflare AI Gateway");
	offer(&c, "openrouter", "OpenRouter");
	offer(&c, "zen", "OpenCode Zen");
	offer_stranger(&c);
}

/* Suggestions for the free text: every model that an agent lists, once. */
static void fill_models(struct arena *a, struct view *v)
{
	const char *seen[MODELS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < builtin_agent_count; i++) {
		char *save, *list = arena_strdup(a, builtin_agents[i].models);
		for (char *m = strtok_r(list, " ", &save); m != NULL; m = strtok_r(NULL, " ", &save)) {
			size_t at = 0;
			while (at < n && strcmp(seen[at], m) != 0)
				at++;
			if (at < n || n == MODELS_MAX)
				continue;
			seen[n++] = m;
			view_text(view_item(v, "models"), "id", m);
		}
	}
}

void choices_fill(struct app *app, struct arena *a, const char *agent, const char *router, struct view *v)
{
	fill_agents(app, a, agent, v);
	fill_routers(a, router, v);
	fill_models(a, v);
}

/* ---- the form ---- */
enum err create_fill(struct app *app, struct request *rq, const struct form *values, struct view *v,
		     struct errinfo *e)
{
	static const char *const fields[] = { "prompt", "dir", "repo_url", "branch", "model" };
	enum { FOLDED = 2 }; /* from here on they are below the fold, which opens when one is filled in */
	const char *agent = NULL, *router = NULL;
	bool folded_out = false;
	enum err rc;

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const char *text = NULL;
		if ((rc = form_str_opt(values, fields[i], 0, BODY_MAX, &text, e)) != ERR_OK)
			return rc;
		view_text(v, fields[i], text);
		folded_out = folded_out || (i >= FOLDED && text != NULL && *text != '\0');
	}
	if ((rc = form_str_opt(values, "agent", 0, BODY_MAX, &agent, e)) != ERR_OK ||
	    (rc = form_str_opt(values, "router", 0, BODY_MAX, &router, e)) != ERR_OK)
		return rc;
	view_flag(v, "folded_out", folded_out || (router != NULL && *router != '\0'));
	choices_fill(app, &rq->arena, agent, router, v);
	return ERR_OK;
}

static enum err check_step(const struct form *values, struct errinfo *e)
{
	const char *text = NULL;
	int64_t step;

	if (form_str_opt(values, "step", 0, BODY_MAX, &text, e) != ERR_OK ||
	    (text != NULL && number_parse(text, 1, STEPS, &step) < 0))
		return err_set(e, ERR_BAD_INPUT, 0, "step: 1 to %d is wanted", STEPS);
	return ERR_OK;
}

enum err partial_create(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	bool post = strcmp(rq->method, "POST") == 0;
	struct form values;
	enum err rc = post ? form_read(rq, &values, e) :
			     form_decode(&rq->arena, rq->query, strlen(rq->query), &values, e);

	if (rc != ERR_OK || (rc = check_step(&values, e)) != ERR_OK)
		return rc;
	struct view *v = rq->htmx ? view_new(app, &rq->arena) : page_new(app, rq, "New task – chomp");
	if ((rc = create_fill(app, rq, &values, v, e)) != ERR_OK)
		return rc;
	return page_send(v, rq->htmx ? "partials/create.cs" : "create.cs", rs, e);
}

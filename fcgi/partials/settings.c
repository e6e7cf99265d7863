/*
 * The settings: agents, keys, the queue, gates and budgets, and signing out.  Each change is a form of its own to the API;
 * a key's value never comes back, only what shows that it is there.
 */
#include <inttypes.h>
#include <string.h>

#include "model/agent.h"
#include "partials/parts.h"
#include "partials/partials.h"
#include "partials/text.h"
#include "store/settings.h"

/* ---- agents ---- */
static struct view *add_agent(struct view *v, const char *id, struct face face, const char *missing)
{
	struct view *item = view_item(v, "agents");

	view_text(item, "id", id);
	view_text(item, "label", face.name);
	view_text(item, "class", face.class);
	view_flag(item, "available", missing == NULL);
	return item;
}

/* "not installed: scripts/chompctl agent install pi": the command stands in type of its own. */
static void fill_mend(struct arena *a, const char *missing, struct view *item)
{
	static const char before[] = "not installed: ";
	bool known = missing != NULL && strncmp(missing, before, sizeof before - 1) == 0;
	const char *what = known ? missing + sizeof before - 1 : NULL;

	if (what != NULL && strncmp(what, "scripts/", 8) == 0)
		view_text(item, "mend", what);
	else
		view_text(item, "note", text_shown(a, missing));
}

static void fill_agents(struct app *app, struct roster *r, const struct settings *s, struct view *v)
{
	const char *chosen = s->default_agent;

	for (size_t i = 0; i < builtin_agent_count; i++) {
		const char *id = builtin_agents[i].id, *missing = agents_missing(app->var, r->arena, id);
		struct view *item = add_agent(v, id, agent_face(r, id), missing);
		fill_mend(r->arena, missing, item);
		view_flag(item, "chosen", chosen != NULL && strcmp(chosen, id) == 0);
		if (missing == NULL)
			view_text(item, "note", strcmp(id, "shell") == 0 ? "Runs the task as a script" : "CLI agent");
	}
	(void)roster_find(r, NULL);
	for (size_t i = 0; i < r->count; i++) {
		const struct own_agent *own = &r->own[i];
		struct view *item = add_agent(v, own->id, agent_face(r, own->id), own->command != NULL ? NULL : "");
		view_flag(item, "own", true);
		view_flag(item, "chosen", chosen != NULL && strcmp(chosen, own->id) == 0);
		view_text(item, "note", own->command != NULL ? text_shown(r->arena, own->command) : "No command is set");
	}
	view_text(v, "first_agent", agent_face(r, agents_default(app->var, r->arena, s)).name);
}

/* ---- keys ---- */
static const struct group {
	const char *router, *label, *class;
	bool folded; /* not among those that everybody is asked for */
} groups[] = {
	{ "cf-ai", "Cloudflare AI Gateway", "brand-cloudflare-text", false },
	{ "openrouter", "OpenRouter", "brand-openrouter-text", false },
	{ "zen", "OpenCode Zen", "brand-zen-text", false },
	{ "", "Providers", "agent-other", true },
	{ "custom", "Custom server", "agent-other", true },
};

static enum err fill_group(struct app *app, struct arena *a, const struct group *g, struct view *v, int counts[2],
			   struct errinfo *e)
{
	struct view *item = view_item(v, g->folded ? "more_routers" : "routers");
	int all = 0, set = 0;

	view_text(item, "label", g->label);
	view_text(item, "class", g->class);
	for (size_t i = 0; i < key_name_count; i++) {
		const char *text;
		if (strcmp(key_names[i].router, g->router) != 0)
			continue;
		enum err rc = key_read(app->var, a, key_names[i].env_var, &text, e);
		if (rc != ERR_OK)
			return rc;
		struct view *key = view_item(item, "keys");
		view_text(key, "id", key_names[i].env_var);
		view_text(key, "label", key_names[i].name);
		view_flag(key, "set", text != NULL);
		view_text(key, "preview", text != NULL ? text_shown(a, key_preview(a, text)) : NULL);
		all++;
		set += text != NULL;
	}
	view_text(item, "dot", set == all ? "dot dot-green" : set > 0 ? "dot dot-orange" : "dot dot-red");
	view_flag(item, "complete", set == all);
	view_num(item, "missing", all - set);
	if (!g->folded) {
		counts[0] += set;
		counts[1] += all;
	}
	return ERR_OK;
}

static enum err fill_keys(struct app *app, struct arena *a, struct view *v, struct errinfo *e)
{
	int counts[2] = { 0, 0 };

	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
		enum err rc = fill_group(app, a, &groups[i], v, counts, e);
		if (rc != ERR_OK)
			return rc;
	}
	view_num(v, "keys_set", counts[0]);
	view_num(v, "keys_all", counts[1]);
	return ERR_OK;
}

/* ---- the rest ---- */
static const char *timeout_text(struct arena *a, int64_t s)
{
	if (s > 0 && s % 86400 == 0)
		return arena_printf(a, "%" PRId64 "d", s / 86400);
	if (s > 0 && s % 3600 == 0)
		return arena_printf(a, "%" PRId64 "h", s / 3600);
	return s > 0 && s % 60 == 0 ? arena_printf(a, "%" PRId64 "m", s / 60) : arena_printf(a, "%" PRId64 "s", s);
}

static void fill_settings(struct arena *a, const struct settings *s, struct view *v)
{
	view_flag(v, "auto_run", s->auto_run);
	view_flag(v, "paused", s->paused);
	view_num(v, "max_active", s->max_active);
	view_num(v, "gate_loops", s->gate_loops);
	view_num(v, "token_budget", s->token_budget);
	view_text(v, "session_timeout", timeout_text(a, s->session_timeout_s));
	view_text(v, "custom_base_url", s->custom_base_url);
	view_flag(v, "anthropic", s->custom_api != NULL && strcmp(s->custom_api, "anthropic") == 0);
	view_text(v, "sandbox_allow", s->sandbox_allow);
}

enum err partial_settings(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct arena *a = &rq->arena;
	struct roster roster = { .app = app, .arena = a };
	struct settings s;
	enum err rc = settings_read(app->var, a, &s, e);

	if (rc != ERR_OK)
		return rc;
	struct view *v = rq->htmx ? view_new(app, a) : page_new(app, rq, "Settings – chomp");
	fill_agents(app, &roster, &s, v);
	fill_settings(a, &s, v);
	if ((rc = fill_keys(app, a, v, e)) != ERR_OK)
		return rc;
	return page_send(v, rq->htmx ? "partials/settings.cs" : "settings.cs", rs, e);
}

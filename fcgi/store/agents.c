/*
 * agents.json: an object of agents by id, each {"name", "command", "models": […], "color"} and
 * whatever else an older or newer chomp put there.
 */
#include "store/agents.h"

#include <string.h>
#include <unistd.h>

#include "core/env.h"
#include "core/json.h"
#include "model/agent.h"
#include "model/task.h"
#include "store/document.h"

#define FILE_NAME "agents.json"
#define COLOR_NONE "#999999"

/* ---- reading ---- */
static void read_models(struct arena *a, const struct json_object *arr, struct own_agent *out)
{
	size_t len = arr != NULL ? json_array_len(arr) : 0;

	out->models = arena_alloc(a, (len + 1) * sizeof(const char *));
	out->model_count = 0;
	for (size_t i = 0; i < len; i++) {
		const char *model = json_string(json_array_at(arr, i));
		if (model != NULL && *model != '\0')
			out->models[out->model_count++] = model;
	}
}

/* What cannot be read keeps its default: one odd member hides no agent. */
static void read_agent(struct arena *a, const char *id, const struct json_object *o,
		       struct own_agent *out)
{
	struct json_object *models = NULL;
	struct errinfo e;

	*out = (struct own_agent){ .id = id, .name = id, .color = COLOR_NONE };
	(void)jr_str_opt(o, "name", 1, TEXT_MAX, &out->name, &e);
	(void)jr_str_opt(o, "command", 1, TEXT_MAX, &out->command, &e);
	(void)jr_str_opt(o, "color", 1, TEXT_MAX, &out->color, &e);
	(void)jr_arr_opt(o, "models", &models, &e);
	read_models(a, models, out);
}

struct reading {
	struct arena *a;
	struct own_agent *all;
	size_t count;
};

static enum err count_one(const char *id, struct json_object *o, void *arg)
{
	struct reading *r = arg;

	(void)id;
	(void)o;
	r->count++;
	return ERR_OK;
}

static enum err read_one(const char *id, struct json_object *o, void *arg)
{
	struct reading *r = arg;

	if (json_is_object(o) && agent_find(id) == NULL)
		read_agent(r->a, id, o, &r->all[r->count++]);
	return ERR_OK;
}

enum err agents_read(const char *var, struct arena *a, struct own_agent **out, size_t *count,
		     struct errinfo *e)
{
	struct json_object *o;
	struct reading r = { .a = a };
	enum err rc = document_read(var, FILE_NAME, a, &o, e);

	*count = 0;
	if (rc != ERR_OK || o == NULL)
		return rc;
	(void)json_each(o, count_one, &r);
	r.all = arena_alloc(a, (r.count + 1) * sizeof *r.all);
	r.count = 0;
	(void)json_each(o, read_one, &r);
	*out = r.all;
	*count = r.count;
	return ERR_OK;
}

static enum err find_in(const struct json_object *all, struct arena *a, const char *id,
			struct own_agent *out, struct errinfo *e)
{
	struct json_object *o = NULL;
	struct errinfo ignored;

	if (all == NULL || agent_find(id) != NULL || jr_obj_opt(all, id, &o, &ignored) != ERR_OK ||
	    o == NULL)
		return err_set(e, ERR_NOT_FOUND, 0, "there is no agent %.60s", id);
	read_agent(a, id, o, out);
	return ERR_OK;
}

enum err agents_find(const char *var, struct arena *a, const char *id, struct own_agent *out,
		     struct errinfo *e)
{
	struct json_object *o;
	enum err rc = document_read(var, FILE_NAME, a, &o, e);

	return rc == ERR_OK ? find_in(o, a, id, out, e) : rc;
}

/* ---- writing ---- */
struct writing {
	struct arena *a;
	const char *id;
	const struct own_agent *ag; /* NULL: remove it */
	struct own_agent was;
	struct jw w;
	bool there;
};

static void put_text(struct jw *w, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		jw_str(w, key, text);
}

/* What the change says nothing of stays. */
static enum err copy_member(const char *key, struct json_object *value, void *arg)
{
	struct writing *job = arg;
	const struct own_agent *ag = job->ag;
	bool ours = (ag->name != NULL && strcmp(key, "name") == 0) ||
		    (ag->command != NULL && strcmp(key, "command") == 0) ||
		    (ag->models != NULL && strcmp(key, "models") == 0) ||
		    (ag->color != NULL && strcmp(key, "color") == 0);

	if (!ours) {
		const char *text = json_text(job->a, value);
		jw_raw(&job->w, key, text, strlen(text));
	}
	return ERR_OK;
}

static void write_agent(struct writing *job, const struct json_object *old)
{
	const struct own_agent *ag = job->ag;

	jw_object(&job->w, job->id);
	put_text(&job->w, "name", ag->name);
	put_text(&job->w, "command", ag->command);
	put_text(&job->w, "color", ag->color);
	if (ag->models != NULL) {
		jw_array(&job->w, "models");
		for (size_t i = 0; i < ag->model_count; i++)
			jw_str(&job->w, NULL, ag->models[i]);
		jw_array_end(&job->w);
	}
	if (old != NULL)
		(void)json_each(old, copy_member, job);
	jw_object_end(&job->w);
}

static enum err write_one(const char *id, struct json_object *o, void *arg)
{
	struct writing *job = arg;

	if (strcmp(id, job->id) != 0) {
		const char *text = json_text(job->a, o);
		jw_raw(&job->w, id, text, strlen(text));
	} else if (job->ag != NULL) {
		job->there = true;
		write_agent(job, json_is_object(o) ? o : NULL);
	}
	return ERR_OK;
}

static enum err write_all_agents(const struct json_object *old, struct strbuf *out, void *arg,
				 struct errinfo *e)
{
	struct writing *job = arg;
	enum err rc = job->ag == NULL ? find_in(old, job->a, job->id, &job->was, e) : ERR_OK;

	if (rc != ERR_OK)
		return rc;
	jw_init(&job->w, out);
	jw_object(&job->w, NULL);
	if (old != NULL)
		(void)json_each(old, write_one, job);
	if (job->ag != NULL && !job->there)
		write_agent(job, NULL);
	jw_object_end(&job->w);
	strbuf_putc(out, '\n');
	return ERR_OK;
}

enum err agents_put(const char *var, struct arena *a, const struct own_agent *ag,
		    struct own_agent *out, struct errinfo *e)
{
	struct writing job = { .a = a, .id = ag->id, .ag = ag };
	enum err rc = document_change(var, FILE_NAME, a, write_all_agents, &job, e);

	return rc == ERR_OK ? agents_find(var, a, ag->id, out, e) : rc;
}

enum err agents_remove(const char *var, struct arena *a, const char *id, struct own_agent *out,
		       struct errinfo *e)
{
	struct writing job = { .a = a, .id = id };
	enum err rc = document_change(var, FILE_NAME, a, write_all_agents, &job, e);

	if (rc == ERR_OK)
		*out = job.was;
	return rc;
}

/* ---- which one ---- */
enum err agents_known(const char *var, struct arena *a, const char *id, struct errinfo *e)
{
	struct own_agent ag;

	if (agent_find(id) != NULL)
		return ERR_OK;
	enum err rc = agent_id_valid(id) ? agents_find(var, a, id, &ag, e) : ERR_NOT_FOUND;
	if (rc != ERR_NOT_FOUND)
		return rc;
	return err_wire(e, ERR_BAD_INPUT, "unknown_agent",
			"agent %.60s is not known; GET /api/config/agents lists those that are",
			id);
}

const char *agents_missing(const char *var, struct arena *a, const char *id)
{
	const char *dir = env_text("CHOMP_AGENTS", NULL);

	if (strcmp(id, "shell") == 0)
		return NULL;
	if (strcmp(id, "shelley") == 0)
		return "not installed: shelley comes with an exe.dev machine";
	if (dir == NULL)
		dir = arena_printf(a, "%s/agents", var);
	if (access(arena_printf(a, "%s/%s/node_modules/.bin/%s", dir, id, id), F_OK) == 0)
		return NULL;
	return arena_printf(a, "not installed: scripts/chompctl agent install %s", id);
}

const char *agents_default(const char *var, struct arena *a, const struct settings *s)
{
	static const char *const order[] = { "pi", "opencode", "claude", "codex", "gemini" };
	struct errinfo e;

	/* An own agent that was removed since is no default any more. */
	if (s->default_agent != NULL && agents_known(var, a, s->default_agent, &e) == ERR_OK)
		return s->default_agent;
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (agents_missing(var, a, order[i]) == NULL)
			return order[i];
	}
	return "shell";
}

/* GET, POST and DELETE /api/config/agents. */
#include "api/agents.h"

#include <string.h>

#include "api/answer.h"
#include "api/api.h"
#include "http/form.h"
#include "model/agent.h"
#include "store/agents.h"

enum { MODELS_MAX = 100, MODEL_MAX = 256, NAME_MAX_BYTES = 200 };

/* ---- shown ---- */
static void write_models(struct jw *w, const char *models)
{
	jw_array(w, "models");
	while (*models != '\0') {
		size_t n = strcspn(models, " ");
		jw_strn(w, NULL, models, n);
		models += n + (models[n] == ' ' ? 1 : 0);
	}
	jw_array_end(w);
}

static void write_builtin(struct app *app, struct request *rq, struct jw *w, const struct agent *ag)
{
	const char *missing = agents_missing(app->var, &rq->arena, ag->id);

	jw_object(w, ag->id);
	jw_str(w, "name", ag->name);
	jw_str(w, "color", ag->color);
	jw_null(w, "command");
	write_models(w, ag->models);
	jw_str(w, "default_model", ag->default_model);
	jw_bool(w, "builtin", true);
	jw_bool(w, "available", missing == NULL);
	jw_str(w, "reason", missing);
	jw_object_end(w);
}

static void write_own_members(struct jw *w, const struct own_agent *ag)
{
	jw_str(w, "name", ag->name);
	jw_str(w, "color", ag->color);
	jw_str(w, "command", ag->command);
	jw_array(w, "models");
	for (size_t i = 0; i < ag->model_count; i++)
		jw_str(w, NULL, ag->models[i]);
	jw_array_end(w);
	jw_str(w, "default_model", ag->model_count > 0 ? ag->models[0] : NULL);
	jw_bool(w, "builtin", false);
	jw_bool(w, "available", ag->command != NULL);
	jw_str(w, "reason", ag->command != NULL ? NULL : "no command is set");
}

enum err agents_write(struct app *app, struct request *rq, struct jw *w, const char *key,
		      struct errinfo *e)
{
	struct own_agent *own = NULL;
	size_t count = 0;
	enum err rc = agents_read(app->var, &rq->arena, &own, &count, e);

	if (rc != ERR_OK)
		return rc;
	jw_object(w, key);
	for (size_t i = 0; i < builtin_agent_count; i++)
		write_builtin(app, rq, w, &builtin_agents[i]);
	for (size_t i = 0; i < count; i++) {
		jw_object(w, own[i].id);
		write_own_members(w, &own[i]);
		jw_object_end(w);
	}
	jw_object_end(w);
	return ERR_OK;
}

enum err api_config_agents(struct app *app, struct request *rq, struct response *rs,
			   struct errinfo *e)
{
	struct jw w;

	jw_init(&w, &rs->body);
	return agents_write(app, rq, &w, NULL, e);
}

static void answer_agent(struct response *rs, const struct own_agent *ag)
{
	struct jw w;

	jw_init(&w, &rs->body);
	jw_object(&w, NULL);
	jw_str(&w, "id", ag->id);
	write_own_members(&w, ag);
	jw_object_end(&w);
	response_header(rs, "HX-Trigger", "refreshTasks");
}

/* ---- changed ---- */
static enum err read_id(const struct form *f, const char *fallback, const char **out,
			struct errinfo *e)
{
	enum err rc;

	*out = fallback;
	if ((rc = form_str_opt(f, "id", 0, TEXT_MAX, out, e)) != ERR_OK)
		return rc;
	if (*out == NULL || **out == '\0')
		return err_wire(e, ERR_BAD_INPUT, "bad_id", "id is missing");
	if (agent_find(*out) != NULL)
		return err_wire(e, ERR_BAD_INPUT, "builtin_agent",
				"%s is built in; give an agent of your own another id", *out);
	return ERR_OK;
}

static enum err one_line(const char *name, const char *text, struct errinfo *e)
{
	for (const char *p = text; p != NULL && *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			return err_set(e, ERR_BAD_INPUT, 0,
				       "%s: one line without control characters is wanted", name);
	}
	return ERR_OK;
}

static enum err check_color(const char *color, struct errinfo *e)
{
	size_t digits =
		color != NULL && *color == '#' ? strspn(color + 1, "0123456789abcdefABCDEF") : 0;

	if (color == NULL || *color == '\0' ||
	    ((digits == 3 || digits == 6) && color[digits + 1] == '\0'))
		return ERR_OK;
	return err_set(e, ERR_BAD_INPUT, 0, "color: #rrggbb is wanted");
}

static enum err add_model(struct own_agent *ag, const char *model, struct errinfo *e)
{
	enum err rc;

	if (ag->model_count == MODELS_MAX)
		return err_set(e, ERR_BAD_INPUT, 0, "models: at most %d are wanted", MODELS_MAX);
	if (strlen(model) > MODEL_MAX)
		return err_set(e, ERR_BAD_INPUT, 0, "models: names of at most %d bytes are wanted",
			       MODEL_MAX);
	if ((rc = plain_argument("models", model, e)) == ERR_OK && *model != '\0')
		ag->models[ag->model_count++] = model;
	return rc;
}

/* An array, or text with commas or white space between the names, as a form has it. */
static enum err read_models(struct request *rq, const struct form *f, struct own_agent *ag,
			    struct errinfo *e)
{
	static const char between[] = ", \t\r\n";
	struct json_object *arr = NULL;
	const char *text = NULL;
	struct errinfo ignored;
	enum err rc = ERR_OK;

	if (!form_has(f, "models"))
		return ERR_OK;
	ag->models = arena_alloc(&rq->arena, MODELS_MAX * sizeof(const char *));
	if (f->json != NULL && jr_arr_opt(f->json, "models", &arr, &ignored) == ERR_OK) {
		for (size_t i = 0; rc == ERR_OK && i < json_array_len(arr); i++) {
			const char *model = json_string(json_array_at(arr, i));
			rc = model != NULL ? add_model(ag, model, e)
					   : err_set(e, ERR_BAD_INPUT, 0,
						     "models: an array of text is wanted");
		}
		return rc;
	}
	rc = form_str(f, "models", 0, MODELS_MAX * (MODEL_MAX + 1), &text, e);
	while (rc == ERR_OK && *(text += strspn(text, between)) != '\0') {
		size_t len = strcspn(text, between);
		rc = add_model(ag, arena_strndup(&rq->arena, text, len), e);
		text += len;
	}
	return rc;
}

static enum err remove_agent(struct app *app, struct request *rq, const char *id,
			     struct response *rs, struct errinfo *e)
{
	struct own_agent was;
	enum err rc = agents_remove(app->var, &rq->arena, id, &was, e);

	if (rc == ERR_OK)
		answer_agent(rs, &was);
	return rc;
}

static enum err put_agent(struct app *app, struct request *rq, const struct form *f, const char *id,
			  struct response *rs, struct errinfo *e)
{
	struct own_agent ag = { .id = id }, now;
	enum err rc;

	if (!agent_id_valid(id))
		return err_wire(e, ERR_BAD_INPUT, "bad_id",
				"id: small letters and digits with single dashes between them are "
				"wanted, at most 64");
	if ((rc = form_str(f, "name", 1, NAME_MAX_BYTES, &ag.name, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "command", 0, TEXT_MAX, &ag.command, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "color", 0, 16, &ag.color, e)) != ERR_OK ||
	    (rc = one_line("name", ag.name, e)) != ERR_OK ||
	    (rc = one_line("command", ag.command, e)) != ERR_OK ||
	    (rc = check_color(ag.color, e)) != ERR_OK ||
	    (rc = read_models(rq, f, &ag, e)) != ERR_OK ||
	    (rc = agents_put(app->var, &rq->arena, &ag, &now, e)) != ERR_OK)
		return rc;
	answer_agent(rs, &now);
	return ERR_OK;
}

enum err api_config_agents_post(struct app *app, struct request *rq, struct response *rs,
				struct errinfo *e)
{
	const char *id;
	bool gone = false;
	struct form f;
	enum err rc;

	if ((rc = form_read(rq, &f, e)) != ERR_OK || (rc = read_id(&f, NULL, &id, e)) != ERR_OK ||
	    (rc = form_bool_opt(&f, "delete", &gone, e)) != ERR_OK)
		return rc;
	return gone ? remove_agent(app, rq, id, rs, e) : put_agent(app, rq, &f, id, rs, e);
}

enum err api_config_agents_delete(struct app *app, struct request *rq, struct response *rs,
				  struct errinfo *e)
{
	const char *id;
	struct form f;
	enum err rc;

	if ((rc = form_read(rq, &f, e)) != ERR_OK ||
	    (rc = read_id(&f, request_query(rq, "id"), &id, e)) != ERR_OK)
		return rc;
	return remove_agent(app, rq, id, rs, e);
}

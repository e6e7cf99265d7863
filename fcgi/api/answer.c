#include "api/answer.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/env.h"
#include "core/json.h"
#include "model/agent.h"
#include "model/codec.h"
#include "store/document.h"
#include "store/settings.h"

void answer_task(struct response *rs, const struct task *t)
{
	struct jw w;

	jw_init(&w, &rs->body);
	task_write_public(&w, NULL, t);
}

void answer_changed(struct response *rs, const struct task *t)
{
	answer_task(rs, t);
	response_header(rs, "HX-Trigger", "refreshTasks");
}

enum err wanted_id(struct request *rq, const struct form *f, int64_t *out, struct errinfo *e)
{
	enum err rc = f != NULL ? form_id(f, out, e) : request_id(rq->params[0], out, e);

	if (rc == ERR_OK && *out < 0)
		rc = err_set(e, ERR_NOT_FOUND, 0, "there is no such task");
	return rc;
}

enum err plain_argument(const char *name, const char *s, struct errinfo *e)
{
	if (s == NULL)
		return ERR_OK;
	if (*s == '-')
		return err_set(e, ERR_BAD_INPUT, 0, "%s: must not begin with a dash", name);
	for (const char *p = s; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			return err_set(e, ERR_BAD_INPUT, 0, "%s: must not hold control characters", name);
	}
	return ERR_OK;
}

enum err known_agent(struct app *app, struct request *rq, const char *id, struct errinfo *e)
{
	struct json_object *custom = NULL;
	enum err rc;

	if (agent_find(id) != NULL)
		return ERR_OK;
	if ((rc = document_read(app->var, "agents.json", &rq->arena, &custom, e)) != ERR_OK)
		return rc;
	if (agent_id_valid(id) && custom != NULL && jr_has(custom, id))
		return ERR_OK;
	return err_wire(e, ERR_BAD_INPUT, "unknown_agent",
			"agent %.60s is not known; GET /api/config/agents lists those that are", id);
}

const char *agent_missing(struct app *app, struct request *rq, const char *id)
{
	const char *dir = env_text("CHOMP_AGENTS", NULL);

	if (strcmp(id, "shell") == 0)
		return NULL;
	if (strcmp(id, "shelley") == 0)
		return "not installed: shelley comes with an exe.dev machine";
	if (dir == NULL)
		dir = arena_printf(&rq->arena, "%s/agents", app->var);
	if (access(arena_printf(&rq->arena, "%s/%s/node_modules/.bin/%s", dir, id, id), F_OK) == 0)
		return NULL;
	return arena_printf(&rq->arena, "not installed: scripts/chompctl agent install %s", id);
}

const char *default_agent(struct app *app, struct request *rq)
{
	static const char *const order[] = { "pi", "opencode", "claude", "codex", "gemini" };
	struct settings s;
	struct errinfo e;

	if (settings_read(app->var, &rq->arena, &s, &e) == ERR_OK && s.default_agent != NULL)
		return s.default_agent;
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (agent_missing(app, rq, order[i]) == NULL)
			return order[i];
	}
	return "shell";
}

#include "api/run.h"

#include <string.h>

#include "api/answer.h"
#include "core/rand.h"
#include "model/agent.h"
#include "store/settings.h"

const char *const router_names[] = { "cf-ai", "openrouter", "zen", "custom", NULL };

static const char *first_of(const char *a, const char *b)
{
	return a != NULL && *a != '\0' ? a : b != NULL && *b != '\0' ? b : NULL;
}

static enum err known_router(const char *name, struct errinfo *e)
{
	if (name == NULL)
		return ERR_OK;
	for (size_t i = 0; router_names[i] != NULL; i++) {
		if (strcmp(router_names[i], name) == 0)
			return ERR_OK;
	}
	return err_set(e, ERR_BAD_INPUT, 0, "router: one of cf-ai, openrouter, zen, custom is wanted");
}

static const char *fresh(struct request *rq, size_t bytes)
{
	char *text = arena_alloc(&rq->arena, 2 * bytes + 1);

	rand_hex(text, bytes);
	return text;
}

enum err run_input_make(struct app *app, struct request *rq, const struct task *t, const struct form *f,
			struct run_input *out, struct errinfo *e)
{
	const char *agent = NULL, *model = NULL, *router = NULL;
	struct settings s;
	enum err rc;

	memset(out, 0, sizeof *out);
	if (f != NULL && ((rc = form_str_opt(f, "agent", 0, TEXT_MAX, &agent, e)) != ERR_OK ||
			  (rc = form_str_opt(f, "model", 0, TEXT_MAX, &model, e)) != ERR_OK ||
			  (rc = plain_argument("model", model, e)) != ERR_OK ||
			  (rc = form_str_opt(f, "router", 0, TEXT_MAX, &router, e)) != ERR_OK))
		return rc;
	if ((rc = settings_read(app->var, &rq->arena, &s, e)) != ERR_OK)
		return rc;
	out->agent = first_of(agent, t->platform);
	if (out->agent == NULL)
		out->agent = default_agent(app, rq);
	if ((rc = known_agent(app, rq, out->agent, e)) != ERR_OK)
		return rc;
	const struct agent *known = agent_find(out->agent);
	out->model = first_of(model, t->model);
	if (out->model == NULL)
		out->model = known != NULL ? known->default_model : "default";
	out->router = first_of(router, t->router);
	if ((rc = known_router(out->router, e)) != ERR_OK)
		return rc;
	out->dispatch_id = fresh(rq, 16);
	out->nonce = fresh(rq, 16);
	out->expires_at = app->now() + s.session_timeout_s * 1000;
	return ERR_OK;
}

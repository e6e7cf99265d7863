#include "store/plan.h"

#include <string.h>

#include "core/rand.h"
#include "model/agent.h"
#include "store/agents.h"

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
	return err_set(e, ERR_BAD_INPUT, 0,
		       "router: one of cf-ai, openrouter, zen, custom is wanted");
}

static enum err default_model(const char *var, struct arena *a, const char *agent, const char **out,
			      struct errinfo *e)
{
	const struct agent *known = agent_find(agent);
	struct own_agent own;
	enum err rc;

	if (known != NULL) {
		*out = known->default_model;
		return ERR_OK;
	}
	if ((rc = agents_find(var, a, agent, &own, e)) == ERR_OK)
		*out = own.model_count > 0 ? own.models[0] : "default";
	return rc;
}

/* The model that the task's own agent gave it because nobody had chosen one: it is none of another agent's. */
static bool brought_by_agent(const char *var, struct arena *a, const struct task *t)
{
	const char *own = NULL;
	struct errinfo ignored;

	return first_of(t->platform, NULL) != NULL && first_of(t->model, NULL) != NULL &&
	       default_model(var, a, t->platform, &own, &ignored) == ERR_OK && strcmp(own, t->model) == 0;
}

static const char *fresh(struct arena *a, size_t bytes)
{
	char *text = arena_alloc(a, 2 * bytes + 1);

	rand_hex(text, bytes);
	return text;
}

enum err plan_session(const char *var, struct arena *a, const struct settings *s,
		      const struct task *t, const struct plan_wish *wish, int64_t now,
		      struct run_input *out, struct errinfo *e)
{
	enum err rc;

	memset(out, 0, sizeof *out);
	out->agent = first_of(wish->agent, t->platform);
	if (out->agent == NULL)
		out->agent = agents_default(var, a, s);
	if ((rc = agents_known(var, a, out->agent, e)) != ERR_OK)
		return rc;
	bool another = t->platform != NULL && strcmp(out->agent, t->platform) != 0;
	out->model = first_of(wish->model, another && brought_by_agent(var, a, t) ? NULL : t->model);
	if (out->model == NULL &&
	    (rc = default_model(var, a, out->agent, &out->model, e)) != ERR_OK)
		return rc;
	out->router = first_of(wish->router, t->router);
	if ((rc = known_router(out->router, e)) != ERR_OK)
		return rc;
	out->dispatch_id = fresh(a, 16);
	out->nonce = fresh(a, 16);
	out->expires_at = now + s->session_timeout_s * 1000;
	return ERR_OK;
}

#include "dispatch/payload.h"

#include <inttypes.h>
#include <string.h>

#include "core/hostport.h"
#include "core/json.h"
#include "dispatch/host.h"
#include "model/agent.h"
#include "model/capability.h"
#include "store/agents.h"
#include "store/secret.h"
#include "store/settings.h"

enum { SPARE = 1024 }; /* the history's frame and the end of the body */

/* ---- keys ---- */
/* Whose own key an agent takes when it goes to its provider without a router.  An agent that is not
 * here is the owner's own command: it may be a front to any of them.  A shell script gets none. */
static const struct own_keys {
	const char *agent, *keys[3];
} own_keys[] = {
	{ "shell", { NULL } },
	{ "claude", { "ANTHROPIC_API_KEY" } },
	{ "codex", { "OPENAI_API_KEY" } },
	{ "gemini", { "GEMINI_API_KEY" } },
};
static const struct own_keys any_provider = {
	"", { "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY" }
};

static const struct own_keys *keys_of(const char *agent)
{
	for (size_t i = 0; i < sizeof own_keys / sizeof own_keys[0]; i++) {
		if (strcmp(own_keys[i].agent, agent) == 0)
			return &own_keys[i];
	}
	return &any_provider;
}

static enum err put_key(struct jw *w, const char *var, struct arena *a, const char *name,
			struct errinfo *e)
{
	const char *value = NULL;
	enum err rc = key_read(var, a, name, &value, e);

	if (rc == ERR_OK && value != NULL)
		jw_str(w, name, value);
	return rc;
}

static enum err put_own_keys(struct jw *w, const char *var, struct arena *a, const char *agent,
			     struct errinfo *e)
{
	const struct own_keys *own = keys_of(agent);
	enum err rc = ERR_OK;

	for (size_t i = 0;
	     rc == ERR_OK && i < sizeof own->keys / sizeof own->keys[0] && own->keys[i] != NULL;
	     i++)
		rc = put_key(w, var, a, own->keys[i], e);
	return rc;
}

static enum err put_router_keys(struct jw *w, const char *var, struct arena *a, const char *router,
				struct errinfo *e)
{
	enum err rc = ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < key_name_count; i++) {
		if (strcmp(key_names[i].router, router) == 0)
			rc = put_key(w, var, a, key_names[i].env_var, e);
	}
	return rc;
}

static enum err put_custom(struct jw *w, const char *var, struct arena *a, struct errinfo *e)
{
	struct settings s;
	enum err rc = settings_read(var, a, &s, e);

	if (rc != ERR_OK)
		return rc;
	if (s.custom_base_url != NULL && *s.custom_base_url != '\0')
		jw_str(w, "CUSTOM_BASE_URL", s.custom_base_url);
	if (s.custom_api != NULL && *s.custom_api != '\0')
		jw_str(w, "CUSTOM_API", s.custom_api);
	return ERR_OK;
}

/* What run-agent needs of the task besides: its gate, and how many tokens are left of its budget. */
static void put_limits(struct jw *w, const struct task *t, struct arena *a)
{
	if (t->gate != NULL)
		jw_str(w, "GATE_SCRIPT", t->gate);
	if (t->gate_edits)
		jw_str(w, "GATE_EDITS", "1");
	if (t->token_budget <= 0)
		return;
	jw_str(w, "TOKEN_BUDGET", arena_printf(a, "%" PRId64, t->token_budget));
	jw_str(w, "TOKENS_LEFT",
		       arena_printf(a, "%" PRId64, t->token_budget > t->tokens ? t->token_budget - t->tokens : 0));
}

static enum err put_env(struct jw *w, const struct payload_input *in, struct arena *a,
			struct errinfo *e)
{
	const char *router = in->session->router, *agent = in->session->agent;
	enum err rc = ERR_OK;

	jw_object(w, "env");
	if (router == NULL || *router == '\0')
		rc = put_own_keys(w, in->var, a, agent != NULL ? agent : "", e);
	else if (strcmp(router, "custom") == 0)
		rc = put_custom(w, in->var, a, e);
	put_limits(w, in->task, a);
	if (rc == ERR_OK && in->task->repo_url != NULL && strncmp(in->task->repo_url, "https://github.com/", 19) == 0)
		rc = put_key(w, in->var, a, "GITHUB_TOKEN", e); /* for clone and push; run-agent keeps it from the agent */
	if (rc == ERR_OK && router != NULL && *router != '\0')
		rc = put_router_keys(w, in->var, a, router, e);
	jw_object_end(w);
	return rc;
}

/* ---- network ---- */
/* What the owner opened for every box, and the server of the owner's own model for those that are told to use it. */
static enum err put_allow(struct jw *w, const struct payload_input *in, struct arena *a, struct errinfo *e)
{
	const char *router = in->session->router;
	char model[HOSTPORT_MAX];
	struct settings s;
	char *save = NULL;
	enum err rc = settings_read(in->var, a, &s, e);

	if (rc != ERR_OK)
		return rc;
	jw_array(w, "allow");
	char *list = s.sandbox_allow != NULL ? arena_strdup(a, s.sandbox_allow) : NULL;
	for (char *p = list != NULL ? strtok_r(list, " ,", &save) : NULL; p != NULL; p = strtok_r(NULL, " ,", &save)) {
		if (hostport_valid(p)) /* one that was stored before it was checked would refuse the whole dispatch */
			jw_str(w, NULL, p);
	}
	if (router != NULL && strcmp(router, "custom") == 0 && s.custom_base_url != NULL &&
	    hostport_of_url(s.custom_base_url, model))
		jw_str(w, NULL, model);
	jw_array_end(w);
	return ERR_OK;
}

/* ---- history ---- */
static const char *text_or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static void put_earlier(struct strbuf *out, const struct session *s)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "sessionId", s->id);
	jw_str(&w, "agent", text_or_empty(s->agent));
	jw_str(&w, "model", text_or_empty(s->model));
	jw_str(&w, "result", result_name(s->result));
	jw_str(&w, "summary", text_or_empty(s->summary));
	jw_object_end(&w);
}

/* The newest that fit, oldest first.  Sizes are known only when written, so each is written twice.
 */
static size_t put_history(struct jw *w, const struct task *t, const struct session *now,
			  size_t room)
{
	size_t count = (size_t)(now - t->sessions), first = count, used = 0;
	struct strbuf one;

	strbuf_init(&one);
	while (first > 0) {
		strbuf_reset(&one);
		put_earlier(&one, &t->sessions[first - 1]);
		if (used + one.len + 1 > room)
			break;
		used += one.len + 1;
		first--;
	}
	jw_array(w, "history");
	for (size_t i = first; i < count; i++) {
		strbuf_reset(&one);
		put_earlier(&one, &t->sessions[i]);
		jw_raw(w, NULL, one.buf, one.len);
	}
	jw_array_end(w);
	strbuf_release(&one);
	return first;
}

/* ---- the prompt ---- */
/*
 * What was sent back with a comment: the comment is the next session's prompt.  A coding agent is told the task again with
 * it; for a shell the comment alone is the script.
 */
static const char *prompt_of(const struct payload_input *in, struct arena *a)
{
	const struct task *t = in->task;
	const char *agent = in->session->agent;

	if (t->review.state != REVIEW_SENT_BACK || t->review.comment == NULL)
		return text_or_empty(t->prompt);
	if (agent != NULL && strcmp(agent, "shell") == 0)
		return t->review.comment;
	return arena_printf(a,
			    "%s\n\nThe result of an earlier session was reviewed and sent back with this comment:\n%s\n",
			    text_or_empty(t->prompt), t->review.comment);
}

/* ---- the whole ---- */
static void put_some(struct jw *w, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		jw_str(w, key, text);
}

static void put_session(struct jw *w, const struct payload_input *in, struct arena *a)
{
	const struct task *t = in->task;
	const struct session *s = in->session;

	jw_str(w, "dispatchId", s->dispatch.id);
	jw_str(w, "taskId", arena_printf(a, "%" PRId64, t->id));
	jw_str(w, "sessionId", s->id);
	jw_str(w, "agent", text_or_empty(s->agent));
	jw_str(w, "model", text_or_empty(s->model));
	put_some(w, "router", s->router);
	put_some(w, "repoUrl", t->repo_url);
	put_some(w, "branch", t->branch);
	put_some(w, "dir", t->dir);
	put_some(w, "network", t->network);
	put_some(w, "gate", t->gate);
	if (s->expires_at != 0)
		jw_i64(w, "timeoutSeconds",
		       s->expires_at - in->now < 1000 ? 1 : (s->expires_at - in->now) / 1000);
}

/* The owner's template of words.  An agent that was removed since has none: the box says so. */
static enum err put_command(struct jw *w, const struct payload_input *in, struct arena *a,
			    struct errinfo *e)
{
	const char *agent = in->session->agent;
	struct own_agent own;

	if (agent == NULL || agent_find(agent) != NULL)
		return ERR_OK;
	enum err rc = agents_find(in->var, a, agent, &own, e);
	if (rc == ERR_OK)
		put_some(w, "command", own.command);
	return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err payload_build(const struct payload_input *in, struct arena *a, struct strbuf *out,
		       size_t *left_out, struct errinfo *e)
{
	const char *key;
	size_t from = out->len;
	struct jw w;
	enum err rc = secret_read(in->var, SECRET_AGENT, a, &key, e);

	if (rc != ERR_OK)
		return rc;
	jw_init(&w, out);
	jw_object(&w, NULL);
	put_session(&w, in, a);
	if ((rc = put_command(&w, in, a, e)) != ERR_OK)
		return rc;
	jw_object(&w, "callback");
	jw_str(&w, "url", in->callback_url);
	jw_str(&w, "token", capability_make(a, key, in->task->id, in->session));
	jw_object_end(&w);
	if ((rc = put_env(&w, in, a, e)) != ERR_OK || (rc = put_allow(&w, in, a, e)) != ERR_OK)
		return rc;
	jw_str(&w, "prompt", prompt_of(in, a));
	size_t used = out->len - from + SPARE;
	if (used > HOST_BODY_MAX)
		return err_set(e, ERR_TOO_LARGE, 0,
			       "the task is too large to be sent to a sandbox host");
	*left_out = put_history(&w, in->task, in->session, HOST_BODY_MAX - used);
	jw_object_end(&w);
	return ERR_OK;
}

/* Routers with their keys, settings, and the whole configuration. */
#include <string.h>

#include "api/agents.h"
#include "api/api.h"
#include "core/hostport.h"
#include "core/json.h"
#include "core/number.h"
#include "http/form.h"
#include "model/task.h"
#include "store/agents.h"
#include "store/settings.h"

enum { TIMEOUT_MAX_S = 7 * 24 * 3600, ACTIVE_MAX = 1000, ALLOW_MAX = 20 };

/* ---- keys ---- */
static const char *const router_titles[][2] = {
	{ "cf-ai", "Cloudflare AI Gateway" }, { "openrouter", "OpenRouter" }, { "zen", "OpenCode Zen" },
	{ "custom", "Custom" },		      { "", "Providers" },
};

static enum err write_routers(struct app *app, struct request *rq, struct jw *w, struct errinfo *e)
{
	jw_object(w, "routers");
	for (size_t r = 0; r < sizeof router_titles / sizeof router_titles[0]; r++) {
		const char *id = router_titles[r][0];
		jw_object(w, *id != '\0' ? id : "providers");
		jw_str(w, "name", router_titles[r][1]);
		jw_array(w, "keys");
		for (size_t i = 0; i < key_name_count; i++) {
			const char *value;
			if (strcmp(key_names[i].router, id) != 0)
				continue;
			enum err rc = key_read(app->var, &rq->arena, key_names[i].env_var, &value, e);
			if (rc != ERR_OK)
				return rc;
			jw_object(w, NULL);
			jw_str(w, "env_var", key_names[i].env_var);
			jw_str(w, "name", key_names[i].name);
			jw_bool(w, "set", value != NULL);
			jw_str(w, "preview", value != NULL ? key_preview(&rq->arena, value) : NULL);
			jw_object_end(w);
		}
		jw_array_end(w);
		jw_object_end(w);
	}
	jw_object_end(w);
	return ERR_OK;
}

enum err api_config_keys(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	const char *name = "", *value = NULL;
	struct form f;
	struct jw w;
	enum err rc = form_read(rq, &f, e);

	if (rc != ERR_OK || (rc = form_str_opt(&f, "key", 0, 64, &name, e)) != ERR_OK)
		return rc;
	if (key_find(name) == NULL)
		return err_wire(e, ERR_BAD_INPUT, "unknown_key",
				"key: the name of a key chomp knows is wanted; GET /api/config lists them");
	if ((rc = form_str(&f, "value", 0, 4096, &value, e)) != ERR_OK)
		return rc;
	for (const char *p = value; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7F)
			return err_set(e, ERR_BAD_INPUT, 0, "value: a key holds no spaces and no control characters");
	}
	if ((rc = key_write(app->var, &rq->arena, name, value, e)) != ERR_OK)
		return rc;
	jw_init(&w, &rs->body);
	jw_object(&w, NULL);
	jw_str(&w, "key", name);
	jw_bool(&w, "set", *value != '\0');
	jw_str(&w, "preview", *value != '\0' ? key_preview(&rq->arena, value) : NULL);
	jw_object_end(&w);
	response_header(rs, "HX-Trigger", "refreshTasks");
	return ERR_OK;
}

/* ---- settings ---- */
static void write_settings(struct jw *w, const char *key, const struct settings *s)
{
	jw_object(w, key);
	jw_bool(w, "auto_run", s->auto_run);
	jw_bool(w, "paused", s->paused);
	jw_bool(w, "auto_resume", s->auto_resume);
	jw_i64(w, "max_active", s->max_active);
	jw_str(w, "default_agent", s->default_agent);
	jw_i64(w, "gate_loops", s->gate_loops);
	jw_i64(w, "token_budget", s->token_budget);
	jw_i64(w, "session_timeout", s->session_timeout_s);
	jw_str(w, "custom_base_url", s->custom_base_url);
	jw_str(w, "custom_api", s->custom_api);
	jw_str(w, "sandbox_allow", s->sandbox_allow);
	jw_object_end(w);
}

/* Seconds, or a number with s, m, h or d behind it. */
static enum err read_timeout(const struct form *f, int64_t *out, struct errinfo *e)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *text = NULL;
	struct errinfo ignored;
	char digits[20] = "";
	int64_t n, factor = 1;

	if (!form_has(f, "session_timeout"))
		return ERR_OK;
	if (form_str_opt(f, "session_timeout", 1, sizeof digits - 1, &text, &ignored) != ERR_OK)
		return form_i64_opt(f, "session_timeout", 1, TIMEOUT_MAX_S, out, e);
	size_t len = strlen(text);
	memcpy(digits, text, len + 1);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (digits[len - 1] == units[i].unit) {
			factor = units[i].seconds;
			digits[len - 1] = '\0';
			break;
		}
	}
	if (number_parse(digits, 1, TIMEOUT_MAX_S, &n) < 0 || n * factor > TIMEOUT_MAX_S)
		return err_set(e, ERR_BAD_INPUT, 0, "session_timeout: seconds, or 30m, 4h, 2d; at most 7d");
	*out = n * factor;
	return ERR_OK;
}

static enum err check_url(const char *url, struct errinfo *e)
{
	if (url == NULL || *url == '\0')
		return ERR_OK;
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return err_set(e, ERR_BAD_INPUT, 0, "custom_base_url: an http:// or https:// address is wanted");
	for (const char *p = url; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7F || *p == '"' || *p == '\\')
			return err_set(e, ERR_BAD_INPUT, 0, "custom_base_url: no spaces, quotes or control characters");
	}
	return ERR_OK;
}

/* "host:port host:port": also with commas between. */
static enum err check_allow(struct arena *a, const char *list, struct errinfo *e)
{
	char *save = NULL, *text = list != NULL ? arena_strdup(a, list) : NULL;
	int n = 0;

	for (char *s = text != NULL ? strtok_r(text, " ,", &save) : NULL; s != NULL; s = strtok_r(NULL, " ,", &save)) {
		if (!hostport_valid(s))
			return err_set(e, ERR_BAD_INPUT, 0, "sandbox_allow: %.60s is not host:port", s);
		if (++n > ALLOW_MAX)
			return err_set(e, ERR_BAD_INPUT, 0, "sandbox_allow: at most %d addresses", ALLOW_MAX);
	}
	return ERR_OK;
}

struct settings_request {
	struct app *app;
	struct request *rq;
	struct form f;
};

static enum err read_settings(struct settings *s, void *arg, struct errinfo *e)
{
	const struct settings_request *job = arg;
	const struct form *f = &job->f;
	enum err rc;

	if ((rc = form_bool_opt(f, "auto_run", &s->auto_run, e)) != ERR_OK ||
	    (rc = form_bool_opt(f, "paused", &s->paused, e)) != ERR_OK ||
	    (rc = form_bool_opt(f, "auto_resume", &s->auto_resume, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "max_active", 0, ACTIVE_MAX, &s->max_active, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "gate_loops", 0, GATE_LOOPS_MAX, &s->gate_loops, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "token_budget", 0, NUMBER_MAX, &s->token_budget, e)) != ERR_OK ||
	    (rc = read_timeout(f, &s->session_timeout_s, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "default_agent", 0, 64, &s->default_agent, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "custom_base_url", 0, TEXT_MAX, &s->custom_base_url, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "custom_api", 0, 16, &s->custom_api, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "sandbox_allow", 0, TEXT_MAX, &s->sandbox_allow, e)) != ERR_OK ||
	    (rc = check_url(s->custom_base_url, e)) != ERR_OK ||
	    (rc = check_allow(&job->rq->arena, s->sandbox_allow, e)) != ERR_OK)
		return rc;
	if (s->default_agent != NULL && *s->default_agent == '\0')
		s->default_agent = NULL;
	if (s->custom_api == NULL || (strcmp(s->custom_api, "openai") != 0 && strcmp(s->custom_api, "anthropic") != 0))
		return err_set(e, ERR_BAD_INPUT, 0, "custom_api: openai or anthropic is wanted");
	return s->default_agent != NULL ? agents_known(job->app->var, &job->rq->arena, s->default_agent, e) : ERR_OK;
}

enum err api_config_settings(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct settings_request job = { .app = app, .rq = rq };
	struct settings s;
	struct jw w;
	enum err rc = form_read(rq, &job.f, e);

	if (rc != ERR_OK ||
	    (rc = settings_change(app->var, &rq->arena, read_settings, &job, &s, e)) != ERR_OK)
		return rc;
	jw_init(&w, &rs->body);
	write_settings(&w, NULL, &s);
	response_header(rs, "HX-Trigger", "refreshTasks");
	return ERR_OK;
}

enum err api_config(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct settings s;
	struct jw w;
	enum err rc = settings_read(app->var, &rq->arena, &s, e);

	if (rc != ERR_OK)
		return rc;
	jw_init(&w, &rs->body);
	jw_object(&w, NULL);
	if ((rc = agents_write(app, rq, &w, "agents", e)) != ERR_OK || (rc = write_routers(app, rq, &w, e)) != ERR_OK)
		return rc;
	write_settings(&w, "settings", &s);
	jw_object_end(&w);
	return ERR_OK;
}

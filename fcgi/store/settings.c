#include "store/settings.h"

#include <string.h>

#include "core/json.h"
#include "core/number.h"
#include "store/document.h"

enum { PREVIEW_TAIL = 4, PREVIEW_MIN = 12 };

const struct key_name key_names[] = {
	{ "CLOUDFLARE_API_TOKEN", "API Token", "cf-ai" },
	{ "CLOUDFLARE_ACCOUNT_ID", "Account ID", "cf-ai" },
	{ "CLOUDFLARE_AI_GATEWAY_ID", "AI Gateway ID", "cf-ai" },
	{ "OPENROUTER_API_KEY", "API Key", "openrouter" },
	{ "OPENCODE_ZEN_API_KEY", "API Key", "zen" },
	{ "ANTHROPIC_API_KEY", "Anthropic API Key", "" },
	{ "OPENAI_API_KEY", "OpenAI API Key", "" },
	{ "GEMINI_API_KEY", "Gemini API Key", "" },
	{ "GITHUB_TOKEN", "GitHub Token", "" },
	{ "CUSTOM_API_KEY", "API Key", "custom" },
};
const size_t key_name_count = sizeof key_names / sizeof key_names[0];

const struct key_name *key_find(const char *env_var)
{
	for (size_t i = 0; i < key_name_count; i++) {
		if (strcmp(key_names[i].env_var, env_var) == 0)
			return &key_names[i];
	}
	return NULL;
}

/* ---- settings ---- */
static enum err read_fields(const struct json_object *o, struct settings *s, struct errinfo *e)
{
	enum err rc;

	if ((rc = jr_bool_opt(o, "auto_run", &s->auto_run, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "paused", &s->paused, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "auto_resume", &s->auto_resume, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "max_active", 0, NUMBER_MAX, &s->max_active, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "gate_loops", 0, NUMBER_MAX, &s->gate_loops, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "token_budget", 0, NUMBER_MAX, &s->token_budget, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "session_timeout_s", 1, NUMBER_MAX, &s->session_timeout_s, e)) != ERR_OK ||
	    (rc = jr_str_opt(o, "default_agent", 1, 64, &s->default_agent, e)) != ERR_OK ||
	    (rc = jr_str_opt(o, "custom_base_url", 0, 4096, &s->custom_base_url, e)) != ERR_OK ||
	    (rc = jr_str_opt(o, "custom_api", 0, 16, &s->custom_api, e)) != ERR_OK ||
	    (rc = jr_str_opt(o, "sandbox_allow", 0, 4096, &s->sandbox_allow, e)) != ERR_OK)
		return rc;
	return ERR_OK;
}

static enum err read_stored(const struct json_object *o, struct settings *out, struct errinfo *e)
{
	*out = (struct settings){ .auto_resume = true, .max_active = 4, .gate_loops = 3, .token_budget = 300000,
				  .session_timeout_s = 4 * 3600, .custom_api = "openai" };
	if (o != NULL && read_fields(o, out, e) != ERR_OK)
		return err_set(e, ERR_CORRUPT, 0, "state/settings.json cannot be read");
	return ERR_OK;
}

enum err settings_read(const char *var, struct arena *a, struct settings *out, struct errinfo *e)
{
	struct json_object *o;
	enum err rc = document_read(var, "settings.json", a, &o, e);

	return rc == ERR_OK ? read_stored(o, out, e) : rc;
}

static void write_fields(struct strbuf *out, const struct settings *s)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_bool(&w, "auto_run", s->auto_run);
	jw_bool(&w, "paused", s->paused);
	jw_bool(&w, "auto_resume", s->auto_resume);
	jw_i64(&w, "max_active", s->max_active);
	jw_i64(&w, "gate_loops", s->gate_loops);
	jw_i64(&w, "token_budget", s->token_budget);
	jw_i64(&w, "session_timeout_s", s->session_timeout_s);
	jw_str(&w, "default_agent", s->default_agent);
	jw_str(&w, "custom_base_url", s->custom_base_url);
	jw_str(&w, "custom_api", s->custom_api);
	jw_str(&w, "sandbox_allow", s->sandbox_allow);
	jw_object_end(&w);
	strbuf_putc(out, '\n');
}

struct settings_job {
	settings_fn *fn;
	void *arg;
	struct settings now;
};

static enum err change_stored(const struct json_object *old, struct strbuf *out, void *arg, struct errinfo *e)
{
	struct settings_job *job = arg;
	enum err rc = read_stored(old, &job->now, e);

	if (rc == ERR_OK && (rc = job->fn(&job->now, job->arg, e)) == ERR_OK)
		write_fields(out, &job->now);
	return rc;
}

enum err settings_change(const char *var, struct arena *a, settings_fn *fn, void *arg, struct settings *out,
			 struct errinfo *e)
{
	struct settings_job job = { .fn = fn, .arg = arg };
	enum err rc = document_change(var, "settings.json", a, change_stored, &job, e);

	if (rc == ERR_OK && out != NULL)
		*out = job.now;
	return rc;
}

static enum err become(struct settings *s, void *arg, struct errinfo *e)
{
	(void)e;
	*s = *(const struct settings *)arg;
	return ERR_OK;
}

enum err settings_write(const char *var, struct arena *a, const struct settings *s, struct errinfo *e)
{
	return settings_change(var, a, become, (void *)(uintptr_t)s, NULL, e);
}

/* ---- keys ---- */
enum err key_read(const char *var, struct arena *a, const char *env_var, const char **out, struct errinfo *e)
{
	struct json_object *o;
	enum err rc;

	*out = NULL;
	if ((rc = document_read(var, "keys.json", a, &o, e)) != ERR_OK || o == NULL)
		return rc;
	if (jr_str_opt(o, env_var, 0, 4096, out, e) != ERR_OK)
		return err_set(e, ERR_CORRUPT, 0, "state/keys.json cannot be read");
	if (*out != NULL && **out == '\0') /* an adopted file may hold empty ones */
		*out = NULL;
	return ERR_OK;
}

struct key_change {
	const char *env_var, *value;
	struct jw w;
};

/* Every other member stays as it is: an adopted file may hold keys that this version does not know. */
static enum err copy_other(const char *key, struct json_object *value, void *arg)
{
	struct key_change *c = arg;
	struct arena a = { 0 };

	if (strcmp(key, c->env_var) != 0) {
		const char *text = json_text(&a, value);
		jw_raw(&c->w, key, text, strlen(text));
	}
	arena_reset(&a);
	return ERR_OK;
}

static enum err write_keys(const struct json_object *old, struct strbuf *out, void *arg, struct errinfo *e)
{
	struct key_change *c = arg;

	(void)e;
	jw_init(&c->w, out);
	jw_object(&c->w, NULL);
	if (old != NULL)
		(void)json_each(old, copy_other, c);
	if (*c->value != '\0')
		jw_str(&c->w, c->env_var, c->value);
	jw_object_end(&c->w);
	strbuf_putc(out, '\n');
	return ERR_OK;
}

const char *key_preview(struct arena *a, const char *value)
{
	size_t len = strlen(value), from = len;

	if (len < PREVIEW_MIN)
		return "****";
	from = len - PREVIEW_TAIL;
	while (from < len && ((unsigned char)value[from] & 0xC0) == 0x80)
		from++;
	return arena_printf(a, "****%s", value + from);
}

enum err key_write(const char *var, struct arena *a, const char *env_var, const char *value, struct errinfo *e)
{
	struct key_change c = { .env_var = env_var, .value = value };

	return document_change(var, "keys.json", a, write_keys, &c, e);
}

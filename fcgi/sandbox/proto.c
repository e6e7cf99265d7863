#include "sandbox/proto.h"

#include <string.h>

#include "core/hostport.h"
#include "core/json.h"
#include "core/number.h"

enum {
	PROMPT_MAX = 256 * 1024,
	TEXT_MAX = 4096,
	ID_MAX = 64,
	ENV_VALUE_MAX = 32 * 1024,
	TIMEOUT_DEFAULT_S = 4 * 3600,
	TIMEOUT_MAX_S = 7 * 24 * 3600,
};

/* ---- grammars ---- */
static const char digits[] = "0123456789";

static bool all_of(const char *s, const char *set)
{
	return *s != '\0' && s[strspn(s, set)] == '\0';
}

static bool is_dispatch_id(const char *s)
{
	return strlen(s) == 32 && all_of(s, "0123456789abcdef");
}

static bool is_number(const char *s)
{
	return strlen(s) <= 19 && all_of(s, digits);
}

static bool is_session(const char *s)
{
	return *s == 's' && is_number(s + 1);
}

static bool is_name(const char *s) /* ^[a-z0-9]+(-[a-z0-9]+)*$ */
{
	size_t len = strlen(s);

	return all_of(s, "abcdefghijklmnopqrstuvwxyz0123456789-") && s[0] != '-' &&
	       s[len - 1] != '-' && strstr(s, "--") == NULL;
}

static bool is_line(const char *s) /* no control characters */
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7F)
			return false;
	}
	return true;
}

static bool is_argument(const char *s) /* a line that git cannot take for an option */
{
	return *s != '-' && is_line(s);
}

static bool is_repo(const char *s)
{
	/* "ext::command" and its kind name a program to run; no repository is written so. */
	return is_argument(s) && strchr(s, ' ') == NULL && strstr(s, "::") == NULL;
}

static bool is_absolute(const char *s)
{
	return *s == '/' && is_line(s);
}

static bool is_inside(const char *s) /* relative and without a .. component */
{
	if (*s == '/' || !is_argument(s))
		return false;
	for (const char *p = s; p != NULL; p = strchr(p, '/')) {
		if (*p == '/')
			p++;
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return false;
	}
	return true;
}

static bool is_url(const char *s)
{
	return (strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0) && is_line(s) &&
	       strpbrk(s, " \"\\") == NULL;
}

static bool is_token(const char *s)
{
	return all_of(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=:");
}

static bool is_env_name(const char *s)
{
	return strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", *s) != NULL &&
	       all_of(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

/*
 * Names we set ourselves, and names that change how a loader, a shell or bwrap itself behaves: the
 * environment is given to bwrap, which runs outside the box.  A name that ends in '*' stands for
 * all that begin so.
 */
static bool env_name_reserved(const char *name)
{
	static const char *const reserved[] = {
		"AGENT",    "AGENT_COMMAND", "BASHOPTS",    "BASH_*",    "CDPATH",
		"CHOMP_*",  "ENV",           "GCONV_PATH",  "GLIBC_*",   "GLOBIGNORE",
		"HOME",     "HOSTALIASES",   "IFS",         "LANG",      "LANGUAGE",
		"LC_*",     "LD_*",          "LOCALDOMAIN", "LOCPATH",   "LOGNAME",
		"MALLOC_*", "MODEL",         "NLSPATH",     "PATH",      "PROMPT_COMMAND",
		"PS4",      "PWD",           "OLDPWD",      "RESOLV_*",  "RES_OPTIONS",
		"ROUTER",   "SESSION_ID",    "SHELL",       "SHELLOPTS", "TASK_*",
		"TERM",     "TMPDIR",        "TZDIR",       "USER",
	};

	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		size_t len = strlen(reserved[i]);
		bool family = reserved[i][len - 1] == '*';
		if (family ? strncmp(name, reserved[i], len - 1) == 0
			   : strcmp(name, reserved[i]) == 0)
			return true;
	}
	return false;
}

/* ---- reading ---- */
static const char *const policies[] = { "internet", "none", "host" };

const char *network_policy_name(enum network_policy p)
{
	return policies[p];
}

struct field {
	const char *key;
	bool (*ok)(const char *);
	const char *wanted;
	size_t max;
	bool required;
};

/* Empty text in an optional field is a missing one. */
static enum err read_field(const struct json_object *o, const struct field *f, const char **out,
			   struct errinfo *e)
{
	const char *s = NULL;
	enum err rc = f->required ? jr_str(o, f->key, 1, f->max, &s, e)
				  : jr_str_opt(o, f->key, 0, f->max, &s, e);

	if (rc != ERR_OK || s == NULL || (*s == '\0' && !f->required))
		return rc;
	if (f->ok != NULL && !f->ok(s))
		return err_set(e, ERR_BAD_INPUT, 0, "%s: %s is wanted", f->key, f->wanted);
	*out = s;
	return ERR_OK;
}

static enum err read_texts(const struct json_object *o, struct dispatch *d, struct errinfo *e)
{
	const struct {
		struct field f;
		const char **out;
	} fields[] = {
		{ { "dispatchId", is_dispatch_id, "32 hex digits", ID_MAX, true }, &d->id },
		{ { "sessionId", is_session, "s and a number", ID_MAX, true }, &d->session },
		{ { "prompt", NULL, NULL, PROMPT_MAX, true }, &d->prompt },
		{ { "agent", is_name, "an agent's id", ID_MAX, true }, &d->agent },
		{ { "model", is_line, "one line of text", TEXT_MAX, false }, &d->model },
		{ { "command", is_line, "one line of text", TEXT_MAX, false }, &d->command },
		{ { "router", is_name, "a router's id", ID_MAX, false }, &d->router },
		{ { "repoUrl", is_repo, "the URL of a repository", TEXT_MAX, false },
		  &d->repo_url },
		{ { "branch", is_argument, "the name of a branch", TEXT_MAX, false }, &d->branch },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		enum err rc = read_field(o, &fields[i].f, fields[i].out, e);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static enum err read_task(struct arena *a, const struct json_object *o, struct dispatch *d,
			  struct errinfo *e)
{
	int64_t n = 0;
	enum err rc = jr_i64(o, "taskId", 0, INT64_MAX, &n, e); /* number or decimal text */

	if (rc != ERR_OK)
		return rc;
	d->task = arena_printf(a, "%lld", (long long)n);
	return ERR_OK;
}

static enum err read_place(const struct json_object *o, struct dispatch *d, struct errinfo *e)
{
	static const struct field inside = { "dir", is_inside,
					     "a path inside the clone, without ..,", TEXT_MAX,
					     false };
	static const struct field here = { "dir", is_absolute,
					   "an absolute path (there is no repoUrl)", TEXT_MAX,
					   false };
	const char *network = NULL;
	enum err rc = read_field(o, d->repo_url != NULL ? &inside : &here, &d->dir, e);

	if (rc == ERR_OK)
		rc = jr_str_opt(o, "network", 0, ID_MAX, &network, e);
	if (rc != ERR_OK || network == NULL)
		return rc;
	for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
		if (strcmp(network, policies[i]) == 0) {
			d->network = (enum network_policy)i;
			return ERR_OK;
		}
	}
	return *network == '\0' ? ERR_OK : err_set(e, ERR_BAD_INPUT, 0, "network: none, internet or host is wanted");
}

static enum err read_allow(struct arena *a, const struct json_object *o, struct dispatch *d, struct errinfo *e)
{
	struct json_object *list = NULL;
	enum err rc = jr_arr_opt(o, "allow", &list, e);

	for (size_t i = 0; rc == ERR_OK && list != NULL && i < json_array_len(list); i++) {
		const char *s = json_string(json_array_at(list, i));
		if (d->allow_len == DISPATCH_ALLOW_MAX)
			return err_set(e, ERR_BAD_INPUT, 0, "allow: at most %d addresses", DISPATCH_ALLOW_MAX);
		if (s == NULL || !hostport_valid(s))
			return err_set(e, ERR_BAD_INPUT, 0, "allow: host:port (a name or an IPv4 address) is wanted");
		d->allow[d->allow_len++] = arena_strdup(a, s);
	}
	return rc;
}

static enum err read_history(struct arena *a, const struct json_object *o, struct dispatch *d,
			     struct errinfo *e)
{
	struct json_object *history = NULL;
	enum err rc = jr_arr_opt(o, "history", &history, e);

	d->history = "[]";
	if (rc != ERR_OK || history == NULL)
		return rc;
	for (size_t i = 0; i < json_array_len(history); i++) {
		if (!json_is_object(json_array_at(history, i)))
			return err_set(e, ERR_BAD_INPUT, 0,
				       "history: an array of objects is wanted");
	}
	d->history = json_text(a, history);
	return ERR_OK;
}

static enum err read_callback(const struct json_object *o, struct dispatch *d, struct errinfo *e)
{
	static const struct field url = { "url", is_url, "an http or https URL", TEXT_MAX, true };
	static const struct field token = { "token", is_token, "a token", 1024, true };
	struct json_object *callback = NULL;
	enum err rc = jr_obj_opt(o, "callback", &callback, e);

	if (rc == ERR_OK && callback == NULL)
		return err_set(e, ERR_BAD_INPUT, 0, "callback is missing");
	if (rc == ERR_OK)
		rc = read_field(callback, &url, &d->callback_url, e);
	if (rc == ERR_OK)
		rc = read_field(callback, &token, &d->callback_token, e);
	return rc;
}

struct env_reader {
	const struct json_object *env;
	struct dispatch *d;
	struct errinfo *e;
};

static enum err read_pair(const char *key, struct json_object *value, void *arg)
{
	struct env_reader *r = arg;
	struct dispatch *d = r->d;

	(void)value;
	if (strlen(key) > ID_MAX || !is_env_name(key))
		return err_set(r->e, ERR_BAD_INPUT, 0, "env: %.64s is not a name like API_KEY",
			       key);
	if (env_name_reserved(key))
		return err_set(r->e, ERR_BAD_INPUT, 0, "env: %s is not to be set from outside",
			       key);
	if (d->env_len == DISPATCH_ENV_MAX)
		return err_set(r->e, ERR_BAD_INPUT, 0, "env: at most %d names", DISPATCH_ENV_MAX);
	struct env_pair *p = &d->env[d->env_len];
	*p = (struct env_pair){ .name = key, .value = "" };
	enum err rc = jr_str(r->env, key, 0, ENV_VALUE_MAX, &p->value, r->e);
	if (rc == ERR_OK)
		d->env_len++;
	return rc;
}

static enum err read_env(const struct json_object *o, struct dispatch *d, struct errinfo *e)
{
	struct json_object *env = NULL;
	enum err rc = jr_obj_opt(o, "env", &env, e);

	if (rc != ERR_OK || env == NULL)
		return rc;
	struct env_reader r = { .env = env, .d = d, .e = e };
	return json_each(env, read_pair, &r);
}

enum err dispatch_parse(struct arena *a, const char *body, size_t len, struct dispatch *out,
			struct errinfo *e)
{
	struct json_object *o = NULL;
	enum err rc;

	memset(out, 0, sizeof *out);
	out->timeout_s = TIMEOUT_DEFAULT_S;
	if ((rc = json_parse(a, body, len, &o, e)) != ERR_OK)
		return rc;
	if (!json_is_object(o))
		return err_set(e, ERR_BAD_JSON, 0, "a JSON object is wanted");
	if ((rc = read_texts(o, out, e)) != ERR_OK || (rc = read_task(a, o, out, e)) != ERR_OK ||
	    (rc = read_place(o, out, e)) != ERR_OK || (rc = read_allow(a, o, out, e)) != ERR_OK || (rc = read_history(a, o, out, e)) != ERR_OK ||
	    (rc = read_callback(o, out, e)) != ERR_OK || (rc = read_env(o, out, e)) != ERR_OK)
		return rc;
	return jr_i64_opt(o, "timeoutSeconds", 1, TIMEOUT_MAX_S, &out->timeout_s, e);
}

/* ---- answers ---- */
void answer_started(struct strbuf *out, const char *sandbox_id, const char *boundary)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "sandboxId", sandbox_id);
	jw_str(&w, "status", "started");
	jw_str(&w, "boundary", boundary);
	jw_object_end(&w);
}

void answer_destroyed(struct strbuf *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "status", "destroyed");
	jw_object_end(&w);
}

static void optional(struct jw *w, const char *key, const char *s)
{
	if (s != NULL && *s != '\0')
		jw_str(w, key, s);
}

void answer_status(struct strbuf *out, const struct status *st)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "sandboxId", st->id);
	jw_bool(&w, "alive", st->alive);
	jw_bool(&w, "running", st->running);
	if (st->has_code)
		jw_i64(&w, "exitCode", st->exit_code);
	optional(&w, "reason", st->reason);
	optional(&w, "error", st->error);
	if (st->started_ms != 0)
		jw_time(&w, "startedAt", st->started_ms);
	optional(&w, "endedAt", st->ended);
	jw_object_end(&w);
}

void answer_health(struct strbuf *out, int active, int capacity)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "status", "ok");
	jw_str(&w, "service", "chomp-sandbox");
	jw_str(&w, "version", CHOMP_VERSION);
	jw_i64(&w, "active", active);
	jw_i64(&w, "capacity", capacity);
	jw_object_end(&w);
}

void answer_error(struct strbuf *out, const struct errinfo *e)
{
	int status = err_status(e->code);
	/* What went wrong inside is for the log; what the caller can mend, or wait for, is told. */
	bool told = status < 500 || status == 503 || status == 507;
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_object(&w, "error");
	jw_str(&w, "code", err_code(e));
	jw_str(&w, "message", told ? e->what : "the sandbox host failed; its log says why");
	jw_object_end(&w);
	jw_object_end(&w);
}

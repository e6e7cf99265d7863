/* Agents, keys, settings. */
#include <sys/wait.h>

#include "api_kit.h"
#include "store/settings.h"

/* ---- settings ---- */
static const struct setting {
	const char *name;
	const char *type, *body;
	int status;
	const char *code;
	const char *then; /* what the answer holds */
} settings_rows[] = {
	{ "auto_run is set", JSON, "{\"auto_run\":true}", 200, NULL, "\"auto_run\":true" },
	{ "auto_run is set by a form", FORM, "auto_run=on", 200, NULL, "\"auto_run\":true" },
	{ "paused is set", JSON, "{\"paused\":true}", 200, NULL, "\"paused\":true" },
	{ "max_active is set", JSON, "{\"max_active\":\"12\"}", 200, NULL, "\"max_active\":12" },
	{ "gate_loops is set", JSON, "{\"gate_loops\":0}", 200, NULL, "\"gate_loops\":0" },
	{ "token_budget is set", JSON, "{\"token_budget\":0}", 200, NULL, "\"token_budget\":0" },
	{ "a time-out in seconds", JSON, "{\"session_timeout\":90}", 200, NULL,
	  "\"session_timeout\":90" },
	{ "a time-out in seconds by text", JSON, "{\"session_timeout\":\"90s\"}", 200, NULL,
	  "\"session_timeout\":90" },
	{ "a time-out in minutes", FORM, "session_timeout=30m", 200, NULL,
	  "\"session_timeout\":1800" },
	{ "a time-out in hours", JSON, "{\"session_timeout\":\"4h\"}", 200, NULL,
	  "\"session_timeout\":14400" },
	{ "a time-out in days", JSON, "{\"session_timeout\":\"7d\"}", 200, NULL,
	  "\"session_timeout\":604800" },
	{ "an agent is set", JSON, "{\"default_agent\":\"pi\"}", 200, NULL,
	  "\"default_agent\":\"pi\"" },
	{ "no agent is set", JSON, "{\"default_agent\":\"\"}", 200, NULL,
	  "\"default_agent\":null" },
	{ "a server is set", JSON,
	  "{\"custom_base_url\":\"http://127.0.0.1:11434/v1\",\"custom_api\":\"anthropic\"}", 200,
	  NULL, "\"custom_base_url\":\"http://127.0.0.1:11434/v1\",\"custom_api\":\"anthropic\"" },
	{ "nothing changes nothing", JSON, "{}", 200, NULL, "\"max_active\":4" },
	{ "an unknown setting changes nothing", JSON, "{\"color\":\"red\"}", 200, NULL,
	  "\"max_active\":4" },
	{ "a truth that is none is refused", JSON, "{\"auto_run\":\"maybe\"}", 400, "bad_field",
	  NULL },
	{ "a negative limit is refused", JSON, "{\"max_active\":-1}", 400, "bad_field", NULL },
	{ "a limit too high is refused", JSON, "{\"max_active\":1001}", 400, "bad_field", NULL },
	{ "too many loops are refused", JSON, "{\"gate_loops\":101}", 400, "bad_field", NULL },
	{ "a budget beyond 2^53 is refused", JSON, "{\"token_budget\":9007199254740993}", 400,
	  "bad_field", NULL },
	{ "no time at all is refused", JSON, "{\"session_timeout\":0}", 400, "bad_field", NULL },
	{ "no time by text is refused", JSON, "{\"session_timeout\":\"0h\"}", 400, "bad_field",
	  NULL },
	{ "eight days are refused", JSON, "{\"session_timeout\":\"8d\"}", 400, "bad_field", NULL },
	{ "very many days are refused", JSON, "{\"session_timeout\":\"99999999999999d\"}", 400,
	  "bad_field", NULL },
	{ "an unknown unit is refused", JSON, "{\"session_timeout\":\"4w\"}", 400, "bad_field",
	  NULL },
	{ "a unit alone is refused", JSON, "{\"session_timeout\":\"h\"}", 400, "bad_field", NULL },
	{ "two units are refused", JSON, "{\"session_timeout\":\"4hh\"}", 400, "bad_field", NULL },
	{ "a long time-out is refused", JSON,
	  "{\"session_timeout\":\"00000000000000000000000000004h\"}", 400, "bad_field", NULL },
	{ "an empty time-out is refused", JSON, "{\"session_timeout\":\"\"}", 400, "bad_field",
	  NULL },
	{ "an unknown agent is refused", JSON, "{\"default_agent\":\"nobody\"}", 400,
	  "unknown_agent", NULL },
	{ "a server by file is refused", JSON, "{\"custom_base_url\":\"file:///etc/passwd\"}", 400,
	  "bad_field", NULL },
	{ "a server with a space is refused", JSON, "{\"custom_base_url\":\"http://a b\"}", 400,
	  "bad_field", NULL },
	{ "a server with a line feed is refused", JSON, "{\"custom_base_url\":\"http://a\\nb\"}",
	  400, "bad_field", NULL },
	{ "a server with a quote is refused", JSON, "{\"custom_base_url\":\"http://a\\\"b\"}", 400,
	  "bad_field", NULL },
	{ "an unknown protocol is refused", JSON, "{\"custom_api\":\"soap\"}", 400, "bad_field",
	  NULL },
	{ "broken JSON is refused", JSON, "{\"paused\":", 400, "bad_json", NULL },
	{ "plain text is refused", "text/plain", "paused=true", 415, "unsupported_media", NULL },
};

static void setting_is_made(void **state)
{
	ROW(struct setting);
	struct ask q = { .handler = api_config_settings, .type = r->type, .body = r->body };

	(void)api_setup(state);
	if (r->code != NULL) {
		assert_refused(q, r->status, r->code);
	} else {
		struct reply rp = ask(q);
		assert_status(rp, r->status);
		assert_string_equal(rp.trigger, "refreshTasks");
		assert_non_null(strstr(rp.body, r->then));
		assert_non_null(strstr(get(api_config, NULL).body, r->then)); /* and it stays */
	}
	(void)api_teardown(state);
}

static void one_setting_leaves_the_others(void **state)
{
	(void)state;
	assert_status(
		post(api_config_settings,
		     "{\"max_active\":9,\"session_timeout\":\"1h\",\"default_agent\":\"pi\"}"),
		200);
	struct reply r = post(api_config_settings, "{\"paused\":true}");
	assert_int_equal(number(r.json, "max_active"), 9);
	assert_int_equal(number(r.json, "session_timeout"), 3600);
	assert_string_equal(field(r.json, "default_agent"), "pi");
	/* A time-out counts from the next run on. */
	const char *id = run_task("");
	assert_int_equal(task_now(id).sessions[0].expires_at, now_ms + 3600 * 1000);
}

/* Four pages, each with its own switch: nobody's change is undone by somebody who read before it.
 */
static void settings_changed_at_once_are_all_kept(void **state)
{
	static const char *const names[] = { "max_active", "gate_loops", "token_budget",
					     "session_timeout" };

	(void)state;
	for (int i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		for (int k = 1; k <= 50; k++) {
			struct reply r = post(api_config_settings,
					      arena_printf(&w.a, "{\"%s\":%d}", names[i], k));
			if (r.status != 200 || number(r.json, names[i]) != k)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	struct reply r = post(api_config_settings, "{}");
	for (int i = 0; i < 4; i++)
		assert_int_equal(number(r.json, names[i]), 50);
}

static void damaged_settings_are_told(void **state)
{
	(void)state;
	world_write(&w, "state/settings.json", "x", 1);
	assert_refused((struct ask){ .handler = api_config_settings, .type = JSON, .body = "{}" },
		       500, "corrupt");
	assert_refused((struct ask){ .handler = api_config }, 500, "corrupt");
}

/* ---- keys ---- */
static const struct key_row {
	const char *name;
	const char *value;
	const char *preview; /* NULL: the key is deleted */
} key_rows[] = {
	{ "a long key shows its last four", "sk-or-v1-0123456789abcd", "****abcd" },
	{ "twelve characters show four", "abcdefghijkl", "****ijkl" },
	{ "eleven characters show none", "abcdefghijk", "****" },
	{ "one character shows none", "x", "****" },
	{ "no character is shown in half", "abcdefghij\xC3\xA4\xC3\xA4\xC3\xA4",
	  "****\xC3\xA4\xC3\xA4" },
	{ "no value deletes", "", NULL },
};

static void key_is_set_and_never_shown(void **state)
{
	ROW(struct key_row);
	const char *value;
	struct errinfo e;

	(void)api_setup(state);
	assert_status(
		post(api_config_keys, "{\"key\":\"GITHUB_TOKEN\",\"value\":\"something-before\"}"),
		200);
	struct reply rp =
		post(api_config_keys,
		     arena_printf(&w.a, "{\"key\":\"GITHUB_TOKEN\",\"value\":\"%s\"}", r->value));
	assert_status(rp, 200);
	assert_string_equal(rp.trigger, "refreshTasks");
	assert_text(field(rp.json, "preview"), r->preview);
	assert_ok(key_read(w.var, &w.a, "GITHUB_TOKEN", &value, &e), &e);
	assert_text(value, r->preview != NULL ? r->value : NULL);
	struct reply config = get(api_config, NULL);
	assert_status(config, 200);
	assert_null(strstr(config.body, "something-before"));
	if (strlen(r->value) > 4) {
		assert_null(strstr(config.body, r->value));
		assert_null(strstr(rp.body, r->value));
	}
	(void)api_teardown(state);
}

static const struct bad_key {
	const char *name;
	const char *body;
	const char *code;
} bad_keys[] = {
	{ "an unknown key is refused", "{\"key\":\"PATH\",\"value\":\"x\"}", "unknown_key" },
	{ "a key in small letters is refused", "{\"key\":\"github_token\",\"value\":\"x\"}",
	  "unknown_key" },
	{ "no key is refused", "{\"value\":\"x\"}", "unknown_key" },
	{ "an empty key is refused", "{\"key\":\"\",\"value\":\"x\"}", "unknown_key" },
	{ "a key that is a number is refused", "{\"key\":1,\"value\":\"x\"}", "bad_field" },
	{ "no value is refused", "{\"key\":\"GITHUB_TOKEN\"}", "bad_field" },
	{ "a null value is refused", "{\"key\":\"GITHUB_TOKEN\",\"value\":null}", "bad_field" },
	{ "a value with a line feed is refused", "{\"key\":\"GITHUB_TOKEN\",\"value\":\"a\\nb\"}",
	  "bad_field" },
	{ "a value with a space is refused", "{\"key\":\"GITHUB_TOKEN\",\"value\":\"a b\"}",
	  "bad_field" },
	{ "a value with NUL is refused", "{\"key\":\"GITHUB_TOKEN\",\"value\":\"a\\u0000b\"}",
	  "bad_field" },
};

static void key_is_refused(void **state)
{
	ROW(struct bad_key);

	(void)api_setup(state);
	assert_refused((struct ask){ .handler = api_config_keys, .type = JSON, .body = r->body },
		       400, r->code);
	(void)api_teardown(state);
}

/* ---- what is shown ---- */
static void agents_are_listed_by_id(void **state)
{
	static const char *const ids[] = { "shell",  "pi",    "opencode", "shelley",
					   "claude", "codex", "gemini" };
	char *custom;
	struct errinfo e;
	size_t len;

	(void)state;
	assert_ok(file_read(AT_FDCWD, "tests/fixtures/old-state/agents.json", 1 << 20, &w.a,
			    &custom, &len, &e),
		  &e);
	world_write(&w, "state/agents.json", custom, len);
	assert_int_equal(mkdir(world_path(&w, "agents"), 0700), 0);
	assert_int_equal(mkdir(world_path(&w, "agents/pi"), 0700), 0);
	assert_int_equal(mkdir(world_path(&w, "agents/pi/node_modules"), 0700), 0);
	assert_int_equal(mkdir(world_path(&w, "agents/pi/node_modules/.bin"), 0700), 0);
	world_write(&w, "agents/pi/node_modules/.bin/pi", "", 0);
	struct reply r = get(api_config_agents, NULL);
	assert_status(r, 200);
	for (size_t i = 0; i < 7; i++) {
		struct json_object *ag = NULL;
		bool builtin = false, available = false;
		assert_ok(jr_obj_opt(r.json, ids[i], &ag, &e), &e);
		assert_non_null(ag);
		assert_ok(jr_bool_opt(ag, "builtin", &builtin, &e), &e);
		assert_ok(jr_bool_opt(ag, "available", &available, &e), &e);
		assert_true(builtin);
		assert_int_equal(available, i < 2);
		assert_int_equal(field(ag, "reason") == NULL, i < 2);
		assert_non_null(field(ag, "name"));
		assert_non_null(field(ag, "default_model"));
	}
	struct json_object *mine = NULL;
	assert_ok(jr_obj_opt(r.json, "my-agent", &mine, &e), &e);
	assert_string_equal(field(mine, "name"), "My Agent");
	assert_string_equal(field(mine, "command"), "my-agent-cli");
	assert_string_equal(field(mine, "color"), "#22AA88");
	/* What is installed is the default for who names nothing. */
	assert_string_equal(task_now(run_task("")).platform, "pi");
}

static void strange_agents_do_not_break_the_list(void **state)
{
	const char agents[] = "{\"a\":7,\"b\":null,\"c\":[],\"pi\":{\"name\":\"not "
			      "yours\"},\"d\":{\"name\":5,\"models\":\"x\"},"
			      "\"e<b>\":{\"name\":\"<i>\",\"command\":\"c\"}}";

	(void)state;
	world_write(&w, "state/agents.json", agents, sizeof agents - 1);
	struct reply r = get(api_config_agents, NULL);
	assert_status(r, 200);
	assert_null(strstr(r.body, "not yours"));
	assert_false(jr_has(r.json, "a"));
	assert_true(jr_has(r.json, "d"));
	world_write(&w, "state/agents.json", "[]", 2);
	assert_refused((struct ask){ .handler = api_config_agents }, 500, "corrupt");
	assert_refused((struct ask){ .handler = api_config }, 500, "corrupt");
}

static void config_holds_all_three(void **state)
{
	struct json_object *o = NULL, *router = NULL;
	struct errinfo e;

	(void)state;
	struct reply r = get(api_config, NULL);
	assert_status(r, 200);
	assert_true(jr_has(r.json, "agents"));
	assert_true(jr_has(r.json, "settings"));
	assert_ok(jr_obj_opt(r.json, "routers", &o, &e), &e);
	static const struct {
		const char *id;
		size_t keys;
	} routers[] = { { "cf-ai", 3 },
			{ "openrouter", 1 },
			{ "zen", 1 },
			{ "custom", 1 },
			{ "providers", 4 } };
	for (size_t i = 0; i < 5; i++) {
		assert_ok(jr_obj_opt(o, routers[i].id, &router, &e), &e);
		assert_non_null(item(router, "keys", routers[i].keys - 1));
		assert_null(item(router, "keys", routers[i].keys));
		assert_null(field(item(router, "keys", 0), "preview"));
	}
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("one setting leaves the others", one_setting_leaves_the_others),
		T("settings changed at once are all kept", settings_changed_at_once_are_all_kept),
		T("damaged settings are told", damaged_settings_are_told),
		T("agents are listed by id", agents_are_listed_by_id),
		T("strange agents do not break the list", strange_agents_do_not_break_the_list),
		T("the configuration holds agents, routers and settings", config_holds_all_three),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, settings_rows, setting_is_made);
	PLAN_ROWS(&p, key_rows, key_is_set_and_never_shown);
	PLAN_ROWS(&p, bad_keys, key_is_refused);
	return plan_run("api_config", &p);
}

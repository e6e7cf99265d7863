#include "core/json.h"
#include "store/settings.h"
#include "world.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static void nothing_stored_is_the_defaults(void **state)
{
	struct settings s;
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_ok(settings_read(w.var, &w.a, &s, &e), &e);
		assert_false(s.auto_run);
		assert_false(s.paused);
		assert_int_equal(s.max_active, 4);
		assert_int_equal(s.gate_loops, 3);
		assert_int_equal(s.token_budget, 300000);
		assert_int_equal(s.session_timeout_s, 4 * 3600);
		assert_null(s.default_agent);
		assert_string_equal(s.custom_api, "openai");
		assert_null(s.custom_base_url);
		assert_null(s.sandbox_allow);
		world_write(&w, "state/settings.json", "{}", 2);
	}
}

static enum err refuse(struct settings *s, void *arg, struct errinfo *e)
{
	(void)arg;
	s->max_active = 99;
	return err_set(e, ERR_BAD_INPUT, 0, "no");
}

static void settings_come_back(void **state)
{
	const struct settings want = { .auto_run = true,
				       .paused = true,
				       .max_active = 9,
				       .gate_loops = 0,
				       .token_budget = 0,
				       .session_timeout_s = 60,
				       .default_agent = "pi",
				       .custom_base_url = "http://127.0.0.1:11434/v1",
				       .custom_api = "anthropic",
				       .sandbox_allow = "127.0.0.1:11434 example.com:443" };
	struct settings s;
	struct errinfo e;

	(void)state;
	assert_ok(settings_write(w.var, &w.a, &want, &e), &e);
	assert_err(settings_change(w.var, &w.a, refuse, NULL, NULL, &e), ERR_BAD_INPUT, &e);
	assert_ok(settings_read(w.var, &w.a, &s, &e), &e);
	assert_true(s.auto_run);
	assert_true(s.paused);
	assert_int_equal(s.max_active, 9);
	assert_int_equal(s.gate_loops, 0);
	assert_int_equal(s.token_budget, 0);
	assert_int_equal(s.session_timeout_s, 60);
	assert_string_equal(s.default_agent, want.default_agent);
	assert_string_equal(s.custom_base_url, want.custom_base_url);
	assert_string_equal(s.custom_api, want.custom_api);
	assert_string_equal(s.sandbox_allow, want.sandbox_allow);
}

static const struct bad {
	const char *name;
	const char *text;
} bad[] = {
	{ "settings that are no JSON are damage", "x" },
	{ "a number for a truth is damage", "{\"auto_run\":1}" },
	{ "a negative limit is damage", "{\"max_active\":-1}" },
	{ "no time at all is damage", "{\"session_timeout_s\":0}" },
	{ "a number for an agent is damage", "{\"default_agent\":7}" },
};

static void damage_is_told(void **state)
{
	ROW(struct bad);
	struct settings s;
	struct errinfo e;

	(void)setup(state);
	world_write(&w, "state/settings.json", r->text, strlen(r->text));
	assert_err(settings_read(w.var, &w.a, &s, &e), ERR_CORRUPT, &e);
	assert_non_null(strstr(e.what, "settings.json"));
	(void)teardown(state);
}

/* ---- keys ---- */
static const char *key(const char *name)
{
	const char *value = "x";
	struct errinfo e;

	assert_ok(key_read(w.var, &w.a, name, &value, &e), &e);
	return value;
}

static void keys_are_set_replaced_and_deleted(void **state)
{
	struct errinfo e;
	struct stat st;

	(void)state;
	assert_null(key("OPENROUTER_API_KEY"));
	assert_ok(key_write(w.var, &w.a, "OPENROUTER_API_KEY", "sk-1", &e), &e);
	assert_ok(key_write(w.var, &w.a, "GITHUB_TOKEN", "quote\" back\\slash", &e), &e);
	assert_string_equal(key("OPENROUTER_API_KEY"), "sk-1");
	assert_ok(key_write(w.var, &w.a, "OPENROUTER_API_KEY", "sk-2", &e), &e);
	assert_string_equal(key("OPENROUTER_API_KEY"), "sk-2");
	assert_string_equal(key("GITHUB_TOKEN"), "quote\" back\\slash");
	assert_ok(key_write(w.var, &w.a, "OPENROUTER_API_KEY", "", &e), &e);
	assert_null(key("OPENROUTER_API_KEY"));
	assert_ok(key_write(w.var, &w.a, "OPENROUTER_API_KEY", "", &e), &e);
	assert_int_equal(stat(world_path(&w, "state/keys.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void old_keys_are_read_and_unknown_ones_kept(void **state)
{
	struct errinfo e;
	size_t len;
	char *old;

	(void)state;
	assert_ok(file_read(AT_FDCWD, "tests/fixtures/old-state/keys.json", 1 << 20, &w.a, &old,
			    &len, &e),
		  &e);
	world_write(&w, "state/keys.json", old, len);
	assert_string_equal(key("OPENROUTER_API_KEY"), "sk-or-v1-not-a-real-key-0123456789");
	const char more[] =
		"{\"MY_KEY\":\"kept\",\"list\":[1,{\"x\":2.50}],\"GITHUB_TOKEN\":\"gone\"}";
	world_write(&w, "state/keys.json", more, sizeof more - 1);
	assert_ok(key_write(w.var, &w.a, "GITHUB_TOKEN", "new", &e), &e);
	assert_string_equal(
		world_read(&w, "state/keys.json", &len),
		"{\"MY_KEY\":\"kept\",\"list\":[1,{\"x\":2.50}],\"GITHUB_TOKEN\":\"new\"}\n");
}

/* The old chomp could leave a key with an empty value: it is one that is not set. */
static void empty_key_is_not_set(void **state)
{
	(void)state;
	world_write(&w, "state/keys.json", "{\"GITHUB_TOKEN\":\"\",\"GEMINI_API_KEY\":null}", 41);
	assert_null(key("GITHUB_TOKEN"));
	assert_null(key("GEMINI_API_KEY"));
}

static void known_keys_have_a_router_or_none(void **state)
{
	(void)state;
	assert_int_equal(key_name_count, 10);
	for (size_t i = 0; i < key_name_count; i++)
		assert_ptr_equal(key_find(key_names[i].env_var), &key_names[i]);
	assert_string_equal(key_find("CLOUDFLARE_ACCOUNT_ID")->router, "cf-ai");
	assert_string_equal(key_find("OPENCODE_ZEN_API_KEY")->router, "zen");
	assert_string_equal(key_find("ANTHROPIC_API_KEY")->router, "");
	assert_null(key_find("PATH"));
	assert_null(key_find(""));
	assert_null(key_find("openrouter_api_key"));
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("nothing stored is the defaults", nothing_stored_is_the_defaults),
		T("settings come back", settings_come_back),
		T("keys are set, replaced and deleted", keys_are_set_replaced_and_deleted),
		T("old keys are read and unknown ones kept",
		  old_keys_are_read_and_unknown_ones_kept),
		T("an empty key is not set", empty_key_is_not_set),
		T("known keys have a router or none", known_keys_have_a_router_or_none),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, bad, damage_is_told);
	return plan_run("settings", &p);
}

/* How the platforms are, as a page is told. */
#include <sys/stat.h>

#include "api_kit.h"
#include "store/platforms.h"
#include "store/settings.h"

static struct json_object *at(size_t i)
{
	struct reply r = get(api_platforms, NULL);

	assert_status(r, 200);
	return json_array_at(r.json, i);
}

static void all_four_in_order(void **state)
{
	static const char *const names[] = { "Shelley", "Cloudflare AI", "OpenRouter",
					     "OpenCode Zen" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(field(at(i), "name"), names[i]);
		assert_string_equal(field(at(i), "status"), "unconfigured");
		assert_int_equal(field(at(i), "color")[0], '#');
		assert_null(field(at(i), "checked_at"));
		assert_false(jr_has(at(i), "credits"));
	}
	assert_null(at(4));
}

static void set_key(const char *name, const char *value)
{
	struct errinfo e;

	assert_ok(key_write(w.var, &w.a, name, value, &e), &e);
}

static void a_result_counts_for_its_key(void **state)
{
	struct platform_state s = { .status = PLATFORM_LIVE,
				    .has_credits = true,
				    .credits = 1205,
				    .checked_at = 1770804000000 };
	struct platform_keys keys;
	struct errinfo e;

	(void)state;
	set_key("OPENROUTER_API_KEY", "sk-or-v1-0123456789");
	assert_string_equal(field(at(2), "status"), "unknown");
	assert_ok(platform_keys_read(w.var, &w.a, PLATFORM_OPENROUTER, &keys, &e), &e);
	s.mark = keys.mark;
	assert_ok(platforms_write(w.var, &w.a, PLATFORM_OPENROUTER, &s, &e), &e);
	assert_string_equal(field(at(2), "status"), "live");
	assert_string_equal(field(at(2), "checked_at"), "2026-02-11T10:00:00Z");
	assert_non_null(strstr(get(api_platforms, NULL).body, "\"credits\":12.05,"));
	assert_null(strstr(world_read(&w, "state/platforms.json", NULL), "sk-or"));
	set_key("OPENROUTER_API_KEY", "sk-or-v1-another-one");
	assert_string_equal(field(at(2), "status"), "unknown");
	set_key("OPENROUTER_API_KEY", "sk-or-v1-0123456789");
	assert_string_equal(field(at(2), "status"), "live");
	set_key("OPENROUTER_API_KEY", "");
	assert_string_equal(field(at(2), "status"), "unconfigured");
}

static void part_of_the_keys_is_none(void **state)
{
	(void)state;
	set_key("CLOUDFLARE_API_TOKEN", "cf-token-0123456789");
	set_key("CLOUDFLARE_ACCOUNT_ID", "account");
	assert_string_equal(field(at(1), "status"), "unconfigured");
	set_key("CLOUDFLARE_AI_GATEWAY_ID", "gate");
	assert_string_equal(field(at(1), "status"), "unknown");
}

static int64_t touched(void)
{
	struct stat st;

	return stat(world_path(&w, "run/worker/platforms_wanted"), &st) == 0
		       ? (int64_t)st.st_mtim.tv_sec * 1000
		       : -1;
}

static void a_look_leaves_word_once_a_minute(void **state)
{
	int64_t first = now_ms;

	(void)state;
	assert_int_equal(touched(), -1);
	(void)at(0);
	assert_int_equal(touched(), first);
	now_ms += 59000;
	(void)at(0);
	assert_int_equal(touched(), first);
	now_ms += 1000;
	(void)at(0);
	assert_int_equal(touched(), first + 60000);
	now_ms -= 3600 * 1000; /* the clock was set back */
	(void)at(0);
	assert_int_equal(touched(), now_ms);
}

static void strange_results_are_unknown(void **state)
{
	static const char doc[] =
		"{\"zen\":{\"mark\":7,\"status\":\"great\"},\"openrouter\":[],\"other\":1}";

	(void)state;
	set_key("OPENCODE_ZEN_API_KEY", "zen-key-0123456789");
	world_write(&w, "state/platforms.json", doc, sizeof doc - 1);
	assert_string_equal(field(at(3), "status"), "unknown");
	world_write(&w, "state/platforms.json", "x", 1);
	assert_refused((struct ask){ .handler = api_platforms }, 500, "corrupt");
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("all four in order", all_four_in_order),
		T("a result counts for its key", a_result_counts_for_its_key),
		T("part of the keys is none", part_of_the_keys_is_none),
		T("a look leaves word once a minute", a_look_leaves_word_once_a_minute),
		T("strange results are unknown", strange_results_are_unknown),
	};

	return cmocka_run_group_tests_name("api_platforms", tests, NULL, NULL) != 0;
}

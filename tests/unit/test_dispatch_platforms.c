#include "dispatch/platforms.h"

#include "dispatch_kit.h"
#include "store/settings.h"

#define KEY "sk-or-v1-a-very-secret-key"

static void key(const char *name, const char *value)
{
	struct errinfo e;

	assert_ok(key_write(kit.var, &kit.a, name, value, &e), &e);
}

static void configure(void)
{
	struct errinfo e;

	assert_ok(platforms_configure(&kit.d.platforms, &e), &e);
}

static void keys_for_all(void)
{
	key("OPENROUTER_API_KEY", KEY);
	key("OPENCODE_ZEN_API_KEY", "zen-key-0123456789");
	key("CLOUDFLARE_API_TOKEN", "cf-token-0123456789");
	key("CLOUDFLARE_ACCOUNT_ID", "0123456789abcdef0123456789abcdef");
	key("CLOUDFLARE_AI_GATEWAY_ID", "gate");
}

static void look(void)
{
	platforms_asked(&kit.d);
	kit_turn();
}

static struct platform_state state_of(enum platform_id id)
{
	struct platform_state all[PLATFORM_COUNT];
	struct errinfo e;

	assert_ok(platforms_read(kit.var, &kit.a, all, &e), &e);
	return all[id];
}

static void assert_waits_at(const char *url, const char *bearer)
{
	assert_int_equal(kit_waiting(CALL_PLATFORM), 1);
	assert_string_equal(kit.calls[0]->path, url);
	assert_string_equal(kit.calls[0]->bearer, bearer);
}

/* ---- when ---- */
static void nobody_is_asked_unless_somebody_looks(void **state)
{
	(void)state;
	configure();
	keys_for_all();
	kit_pass(3600 * 1000);
	assert_int_equal(kit.total, 0);
	assert_int_equal(kit_turn(), NEVER);
	assert_int_equal(state_of(PLATFORM_ZEN).status, PLATFORM_UNKNOWN);
	assert_int_equal(state_of(PLATFORM_SHELLEY).status, PLATFORM_UNCONFIGURED);
	look();
	assert_int_equal(kit_waiting(CALL_PLATFORM), 3);
}

static void without_keys_nobody_is_asked(void **state)
{
	(void)state;
	configure();
	key("CLOUDFLARE_API_TOKEN", "cf-token-0123456789");
	look();
	assert_int_equal(kit.total, 0);
	assert_int_equal(kit_turn(), NEVER);
	assert_int_equal(state_of(PLATFORM_CLOUDFLARE).status, PLATFORM_UNCONFIGURED);
}

static void at_most_once_a_minute(void **state)
{
	(void)state;
	configure();
	key("OPENCODE_ZEN_API_KEY", "zen-key-0123456789");
	look();
	assert_waits_at("https://opencode.ai/zen/v1/models", "zen-key-0123456789");
	kit_answer(CALL_PLATFORM, 200, "");
	assert_int_equal(state_of(PLATFORM_ZEN).status, PLATFORM_LIVE);
	assert_int_equal(state_of(PLATFORM_ZEN).checked_at, kit_wall());
	assert_int_equal(kit_turn(), NEVER);
	kit_pass(30 * 1000);
	look();
	assert_int_equal(kit.total, 1);
	kit_pass(30 * 1000 - 1);
	assert_int_equal(kit.total, 1);
	kit_pass(1);
	assert_int_equal(kit.total, 2);
	kit_answer(CALL_PLATFORM, 500, "");
	assert_int_equal(state_of(PLATFORM_ZEN).status, PLATFORM_DOWN);
	assert_string_equal(state_of(PLATFORM_ZEN).reason, "it answers 500");
	kit_pass(3600 * 1000); /* nobody looks any more */
	assert_int_equal(kit.total, 2);
	assert_int_equal(kit_turn(), NEVER);
}

static void a_new_key_is_asked_for_at_once(void **state)
{
	(void)state;
	configure();
	key("OPENCODE_ZEN_API_KEY", "zen-key-0123456789");
	look();
	kit_answer(CALL_PLATFORM, 401, "");
	assert_string_equal(state_of(PLATFORM_ZEN).reason, "the key is refused (401)");
	kit_pass(1000);
	key("OPENCODE_ZEN_API_KEY", "zen-other-0123456789");
	assert_int_equal(state_of(PLATFORM_ZEN).status, PLATFORM_UNKNOWN);
	platforms_keys_changed(&kit.d);
	kit_turn();
	assert_waits_at("https://opencode.ai/zen/v1/models", "zen-other-0123456789");
	/* The answer to a key that was replaced meanwhile counts for nothing. */
	key("OPENCODE_ZEN_API_KEY", "zen-third-0123456789");
	kit_answer(CALL_PLATFORM, 401, "");
	assert_waits_at("https://opencode.ai/zen/v1/models", "zen-third-0123456789");
	assert_int_equal(state_of(PLATFORM_ZEN).status, PLATFORM_UNKNOWN);
	kit_answer(CALL_PLATFORM, 200, "");
	assert_int_equal(state_of(PLATFORM_ZEN).status, PLATFORM_LIVE);
	/* Where nobody has looked lately a new key is no reason to ask. */
	kit_pass(PLATFORM_LOOKED_MS + 1);
	size_t total = kit.total;
	key("OPENCODE_ZEN_API_KEY", "zen-last-0123456789");
	platforms_keys_changed(&kit.d);
	kit_turn();
	assert_int_equal(kit.total, total);
}

static void a_restart_remembers_when(void **state)
{
	(void)state;
	configure();
	key("OPENCODE_ZEN_API_KEY", "zen-key-0123456789");
	look();
	kit_answer(CALL_PLATFORM, 200, "");
	kit_pass(20 * 1000);
	kit_restart();
	configure();
	look();
	assert_int_equal(kit.total, 1);
	kit_pass(40 * 1000);
	assert_int_equal(kit.total, 2);
}

/* ---- what ---- */
#define OR_KEY "https://openrouter.ai/api/v1/key"
#define OR_CREDITS "https://openrouter.ai/api/v1/credits"
#define CF "https://api.cloudflare.com/client/v4"

static const struct row {
	const char *name;
	enum platform_id id;
	int status;
	const char *body;
	const char *then; /* asked next, NULL: nothing */
	int second;
	const char *second_body;
	enum platform_status want;
	const char *reason, *credits;
} rows[] = {
	{ "a key with a limit of its own", PLATFORM_OPENROUTER, 200,
	  "{\"data\":{\"limit_remaining\":4.8984355238}}", NULL, 0, NULL, PLATFORM_LIVE, NULL,
	  "4.89" },
	{ "a whole number", PLATFORM_OPENROUTER, 200, "{\"data\":{\"limit_remaining\":25}}", NULL,
	  0, NULL, PLATFORM_LIVE, NULL, "25.00" },
	{ "cents that no double holds", PLATFORM_OPENROUTER, 200,
	  "{\"data\":{\"limit_remaining\":0.29}}", NULL, 0, NULL, PLATFORM_LIVE, NULL, "0.29" },
	{ "nothing left", PLATFORM_OPENROUTER, 200, "{\"data\":{\"limit_remaining\":0}}", NULL, 0,
	  NULL, PLATFORM_LIMITED, "no credits are left", "0.00" },
	{ "less than nothing left", PLATFORM_OPENROUTER, 200,
	  "{\"data\":{\"limit_remaining\":-1.5}}", NULL, 0, NULL, PLATFORM_LIMITED,
	  "no credits are left", "-1.50" },
	{ "the account's credits", PLATFORM_OPENROUTER, 200,
	  "{\"data\":{\"limit_remaining\":null}}", OR_CREDITS, 200,
	  "{\"data\":{\"total_credits\":100.5,\"total_usage\":25.75}}", PLATFORM_LIVE, NULL,
	  "74.75" },
	{ "credits that are not for this key", PLATFORM_OPENROUTER, 200, "{\"data\":{}}",
	  OR_CREDITS, 403, "", PLATFORM_LIVE, NULL, NULL },
	{ "an answer that is no JSON", PLATFORM_OPENROUTER, 200, "<html>", OR_CREDITS, 200,
	  "<html>", PLATFORM_LIVE, NULL, NULL },
	{ "credits that are text", PLATFORM_OPENROUTER, 200,
	  "{\"data\":{\"limit_remaining\":\"lots\"}}", OR_CREDITS, 200,
	  "{\"data\":{\"total_credits\":1e300,\"total_usage\":0}}", PLATFORM_LIVE, NULL, NULL },
	{ "a key that is refused", PLATFORM_OPENROUTER, 401, "{\"error\":\"" KEY "\"}", NULL, 0,
	  NULL, PLATFORM_DOWN, "the key is refused (401)", NULL },
	{ "too many requests", PLATFORM_OPENROUTER, 429, "", NULL, 0, NULL, PLATFORM_LIMITED,
	  "it answers that there were too many requests", NULL },
	{ "payment required", PLATFORM_OPENROUTER, 402, "", NULL, 0, NULL, PLATFORM_LIMITED,
	  "no credits are left", NULL },
	{ "elsewhere", PLATFORM_OPENROUTER, 302, "", NULL, 0, NULL, PLATFORM_DOWN, "it answers 302",
	  NULL },
	{ "nobody there", PLATFORM_OPENROUTER, 0, "", NULL, 0, NULL, PLATFORM_DOWN,
	  "it cannot be reached: Connection refused", NULL },
	{ "an active token", PLATFORM_CLOUDFLARE, 200, "{\"result\":{\"status\":\"active\"}}", NULL,
	  0, NULL, PLATFORM_LIVE, NULL, NULL },
	{ "a disabled token", PLATFORM_CLOUDFLARE, 200, "{\"result\":{\"status\":\"disabled\"}}",
	  NULL, 0, NULL, PLATFORM_DOWN, "the token is not active", NULL },
	{ "an account's token", PLATFORM_CLOUDFLARE, 401, "",
	  CF "/accounts/0123456789abcdef0123456789abcdef/tokens/verify", 200,
	  "{\"result\":{\"status\":\"active\"}}", PLATFORM_LIVE, NULL, NULL },
	{ "a token that is none", PLATFORM_CLOUDFLARE, 401, "",
	  CF "/accounts/0123456789abcdef0123456789abcdef/tokens/verify", 401, "", PLATFORM_DOWN,
	  "the key is refused (401)", NULL },
	{ "Zen answers", PLATFORM_ZEN, 200, "[]", NULL, 0, NULL, PLATFORM_LIVE, NULL, NULL },
	{ "Zen is overrun", PLATFORM_ZEN, 429, "", NULL, 0, NULL, PLATFORM_LIMITED,
	  "it answers that there were too many requests", NULL },
	{ "a Shelley that sends to its page", PLATFORM_SHELLEY, 302, "", NULL, 0, NULL,
	  PLATFORM_LIVE, NULL, NULL },
	{ "a Shelley that fails", PLATFORM_SHELLEY, 502, "", NULL, 0, NULL, PLATFORM_DOWN,
	  "it answers 502", NULL },
};

static void platform_is_judged(void **state)
{
	ROW(struct row);
	static const char *const first[] = { "http://127.0.0.1:9000/", CF "/user/tokens/verify",
					     OR_KEY, "https://opencode.ai/zen/v1/models" };

	(void)kit_open(NULL);
	if (r->id == PLATFORM_SHELLEY)
		setenv("CHOMP_SHELLEY_URL", "http://127.0.0.1:9000/", 1);
	else
		unsetenv("CHOMP_SHELLEY_URL");
	configure();
	switch (r->id) {
	case PLATFORM_OPENROUTER:
		key("OPENROUTER_API_KEY", KEY);
		break;
	case PLATFORM_CLOUDFLARE:
		key("CLOUDFLARE_API_TOKEN", "cf-token-0123456789");
		key("CLOUDFLARE_ACCOUNT_ID", "0123456789abcdef0123456789abcdef");
		key("CLOUDFLARE_AI_GATEWAY_ID", "gate");
		break;
	case PLATFORM_ZEN:
		key("OPENCODE_ZEN_API_KEY", "zen-key-0123456789");
		break;
	case PLATFORM_SHELLEY:
	case PLATFORM_COUNT:
		break;
	}
	look();
	assert_int_equal(kit.total, 1);
	assert_string_equal(kit.calls[0]->path, first[r->id]);
	kit_answer(CALL_PLATFORM, r->status, r->body);
	if (r->then != NULL) {
		assert_string_equal(kit.calls[0]->path, r->then);
		kit_answer(CALL_PLATFORM, r->second, r->second_body);
	}
	assert_int_equal(kit_waiting(CALL_PLATFORM), 0);
	struct platform_state s = state_of(r->id);
	assert_string_equal(platform_status_name(s.status), platform_status_name(r->want));
	assert_text(s.reason, r->reason);
	assert_text(s.has_credits ? platform_dollars(&kit.a, s.credits) : NULL, r->credits);
	assert_int_equal(s.checked_at, kit_wall());
	(void)kit_close(NULL);
}

/* An adopted file may hold what no form lets in. */
static void a_key_that_would_break_a_header_is_not_sent(void **state)
{
	(void)state;
	configure();
	key("OPENCODE_ZEN_API_KEY", "zen\r\nX-Evil: 1");
	look();
	assert_int_equal(kit.total, 0);
	assert_string_equal(state_of(PLATFORM_ZEN).reason,
			    "the key holds characters that no key has");
	key("CLOUDFLARE_API_TOKEN", "cf-token-0123456789");
	key("CLOUDFLARE_ACCOUNT_ID", "../../evil");
	key("CLOUDFLARE_AI_GATEWAY_ID", "gate");
	look();
	kit_answer(CALL_PLATFORM, 401, "");
	assert_int_equal(kit_waiting(CALL_PLATFORM), 0);
	assert_int_equal(state_of(PLATFORM_CLOUDFLARE).status, PLATFORM_DOWN);
}

static void one_platform_leaves_the_others(void **state)
{
	(void)state;
	configure();
	keys_for_all();
	look();
	assert_int_equal(kit_waiting(CALL_PLATFORM), 3);
	kit_answer(CALL_PLATFORM, 200, "{\"result\":{\"status\":\"active\"}}");
	kit_answer(CALL_PLATFORM, 200, "{\"data\":{\"limit_remaining\":1}}");
	kit_answer(CALL_PLATFORM, 429, "");
	assert_int_equal(state_of(PLATFORM_CLOUDFLARE).status, PLATFORM_LIVE);
	assert_int_equal(state_of(PLATFORM_OPENROUTER).credits, 100);
	assert_int_equal(state_of(PLATFORM_ZEN).status, PLATFORM_LIMITED);
}

static const struct address {
	const char *name, *variable, *url;
	bool good;
} addresses[] = {
	{ "loopback", "CHOMP_OPENROUTER_URL", "http://127.0.0.1:1234", true },
	{ "tls", "CHOMP_ZEN_URL", "https://zen.example.org/path/", true },
	{ "a key in the clear", "CHOMP_OPENROUTER_URL", "http://openrouter.example.org", false },
	{ "a file", "CHOMP_CLOUDFLARE_URL", "file:///etc/passwd", false },
	{ "a user's name", "CHOMP_ZEN_URL", "https://me@zen.example.org", false },
	{ "no key, so no secret", "CHOMP_SHELLEY_URL", "http://vm.example.org:9000", true },
};

static void address_is_checked(void **state)
{
	ROW(struct address);
	struct platform_checks p = { 0 };
	struct errinfo e = { 0 };

	setenv(r->variable, r->url, 1);
	assert_err(platforms_configure(&p, &e), r->good ? ERR_OK : ERR_BAD_INPUT, &e);
	if (!r->good)
		assert_non_null(strstr(e.what, r->variable));
	unsetenv(r->variable);
	platforms_release(&p);
}

int main(void)
{
	static struct plan p;

	kit_test(&p, nobody_is_asked_unless_somebody_looks);
	kit_test(&p, without_keys_nobody_is_asked);
	kit_test(&p, at_most_once_a_minute);
	kit_test(&p, a_new_key_is_asked_for_at_once);
	kit_test(&p, a_restart_remembers_when);
	kit_test(&p, a_key_that_would_break_a_header_is_not_sent);
	kit_test(&p, one_platform_leaves_the_others);
	PLAN_ROWS(&p, addresses, address_is_checked);
	PLAN_ROWS(&p, rows, platform_is_judged);
	return plan_run("platforms", &p);
}

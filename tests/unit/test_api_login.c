/* From the owner's token, or a one-use code, to a browser session, and out of it. */
#include <time.h>

#include "api_kit.h"
#include "core/mac.h"

static const char *owner(void)
{
	const char *text;
	struct errinfo e;

	assert_ok(secret_read(w.var, SECRET_OWNER, &w.a, &text, &e), &e);
	return text;
}

static struct reply login(const char *type, const char *body)
{
	return ask(
		(struct ask){ .handler = api_login, .type = type, .body = body, .nobody = true });
}

/* The identity that the Set-Cookie header of a reply gives. */
static enum who who_has(const char *set_cookie)
{
	struct request rq = { .authorization = "", .origin = "", .fetch_site = "" };
	const char *key;
	struct errinfo e;

	rq.cookie = arena_strndup(&w.a, set_cookie, strcspn(set_cookie, ";"));
	assert_ok(secret_read(w.var, SECRET_COOKIE, &w.a, &key, &e), &e);
	assert_ok(auth_identify(&app, &rq, owner(), key, &e), &e);
	arena_reset(&rq.arena);
	return rq.who;
}

static void token_gives_a_cookie(void **state)
{
	const char *bodies[] = { arena_printf(&w.a, "{\"token\":\"%s\"}", owner()),
				 arena_printf(&w.a, "token=%s", owner()) };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct reply r = login(i == 0 ? JSON : FORM, bodies[i]);
		assert_status(r, 303);
		assert_string_equal(r.location, "/");
		assert_int_equal(who_has(r.cookie), WHO_OWNER);
		assert_null(strstr(r.cookie, owner()));
	}
}

static const struct row {
	const char *name;
	const char *type, *body;
	int status;
	const char *code;
} rows[] = {
	{ "a wrong token is refused", FORM, "token=wrong-token-0123456789", 401, "no_token" },
	{ "an empty token is refused", FORM, "token=", 400, "bad_field" },
	{ "no token is refused", FORM, "", 400, "bad_field" },
	{ "a token with NUL is refused", JSON, "{\"token\":\"a\\u0000\"}", 400, "bad_field" },
	{ "a token that is a number is refused", JSON, "{\"token\":7}", 400, "bad_field" },
	{ "broken JSON is refused", JSON, "{\"token\"", 400, "bad_json" },
	{ "plain text is refused", "text/plain", "token", 415, "unsupported_media" },
};

static void not_let_in(void **state)
{
	ROW(struct row);

	(void)api_setup(state);
	struct reply rp = login(r->type, r->body);
	assert_status(rp, r->status);
	assert_string_equal(rp.code, r->code);
	assert_null(rp.cookie);
	assert_null(rp.location);
	(void)api_teardown(state);
}

static void another_site_s_form_is_refused(void **state)
{
	struct ask q = { .handler = api_login,
			 .type = FORM,
			 .body = arena_printf(&w.a, "token=%s", owner()),
			 .nobody = true };

	(void)state;
	q.origin = "http://evil.example";
	struct reply r = ask(q);
	assert_status(r, 403);
	assert_string_equal(r.code, "forbidden");
	assert_null(r.cookie);
	q.origin = "http://127.0.0.1:8000";
	assert_status(ask(q), 303);
}

static void many_wrong_tokens_are_slowed_down(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_status(login(FORM, "token=wrong-token-0123456789"), 401);
	struct reply r = login(FORM, "token=wrong-token-0123456789");
	assert_status(r, 429);
	assert_string_equal(r.code, "limit");
	assert_string_equal(r.retry, "60");
	/* The right one is never refused for what came before it. */
	assert_status(login(FORM, arena_printf(&w.a, "token=%s", owner())), 303);
	struct ask elsewhere = { .handler = api_login,
				 .type = FORM,
				 .body = "token=wrong",
				 .nobody = true,
				 .addr = "192.0.2.7" };
	assert_status(ask(elsewhere), 401);
	now_ms += 61 * 1000;
	assert_status(login(FORM, "token=wrong-token-0123456789"), 401);
}

/* ---- codes ---- */
static void make_code(const char *code)
{
	uint8_t digest[MAC_LEN];
	char hex[MAC_HEX];

	sha256(code, strlen(code), digest);
	hex_encode(hex, digest, sizeof digest);
	world_write(&w, arena_printf(&w.a, "secrets/codes/%s", hex), "", 0);
}

static struct reply by_code(const char *query)
{
	return ask((struct ask){ .handler = api_login_code, .query = query, .nobody = true });
}

static void code_is_good_once(void **state)
{
	(void)state;
	now_ms = (int64_t)time(NULL) * 1000;
	make_code("c0de c0de");
	assert_status(by_code("code=other"), 401);
	assert_status(by_code("code="), 401);
	assert_status(by_code("code=%FF"), 401);
	assert_status(by_code(arena_printf(&w.a, "code=%0600d", 0)), 401);
	struct reply r = by_code("code=c0de+c0de");
	assert_status(r, 303);
	assert_int_equal(who_has(r.cookie), WHO_OWNER);
	r = by_code("code=c0de+c0de");
	assert_status(r, 401);
	assert_null(r.cookie);
	make_code("late");
	now_ms += 11 * 60 * 1000;
	assert_status(by_code("code=late"), 401);
}

static void missing_secrets_are_a_fault_of_ours(void **state)
{
	const char *body = arena_printf(&w.a, "token=%s", owner());

	(void)state;
	assert_int_equal(unlink(world_path(&w, "secrets/cookie_key")), 0);
	struct reply r = login(FORM, body);
	assert_status(r, 500);
	assert_string_equal(r.code, "io");
	assert_null(r.cookie);
}

/* ---- out ---- */
static void logout_ends_the_session(void **state)
{
	const char *nonce = "0123456789abcdef0123456789abcdef";

	(void)state;
	struct reply r = ask((struct ask){ .handler = api_logout, .session = nonce });
	assert_status(r, 303);
	assert_string_equal(r.location, "/login");
	assert_non_null(strstr(r.cookie, "Max-Age=0"));
	assert_true(secret_signed_out(w.var, nonce));
	r = ask((struct ask){ .handler = api_logout,
			      .nobody = true }); /* who is not in may go too */
	assert_status(r, 303);
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("the owner's token gives a cookie", token_gives_a_cookie),
		T("another site's form is refused", another_site_s_form_is_refused),
		T("many wrong tokens are slowed down", many_wrong_tokens_are_slowed_down),
		T("a code is good once", code_is_good_once),
		T("missing secrets are a fault of ours", missing_secrets_are_a_fault_of_ours),
		T("logout ends the session", logout_ends_the_session),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, rows, not_let_in);
	return plan_run("api_login", &p);
}

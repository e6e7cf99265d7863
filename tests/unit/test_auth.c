#include <sys/wait.h>
#include <unistd.h>

#include "http/auth.h"
#include "unit.h"

#define OWNER "the-owner-s-token-0123456789"
#define KEY "the-cookie-key-0123456789"

static int64_t now_ms = 1770804000000;

static int64_t turned_clock(void)
{
	return now_ms;
}

static const struct app app = {
	.cookie_name = "chomp_8000",
	.origins = { "http://127.0.0.1:8000", "https://chomp.example" },
	.origin_count = 2,
	.now = turned_clock,
};

/* ---- Host ---- */
static const struct host {
	const char *name;
	const char *host;
	bool known;
} hosts[] = {
	{ "our own address is answered", "127.0.0.1:8000", true },
	{ "our public name is answered", "chomp.example", true },
	{ "a name in capitals is answered", "CHOMP.Example", true },
	{ "another port is not", "127.0.0.1:8001", false },
	{ "no port is not", "127.0.0.1", false },
	{ "another name is not", "evil.example", false },
	{ "a name that ends in ours is not", "evil-chomp.example", false },
	{ "a name that begins with ours is not", "chomp.example.evil.org", false },
	{ "a dot behind is not", "chomp.example.", false },
	{ "a space behind is not", "chomp.example ", false },
	{ "a whole origin is not", "https://chomp.example", false },
	{ "nothing is not", "", false },
};

static void host_is_known(void **state)
{
	ROW(struct host);
	struct errinfo e;

	assert_err(auth_host(&app, r->host, &e), r->known ? ERR_OK : ERR_MISDIRECTED, &e);
}

static const struct origin {
	const char *name;
	const char *origin;
	bool known;
} origins[] = {
	{ "our own origin is known", "http://127.0.0.1:8000", true },
	{ "our public origin is known", "https://chomp.example", true },
	{ "our name by another scheme is not", "http://chomp.example", false },
	{ "another port is no origin of ours", "http://127.0.0.1:9000", false },
	{ "localhost is no 127.0.0.1", "http://localhost:8000", false },
	{ "a path behind is none of ours", "https://chomp.example/", false },
	{ "an opaque origin is none of ours", "null", false },
	{ "no origin is none of ours", "", false },
};

static void origin_is_known(void **state)
{
	ROW(struct origin);

	assert_int_equal(auth_origin_known(&app, r->origin), r->known);
}

/* ---- identity ---- */
static struct request request(const char *authorization, const char *cookie)
{
	return (struct request){
		.method = "GET",
		.path = "/",
		.origin = "",
		.fetch_site = "",
		.authorization = authorization,
		.cookie = cookie,
	};
}

/* "chomp_8000=v1.…" out of a Set-Cookie header. */
static const char *fresh_cookie(struct arena *a)
{
	const char *set = auth_cookie_make(&app, a, OWNER, KEY);

	return arena_strndup(a, set, strcspn(set, ";"));
}

static enum who identify(struct request *rq)
{
	struct errinfo e;

	assert_ok(auth_identify(&app, rq, OWNER, KEY, &e), &e);
	return rq->who;
}

static const struct bearer {
	const char *name;
	const char *header;
	enum who who;
	const char *token;
} bearers[] = {
	{ "the owner's token is the owner", "Bearer " OWNER, WHO_OWNER, OWNER },
	{ "the scheme may be small", "bearer " OWNER, WHO_OWNER, OWNER },
	{ "spaces before the token do not count", "Bearer   " OWNER, WHO_OWNER, OWNER },
	{ "another token is some bearer", "Bearer something", WHO_BEARER, "something" },
	{ "the beginning of the token is some bearer", "Bearer the-owner-s-token", WHO_BEARER,
	  "the-owner-s-token" },
	{ "a longer token is some bearer", "Bearer " OWNER "x", WHO_BEARER, OWNER "x" },
	{ "a space behind is some bearer", "Bearer " OWNER " ", WHO_BEARER, OWNER " " },
	{ "an empty token is some bearer", "Bearer ", WHO_BEARER, "" },
	{ "no scheme is nobody", OWNER, WHO_NOBODY, NULL },
	{ "Basic is nobody", "Basic b3duZXI6eA==", WHO_NOBODY, NULL },
	{ "no header is nobody", "", WHO_NOBODY, NULL },
};

static void bearer_is_identified(void **state)
{
	ROW(struct bearer);
	struct request rq = request(r->header, "");

	assert_int_equal(identify(&rq), r->who);
	assert_text(rq.bearer, r->token);
	assert_null(rq.session);
	arena_reset(&rq.arena);
}

static void own_cookie_is_the_owner(void **state)
{
	struct arena a = { 0 };
	const char *cookie = fresh_cookie(&a);
	static const char *const around[][2] = {
		{ "", "" },
		{ "a=b; ", "" },
		{ "", "; c=d" },
		{ "a=b;", ";c=d" },
		{ "chomp_80=x; chomp_80000=y; ", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
		struct request rq =
			request("", arena_printf(&a, "%s%s%s", around[i][0], cookie, around[i][1]));
		assert_int_equal(identify(&rq), WHO_OWNER);
		assert_non_null(rq.session);
		assert_int_equal(strlen(rq.session), 32);
		assert_int_equal(strspn(rq.session, "0123456789abcdef"),
				 32); /* it becomes a file's name */
		arena_reset(&rq.arena);
	}
	arena_reset(&a);
}

static void cookie_is_set_for_scripts_not_to_see(void **state)
{
	struct arena a = { 0 };
	const char *set = auth_cookie_make(&app, &a, OWNER, KEY);

	(void)state;
	assert_int_equal(strncmp(set, "chomp_8000=v1.", 14), 0);
	assert_non_null(strstr(set, "; HttpOnly"));
	assert_non_null(strstr(set, "; SameSite=Strict"));
	assert_non_null(strstr(set, "; Path=/"));
	assert_non_null(strstr(set, "; Max-Age=2592000"));
	assert_null(strstr(set, "; Secure")); /* plain http would not send it back */
	assert_string_not_equal(set, auth_cookie_make(&app, &a, OWNER, KEY));
	struct app https = app;
	https.origins[0] = "https://chomp.example";
	assert_non_null(strstr(auth_cookie_make(&https, &a, OWNER, KEY), "; Secure"));
	assert_non_null(strstr(auth_cookie_clear(&app, &a), "chomp_8000=; "));
	assert_non_null(strstr(auth_cookie_clear(&app, &a), "Max-Age=0"));
	arena_reset(&a);
}

static void no_byte_of_a_cookie_may_change(void **state)
{
	struct arena a = { 0 };
	char *cookie = arena_strdup(&a, fresh_cookie(&a));
	size_t len = strlen(cookie);

	(void)state;
	for (size_t at = strlen("chomp_8000="); at < len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			cookie[at] = (char)(cookie[at] ^ 1 << bit);
			struct request rq = request("", cookie);
			if (cookie[at] != '\0' && cookie[at] != ';')
				assert_int_equal(identify(&rq), WHO_NOBODY);
			arena_reset(&rq.arena);
			cookie[at] = (char)(cookie[at] ^ 1 << bit);
		}
	}
	for (size_t n = 0; n < len; n++) {
		struct request rq = request("", arena_strndup(&a, cookie, n));
		assert_int_equal(identify(&rq), WHO_NOBODY);
		arena_reset(&rq.arena);
	}
	arena_reset(&a);
}

static const struct cookie {
	const char *name;
	const char *header;
} cookies[] = {
	{ "no cookie is nobody", "" },
	{ "an empty cookie is nobody", "chomp_8000=" },
	{ "a cookie without equals sign is nobody", "chomp_8000" },
	{ "a forged cookie is nobody",
	  "chomp_8000=v1.9999999999999.0123456789abcdef0123456789abcdef.AAAA" },
	{ "a cookie without MAC is nobody",
	  "chomp_8000=v1.9999999999999.0123456789abcdef0123456789abcdef." },
	{ "a cookie of dots is nobody", "chomp_8000=v1..." },
	{ "the token itself is no cookie", "chomp_8000=" OWNER },
	{ "semicolons alone are nobody", ";;; ; " },
};

static void no_cookie_of_ours(void **state)
{
	ROW(struct cookie);
	struct request rq = request("", r->header);

	assert_int_equal(identify(&rq), WHO_NOBODY);
	assert_null(rq.session);
	arena_reset(&rq.arena);
}

static void cookie_expires(void **state)
{
	const int64_t began = now_ms, life = (int64_t)COOKIE_DAYS * 24 * 3600 * 1000;
	struct arena a = { 0 };
	const char *cookie = fresh_cookie(&a);
	static const struct {
		int64_t after;
		enum who who;
	} steps[] = { { 0, WHO_OWNER }, { -1, WHO_OWNER }, { 1, WHO_NOBODY } };

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct request rq = request("", cookie);
		now_ms = steps[i].after == 0 ? began : began + life + steps[i].after;
		assert_int_equal(identify(&rq), steps[i].who);
		arena_reset(&rq.arena);
	}
	now_ms = began;
	arena_reset(&a);
}

static void another_secret_ends_every_session(void **state)
{
	struct arena a = { 0 };
	const char *cookie = fresh_cookie(&a);
	static const char *const secrets[][2] = { { OWNER, "another-key-0123456789" },
						  { "another-token-0123456789", KEY },
						  { KEY, OWNER } };
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct request rq = request("", cookie);
		assert_ok(auth_identify(&app, &rq, secrets[i][0], secrets[i][1], &e), &e);
		assert_int_equal(rq.who, WHO_NOBODY);
		arena_reset(&rq.arena);
	}
	struct app other = app;
	other.cookie_name = "chomp_8001"; /* another instance on this host */
	struct request rq = request("", cookie);
	assert_ok(auth_identify(&other, &rq, OWNER, KEY, &e), &e);
	assert_int_equal(rq.who, WHO_NOBODY);
	arena_reset(&rq.arena);
	arena_reset(&a);
}

/* ---- other sites ---- */
static const struct site {
	const char *name;
	const char *origin, *fetch_site;
	bool taken;
} sites[] = {
	{ "a cookie with nothing said is taken", "", "", true },
	{ "a cookie from our origin is taken", "http://127.0.0.1:8000", "same-origin", true },
	{ "a cookie from the address bar is taken", "", "none", true },
	{ "a cookie from an old browser of ours is taken", "http://127.0.0.1:8000", "", true },
	{ "a cookie from another origin is refused", "http://evil.example", "", false },
	{ "a cookie from another port is refused", "http://127.0.0.1:9000", "", false },
	{ "a cookie from an opaque origin is refused", "null", "", false },
	{ "a cookie from another site is refused", "", "cross-site", false },
	{ "a cookie from the same site but another origin is refused", "", "same-site", false },
	{ "a cookie with a strange site is refused", "", "somewhere", false },
	{ "our origin does not help another site", "http://127.0.0.1:8000", "cross-site", false },
	{ "our site does not help another origin", "http://evil.example", "same-origin", false },
};

static void other_sites_are_refused(void **state)
{
	ROW(struct site);
	struct errinfo e;
	struct request rq = request("", "");

	rq.cookie = fresh_cookie(&rq.arena);
	rq.origin = r->origin;
	rq.fetch_site = r->fetch_site;
	assert_err(auth_identify(&app, &rq, OWNER, KEY, &e), r->taken ? ERR_OK : ERR_FORBIDDEN, &e);
	assert_int_equal(rq.who, r->taken ? WHO_OWNER : WHO_NOBODY);
	/* Who has no cookie of ours is nobody, wherever he comes from; who shows a token is meant.
	 */
	rq.cookie = "chomp_8000=v1.9.9.9";
	assert_int_equal(identify(&rq), WHO_NOBODY);
	rq.authorization = "Bearer " OWNER;
	assert_int_equal(identify(&rq), WHO_OWNER);
	arena_reset(&rq.arena);
}

static void token_counts_before_a_cookie(void **state)
{
	struct request rq = request("Bearer wrong", "");

	(void)state;
	rq.cookie = fresh_cookie(&rq.arena);
	assert_int_equal(identify(&rq), WHO_BEARER);
	assert_null(rq.session);
	arena_reset(&rq.arena);
}

/* ---- throttle ---- */
static void twenty_failures_a_minute(void **state)
{
	struct throttle *t = throttle_new();

	(void)state;
	assert_non_null(t);
	for (int i = 0; i < 20; i++)
		assert_false(throttle_failure(t, "192.0.2.1", now_ms + i));
	assert_true(throttle_failure(t, "192.0.2.1", now_ms + 20));
	assert_false(throttle_failure(t, "192.0.2.2", now_ms + 20)); /* somebody else */
	assert_true(throttle_failure(t, "192.0.2.1", now_ms + 60 * 1000));
	assert_false(throttle_failure(t, "192.0.2.1", now_ms + 60 * 1000 + 1));
	for (int i = 0; i < 30; i++)
		(void)throttle_failure(t, "192.0.2.3", now_ms);
	assert_false(throttle_failure(t, "192.0.2.3",
				      now_ms - 1)); /* a clock turned back punishes nobody */
	assert_false(throttle_failure(NULL, "192.0.2.1",
				      now_ms)); /* no memory for it: nobody is refused */
}

static void failures_are_counted_across_processes(void **state)
{
	struct throttle *t = throttle_new();
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 20; i++)
			(void)throttle_failure(t, "192.0.2.9", now_ms);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(throttle_failure(t, "192.0.2.9", now_ms));
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, hosts, host_is_known);
	PLAN_ROWS(&p, origins, origin_is_known);
	PLAN_ROWS(&p, bearers, bearer_is_identified);
	plan_add(&p, "a cookie of ours is the owner", own_cookie_is_the_owner, NULL);
	plan_add(&p, "a cookie is not for scripts or other sites",
		 cookie_is_set_for_scripts_not_to_see, NULL);
	plan_add(&p, "no byte of a cookie may change", no_byte_of_a_cookie_may_change, NULL);
	PLAN_ROWS(&p, cookies, no_cookie_of_ours);
	plan_add(&p, "a cookie expires", cookie_expires, NULL);
	plan_add(&p, "another secret ends every session", another_secret_ends_every_session, NULL);
	PLAN_ROWS(&p, sites, other_sites_are_refused);
	plan_add(&p, "a token counts before a cookie", token_counts_before_a_cookie, NULL);
	plan_add(&p, "twenty failures a minute are allowed", twenty_failures_a_minute, NULL);
	plan_add(&p, "failures are counted across processes", failures_are_counted_across_processes,
		 NULL);
	return plan_run("auth", &p);
}

/* One request from its head to its answer: who gets through which door to which address. */
#include "api_kit.h"
#include "worker/routes.h"
#include "worker/serve.h"

static const char *owner, *cookie, *capability;

static int setup(void **state)
{
	const char *key;
	struct errinfo e;

	(void)api_setup(state);
	app.templates = "cgi-templates";
	run_task("");
	capability = token_of("1");
	assert_ok(secret_read(w.var, SECRET_OWNER, &w.a, &owner, &e), &e);
	assert_ok(secret_read(w.var, SECRET_COOKIE, &w.a, &key, &e), &e);
	const char *set = auth_cookie_make(&app, &w.a, owner, key);
	cookie = arena_strndup(&w.a, set, strcspn(set, ";"));
	return 0;
}

struct wish {
	const char *method, *path, *host, *origin, *fetch_site, *bearer, *cookie, *accept, *type,
		*body, *referer;
	enum door door;
};

static struct response rs;
static struct request rq;

static int served(struct wish q)
{
	arena_reset(&rq.arena);
	response_release(&rs);
	memset(&rq, 0, sizeof rq);
	response_init(&rs);
	rq.method = q.method;
	char *path = arena_strdup(&rq.arena, q.path), *mark = strchr(path, '?');
	if (mark != NULL)
		*mark++ = '\0';
	rq.path = path;
	rq.query = mark != NULL ? mark : "";
	rq.host = q.host != NULL ? q.host : "127.0.0.1:8000";
	rq.origin = text_or_(q.origin);
	rq.fetch_site = text_or_(q.fetch_site);
	rq.authorization = q.bearer != NULL ? arena_printf(&rq.arena, "Bearer %s", q.bearer) : "";
	rq.cookie = text_or_(q.cookie);
	rq.accept = text_or_(q.accept);
	rq.content_type = text_or_(q.type);
	rq.referer = text_or_(q.referer);
	rq.if_none_match = rq.idempotency_key = "";
	rq.remote_addr = "192.0.2.1";
	rq.body = arena_strdup(&rq.arena, text_or_(q.body));
	rq.body_len = strlen(rq.body);
	rq.door = q.door;
	serve_request(&rq, &rs, &app);
	assert_string_equal(reply_header(&rs, "Cache-Control"),
			    "no-store"); /* whatever is answered */
	return rs.status;
}

static int teardown(void **state)
{
	arena_reset(&rq.arena);
	response_release(&rs);
	memset(&rq, 0, sizeof rq);
	return api_teardown(state);
}

/* The route's address with 1 for every {}. */
static struct wish to(const struct route *r)
{
	char *path = arena_alloc(&w.a, strlen(r->pattern) + 1), *out = path;

	for (const char *p = r->pattern; *p != '\0'; p++) {
		*out++ = *p == '{' ? '1' : *p;
		p += *p == '{' ? 1 : 0;
	}
	return (struct wish){ .method = r->method, .path = path };
}

/* ---- every address, asked by everybody ---- */
static void stranger_gets_nowhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		struct wish q = to(&routes[i]);
		if (routes[i].access == ACCESS_ANYONE)
			continue;
		struct strbuf before = world_picture(&w, "state"), after;
		assert_int_equal(served(q), 401);
		q.cookie = "chomp_8000=v1.9999999999999.0123456789abcdef0123456789abcdef.AAAA";
		assert_int_equal(served(q), 401);
		q.bearer = "wrong-token-0123456789";
		int status = served(q);
		assert_true(status == 401 || status == 429);
		after = world_picture(&w, "state");
		assert_string_equal(after.buf, before.buf);
		strbuf_release(&before);
		strbuf_release(&after);
	}
}

static void agent_gets_to_its_verbs_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		struct wish q = to(&routes[i]);
		app.throttle = NULL;
		q.bearer = capability;
		if (routes[i].access == ACCESS_OWNER)
			assert_int_equal(served(q), 401);
		q.door = DOOR_CALLBACK;
		if (routes[i].access != ACCESS_AGENT)
			assert_int_equal(served(q), 404);
	}
}

static void callback_door_is_for_agents_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		struct wish q = to(&routes[i]);
		q.door = DOOR_CALLBACK;
		if (routes[i].access == ACCESS_AGENT)
			continue;
		q.bearer = owner;
		assert_int_equal(served(q), 404);
		q.bearer = NULL;
		q.cookie = cookie;
		assert_int_equal(served(q), 404);
	}
	struct wish update = { .method = "POST",
			       .path = "/api/tasks/update",
			       .host = "whatever",
			       .door = DOOR_CALLBACK,
			       .bearer = capability,
			       .type = JSON,
			       .body = "{\"id\":1,\"tokens\":3}" };
	assert_int_equal(served(update), 200); /* the box has its own name for us */
}

static void owner_gets_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		struct wish q = to(&routes[i]);
		if (strcmp(routes[i].pattern, "/logout") == 0)
			continue; /* the cookie is needed for the rest */
		for (int by_cookie = 0; by_cookie < 2; by_cookie++) {
			q.bearer = by_cookie != 0 ? NULL : owner;
			q.cookie = by_cookie != 0 ? cookie : NULL;
			int status = served(q);
			assert_int_not_equal(status, 401);
			assert_int_not_equal(status, 405);
			assert_true(status != 403 ||
				    strcmp(routes[i].pattern, "/api/tasks/{}/artifacts/{}") == 0);
		}
	}
}

static void other_sites_get_nowhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		struct wish q = to(&routes[i]);
		q.cookie = cookie;
		q.origin = "http://evil.example";
		assert_int_equal(served(q), 403);
		q.origin = NULL;
		q.fetch_site = "cross-site";
		assert_int_equal(served(q), 403);
	}
}

static void unknown_host_gets_nowhere(void **state)
{
	static const char *const hosts[] = { "evil.example", "", "127.0.0.1", "localhost:8000" };

	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		struct wish q = to(&routes[i]);
		q.bearer = owner;
		q.host = hosts[i % 4];
		assert_int_equal(served(q), 421);
	}
}

/* ---- answers of the frame itself ---- */
static void wrong_method_names_the_right_ones(void **state)
{
	static const struct {
		const char *method, *path, *allow;
	} rows[] = {
		{ "GET", "/api/tasks/run", "POST" },
		{ "PUT", "/api/tasks", "GET, POST" },
		{ "DELETE", "/api/tasks/1", "GET" },
		{ "GET", "/api/config/keys", "POST" },
		{ "POST", "/api/health", "GET" },
		{ "PATCH", "/api/tasks/1/artifacts/x", "GET, POST" },
		{ "BREW", "/login", "GET, POST" },
		{ "OPTIONS", "/api/state", "GET" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct wish q = { .method = rows[i].method, .path = rows[i].path, .bearer = owner };
		assert_int_equal(served(q), 405);
		assert_string_equal(reply_header(&rs, "Allow"), rows[i].allow);
		assert_non_null(strstr(rs.body.buf, "\"code\":\"method\""));
		q.bearer = NULL; /* said before anybody is asked who he is: it tells nothing of the
				    state */
		assert_int_equal(served(q), 405);
	}
}

static void nothing_is_at_other_addresses(void **state)
{
	static const char *const paths[] = { "/api",
					     "/api/",
					     "/api/tasks/",
					     "/api/tasks/1/",
					     "/api/tasks/1/sessions",
					     "//",
					     "/index.html",
					     "/.git/config",
					     "/api/tasks/1/artifacts/",
					     "/%2e%2e/x",
					     "/\xff\xc3" };

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct wish q = { .method = "GET", .path = paths[i], .bearer = owner };
		assert_int_equal(served(q), 404);
	}
}

static void guessing_is_slowed_down_and_knowing_is_not(void **state)
{
	struct wish q = { .method = "GET",
			  .path = "/api/tasks",
			  .bearer = "guess-0123456789abcdef" };

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(served(q), 401);
	assert_int_equal(served(q), 429);
	assert_string_equal(reply_header(&rs, "Retry-After"), "60");
	q.bearer = owner;
	for (int i = 0; i < 300; i++)
		assert_int_equal(served(q), 200);
	q.bearer = NULL;
	assert_int_equal(served(q), 401); /* who shows nothing has guessed nothing */
}

static void signed_out_cookie_is_nobody(void **state)
{
	struct wish out = { .method = "POST", .path = "/logout", .cookie = cookie };
	struct wish q = { .method = "GET", .path = "/api/tasks", .cookie = cookie };

	(void)state;
	assert_int_equal(served(q), 200);
	assert_int_equal(served(out), 303);
	assert_int_equal(served(q), 401);
	q.cookie = NULL;
	q.bearer = owner;
	assert_int_equal(served(q), 200);
}

static void missing_secret_is_a_fault_of_ours(void **state)
{
	struct wish q = { .method = "GET", .path = "/api/tasks", .bearer = owner };

	(void)state;
	assert_int_equal(unlink(world_path(&w, "secrets/owner_token")), 0);
	assert_int_equal(served(q), 500);
	assert_null(strstr(rs.body.buf, "owner_token"));
}

/* ---- browsers ---- */
static void browser_is_led_to_the_login(void **state)
{
	struct wish q = { .method = "GET", .path = "/", .accept = "text/html" };

	(void)state;
	assert_int_equal(served(q), 303);
	assert_string_equal(reply_header(&rs, "Location"), "/login");
	q.accept = "*/*";
	assert_int_equal(served(q), 401);
	assert_string_equal(reply_header(&rs, "WWW-Authenticate"), "Bearer");
}

static const struct form_row {
	const char *name;
	const char *path, *body, *referer, *location;
} form_rows[] = {
	{ "a plain form goes back to its page", "/api/tasks/cancel", "id=1",
	  "http://127.0.0.1:8000/partials/detail/1", "/partials/detail/1" },
	{ "a form from the first page goes there", "/api/tasks/cancel", "id=1",
	  "http://127.0.0.1:8000/", "/" },
	{ "a form from nowhere goes to the first page", "/api/tasks/cancel", "id=1", "", "/" },
	{ "a form from elsewhere goes to the first page", "/api/tasks/cancel", "id=1",
	  "http://evil.example/x", "/" },
	{ "a form from a name like ours goes to the first page", "/api/tasks/cancel", "id=1",
	  "http://127.0.0.1:8000.evil.example/x", "/" },
	{ "two slashes lead nowhere else", "/api/tasks/cancel", "id=1",
	  "http://127.0.0.1:8000//evil.example/x", "/" },
	{ "a deleted task's page is gone", "/api/tasks/delete", "id=1",
	  "http://127.0.0.1:8000/partials/detail/1", "/" },
	{ "a create form leads to the list", "/api/tasks", "prompt=x",
	  "http://127.0.0.1:8000/partials/create?step=1", "/" },
};

static void plain_form_is_redirected(void **state)
{
	ROW(struct form_row);
	struct wish q = { .method = "POST",
			  .path = r->path,
			  .type = FORM,
			  .body = r->body,
			  .referer = r->referer,
			  .accept = "text/html" };

	(void)setup(state);
	q.cookie = cookie;
	assert_int_equal(served(q), 303);
	assert_string_equal(reply_header(&rs, "Location"), r->location);
	(void)teardown(state);
}

/* ---- bodies ---- */
static void only_uploads_may_be_large(void **state)
{
	static const struct {
		const char *path;
		size_t limit;
	} rows[] = {
		{ "/api/tasks", BODY_MAX },  { "/api/tasks/done", BODY_MAX },
		{ "/login", BODY_MAX },      { "/api/tasks/1/artifacts/x", BODY_MAX_ARTIFACT },
		{ "/artifacts/", BODY_MAX }, { "/api/config/artifacts/x", BODY_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct request one = { .path = rows[i].path };
		assert_int_equal(serve_body_limit(&one, &app), rows[i].limit);
	}
}

static void every_pattern_is_one_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		assert_int_equal(routes[i].pattern[0], '/');
		assert_non_null(routes[i].handler);
		for (size_t k = 0; k < i; k++)
			assert_false(strcmp(routes[i].pattern, routes[k].pattern) == 0 &&
				     strcmp(routes[i].method, routes[k].method) == 0);
	}
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("a stranger gets nowhere", stranger_gets_nowhere),
		T("an agent gets to its verbs only", agent_gets_to_its_verbs_only),
		T("the callback door is for agents alone", callback_door_is_for_agents_alone),
		T("the owner gets everywhere", owner_gets_everywhere),
		T("other sites get nowhere", other_sites_get_nowhere),
		T("an unknown host gets nowhere", unknown_host_gets_nowhere),
		T("a wrong method names the right ones", wrong_method_names_the_right_ones),
		T("nothing is at other addresses", nothing_is_at_other_addresses),
		T("guessing is slowed down, and knowing is not",
		  guessing_is_slowed_down_and_knowing_is_not),
		T("a signed out cookie is nobody", signed_out_cookie_is_nobody),
		T("a missing secret is a fault of ours", missing_secret_is_a_fault_of_ours),
		T("a browser is led to the login", browser_is_led_to_the_login),
		T("only uploads may be large", only_uploads_may_be_large),
		T("every pattern is one address", every_pattern_is_one_address),
	};
	static struct plan p;

	response_init(&rs);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, form_rows, plain_form_is_redirected);
	return plan_run("serve", &p);
}

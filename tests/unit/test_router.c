#include "http/router.h"
#include "unit.h"

static const struct route routes[] = {
	{ "GET", "/", ACCESS_ANYONE, NULL, 0 },
	{ "GET", "/api/tasks", ACCESS_OWNER, NULL, 0 },
	{ "POST", "/api/tasks", ACCESS_OWNER, NULL, 0 },
	{ "GET", "/api/tasks/{}", ACCESS_OWNER, NULL, 0 },
	{ "POST", "/api/tasks/run", ACCESS_OWNER, NULL,
	  0 }, /* behind {} on purpose: order must not count */
	{ "DELETE", "/api/tasks/{}", ACCESS_OWNER, NULL, 0 },
	{ "GET", "/api/tasks/{}/artifacts/{}", ACCESS_OWNER, NULL, 0 },
	{ "POST", "/api/tasks/{}/artifacts/{}", ACCESS_AGENT, NULL, 0 },
	{ "GET", "/four/{}/{}/{}/{}", ACCESS_OWNER, NULL, 0 },
	{ "GET", "/five/{}/{}/{}/{}/{}", ACCESS_OWNER, NULL, 0 },
};
enum { COUNT = sizeof routes / sizeof routes[0] };

static const struct row {
	const char *name;
	const char *method, *path;
	int route; /* -1: none */
	const char *allow;
	const char *params[2];
} rows[] = {
	{ "the root is found", "GET", "/", 0, NULL, { 0 } },
	{ "a path is found", "GET", "/api/tasks", 1, NULL, { 0 } },
	{ "the method chooses", "POST", "/api/tasks", 2, NULL, { 0 } },
	{ "HEAD is served by GET", "HEAD", "/api/tasks", 1, NULL, { 0 } },
	{ "a parameter is taken", "GET", "/api/tasks/42", 3, NULL, { "42" } },
	{ "a parameter is not decoded", "GET", "/api/tasks/%2e%2e", 3, NULL, { "%2e%2e" } },
	{ "a parameter may be any bytes", "GET", "/api/tasks/\xFF", 3, NULL, { "\xFF" } },
	{ "two parameters are taken",
	  "GET",
	  "/api/tasks/7/artifacts/changes.patch",
	  6,
	  NULL,
	  { "7", "changes.patch" } },
	{ "a literal wins", "POST", "/api/tasks/run", 4, NULL, { 0 } },
	{ "a literal with another method is 405", "GET", "/api/tasks/run", -1, "POST", { 0 } },
	{ "a literal is 405 for a method {} has", "DELETE", "/api/tasks/run", -1, "POST", { 0 } },
	{ "what begins like a literal is a parameter",
	  "GET",
	  "/api/tasks/runs",
	  3,
	  NULL,
	  { "runs" } },
	{ "another method is 405 with all allowed", "PUT", "/api/tasks", -1, "GET, POST", { 0 } },
	{ "another method on a parameter is 405",
	  "POST",
	  "/api/tasks/42",
	  -1,
	  "GET, DELETE",
	  { 0 } },
	{ "HEAD does not reach POST", "HEAD", "/api/tasks/run", -1, "POST", { 0 } },
	{ "methods are spelled in capitals", "get", "/api/tasks", -1, "GET, POST", { 0 } },
	{ "no method at all is 405", "", "/api/tasks", -1, "GET, POST", { 0 } },
	{ "an empty parameter is nothing", "GET", "/api/tasks/", -1, NULL, { 0 } },
	{ "a slash behind is nothing", "GET", "/api/tasks/42/", -1, NULL, { 0 } },
	{ "two slashes are nothing", "GET", "//api/tasks", -1, NULL, { 0 } },
	{ "half a path is nothing", "GET", "/api", -1, NULL, { 0 } },
	{ "no path is nothing", "GET", "", -1, NULL, { 0 } },
	{ "a path without slash is nothing", "GET", "api/tasks", -1, NULL, { 0 } },
	{ "capitals are nothing", "GET", "/API/tasks", -1, NULL, { 0 } },
	{ "a query is not part of the path", "GET", "/api/tasks?x", -1, NULL, { 0 } },
	{ "a parameter ends at a slash", "GET", "/api/tasks/7/artifacts", -1, NULL, { 0 } },
	{ "four parameters fit", "GET", "/four/a/b/c/d", 8, NULL, { "a", "b" } },
	{ "a fifth does not", "GET", "/five/a/b/c/d/e", -1, NULL, { 0 } },
};

static void found(void **state)
{
	ROW(struct row);
	struct request rq = { .method = r->method, .path = r->path };
	const struct route *route = NULL;
	const char *allow = "x";
	struct errinfo e;
	enum err rc = router_find(routes, COUNT, &rq, &route, &allow, &e);

	if (r->route >= 0) {
		assert_ok(rc, &e);
		assert_ptr_equal(route, &routes[r->route]);
		for (int i = 0; i < 2 && r->params[i] != NULL; i++)
			assert_text(rq.params[i], r->params[i]);
	} else {
		assert_err(rc, r->allow != NULL ? ERR_METHOD : ERR_NOT_FOUND, &e);
		assert_text(allow, r->allow);
		assert_null(route);
	}
	arena_reset(&rq.arena);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, found);
	return plan_run("router", &p);
}

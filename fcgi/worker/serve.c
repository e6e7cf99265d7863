#include "worker/serve.h"

#include <string.h>

#include "core/log.h"
#include "http/auth.h"
#include "partials/partials.h"
#include "store/secret.h"
#include "worker/routes.h"

size_t serve_body_limit(const struct request *rq, void *app)
{
	(void)app;
	/* Only uploads have this shape; the rest of the path is checked by the router. */
	bool upload = strncmp(rq->path, "/api/tasks/", 11) == 0 && strstr(rq->path, "/artifacts/") != NULL;
	return upload ? BODY_MAX_ARTIFACT : BODY_MAX;
}

static enum err secret_of(struct app *app, struct request *rq, const char *name, const char **out, struct errinfo *e)
{
	return app->secrets != NULL ? secret_recall(app->secrets, app->var, name, &rq->arena, out, e) :
				      secret_read(app->var, name, &rq->arena, out, e);
}

static enum err identify(struct app *app, struct request *rq, struct errinfo *e)
{
	const char *owner, *key;

	if (secret_of(app, rq, SECRET_OWNER, &owner, e) != ERR_OK || secret_of(app, rq, SECRET_COOKIE, &key, e) != ERR_OK) {
		log_err(LOG_ERROR, "auth.secrets_unreadable", e);
		return err_set(e, ERR_IO, 0, "the secrets cannot be read");
	}
	enum err rc = auth_identify(app, rq, owner, key, e);
	if (rc == ERR_OK && rq->session != NULL && secret_signed_out(app->var, rq->session)) {
		rq->session = NULL;
		rq->who = WHO_NOBODY;
	}
	return rc;
}

static enum err no_identity(struct app *app, struct request *rq, struct errinfo *e)
{
	/* Only somebody who showed a wrong token has failed; a visitor without one is sent to the login. */
	if (rq->bearer != NULL && throttle_failure(app->throttle, rq->remote_addr, app->now()))
		return err_set(e, ERR_LIMIT, 0, "too many failed attempts; wait a minute");
	return err_set(e, ERR_NO_TOKEN, 0, rq->bearer != NULL ? "this token is not valid" :
								"send the owner's token as a bearer, or log in");
}

static enum err admit(struct app *app, struct request *rq, const struct route *route, struct errinfo *e)
{
	enum err rc;

	/* The callback door is for agents alone, whatever token comes with the request. */
	if (rq->door == DOOR_CALLBACK && route->access != ACCESS_AGENT)
		return err_set(e, ERR_NOT_FOUND, 0, "there is nothing at this address");
	if ((rc = identify(app, rq, e)) != ERR_OK || route->access == ACCESS_ANYONE)
		return rc;
	if (rq->who == WHO_OWNER || (rq->who == WHO_BEARER && route->access == ACCESS_AGENT))
		return ERR_OK;
	return no_identity(app, rq, e);
}

static enum err handle(struct app *app, struct request *rq, struct response *rs, const char **allow,
		       struct errinfo *e)
{
	const struct route *route;
	enum err rc;

	if (rq->door == DOOR_WEB && (rc = auth_host(app, rq->host, e)) != ERR_OK)
		return rc;
	if ((rc = router_find(routes, route_count, rq, &route, allow, e)) != ERR_OK ||
	    (rc = admit(app, rq, route, e)) != ERR_OK)
		return rc;
	return route->handler(app, rq, rs, e);
}

/* Where a plain browser form goes after its post: the page it was on. */
static const char *page_before(const struct app *app, struct request *rq)
{
	for (size_t i = 0; i < app->origin_count; i++) {
		size_t len = strlen(app->origins[i]);
		if (strncmp(rq->referer, app->origins[i], len) == 0 && rq->referer[len] == '/' &&
		    rq->referer[len + 1] != '/')
			return arena_strdup(&rq->arena, rq->referer + len);
	}
	return "/";
}

/* Pages that show one task lead to a task that is gone after its deletion; a form page leads to the list. */
static const char *page_after(const struct app *app, struct request *rq)
{
	const char *page = page_before(app, rq);

	if (strcmp(rq->path, "/api/tasks/delete") == 0 || strncmp(page, "/partials/create", 16) == 0 ||
	    strncmp(page, "/login", 6) == 0 || strncmp(page, "/api/", 5) == 0)
		return "/";
	return page;
}

static void log_outcome(const struct request *rq, int status, const struct errinfo *e, int64_t ms)
{
	bool changed = strcmp(rq->method, "POST") == 0 || strcmp(rq->method, "DELETE") == 0;

	if (status >= 500 && e->code != ERR_OK)
		log_event(LOG_ERROR, "request.failed", LOG_S("req", rq->id), LOG_S("method", rq->method),
			  LOG_S("path", rq->path), LOG_I("status", status), LOG_S("code", err_code(e)),
			  LOG_S("why", e->what), LOG_I("ms", ms));
	else if (changed)
		log_event(LOG_INFO, "request.served", LOG_S("req", rq->id), LOG_S("method", rq->method),
			  LOG_S("path", rq->path), LOG_I("status", status), LOG_I("ms", ms));
}

static void answer_error(struct app *app, struct request *rq, struct response *rs, const char *allow,
			 const struct errinfo *e)
{
	response_error(rs, e);
	if (e->code == ERR_METHOD)
		response_header(rs, "Allow", allow);
	if (!request_wants_page(rq))
		return;
	if (e->code == ERR_NO_TOKEN && strcmp(rq->method, "GET") == 0 && strcmp(rq->path, "/login") != 0) {
		response_redirect(rs, "/login");
		return;
	}
	page_error(app, rq, rs, e);
}

void serve_request(struct request *rq, struct response *rs, void *arg)
{
	struct app *app = arg;
	struct errinfo e = { 0 };
	const char *allow = NULL;
	int64_t began = app->now();
	enum err rc = handle(app, rq, rs, &allow, &e);

	if (rc != ERR_OK)
		answer_error(app, rq, rs, allow, &e);
	else if (request_wants_page(rq) && strcmp(rq->method, "POST") == 0 && rs->status == 200 &&
		 strcmp(rs->type, "application/json") == 0)
		response_redirect(rs, page_after(app, rq));
	response_header(rs, "Cache-Control", "no-store");
	log_outcome(rq, rs->status, &e, app->now() - began);
}

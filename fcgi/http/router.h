/* From method and path to a handler. */
#ifndef CHOMP_HTTP_ROUTER_H
#define CHOMP_HTTP_ROUTER_H

#include "http/app.h"
#include "http/request.h"
#include "http/response.h"

/* Fills the response, or returns an error that is turned into one. */
typedef enum err handler_fn(struct app *app, struct request *rq, struct response *rs, struct errinfo *e);

enum access {
	ACCESS_ANYONE,
	ACCESS_OWNER,
	ACCESS_AGENT, /* the owner, or any bearer: the handler checks the capability */
};

enum { ROUTE_LARGE_BODY = 1 }; /* up to BODY_MAX_ARTIFACT */

struct route {
	const char *method;  /* "GET" serves HEAD too */
	const char *pattern; /* "/api/tasks/{}/artifacts/{}": {} matches one segment that is not empty */
	enum access access;
	handler_fn *handler;
	unsigned flags;
};

/*
 * The route of rq, its params filled.  Literal patterns win over those with {}.
 * ERR_NOT_FOUND; ERR_METHOD, then *allow (in the arena) is the Allow header.
 */
enum err router_find(const struct route *routes, size_t count, struct request *rq, const struct route **out,
		     const char **allow, struct errinfo *e);

#endif

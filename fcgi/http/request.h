/* One request, whoever carried it here.  Text is never NULL ("" when absent) and lives in the request's arena. */
#ifndef CHOMP_HTTP_REQUEST_H
#define CHOMP_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

enum { PARAMS_MAX = 4, BODY_MAX = 1024 * 1024, BODY_MAX_ARTIFACT = 32 * 1024 * 1024 };

enum door { DOOR_WEB, DOOR_CALLBACK }; /* nginx says through which server it came */

enum who {
	WHO_NOBODY,
	WHO_OWNER,  /* bearer token or cookie */
	WHO_BEARER, /* some other bearer: a capability, perhaps; the handler decides */
};

struct request {
	struct arena arena;
	char id[9];
	const char *method, *path, *query; /* path: without the query, not decoded */
	const char *content_type, *host, *origin, *fetch_site, *authorization, *cookie, *accept;
	const char *if_none_match, *idempotency_key, *remote_addr, *referer;
	bool htmx; /* HX-Request */
	enum door door;
	char *body; /* NUL-terminated */
	size_t body_len;
	const char *params[PARAMS_MAX]; /* what {…} matched in the path */
	enum who who;
	const char *session; /* by cookie: the browser session's nonce (32 hex digits), else NULL */
	const char *bearer; /* NULL when none was sent */
};

/* True when a browser navigates here by itself (a link, a plain form): it wants pages and redirects, not JSON. */
bool request_wants_page(const struct request *rq);

/* The value of a query parameter, decoded; NULL when absent or not decodable to text. */
const char *request_query(struct request *rq, const char *name);

/*
 * A path parameter as an id.  Digits: *out, or -1 when there can be no such task (the caller says 404).
 * Other text: ERR_BAD_INPUT, wire code bad_id.
 */
enum err request_id(const char *text, int64_t *out, struct errinfo *e);

#endif

/*
 * Who is asking.  Checks of bearer tokens, cookies, Host and Origin; the relay uses the same ones.
 * A capability's session is checked by the handlers: this room knows no tasks.
 */
#ifndef CHOMP_HTTP_AUTH_H
#define CHOMP_HTTP_AUTH_H

#include "http/app.h"
#include "http/request.h"

enum { COOKIE_DAYS = 30 };

/* The Host header names one of our origins.  ERR_MISDIRECTED. */
enum err auth_host(const struct app *app, const char *host, struct errinfo *e);
bool auth_origin_known(const struct app *app, const char *origin);

/*
 * Fill rq->who, session and bearer.  owner_token and cookie_key are the secrets as they are now.
 * A wrong bearer or cookie is WHO_NOBODY or WHO_BEARER, no error; whether the session was signed out is the caller's
 * question (store/secret.h).  ERR_FORBIDDEN: a cookie with a request from another
 * site.
 */
enum err auth_identify(const struct app *app, struct request *rq, const char *owner_token,
		       const char *cookie_key, struct errinfo *e);

/* The value of a Set-Cookie header for a new browser session, and the one that ends it. */
const char *auth_cookie_make(const struct app *app, struct arena *a, const char *owner_token,
			     const char *cookie_key);
const char *auth_cookie_clear(const struct app *app, struct arena *a);

/*
 * Failed attempts, counted per address in memory all workers share.  Only failures are ever refused: a valid token
 * passes whatever came before it.
 */
struct throttle *throttle_new(void);				     /* before the fork; NULL when there is no memory */
bool throttle_failure(struct throttle *t, const char *addr, int64_t now_ms); /* true: too many, answer 429 */

#endif

/* Who may connect.  The relay trusts nobody to have checked before it: the checks are those of the workers. */
#include <stdlib.h>
#include <string.h>

#include "http/auth.h"
#include "relay/relay.h"
#include "store/secret.h"

/* 0 or the status of the refusal. */
static int identify(struct relay *r, struct request *rq)
{
	const char *owner, *key;
	struct errinfo e;

	if (secret_read(r->app.var, SECRET_OWNER, &rq->arena, &owner, &e) != ERR_OK ||
	    secret_read(r->app.var, SECRET_COOKIE, &rq->arena, &key, &e) != ERR_OK)
		return 500;
	if (auth_identify(&r->app, rq, owner, key, &e) != ERR_OK)
		return err_status(e.code);
	if (rq->who != WHO_OWNER || (rq->session != NULL && secret_signed_out(r->app.var, rq->session)))
		return 401;
	return 0;
}

static struct request as_request(const char *authorization, const char *cookie, const char *origin,
				 const char *fetch_site)
{
	return (struct request){ .authorization = authorization, .cookie = cookie, .origin = origin,
				 .fetch_site = fetch_site };
}

int relay_admit(struct relay *r, const struct upgrade *u, struct credentials *out)
{
	struct request rq = as_request(u->authorization, u->cookie, u->origin, u->fetch_site);
	struct errinfo e;

	if (auth_host(&r->app, u->host, &e) != ERR_OK)
		return err_status(e.code);
	bool has_origin = *u->origin != '\0';
	if (has_origin && !auth_origin_known(&r->app, u->origin))
		return 403;
	int status = identify(r, &rq);
	if (status == 0 && u->websocket && !has_origin && rq.session != NULL)
		status = 403;
	arena_reset(&rq.arena);
	if (status != 0)
		return status;
	out->authorization = xstrdup(u->authorization);
	out->cookie = xstrdup(u->cookie);
	return 0;
}

bool relay_still_good(struct relay *r, const struct credentials *c)
{
	struct request rq = as_request(c->authorization, c->cookie, "", "");
	int status = identify(r, &rq);

	arena_reset(&rq.arena);
	return status == 0;
}

void credentials_release(struct credentials *c)
{
	if (c->authorization != NULL)
		explicit_bzero(c->authorization, strlen(c->authorization));
	if (c->cookie != NULL)
		explicit_bzero(c->cookie, strlen(c->cookie));
	free(c->authorization);
	free(c->cookie);
	c->authorization = c->cookie = NULL;
}

/* From the owner's token, or a one-use code, to a browser session. */
#include <string.h>

#include "api/api.h"
#include "core/mac.h"
#include "http/auth.h"
#include "http/form.h"
#include "store/secret.h"

static enum err start_session(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	const char *owner, *key;
	enum err rc;

	if ((rc = secret_read(app->var, SECRET_OWNER, &rq->arena, &owner, e)) != ERR_OK ||
	    (rc = secret_read(app->var, SECRET_COOKIE, &rq->arena, &key, e)) != ERR_OK)
		return err_set(e, ERR_IO, 0, "the secrets cannot be read");
	response_redirect(rs, "/");
	response_header(rs, "Set-Cookie", auth_cookie_make(app, &rq->arena, owner, key));
	return ERR_OK;
}

static enum err refused(struct app *app, struct request *rq, const char *message, struct errinfo *e)
{
	if (throttle_failure(app->throttle, rq->remote_addr, app->now()))
		return err_set(e, ERR_LIMIT, 0, "too many failed attempts; wait a minute");
	return err_set(e, ERR_NO_TOKEN, 0, "%s", message);
}

enum err api_login(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	const char *token = NULL, *owner;
	struct form f;
	enum err rc;

	if (*rq->origin != '\0' && !auth_origin_known(app, rq->origin))
		return err_set(e, ERR_FORBIDDEN, 0, "a request from another site is not taken");
	if ((rc = form_read(rq, &f, e)) != ERR_OK || (rc = form_str(&f, "token", 1, SECRET_MAX, &token, e)) != ERR_OK ||
	    (rc = secret_read(app->var, SECRET_OWNER, &rq->arena, &owner, e)) != ERR_OK)
		return rc;
	if (!secret_equal(token, owner))
		return refused(app, rq, "that is not the owner's token; scripts/chompctl token prints it", e);
	return start_session(app, rq, rs, e);
}

/* GET /login?code=…: made by chompctl url, good once and for ten minutes. */
enum err api_login_code(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	const char *code = request_query(rq, "code");

	if (code == NULL || strlen(code) > SECRET_MAX || !secret_spend_code(app->var, code, app->now()))
		return refused(app, rq, "this login link has been used or is too old; scripts/chompctl url makes another", e);
	return start_session(app, rq, rs, e);
}

/* everywhere=true: every browser, by a new key for their cookies; the relay sees it and ends their live connections. */
enum err api_logout(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	bool everywhere = false;
	struct form f;
	enum err rc = form_read(rq, &f, e);

	if (rc != ERR_OK || (rc = form_bool_opt(&f, "everywhere", &everywhere, e)) != ERR_OK)
		return rc;
	if (everywhere && rq->who != WHO_OWNER)
		return err_set(e, ERR_NO_TOKEN, 0, "log in first: only the owner signs out every browser");
	if (everywhere)
		rc = secret_renew(app->var, SECRET_COOKIE, e);
	else if (rq->session != NULL)
		rc = secret_sign_out(app->var, rq->session, app->now(), e);
	if (rc != ERR_OK)
		return rc;
	response_redirect(rs, "/login");
	response_header(rs, "Set-Cookie", auth_cookie_clear(app, &rq->arena));
	return ERR_OK;
}

#include "api/run.h"

#include "api/answer.h"

enum err run_input_make(struct app *app, struct request *rq, const struct task *t, const struct form *f,
			struct run_input *out, struct errinfo *e)
{
	struct plan_wish wish = { 0 };
	struct settings s;
	enum err rc;

	if (f != NULL && ((rc = form_str_opt(f, "agent", 0, TEXT_MAX, &wish.agent, e)) != ERR_OK ||
			  (rc = form_str_opt(f, "model", 0, TEXT_MAX, &wish.model, e)) != ERR_OK ||
			  (rc = plain_argument("model", wish.model, e)) != ERR_OK ||
			  (rc = form_str_opt(f, "router", 0, TEXT_MAX, &wish.router, e)) != ERR_OK))
		return rc;
	if ((rc = settings_read(app->var, &rq->arena, &s, e)) != ERR_OK)
		return rc;
	return plan_session(app->var, &rq->arena, &s, t, &wish, app->now(), out, e);
}

/* The owner's word on a task that waits for review: approve, or send back with a comment. */
#include <string.h>

#include "api/answer.h"
#include "api/api.h"
#include "core/number.h"
#include "http/form.h"
#include "model/transition.h"
#include "store/store.h"

/* Prompt and comment go to the next session together, and a host takes no longer prompt than a task may have. */
enum { FRAME = 256 };

struct review_job {
	bool back;
	const char *comment;
	int64_t budget; /* -1: leave it */
	int64_t now;
};

static enum err do_review(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	const struct review_job *job = arg;

	(void)a;
	(void)skip;
	if (!job->back)
		return task_approve(t, job->comment, job->now, e);
	if (strlen(t->prompt) + strlen(job->comment) + FRAME > PROMPT_MAX)
		return err_set(e, ERR_BAD_INPUT, 0, "comment: prompt and comment together are too long for one session");
	if (job->budget >= 0) {
		t->token_budget = job->budget;
		t->budget_exceeded = t->token_budget > 0 && t->tokens >= t->token_budget;
	}
	return task_sendback(t, job->comment, job->now, e);
}

static enum err review(struct app *app, struct request *rq, struct response *rs, bool back, struct errinfo *e)
{
	struct review_job job = { .back = back, .now = app->now(), .budget = -1 };
	struct form f;
	struct task t;
	int64_t id;
	enum err rc;

	if ((rc = form_read(rq, &f, e)) != ERR_OK || (rc = wanted_id(rq, &f, &id, e)) != ERR_OK ||
	    (rc = form_str_opt(&f, "comment", 0, LONG_TEXT_MAX, &job.comment, e)) != ERR_OK ||
	    (rc = form_i64_opt(&f, "token_budget", 0, NUMBER_MAX, &job.budget, e)) != ERR_OK)
		return rc;
	if (job.comment != NULL && job.comment[strspn(job.comment, " \t\r\n")] == '\0')
		job.comment = NULL;
	if (back && job.comment == NULL)
		return err_set(e, ERR_BAD_INPUT, 0, "comment is missing: say what is to be done differently");
	struct change c = { do_review, &job };
	if ((rc = store_change(app->store, &rq->arena, id, c, &t, e)) != ERR_OK)
		return rc;
	answer_changed(rs, &t);
	return ERR_OK;
}

enum err api_task_approve(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	return review(app, rq, rs, false, e);
}

enum err api_task_sendback(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	return review(app, rq, rs, true, e);
}

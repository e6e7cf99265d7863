/* What the owner says of a task that waits for review. */
#include <inttypes.h>

#include "model/moves.h"

static enum err want_waiting(const struct task *t, struct errinfo *e)
{
	if (t->status == STATUS_DONE && t->review.state == REVIEW_WAITING)
		return ERR_OK;
	return err_wire(e, ERR_CONFLICT, "not_waiting", "task %" PRId64 " does not wait for review", t->id);
}

enum err task_approve(struct task *t, const char *comment, int64_t now, struct errinfo *e)
{
	enum err rc = want_waiting(t, e);

	if (rc != ERR_OK)
		return rc;
	t->review.state = REVIEW_APPROVED;
	t->review.comment = comment;
	t->updated = now;
	return ERR_OK;
}

enum err task_sendback(struct task *t, const char *comment, int64_t now, struct errinfo *e)
{
	enum err rc = want_waiting(t, e);

	if (rc != ERR_OK || (rc = task_retry(t, now, e)) != ERR_OK)
		return rc;
	t->held = false;
	t->review.state = REVIEW_SENT_BACK;
	t->review.comment = comment;
	return ERR_OK;
}

#include "api/access.h"

#include <inttypes.h>
#include <string.h>

#include "store/secret.h"

enum { AGAIN_MS = 3600 * 1000 };

enum err access_claim(struct app *app, struct request *rq, struct access_claim *out, struct errinfo *e)
{
	const char *key;
	enum err rc;

	memset(out, 0, sizeof *out);
	out->owner = rq->who == WHO_OWNER;
	if (out->owner)
		return ERR_OK;
	if (rq->bearer == NULL || !capability_like(rq->bearer))
		return err_set(e, ERR_NO_TOKEN, 0, "send the owner's token or this session's token as a bearer");
	if ((rc = secret_read(app->var, SECRET_AGENT, &rq->arena, &key, e)) != ERR_OK)
		return err_set(e, ERR_IO, 0, "the agents' key cannot be read");
	if (!capability_read(&rq->arena, key, rq->bearer, &out->cap))
		return err_set(e, ERR_NO_TOKEN, 0, "this session token is not one of ours");
	return ERR_OK;
}

enum err access_check(const struct access_claim *claim, const struct task *t, enum result closing, int64_t now,
		      bool *again, struct errinfo *e)
{
	*again = false;
	if (claim->owner)
		return ERR_OK;
	if (claim->cap.task != t->id)
		return err_set(e, ERR_FORBIDDEN, 0, "this token is for another task");
	const struct session *s = task_find_session(t, claim->cap.sid);
	if (s == NULL || !capability_fits(&claim->cap, s))
		return err_set(e, ERR_FORBIDDEN, 0, "this token is for no session of task %" PRId64, t->id);
	if (!session_open(s)) {
		*again = closing != RESULT_OPEN && s->result == closing && now - s->ended_at <= AGAIN_MS;
		if (*again)
			return ERR_OK;
		return err_wire(e, ERR_CONFLICT, "not_active", "session %s of task %" PRId64 " has ended", s->id,
				t->id);
	}
	if (now > claim->cap.expires_at)
		return err_set(e, ERR_NO_TOKEN, 0, "this session's token has expired");
	return ERR_OK;
}

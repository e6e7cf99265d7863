#include "api/answer.h"

#include "core/json.h"
#include "model/codec.h"

void answer_task(struct response *rs, const struct task *t)
{
	struct jw w;

	jw_init(&w, &rs->body);
	task_write_public(&w, NULL, t);
}

void answer_changed(struct response *rs, const struct task *t)
{
	answer_task(rs, t);
	response_header(rs, "HX-Trigger", "refreshTasks");
}

enum err wanted_id(struct request *rq, const struct form *f, int64_t *out, struct errinfo *e)
{
	enum err rc = f != NULL ? form_id(f, out, e) : request_id(rq->params[0], out, e);

	if (rc == ERR_OK && *out < 0)
		rc = err_set(e, ERR_NOT_FOUND, 0, "there is no such task");
	return rc;
}

enum err plain_argument(const char *name, const char *s, struct errinfo *e)
{
	if (s == NULL)
		return ERR_OK;
	if (*s == '-')
		return err_set(e, ERR_BAD_INPUT, 0, "%s: must not begin with a dash", name);
	for (const char *p = s; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			return err_set(e, ERR_BAD_INPUT, 0, "%s: must not hold control characters", name);
	}
	return ERR_OK;
}

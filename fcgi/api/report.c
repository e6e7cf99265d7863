#include "api/report.h"

#include "core/json.h"
#include "core/number.h"
#include "model/codec.h"
#include "model/task.h"

static enum err read_usage(const struct form *f, struct usage *u, struct errinfo *e)
{
	struct json_object *o = NULL;
	enum err rc;

	if (f->json == NULL)
		return ERR_OK;
	if ((rc = jr_obj_opt(f->json, "usage", &o, e)) != ERR_OK || o == NULL)
		return rc;
	return usage_read(o, u, e);
}

enum err report_read(const struct form *f, struct report *r, struct errinfo *e)
{
	enum err rc;

	*r = (struct report)REPORT_NONE;
	if ((rc = form_i64_opt(f, "tokens", 0, NUMBER_MAX, &r->tokens, e)) != ERR_OK ||
	    (rc = read_usage(f, &r->usage, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "result", 0, LONG_TEXT_MAX, &r->result, e)) != ERR_OK ||
	    (rc = form_str_opt(f, "summary", 0, LONG_TEXT_MAX, &r->summary, e)) != ERR_OK ||
	    (rc = form_i64_opt(f, "exit_code", -255, 255, &r->exit_code, e)) != ERR_OK)
		return rc;
	r->has_exit_code = form_has(f, "exit_code");
	if (r->result != NULL && *r->result == '\0')
		r->result = NULL;
	if (r->summary != NULL && *r->summary == '\0')
		r->summary = NULL;
	return ERR_OK;
}

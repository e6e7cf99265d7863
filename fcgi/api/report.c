#include "api/report.h"

#include <string.h>

#include "core/json.h"
#include "core/number.h"
#include "model/codec.h"
#include "model/task.h"

/* An object; in a form, which has none, its JSON text. */
static enum err usage_object(const struct form *f, struct arena *a, struct json_object **out, struct errinfo *e)
{
	const char *text = NULL;

	*out = NULL;
	if (f->json != NULL)
		return jr_obj_opt(f->json, "usage", out, e);
	enum err rc = form_str_opt(f, "usage", 0, TEXT_MAX, &text, e);
	if (rc != ERR_OK || text == NULL || *text == '\0')
		return rc;
	return json_parse(a, text, strlen(text), out, e);
}

static enum err read_usage(const struct form *f, struct arena *a, struct usage *u, struct errinfo *e)
{
	struct json_object *o;
	enum err rc = usage_object(f, a, &o, e);

	return rc != ERR_OK || o == NULL ? rc : usage_read(o, u, e);
}

enum err report_read(const struct form *f, struct arena *a, struct report *r, struct errinfo *e)
{
	enum err rc;

	*r = (struct report)REPORT_NONE;
	if ((rc = form_i64_opt(f, "tokens", 0, NUMBER_MAX, &r->tokens, e)) != ERR_OK ||
	    (rc = read_usage(f, a, &r->usage, e)) != ERR_OK ||
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

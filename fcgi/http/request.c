#include "http/request.h"

#include <ctype.h>
#include <string.h>

#include "core/number.h"
#include "http/form.h"

bool request_wants_page(const struct request *rq)
{
	return !rq->htmx && strstr(rq->accept, "text/html") != NULL;
}

const char *request_query(struct request *rq, const char *name)
{
	struct form f;
	struct errinfo e;
	const char *value = NULL;

	if (form_decode(&rq->arena, rq->query, strlen(rq->query), &f, &e) != ERR_OK ||
	    form_str_opt(&f, name, 0, BODY_MAX, &value, &e) != ERR_OK)
		return NULL;
	return value;
}

enum err request_id(const char *text, int64_t *out, struct errinfo *e)
{
	const char *p = text;

	while (isdigit((unsigned char)*p))
		p++;
	if (p == text || *p != '\0')
		return err_wire(e, ERR_BAD_INPUT, "bad_id", "id: a task's number is wanted");
	/* 007 is not how task 7 is written, and no id is that long: both name no task. */
	if ((text[0] == '0' && text[1] != '\0') || number_parse(text, 1, NUMBER_MAX, out) < 0)
		*out = -1;
	return ERR_OK;
}

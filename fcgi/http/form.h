/*
 * The fields of a body: application/json or application/x-www-form-urlencoded, read by the same names.
 * Text is UTF-8 without NUL; numbers in forms are decimal text, booleans true/false/1/0/on.
 */
#ifndef CHOMP_HTTP_FORM_H
#define CHOMP_HTTP_FORM_H

#include "http/request.h"

struct json_object;
struct form_pair;

struct form {
	struct json_object *json; /* one of the two is set */
	struct form_pair *pairs;
	size_t count;
};

/* Parse text like "a=b&c=d" (a body or a query). ERR_BAD_INPUT names the trouble. */
enum err form_decode(struct arena *a, const char *text, size_t len, struct form *out, struct errinfo *e);

/* The request's body by its content type; an empty body without a type has no fields.  ERR_MEDIA for other types. */
enum err form_read(struct request *rq, struct form *out, struct errinfo *e);

bool form_has(const struct form *f, const char *name); /* there, and not null */

/* As jr_* in core/json.h: the _opt ones leave *out alone when the field is missing. */
enum err form_str(const struct form *f, const char *name, size_t min, size_t max, const char **out,
		  struct errinfo *e);
enum err form_str_opt(const struct form *f, const char *name, size_t min, size_t max, const char **out,
		      struct errinfo *e);
enum err form_i64_opt(const struct form *f, const char *name, int64_t min, int64_t max, int64_t *out,
		      struct errinfo *e);
enum err form_bool_opt(const struct form *f, const char *name, bool *out, struct errinfo *e);

/* The task id a body names (text or number); *out is -1 for digits that can name no task. */
enum err form_id(const struct form *f, int64_t *out, struct errinfo *e);

#endif

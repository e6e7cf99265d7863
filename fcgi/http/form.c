#include "http/form.h"

#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/number.h"
#include "core/utf8.h"

enum { PAIRS_MAX = 200 };

struct form_pair {
	const char *name, *value;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded text, or NULL when an escape is broken or the bytes are no text. */
static const char *decode(struct arena *a, const char *s, size_t len)
{
	char *out = arena_alloc(a, len + 1), *to = out;

	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
			if (low < 0)
				return NULL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return NULL;
		*to++ = c;
	}
	*to = '\0';
	return utf8_valid(out, (size_t)(to - out)) ? out : NULL;
}

static enum err add_pair(struct arena *a, const char *p, size_t len, struct form *f, struct errinfo *e)
{
	const char *eq = memchr(p, '=', len);
	size_t name_len = eq != NULL ? (size_t)(eq - p) : len;
	const char *name = decode(a, p, name_len);
	const char *value = eq != NULL ? decode(a, eq + 1, len - name_len - 1) : "";

	if (name == NULL || value == NULL)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "the form has a field that is not percent-encoded UTF-8 text without NUL");
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->pairs[i].name, name) == 0)
			return err_set(e, ERR_BAD_INPUT, 0, "%.40s: given twice", name);
	}
	if (f->count == PAIRS_MAX)
		return err_set(e, ERR_BAD_INPUT, 0, "the form has more than %d fields", PAIRS_MAX);
	f->pairs[f->count++] = (struct form_pair){ name, value };
	return ERR_OK;
}

enum err form_decode(struct arena *a, const char *text, size_t len, struct form *out, struct errinfo *e)
{
	const char *p = text, *end = text + len;

	memset(out, 0, sizeof *out);
	out->pairs = arena_alloc(a, PAIRS_MAX * sizeof *out->pairs);
	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		size_t n = amp != NULL ? (size_t)(amp - p) : (size_t)(end - p);
		enum err rc = n > 0 ? add_pair(a, p, n, out, e) : ERR_OK;
		if (rc != ERR_OK)
			return rc;
		p += n + 1;
	}
	return ERR_OK;
}

/* "application/json; charset=utf-8" is application/json. */
static bool media_is(const char *type, const char *want)
{
	size_t len = strlen(want);

	if (strncasecmp(type, want, len) != 0)
		return false;
	type += len;
	while (*type == ' ' || *type == '\t')
		type++;
	return *type == '\0' || *type == ';';
}

enum err form_read(struct request *rq, struct form *out, struct errinfo *e)
{
	memset(out, 0, sizeof *out);
	if (rq->body_len == 0 && *rq->content_type == '\0')
		return form_decode(&rq->arena, "", 0, out, e);
	if (media_is(rq->content_type, "application/x-www-form-urlencoded"))
		return form_decode(&rq->arena, rq->body, rq->body_len, out, e);
	if (!media_is(rq->content_type, "application/json"))
		return err_set(e, ERR_MEDIA, 0, "send application/json or application/x-www-form-urlencoded");
	enum err rc = json_parse(&rq->arena, rq->body, rq->body_len, &out->json, e);
	if (rc == ERR_OK && !json_is_object(out->json))
		rc = err_set(e, ERR_BAD_JSON, 0, "a JSON object is wanted");
	return rc;
}

static const char *pair(const struct form *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->pairs[i].name, name) == 0)
			return f->pairs[i].value;
	}
	return NULL;
}

bool form_has(const struct form *f, const char *name)
{
	return f->json != NULL ? jr_has(f->json, name) : pair(f, name) != NULL;
}

enum err form_str_opt(const struct form *f, const char *name, size_t min, size_t max, const char **out,
		      struct errinfo *e)
{
	if (f->json != NULL)
		return jr_str_opt(f->json, name, min, max, out, e);
	const char *v = pair(f, name);
	if (v == NULL)
		return ERR_OK;
	size_t len = strlen(v);
	if (len < min || len > max)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: %zu to %zu bytes of text are wanted", name, min, max);
	*out = v;
	return ERR_OK;
}

enum err form_str(const struct form *f, const char *name, size_t min, size_t max, const char **out,
		  struct errinfo *e)
{
	if (!form_has(f, name))
		return err_set(e, ERR_BAD_INPUT, 0, "%s is missing", name);
	return form_str_opt(f, name, min, max, out, e);
}

enum err form_i64_opt(const struct form *f, const char *name, int64_t min, int64_t max, int64_t *out,
		      struct errinfo *e)
{
	if (f->json != NULL)
		return jr_i64_opt(f->json, name, min, max, out, e);
	const char *v = pair(f, name);
	if (v == NULL || *v == '\0') /* a form sends its empty fields too */
		return ERR_OK;
	if (number_parse(v, min, max, out) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: a whole number from %lld to %lld is wanted", name,
			       (long long)min, (long long)max);
	return ERR_OK;
}

enum err form_bool_opt(const struct form *f, const char *name, bool *out, struct errinfo *e)
{
	if (f->json != NULL)
		return jr_bool_opt(f->json, name, out, e);
	const char *v = pair(f, name);
	if (v == NULL || *v == '\0')
		return ERR_OK;
	if (strcmp(v, "true") == 0 || strcmp(v, "1") == 0 || strcmp(v, "on") == 0)
		*out = true;
	else if (strcmp(v, "false") == 0 || strcmp(v, "0") == 0)
		*out = false;
	else
		return err_set(e, ERR_BAD_INPUT, 0, "%s: true or false is wanted", name);
	return ERR_OK;
}

enum err form_id(const struct form *f, int64_t *out, struct errinfo *e)
{
	const char *text = NULL;
	struct errinfo ignored;

	if (!form_has(f, "id"))
		return err_wire(e, ERR_BAD_INPUT, "bad_id", "id is missing");
	if (form_str_opt(f, "id", 0, BODY_MAX, &text, &ignored) == ERR_OK)
		return request_id(text, out, e);
	if (f->json == NULL || jr_i64_opt(f->json, "id", 0, INT64_MAX, out, &ignored) != ERR_OK)
		return err_wire(e, ERR_BAD_INPUT, "bad_id", "id: a task's number is wanted");
	if (*out == 0 || *out > NUMBER_MAX)
		*out = -1;
	return ERR_OK;
}

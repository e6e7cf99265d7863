/*
 * json-c alone is too kind: it lets single quotes, NaN, raw control characters and duplicate keys through, also in its
 * strict mode.  So a pass of our own checks the grammar first and counts the members; a tree with fewer members than
 * the text had is a text with duplicate keys.
 */
#include "core/json.h"

#include <ctype.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/number.h"
#include "core/utf8.h"

/* ---- grammar ---- */
struct scan {
	const char *p, *end;
	size_t members;
	int depth;
	bool nul; /* the string read last holds one, as an escape */
	const char *why;
};

static bool value(struct scan *s);

static bool fail(struct scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return false;
}

static void space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	if (s->p >= s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool word(struct scan *s, const char *w)
{
	size_t len = strlen(w);

	if ((size_t)(s->end - s->p) < len || memcmp(s->p, w, len) != 0)
		return fail(s, "an unknown word");
	s->p += len;
	return true;
}

/* Four hex digits after \u; -1 when they are not there. */
static int hex4(struct scan *s)
{
	int v = 0;

	if (s->end - s->p < 4)
		return -1;
	for (int i = 0; i < 4; i++, s->p++) {
		unsigned char c = (unsigned char)*s->p;
		if (!isxdigit(c))
			return -1;
		v = v * 16 + (isdigit(c) ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v;
}

static bool unicode_escape(struct scan *s)
{
	int v = hex4(s);

	if (v < 0)
		return fail(s, "a broken \\u escape");
	if (v == 0)
		s->nul = true;
	if (v >= 0xDC00 && v <= 0xDFFF)
		return fail(s, "a lone surrogate");
	if (v < 0xD800 || v > 0xDBFF)
		return true;
	if (!take(s, '\\') || !take(s, 'u'))
		return fail(s, "a lone surrogate");
	v = hex4(s);
	if (v < 0xDC00 || v > 0xDFFF)
		return fail(s, "a lone surrogate");
	return true;
}

static bool string(struct scan *s)
{
	if (!take(s, '"'))
		return fail(s, "a string in double quotes is wanted");
	s->nul = false;
	while (s->p < s->end) {
		unsigned char c = (unsigned char)*s->p++;
		if (c == '"')
			return true;
		if (c < 0x20)
			return fail(s, "a raw control character in a string");
		if (c != '\\')
			continue;
		if (s->p >= s->end)
			break;
		c = (unsigned char)*s->p++;
		if (c == 'u') {
			if (!unicode_escape(s))
				return false;
		} else if (strchr("\"\\/bfnrt", c) == NULL || c == '\0') {
			return fail(s, "an unknown escape in a string");
		}
	}
	return fail(s, "a string without its end");
}

static bool digit_run(struct scan *s)
{
	const char *first = s->p;

	while (s->p < s->end && isdigit((unsigned char)*s->p))
		s->p++;
	return s->p > first || fail(s, "a broken number");
}

static bool number(struct scan *s)
{
	(void)take(s, '-');
	if (take(s, '0')) {
		if (s->p < s->end && isdigit((unsigned char)*s->p))
			return fail(s, "a number with a leading zero");
	} else if (!digit_run(s)) {
		return false;
	}
	if (take(s, '.') && !digit_run(s))
		return false;
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return digit_run(s);
	}
	return true;
}

static bool members(struct scan *s)
{
	space(s);
	if (take(s, '}'))
		return true;
	do {
		space(s);
		if (!string(s))
			return false;
		if (s->nul) /* json-c would cut it there: "prompt\0x" must not be read as "prompt" */
			return fail(s, "a key with NUL");
		s->members++;
		space(s);
		if (!take(s, ':'))
			return fail(s, "a colon is missing");
		if (!value(s))
			return false;
		space(s);
	} while (take(s, ','));
	return take(s, '}') || fail(s, "an object without its end");
}

static bool elements(struct scan *s)
{
	space(s);
	if (take(s, ']'))
		return true;
	do {
		if (!value(s))
			return false;
		space(s);
	} while (take(s, ','));
	return take(s, ']') || fail(s, "an array without its end");
}

static bool nested(struct scan *s, bool (*inside)(struct scan *))
{
	s->p++;
	if (++s->depth > JSON_DEPTH_MAX)
		return fail(s, "more than 32 levels");
	bool ok = inside(s);
	s->depth--;
	return ok;
}

static bool value(struct scan *s)
{
	space(s);
	if (s->p >= s->end)
		return fail(s, "it ends too early");
	switch (*s->p) {
	case '{':
		return nested(s, members);
	case '[':
		return nested(s, elements);
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return number(s);
	}
}

static size_t count_members(struct json_object *o)
{
	size_t n = 0;

	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, child)
		{
			(void)key;
			n += 1 + count_members(child);
		}
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += count_members(json_object_array_get_idx(o, i));
	}
	return n;
}

static void put(void *o)
{
	json_object_put(o);
}

enum err json_parse(struct arena *a, const char *buf, size_t len, struct json_object **out, struct errinfo *e)
{
	struct scan s = { .p = buf, .end = buf + len };

	*out = NULL;
	if (len > INT_MAX - 1)
		return err_set(e, ERR_TOO_LARGE, 0, "the JSON text is too long");
	if (!utf8_valid(buf, len))
		return err_set(e, ERR_BAD_JSON, 0, "the JSON text is not valid UTF-8");
	bool ok = value(&s);
	space(&s);
	if (ok && s.p != s.end)
		ok = fail(&s, "text after its end");
	if (!ok)
		return err_set(e, ERR_BAD_JSON, 0, "not JSON: %s (byte %zu)", s.why, (size_t)(s.p - buf));

	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	if (tok == NULL)
		return err_set(e, ERR_IO, 0, "no JSON reader");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *o = json_tokener_parse_ex(tok, buf, (int)len);
	if (json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, "", 1); /* a bare number needs its end shown */
	ok = json_tokener_get_error(tok) == json_tokener_success;
	json_tokener_free(tok);
	if (o != NULL)
		arena_defer(a, put, o);
	if (!ok)
		return err_set(e, ERR_BAD_JSON, 0, "not JSON");
	if (count_members(o) != s.members)
		return err_set(e, ERR_BAD_JSON, 0, "the JSON text has a key twice");
	*out = o;
	return ERR_OK;
}

/* ---- reading ---- */
bool json_is_object(const struct json_object *o)
{
	return json_object_is_type(o, json_type_object) != 0;
}

static struct json_object *member(const struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &v);
	return v;
}

bool jr_has(const struct json_object *o, const char *key)
{
	return member(o, key) != NULL;
}

enum err jr_str_opt(const struct json_object *o, const char *key, size_t min, size_t max, const char **out,
		    struct errinfo *e)
{
	struct json_object *v = member(o, key);

	if (v == NULL)
		return ERR_OK;
	if (!json_object_is_type(v, json_type_string))
		return err_set(e, ERR_BAD_INPUT, 0, "%s: text is wanted", key);
	const char *s = json_object_get_string(v);
	size_t len = (size_t)json_object_get_string_len(v);
	if (strlen(s) != len)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: text without NUL is wanted", key);
	if (len < min || len > max)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: %zu to %zu bytes of text are wanted", key, min, max);
	*out = s;
	return ERR_OK;
}

enum err jr_str(const struct json_object *o, const char *key, size_t min, size_t max, const char **out,
		struct errinfo *e)
{
	if (!jr_has(o, key))
		return err_set(e, ERR_BAD_INPUT, 0, "%s is missing", key);
	return jr_str_opt(o, key, min, max, out, e);
}

enum err jr_i64_opt(const struct json_object *o, const char *key, int64_t min, int64_t max, int64_t *out,
		    struct errinfo *e)
{
	struct json_object *v = member(o, key);
	int64_t n = 0;
	bool ok = false;

	if (v == NULL)
		return ERR_OK;
	if (json_object_is_type(v, json_type_int)) {
		n = json_object_get_int64(v); /* clamps: out of our range either way */
		ok = n >= min && n <= max;
	} else if (json_object_is_type(v, json_type_string)) {
		const char *s = json_object_get_string(v);
		ok = strlen(s) == (size_t)json_object_get_string_len(v) && number_parse(s, min, max, &n) == 0;
	}
	if (!ok)
		return err_set(e, ERR_BAD_INPUT, 0, "%s: a whole number from %lld to %lld is wanted", key,
			       (long long)min, (long long)max);
	*out = n;
	return ERR_OK;
}

enum err jr_i64(const struct json_object *o, const char *key, int64_t min, int64_t max, int64_t *out,
		struct errinfo *e)
{
	if (!jr_has(o, key))
		return err_set(e, ERR_BAD_INPUT, 0, "%s is missing", key);
	return jr_i64_opt(o, key, min, max, out, e);
}

enum err jr_bool_opt(const struct json_object *o, const char *key, bool *out, struct errinfo *e)
{
	struct json_object *v = member(o, key);

	if (v == NULL)
		return ERR_OK;
	if (!json_object_is_type(v, json_type_boolean))
		return err_set(e, ERR_BAD_INPUT, 0, "%s: true or false is wanted", key);
	*out = json_object_get_boolean(v) != 0;
	return ERR_OK;
}

static enum err typed(const struct json_object *o, const char *key, enum json_type type, const char *wanted,
		      struct json_object **out, struct errinfo *e)
{
	struct json_object *v = member(o, key);

	if (v == NULL)
		return ERR_OK;
	if (!json_object_is_type(v, type))
		return err_set(e, ERR_BAD_INPUT, 0, "%s: %s is wanted", key, wanted);
	*out = v;
	return ERR_OK;
}

enum err jr_obj_opt(const struct json_object *o, const char *key, struct json_object **out, struct errinfo *e)
{
	return typed(o, key, json_type_object, "an object", out, e);
}

enum err jr_arr_opt(const struct json_object *o, const char *key, struct json_object **out, struct errinfo *e)
{
	return typed(o, key, json_type_array, "an array", out, e);
}

size_t json_array_len(const struct json_object *arr)
{
	return json_object_array_length(arr);
}

struct json_object *json_array_at(const struct json_object *arr, size_t i)
{
	return json_object_array_get_idx(arr, i);
}

const char *json_string(const struct json_object *v)
{
	if (!json_object_is_type(v, json_type_string))
		return NULL;
	/* json-c's parameter is without const, though it changes nothing in text */
	const char *s = json_object_get_string((struct json_object *)(uintptr_t)v);
	return strlen(s) == (size_t)json_object_get_string_len(v) ? s : NULL;
}

enum err json_each(const struct json_object *o,
		   enum err (*fn)(const char *key, struct json_object *value, void *arg), void *arg)
{
	if (!json_is_object(o))
		return ERR_OK;
	json_object_object_foreach(o, key, child)
	{
		enum err rc = fn(key, child, arg);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

const char *json_text(struct arena *a, const struct json_object *v)
{
	/* json-c caches the text in the object, hence its parameter without const. */
	return arena_strdup(a, json_object_to_json_string_ext((struct json_object *)(uintptr_t)v,
							      JSON_C_TO_STRING_PLAIN |
								      JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* ---- writing ---- */
void jw_init(struct jw *w, struct strbuf *out)
{
	w->out = out;
	w->comma = false;
}

static void escaped(struct strbuf *out, const char *s, size_t len)
{
	size_t from = 0;

	strbuf_putc(out, '"');
	(void)strbuf_grow(out, len + 2); /* at once: most text has nothing to escape */
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		strbuf_add(out, s + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\') {
			char pair[2] = { '\\', (char)c };
			strbuf_add(out, pair, 2);
		} else if (c == '\n') {
			strbuf_add(out, "\\n", 2);
		} else if (c == '\t') {
			strbuf_add(out, "\\t", 2);
		} else if (c == '\r') {
			strbuf_add(out, "\\r", 2);
		} else {
			strbuf_printf(out, "\\u%04x", c);
		}
	}
	strbuf_add(out, s + from, len - from);
	strbuf_putc(out, '"');
}

static void begin(struct jw *w, const char *key)
{
	if (w->comma)
		strbuf_putc(w->out, ',');
	w->comma = true;
	if (key != NULL) {
		escaped(w->out, key, strlen(key));
		strbuf_putc(w->out, ':');
	}
}

void jw_object(struct jw *w, const char *key)
{
	begin(w, key);
	strbuf_putc(w->out, '{');
	w->comma = false;
}

void jw_object_end(struct jw *w)
{
	strbuf_putc(w->out, '}');
	w->comma = true;
}

void jw_array(struct jw *w, const char *key)
{
	begin(w, key);
	strbuf_putc(w->out, '[');
	w->comma = false;
}

void jw_array_end(struct jw *w)
{
	strbuf_putc(w->out, ']');
	w->comma = true;
}

void jw_strn(struct jw *w, const char *key, const char *s, size_t len)
{
	begin(w, key);
	escaped(w->out, s, len);
}

void jw_str(struct jw *w, const char *key, const char *s)
{
	if (s == NULL)
		jw_null(w, key);
	else
		jw_strn(w, key, s, strlen(s));
}

void jw_i64(struct jw *w, const char *key, int64_t n)
{
	begin(w, key);
	strbuf_i64(w->out, n);
}

void jw_bool(struct jw *w, const char *key, bool b)
{
	begin(w, key);
	strbuf_puts(w->out, b ? "true" : "false");
}

void jw_null(struct jw *w, const char *key)
{
	begin(w, key);
	strbuf_puts(w->out, "null");
}

void jw_time(struct jw *w, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms == 0)
		jw_null(w, key);
	else
		jw_str(w, key, clock_rfc3339(ms, text));
}

void jw_raw(struct jw *w, const char *key, const char *json, size_t len)
{
	begin(w, key);
	strbuf_add(w->out, json, len);
}

void jw_members(struct jw *w, const char *object)
{
	size_t len = object != NULL ? strlen(object) : 0;

	if (len <= 2)
		return;
	begin(w, NULL);
	strbuf_add(w->out, object + 1, len - 2);
}

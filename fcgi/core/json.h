/*
 * JSON, read strictly (RFC 8259 and no more) and written by hand.  The only user of json-c.
 *
 * Reading: json_parse, then the jr_* readers, which refuse wrong types where json-c would coerce, text with NUL or
 * broken UTF-8, and numbers out of range.  Their messages name the field and say what is wanted.
 * Writing: a jw_* writer on a strbuf; keys are literals of ours, text is escaped.
 */
#ifndef CHOMP_CORE_JSON_H
#define CHOMP_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/strbuf.h"

enum { JSON_DEPTH_MAX = 32 };

struct json_object; /* borrowed from the arena that parsed it */

/*
 * Parse the whole of buf.  Refused: trailing text, comments, single quotes, raw control characters, NaN, duplicate keys,
 * keys with NUL, lone surrogates, more than 32 levels, invalid UTF-8.  ERR_BAD_JSON; the message holds the word JSON.
 */
enum err json_parse(struct arena *a, const char *buf, size_t len, struct json_object **out, struct errinfo *e);

bool json_is_object(const struct json_object *o);
bool jr_has(const struct json_object *o, const char *key); /* there and not null */

/* Text of min..max bytes without NUL.  The _opt forms leave *out alone when the field is missing or null. */
enum err jr_str(const struct json_object *o, const char *key, size_t min, size_t max, const char **out,
		struct errinfo *e);
enum err jr_str_opt(const struct json_object *o, const char *key, size_t min, size_t max, const char **out,
		    struct errinfo *e);
/* A whole number min..max; its decimal text is accepted too. */
enum err jr_i64(const struct json_object *o, const char *key, int64_t min, int64_t max, int64_t *out,
		struct errinfo *e);
enum err jr_i64_opt(const struct json_object *o, const char *key, int64_t min, int64_t max, int64_t *out,
		    struct errinfo *e);
enum err jr_bool_opt(const struct json_object *o, const char *key, bool *out, struct errinfo *e);
enum err jr_obj_opt(const struct json_object *o, const char *key, struct json_object **out,
		    struct errinfo *e);
enum err jr_arr_opt(const struct json_object *o, const char *key, struct json_object **out,
		    struct errinfo *e);

size_t json_array_len(const struct json_object *arr);
struct json_object *json_array_at(const struct json_object *arr, size_t i);
/* The text of a value, NULL when it is none or holds NUL; borrowed. */
const char *json_string(const struct json_object *value);

/* Call fn for every member, in order of appearance, until it returns other than ERR_OK.  What is no object has none. */
enum err json_each(const struct json_object *o,
		   enum err (*fn)(const char *key, struct json_object *value, void *arg), void *arg);

/* The value's own text (plain, no needless escapes); lives in the arena. */
const char *json_text(struct arena *a, const struct json_object *value);

/* ---- writing ---- */
struct jw {
	struct strbuf *out;
	bool comma;
};

void jw_init(struct jw *w, struct strbuf *out);
/* key NULL: an element of an array, or the outermost value. */
void jw_object(struct jw *w, const char *key);
void jw_object_end(struct jw *w);
void jw_array(struct jw *w, const char *key);
void jw_array_end(struct jw *w);
void jw_str(struct jw *w, const char *key, const char *s); /* NULL writes null */
void jw_strn(struct jw *w, const char *key, const char *s, size_t len);
void jw_i64(struct jw *w, const char *key, int64_t n);
void jw_bool(struct jw *w, const char *key, bool b);
void jw_null(struct jw *w, const char *key);
void jw_time(struct jw *w, const char *key, int64_t ms); /* RFC 3339; 0 writes null */
void jw_raw(struct jw *w, const char *key, const char *json, size_t len); /* text that is JSON already */
void jw_members(struct jw *w, const char *object); /* the members of an object's text, without its braces; NULL: none */

#endif

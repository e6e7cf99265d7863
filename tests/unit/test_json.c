#include "core/json.h"
#include "core/number.h"
#include "core/utf8.h"
#include "unit.h"

#define ARRAY8 "[[[[[[[["
#define ARRAY8_END "]]]]]]]]"
#define ARRAY32 ARRAY8 ARRAY8 ARRAY8 ARRAY8
#define ARRAY32_END ARRAY8_END ARRAY8_END ARRAY8_END ARRAY8_END
#define OBJECT8 "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
#define OBJECT8_END "}}}}}}}}"

/* ---- RFC 8259 and no more ---- */
static const struct text {
	const char *name;
	const char *json;
	size_t len; /* 0: strlen */
	bool good;
} texts[] = {
	/* taken */
	{ "an empty object is JSON", "{}", 0, true },
	{ "an empty array is JSON", "[]", 0, true },
	{ "a bare number is JSON", "0", 0, true },
	{ "a bare string is JSON", "\"\"", 0, true },
	{ "a bare null is JSON", "null", 0, true },
	{ "a bare true is JSON", "true", 0, true },
	{ "white space around is JSON", " \t\r\n{ \"a\" : [ 1 , 2 ] } \t\r\n", 0, true },
	{ "numbers of every form are JSON",
	  "[0,-0,1,-1,10,0.5,-0.5,1e3,1E3,1e+3,1e-3,1.5E-10,0e0,0.0e+0]", 0, true },
	{ "numbers beyond 64 bits are JSON", "[99999999999999999999,-99999999999999999999,1e400]",
	  0, true },
	{ "every escape is JSON", "\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0041 \\u00e4\"", 0,
	  true },
	{ "a pair of surrogates is JSON", "\"\\ud83e\\udd96\\uD83E\\uDD96\"", 0, true },
	{ "an escaped NUL in a value is JSON", "[\"a\\u0000b\"]", 0, true },
	{ "raw UTF-8 is JSON", "{\"\xC3\xA4\":\"\xF0\x9F\xA6\x96\"}", 0, true },
	{ "DEL is no control character here", "\"\x7f\"", 0, true },
	{ "an empty key is JSON", "{\"\":1}", 0, true },
	{ "the same key in two objects is JSON", "[{\"a\":1},{\"a\":{\"a\":2}}]", 0, true },
	{ "32 arrays deep is JSON", ARRAY32 ARRAY32_END, 0, true },
	{ "32 objects deep is JSON",
	  OBJECT8 OBJECT8 OBJECT8 OBJECT8 "1" OBJECT8_END OBJECT8_END OBJECT8_END OBJECT8_END, 0,
	  true },
	{ "depth counts what is open, not what was",
	  "[" ARRAY8 ARRAY8_END "," ARRAY8 ARRAY8_END "]", 0, true },
	/* refused */
	{ "nothing is not", "", 0, false },
	{ "white space alone is not", " \n", 0, false },
	{ "text after the end is not", "{} x", 0, false },
	{ "a second value is not", "{}{}", 0, false },
	{ "a NUL after the end is not", "{}\0", 3, false },
	{ "a NUL in between is not", "[1\0]", 4, false },
	{ "a NUL in a string is not", "\"a\0b\"", 5, false },
	{ "a byte order mark is not", "\xEF\xBB\xBF{}", 0, false },
	{ "a comment is not", "{} // x", 0, false },
	{ "a comment inside is not", "{/* x */}", 0, false },
	{ "a hash comment is not", "# x\n{}", 0, false },
	{ "single quotes are not", "{'a':'b'}", 0, false },
	{ "a key without quotes is not", "{a:1}", 0, false },
	{ "a number as key is not", "{1:1}", 0, false },
	{ "a trailing comma in an object is not", "{\"a\":1,}", 0, false },
	{ "a trailing comma in an array is not", "[1,]", 0, false },
	{ "a leading comma is not", "[,1]", 0, false },
	{ "two commas are not", "[1,,2]", 0, false },
	{ "a missing comma is not", "[1 2]", 0, false },
	{ "a missing colon is not", "{\"a\" 1}", 0, false },
	{ "a missing value is not", "{\"a\":}", 0, false },
	{ "a key alone is not", "{\"a\"}", 0, false },
	{ "an open object is not", "{\"a\":1", 0, false },
	{ "an open array is not", "[1", 0, false },
	{ "an open string is not", "\"abc", 0, false },
	{ "a string that ends in a backslash is not", "\"abc\\", 0, false },
	{ "the wrong bracket is not", "[1}", 0, false },
	{ "a closing bracket alone is not", "]", 0, false },
	{ "a raw line feed in a string is not", "\"a\nb\"", 0, false },
	{ "a raw tab in a string is not", "\"a\tb\"", 0, false },
	{ "a raw unit separator in a string is not", "\"a\x1f\"", 0, false },
	{ "an unknown escape is not", "\"\\x41\"", 0, false },
	{ "an escaped single quote is not", "\"\\'\"", 0, false },
	{ "an escaped line feed is not", "\"\\\n\"", 0, false },
	{ "an escaped NUL byte is not", "\"\\\0\"", 4, false },
	{ "three hex digits are not", "\"\\u123\"", 0, false },
	{ "a letter that is no hex digit is not", "\"\\u12g4\"", 0, false },
	{ "a sign in an escape is not", "\"\\u+123\"", 0, false },
	{ "a lone high surrogate is not", "\"\\ud800\"", 0, false },
	{ "a high surrogate before text is not", "\"\\ud800x\"", 0, false },
	{ "a high surrogate before another escape is not", "\"\\ud800\\n\"", 0, false },
	{ "two high surrogates are not", "\"\\ud800\\ud800\"", 0, false },
	{ "a lone low surrogate is not", "\"\\udc00\"", 0, false },
	{ "a lone surrogate in a key is not", "{\"\\udfff\":1}", 0, false },
	{ "a cut pair is not", "\"\\ud83e\\udd\"", 0, false },
	{ "NaN is not", "NaN", 0, false },
	{ "Infinity is not", "[Infinity]", 0, false },
	{ "minus Infinity is not", "-Infinity", 0, false },
	{ "True is not", "True", 0, false },
	{ "nul is not", "nul", 0, false },
	{ "nulll is not", "nulll", 0, false },
	{ "undefined is not", "undefined", 0, false },
	{ "a leading zero is not", "01", 0, false },
	{ "a leading zero behind a minus is not", "-01", 0, false },
	{ "a leading plus is not", "+1", 0, false },
	{ "a minus alone is not", "-", 0, false },
	{ "a dot first is not", ".5", 0, false },
	{ "a dot last is not", "1.", 0, false },
	{ "a dot before the exponent is not", "1.e5", 0, false },
	{ "an exponent without digits is not", "1e", 0, false },
	{ "an exponent with a sign alone is not", "1e+", 0, false },
	{ "hex is not", "0x10", 0, false },
	{ "thousands with an underscore are not", "1_000", 0, false },
	{ "a key twice is not", "{\"a\":1,\"a\":1}", 0, false },
	{ "a key twice, once escaped, is not", "{\"a\":1,\"\\u0061\":2}", 0, false },
	{ "an escaped slash twice is not", "{\"/\":1,\"\\/\":2}", 0, false },
	{ "a key twice deep inside is not", "[[{\"b\":{\"a\":1,\"c\":2,\"a\":3}}]]", 0, false },
	{ "a key twice with null is not", "{\"a\":null,\"a\":null}", 0, false },
	/* json-c cuts a key at its NUL: "prompt\0x" would be read as "prompt" */
	{ "a NUL in a key is not", "{\"prompt\\u0000x\":1}", 0, false },
	{ "33 arrays deep is not", "[" ARRAY32 ARRAY32_END "]", 0, false },
	{ "33 levels of both kinds is not",
	  "[" OBJECT8 OBJECT8 OBJECT8 OBJECT8 "1" OBJECT8_END OBJECT8_END OBJECT8_END OBJECT8_END
	  "]",
	  0, false },
	{ "32 deep without an end is not", ARRAY32, 0, false },
	{ "a stray byte is not", "\"\xFF\"", 0, false },
	{ "a cut character is not", "\"\xC3\"", 0, false },
	{ "an overlong character is not", "\"\xC0\xAF\"", 0, false },
	{ "a surrogate in UTF-8 is not", "\"\xED\xA0\x80\"", 0, false },
	{ "a character above U+10FFFF is not", "\"\xF4\x90\x80\x80\"", 0, false },
	{ "a broken character in a key is not", "{\"\xC3(\":1}", 0, false },
};

static void judged(void **state)
{
	ROW(struct text);
	size_t len = r->len != 0 ? r->len : strlen(r->json);
	struct json_object *o = (void *)&o;
	struct arena a = { 0 };
	struct errinfo e;
	char *exact = malloc(len + 1); /* a heap block, so that ASan sees a step beyond it */

	assert_non_null(exact);
	memcpy(exact, r->json, len);
	exact = realloc(exact, len != 0 ? len : 1);
	enum err rc = json_parse(&a, exact, len, &o, &e);
	free(exact);
	assert_err(rc, r->good ? ERR_OK : ERR_BAD_JSON, &e);
	if (!r->good) {
		assert_null(o);
		assert_non_null(strstr(e.what, "JSON"));
		assert_string_equal(err_code(&e), "bad_json");
	}
	arena_reset(&a);
}

static void twenty_million_brackets_end_at_once(void **state)
{
	const size_t n = 20 << 20;
	char *text = malloc(n);
	struct json_object *o;
	struct arena a = { 0 };
	struct errinfo e;

	(void)state;
	assert_non_null(text);
	memset(text, '[', n);
	assert_err(json_parse(&a, text, n, &o, &e), ERR_BAD_JSON, &e);
	free(text);
	arena_reset(&a);
}

static void cut_anywhere_it_is_refused(void **state)
{
	const char whole[] =
		"{\"a\":[1,-2.5e3,\"x\\u00e4\\ud83e\\udd96\",true,null],\"b\":{\"c\":\"\"}}";
	struct errinfo e;

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		struct arena a = { 0 };
		struct json_object *o;
		assert_err(json_parse(&a, whole, n, &o, &e), ERR_BAD_JSON, &e);
		arena_reset(&a);
	}
}

/* ---- reading members ---- */
static const char sample[] =
	"{\"s\":\"text\",\"empty\":\"\",\"nul\":\"a\\u0000b\",\"n\":42,\"neg\":-5,\"d\":1.5,\"e\":"
	"1e2,"
	"\"big\":9007199254740993,\"huge\":99999999999999999999,\"tiny\":-99999999999999999999,"
	"\"t\":true,\"null\":null,\"num\":\"17\",\"numbad\":\"17x\",\"numnul\":\"17\\u0000\","
	"\"o\":{\"x\":1},\"arr\":[1,2,3],\"max\":9223372036854775807}";

enum reader { STR, I64, BOOL, OBJ, ARR };

static const struct member {
	const char *name;
	enum reader reader;
	const char *key;
	int64_t min, max;
	enum err want;
	const char *text; /* what text or number came out */
	int64_t number;
} members[] = {
	{ "text is read", STR, "s", 0, 10, ERR_OK, "text", 0 },
	{ "text may be exactly as long as allowed", STR, "s", 4, 4, ERR_OK, "text", 0 },
	{ "empty text is text", STR, "empty", 0, 10, ERR_OK, "", 0 },
	{ "empty text is too short for 1", STR, "empty", 1, 10, ERR_BAD_INPUT, NULL, 0 },
	{ "text above the length is refused", STR, "s", 0, 3, ERR_BAD_INPUT, NULL, 0 },
	{ "text with NUL is refused", STR, "nul", 0, 10, ERR_BAD_INPUT, NULL, 0 },
	{ "a number is no text", STR, "n", 0, 10, ERR_BAD_INPUT, NULL, 0 },
	{ "true is no text", STR, "t", 0, 10, ERR_BAD_INPUT, NULL, 0 },
	{ "an object is no text", STR, "o", 0, 10, ERR_BAD_INPUT, NULL, 0 },
	{ "an array is no text", STR, "arr", 0, 10, ERR_BAD_INPUT, NULL, 0 },
	{ "missing text is left alone", STR, "nope", 1, 10, ERR_OK, NULL, 0 },
	{ "null text is left alone", STR, "null", 1, 10, ERR_OK, NULL, 0 },
	{ "a number is read", I64, "n", 0, 100, ERR_OK, NULL, 42 },
	{ "a negative number is read", I64, "neg", -5, 100, ERR_OK, NULL, -5 },
	{ "its decimal text is read", I64, "num", 0, 100, ERR_OK, NULL, 17 },
	{ "the largest of 64 bits is read", I64, "max", 0, INT64_MAX, ERR_OK, NULL, INT64_MAX },
	{ "a number below the range is refused", I64, "neg", 0, 100, ERR_BAD_INPUT, NULL, 0 },
	{ "a number above the range is refused", I64, "n", 0, 41, ERR_BAD_INPUT, NULL, 0 },
	{ "2^53 + 1 is above what numbers may be", I64, "big", 0, NUMBER_MAX, ERR_BAD_INPUT, NULL,
	  0 },
	{ "a number beyond 64 bits is refused", I64, "huge", 0, NUMBER_MAX, ERR_BAD_INPUT, NULL,
	  0 },
	{ "one beyond 64 bits below zero is refused", I64, "tiny", -NUMBER_MAX, NUMBER_MAX,
	  ERR_BAD_INPUT, NULL, 0 },
	{ "a fraction is no whole number", I64, "d", 0, 100, ERR_BAD_INPUT, NULL, 0 },
	{ "an exponent is no whole number", I64, "e", 0, 1000, ERR_BAD_INPUT, NULL, 0 },
	{ "a word is no number", I64, "s", 0, 100, ERR_BAD_INPUT, NULL, 0 },
	{ "digits with text behind are no number", I64, "numbad", 0, 100, ERR_BAD_INPUT, NULL, 0 },
	{ "digits with NUL behind are no number", I64, "numnul", 0, 100, ERR_BAD_INPUT, NULL, 0 },
	{ "true is no number", I64, "t", 0, 100, ERR_BAD_INPUT, NULL, 0 },
	{ "an array is no number", I64, "arr", 0, 100, ERR_BAD_INPUT, NULL, 0 },
	{ "a missing number is left alone", I64, "nope", 5, 100, ERR_OK, NULL, 4711 },
	{ "a null number is left alone", I64, "null", 5, 100, ERR_OK, NULL, 4711 },
	{ "true is read", BOOL, "t", 0, 0, ERR_OK, NULL, 1 },
	{ "a number is no truth", BOOL, "n", 0, 0, ERR_BAD_INPUT, NULL, 0 },
	{ "text is no truth", BOOL, "s", 0, 0, ERR_BAD_INPUT, NULL, 0 },
	{ "a missing truth is left alone", BOOL, "nope", 0, 0, ERR_OK, NULL, 4711 },
	{ "an object is read", OBJ, "o", 0, 0, ERR_OK, NULL, 1 },
	{ "an array is no object", OBJ, "arr", 0, 0, ERR_BAD_INPUT, NULL, 0 },
	{ "text is no object", OBJ, "s", 0, 0, ERR_BAD_INPUT, NULL, 0 },
	{ "a missing object is left alone", OBJ, "nope", 0, 0, ERR_OK, NULL, 0 },
	{ "an array is read", ARR, "arr", 0, 0, ERR_OK, NULL, 1 },
	{ "an object is no array", ARR, "o", 0, 0, ERR_BAD_INPUT, NULL, 0 },
	{ "a null array is left alone", ARR, "null", 0, 0, ERR_OK, NULL, 0 },
};

static enum err read_one(const struct member *r, const struct json_object *o, const char **text,
			 int64_t *n, struct errinfo *e)
{
	struct json_object *child = NULL;
	bool truth = false;
	enum err rc = ERR_OK;

	switch (r->reader) {
	case STR:
		return jr_str_opt(o, r->key, (size_t)r->min, (size_t)r->max, text, e);
	case I64:
		return jr_i64_opt(o, r->key, r->min, r->max, n, e);
	case BOOL:
		rc = jr_bool_opt(o, r->key, &truth, e);
		*n = truth ? 1 : *n;
		return rc;
	case OBJ:
		rc = jr_obj_opt(o, r->key, &child, e);
		break;
	case ARR:
		rc = jr_arr_opt(o, r->key, &child, e);
		break;
	}
	*n = child != NULL ? 1 : 0;
	return rc;
}

static void read_or_refused(void **state)
{
	ROW(struct member);
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	const char *text = NULL;
	int64_t n = 4711;

	assert_ok(json_parse(&a, sample, sizeof sample - 1, &o, &e), &e);
	assert_err(read_one(r, o, &text, &n, &e), r->want, &e);
	if (r->want == ERR_OK) {
		assert_text(text, r->text);
		if (r->reader != STR)
			assert_int_equal(n, r->number);
	} else {
		assert_null(text); /* nothing is written on error */
		assert_int_equal(strncmp(e.what, r->key, strlen(r->key)), 0);
	}
	arena_reset(&a);
}

static void wanted_member_that_is_missing_is_named(void **state)
{
	struct arena a = { 0 };
	struct json_object *o, *arr = NULL;
	struct errinfo e;
	const char *text = NULL;
	int64_t n = 0;

	(void)state;
	assert_ok(json_parse(&a, sample, sizeof sample - 1, &o, &e), &e);
	assert_err(jr_str(o, "nope", 0, 1, &text, &e), ERR_BAD_INPUT, &e);
	assert_string_equal(e.what, "nope is missing");
	assert_err(jr_str(o, "null", 0, 1, &text, &e), ERR_BAD_INPUT, &e);
	assert_err(jr_i64(o, "nope", 0, 1, &n, &e), ERR_BAD_INPUT, &e);
	assert_ok(jr_str(o, "s", 0, 9, &text, &e), &e);
	assert_ok(jr_i64(o, "n", 0, 99, &n, &e), &e);
	assert_true(jr_has(o, "s"));
	assert_false(jr_has(o, "null"));
	assert_false(jr_has(o, "nope"));
	assert_true(json_is_object(o));
	/* What is no object has no members. */
	assert_ok(jr_arr_opt(o, "arr", &arr, &e), &e);
	assert_false(json_is_object(arr));
	assert_false(jr_has(arr, "0"));
	assert_false(jr_has(NULL, "x"));
	assert_false(json_is_object(NULL));
	assert_int_equal(json_array_len(arr), 3);
	assert_non_null(json_array_at(arr, 2));
	assert_null(json_array_at(arr, 3));
	arena_reset(&a);
}

struct walk {
	char keys[64];
	int stop_at;
};

static enum err note_key(const char *key, struct json_object *value, void *arg)
{
	struct walk *w = arg;

	(void)value;
	snprintf(w->keys + strlen(w->keys), sizeof w->keys - strlen(w->keys), "%s ", key);
	return --w->stop_at == 0 ? ERR_CONFLICT : ERR_OK;
}

static void members_are_walked_in_order(void **state)
{
	const char text[] = "{\"z\":1,\"a\":null,\"m\":[]}";
	struct walk all = { "", 0 }, two = { "", 2 };
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;

	(void)state;
	assert_ok(json_parse(&a, text, sizeof text - 1, &o, &e), &e);
	assert_int_equal(json_each(o, note_key, &all), ERR_OK);
	assert_string_equal(all.keys, "z a m ");
	assert_int_equal(json_each(o, note_key, &two), ERR_CONFLICT);
	assert_string_equal(two.keys, "z a ");
	struct walk none = { "", 0 };
	assert_int_equal(json_each(NULL, note_key, &none), ERR_OK);
	assert_ok(json_parse(&a, "[1]", 3, &o, &e), &e);
	assert_int_equal(json_each(o, note_key, &none), ERR_OK);
	assert_string_equal(none.keys, "");
	arena_reset(&a);
}

static void value_s_own_text_is_kept(void **state)
{
	const char text[] = "{\"a\":[1,1.10,0.1,\"x/y\",null,true,{\"b\":\"\xC3\xA4\"}]}";
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;

	(void)state;
	assert_ok(json_parse(&a, text, sizeof text - 1, &o, &e), &e);
	assert_string_equal(json_text(&a, o), text);
	arena_reset(&a);
}

/* ---- writing ---- */
static void writer_makes_the_text_expected(void **state)
{
	struct strbuf sb;
	struct jw w;

	(void)state;
	strbuf_init(&sb);
	jw_init(&w, &sb);
	jw_object(&w, NULL);
	jw_str(&w, "s", "a\"b\\c\n\t\r\x01\x7f/<\xC3\xA4");
	jw_str(&w, "none", NULL);
	jw_strn(&w, "part", "abcdef", 3);
	jw_i64(&w, "n", INT64_MIN);
	jw_bool(&w, "t", true);
	jw_bool(&w, "f", false);
	jw_null(&w, "z");
	jw_time(&w, "when", 1770804000123);
	jw_time(&w, "never", 0);
	jw_array(&w, "empty");
	jw_array_end(&w);
	jw_array(&w, "arr");
	jw_i64(&w, NULL, 1);
	jw_object(&w, NULL);
	jw_object_end(&w);
	jw_raw(&w, NULL, "[2]", 3);
	jw_array_end(&w);
	jw_bool(&w, "last", true);
	jw_object_end(&w);
	assert_string_equal(sb.buf, "{\"s\":\"a\\\"b\\\\c\\n\\t\\r\\u0001\x7f/"
				    "<\xC3\xA4\",\"none\":null,\"part\":\"abc\","
				    "\"n\":-9223372036854775808,\"t\":true,\"f\":false,\"z\":null,"
				    "\"when\":\"2026-02-11T10:00:00.123Z\",\"never\":null,"
				    "\"empty\":[],\"arr\":[1,{},[2]],"
				    "\"last\":true}");
	strbuf_release(&sb);
}

/* Every character of the first plane and some beyond, alone and between others. */
static void every_character_comes_back(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x11000; c += c < 0x900 ? 1 : 37) {
		char text[8] = "", *p = text;
		struct arena a = { 0 };
		struct json_object *o;
		struct strbuf sb;
		struct errinfo e;
		struct jw w;
		const char *back = NULL;

		if (c >= 0xD800 && c <= 0xDFFF)
			continue;
		*p++ = '<';
		if (c < 0x80) {
			*p++ = (char)c;
		} else if (c < 0x800) {
			*p++ = (char)(0xC0 | c >> 6);
			*p++ = (char)(0x80 | (c & 0x3F));
		} else if (c < 0x10000) {
			*p++ = (char)(0xE0 | c >> 12);
			*p++ = (char)(0x80 | (c >> 6 & 0x3F));
			*p++ = (char)(0x80 | (c & 0x3F));
		} else {
			*p++ = (char)(0xF0 | c >> 18);
			*p++ = (char)(0x80 | (c >> 12 & 0x3F));
			*p++ = (char)(0x80 | (c >> 6 & 0x3F));
			*p++ = (char)(0x80 | (c & 0x3F));
		}
		*p++ = '>';
		strbuf_init(&sb);
		jw_init(&w, &sb);
		jw_object(&w, NULL);
		jw_str(&w, "x", text);
		jw_object_end(&w);
		assert_true(utf8_valid(sb.buf, sb.len));
		assert_ok(json_parse(&a, sb.buf, sb.len, &o, &e), &e);
		assert_ok(jr_str(o, "x", 0, 100, &back, &e), &e);
		assert_string_equal(back, text);
		strbuf_release(&sb);
		arena_reset(&a);
	}
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, texts, judged);
	plan_add(&p, "twenty million brackets end at once", twenty_million_brackets_end_at_once,
		 NULL);
	plan_add(&p, "cut anywhere it is refused", cut_anywhere_it_is_refused, NULL);
	PLAN_ROWS(&p, members, read_or_refused);
	plan_add(&p, "a wanted member that is missing is named",
		 wanted_member_that_is_missing_is_named, NULL);
	plan_add(&p, "members are walked in order, up to the first error",
		 members_are_walked_in_order, NULL);
	plan_add(&p, "a value's own text is kept", value_s_own_text_is_kept, NULL);
	plan_add(&p, "the writer makes the text expected", writer_makes_the_text_expected, NULL);
	plan_add(&p, "every character comes back", every_character_comes_back, NULL);
	return plan_run("json", &p);
}

#include "core/number.h"
#include "core/strbuf.h"
#include "http/form.h"
#include "unit.h"

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

static enum err read_body(struct request *rq, const char *type, const char *body, size_t len,
			  struct form *f, struct errinfo *e)
{
	memset(rq, 0, sizeof *rq);
	rq->content_type = type;
	rq->body = arena_strndup(&rq->arena, body, len);
	rq->body_len = len;
	return form_read(rq, f, e);
}

/* ---- both bodies give the same fields ---- */
enum reader { STR, I64, BOOL, ID };

static const struct field {
	const char *name;
	const char *form, *json; /* the body; NULL: this kind of body has no such row */
	enum reader reader;
	int64_t min, max;
	enum err want;
	const char *text;
	int64_t number; /* 4711: left alone */
} fields[] = {
	{ "text is read", "x=two+words", "{\"x\":\"two words\"}", STR, 1, 20, ERR_OK, "two words",
	  0 },
	{ "UTF-8 is read", "x=%C3%A4%F0%9F%A6%96", "{\"x\":\"\xC3\xA4\xF0\x9F\xA6\x96\"}", STR, 1,
	  20, ERR_OK, "\xC3\xA4\xF0\x9F\xA6\x96", 0 },
	{ "raw UTF-8 is read", "x=\xC3\xA4", "{\"x\":\"\\u00e4\"}", STR, 1, 20, ERR_OK, "\xC3\xA4",
	  0 },
	{ "quotes and lines are read", "x=%22a%22%0D%0Ab%26c%3Dd",
	  "{\"x\":\"\\\"a\\\"\\r\\nb&c=d\"}", STR, 1, 20, ERR_OK, "\"a\"\r\nb&c=d", 0 },
	{ "an equals sign in a value is read", "x=a=b", "{\"x\":\"a=b\"}", STR, 1, 20, ERR_OK,
	  "a=b", 0 },
	{ "small hex digits are read", "x=%c3%a4", NULL, STR, 1, 20, ERR_OK, "\xC3\xA4", 0 },
	{ "an escape at the very end is read", "x=a%2B", NULL, STR, 1, 20, ERR_OK, "a+", 0 },
	{ "a percent sign is read", "x=100%25", "{\"x\":\"100%\"}", STR, 1, 20, ERR_OK, "100%", 0 },
	{ "a field without value is empty", "x", "{\"x\":\"\"}", STR, 0, 20, ERR_OK, "", 0 },
	{ "an empty field is empty", "x=", "{\"x\":\"\"}", STR, 0, 20, ERR_OK, "", 0 },
	{ "an empty field is too short for 1", "x=", "{\"x\":\"\"}", STR, 1, 20, ERR_BAD_INPUT,
	  NULL, 0 },
	{ "text at the limit is read", "x=abc", "{\"x\":\"abc\"}", STR, 1, 3, ERR_OK, "abc", 0 },
	{ "text above the limit is refused", "x=abcd", "{\"x\":\"abcd\"}", STR, 1, 3, ERR_BAD_INPUT,
	  NULL, 0 },
	{ "a missing field is left alone", "y=1", "{\"y\":1}", STR, 1, 3, ERR_OK, NULL, 0 },
	{ "null is a missing field", NULL, "{\"x\":null}", STR, 1, 3, ERR_OK, NULL, 0 },
	{ "a number is no text", NULL, "{\"x\":1}", STR, 1, 3, ERR_BAD_INPUT, NULL, 0 },
	{ "text with NUL is refused in JSON", NULL, "{\"x\":\"a\\u0000b\"}", STR, 1, 30,
	  ERR_BAD_INPUT, NULL, 0 },
	{ "a number is read", "x=42", "{\"x\":42}", I64, 0, 100, ERR_OK, NULL, 42 },
	{ "its decimal text is read", "x=42", "{\"x\":\"42\"}", I64, 0, 100, ERR_OK, NULL, 42 },
	{ "a negative number is read", "x=-5", "{\"x\":-5}", I64, -10, 100, ERR_OK, NULL, -5 },
	{ "a number below is refused", "x=-1", "{\"x\":-1}", I64, 0, 100, ERR_BAD_INPUT, NULL,
	  4711 },
	{ "a number above is refused", "x=101", "{\"x\":101}", I64, 0, 100, ERR_BAD_INPUT, NULL,
	  4711 },
	{ "2^53 is read", "x=9007199254740992", "{\"x\":9007199254740992}", I64, 0, NUMBER_MAX,
	  ERR_OK, NULL, NUMBER_MAX },
	{ "2^53 + 1 is refused", "x=9007199254740993", "{\"x\":9007199254740993}", I64, 0,
	  NUMBER_MAX, ERR_BAD_INPUT, NULL, 4711 },
	{ "a number beyond 64 bits is refused", "x=99999999999999999999",
	  "{\"x\":99999999999999999999}", I64, 0, NUMBER_MAX, ERR_BAD_INPUT, NULL, 4711 },
	{ "a fraction is refused", "x=1.5", "{\"x\":1.5}", I64, 0, 100, ERR_BAD_INPUT, NULL, 4711 },
	{ "a word is no number", "x=many", "{\"x\":\"many\"}", I64, 0, 100, ERR_BAD_INPUT, NULL,
	  4711 },
	{ "a space before is no number", "x=+42", "{\"x\":\" 42\"}", I64, 0, 100, ERR_BAD_INPUT,
	  NULL, 4711 },
	{ "an empty number of a form is left alone", "x=", NULL, I64, 0, 100, ERR_OK, NULL, 4711 },
	{ "a missing number is left alone", "", "{}", I64, 5, 100, ERR_OK, NULL, 4711 },
	{ "true is read", "x=true", "{\"x\":true}", BOOL, 0, 0, ERR_OK, NULL, 1 },
	{ "false is read", "x=false", "{\"x\":false}", BOOL, 0, 0, ERR_OK, NULL, 0 },
	{ "1 of a form is true", "x=1", NULL, BOOL, 0, 0, ERR_OK, NULL, 1 },
	{ "on of a form is true", "x=on", NULL, BOOL, 0, 0, ERR_OK, NULL, 1 },
	{ "0 of a form is false", "x=0", NULL, BOOL, 0, 0, ERR_OK, NULL, 0 },
	{ "yes is neither", "x=yes", "{\"x\":\"yes\"}", BOOL, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "1 of JSON is neither", NULL, "{\"x\":1}", BOOL, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "a missing truth is left alone", "", "{}", BOOL, 0, 0, ERR_OK, NULL, 4711 },
	{ "an id is read", "id=42", "{\"id\":\"42\"}", ID, 0, 0, ERR_OK, NULL, 42 },
	{ "an id may be a number", NULL, "{\"id\":42}", ID, 0, 0, ERR_OK, NULL, 42 },
	{ "id 0 names no task", "id=0", "{\"id\":0}", ID, 0, 0, ERR_OK, NULL, -1 },
	{ "a large id names no task", "id=9007199254740993", "{\"id\":9007199254740993}", ID, 0, 0,
	  ERR_OK, NULL, -1 },
	{ "an id beyond 64 bits names no task", "id=99999999999999999999",
	  "{\"id\":99999999999999999999}", ID, 0, 0, ERR_OK, NULL, -1 },
	{ "a missing id is refused", "", "{}", ID, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "a null id is refused", NULL, "{\"id\":null}", ID, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "an empty id is refused", "id=", "{\"id\":\"\"}", ID, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "a word is no id", "id=seven", "{\"id\":\"seven\"}", ID, 0, 0, ERR_BAD_INPUT, NULL,
	  4711 },
	{ "a negative id is refused", "id=-1", "{\"id\":-1}", ID, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "a fraction is no id", "id=1.5", "{\"id\":1.5}", ID, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "true is no id", NULL, "{\"id\":true}", ID, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "an array is no id", NULL, "{\"id\":[1]}", ID, 0, 0, ERR_BAD_INPUT, NULL, 4711 },
	{ "an id with NUL is refused", NULL, "{\"id\":\"1\\u0000\"}", ID, 0, 0, ERR_BAD_INPUT, NULL,
	  4711 },
};

static void check_field(const struct field *r, const char *type, const char *body)
{
	struct request rq;
	struct form f;
	struct errinfo e;
	const char *text = NULL;
	int64_t n = 4711;
	bool truth = true, other = false;
	enum err rc;

	assert_ok(read_body(&rq, type, body, strlen(body), &f, &e), &e);
	if (r->reader == STR) {
		rc = form_str_opt(&f, "x", (size_t)r->min, (size_t)r->max, &text, &e);
	} else if (r->reader == I64) {
		rc = form_i64_opt(&f, "x", r->min, r->max, &n, &e);
	} else if (r->reader == ID) {
		rc = form_id(&f, &n, &e);
	} else {
		rc = form_bool_opt(&f, "x", &truth, &e);
		(void)form_bool_opt(&f, "x", &other, &e);
		n = truth == other ? truth : 4711;
	}
	assert_err(rc, r->want, &e);
	assert_text(text, r->text);
	if (r->reader != STR)
		assert_int_equal(n, r->number);
	if (rc != ERR_OK)
		assert_string_equal(err_code(&e), r->reader == ID ? "bad_id" : "bad_field");
	arena_reset(&rq.arena);
}

static void same_from_both_bodies(void **state)
{
	ROW(struct field);

	if (r->form != NULL)
		check_field(r, FORM, r->form);
	if (r->json != NULL)
		check_field(r, JSON, r->json);
}

/* ---- bodies ---- */
static const struct body {
	const char *name;
	const char *type, *text;
	size_t len; /* 0: strlen */
	enum err want;
} bodies[] = {
	{ "no body and no type has no fields", "", "", 0, ERR_OK },
	{ "an empty form has no fields", FORM, "", 0, ERR_OK },
	{ "a type may have a charset", "application/json; charset=utf-8", "{}", 0, ERR_OK },
	{ "a type may have spaces behind", "application/json ;charset=utf-8", "{}", 0, ERR_OK },
	{ "a type may be in capitals", "Application/JSON", "{}", 0, ERR_OK },
	{ "an empty JSON body is refused", JSON, "", 0, ERR_BAD_JSON },
	{ "broken JSON is refused", JSON, "{\"a\":", 0, ERR_BAD_JSON },
	{ "a JSON array is refused", JSON, "[]", 0, ERR_BAD_JSON },
	{ "a JSON null is refused", JSON, "null", 0, ERR_BAD_JSON },
	{ "a JSON text is refused", JSON, "\"x\"", 0, ERR_BAD_JSON },
	{ "a key twice is refused in JSON", JSON, "{\"a\":1,\"a\":2}", 0, ERR_BAD_JSON },
	{ "a field twice is refused in a form", FORM, "a=1&b=2&a=3", 0, ERR_BAD_INPUT },
	{ "a field twice, once escaped, is refused", FORM, "a=1&%61=3", 0, ERR_BAD_INPUT },
	{ "an escaped NUL is refused in a form", FORM, "a=%00", 0, ERR_BAD_INPUT },
	{ "a NUL is refused in a form", FORM, "a=\0b", 4, ERR_BAD_INPUT },
	{ "a NUL in a name is refused in a form", FORM, "a%00=1", 0, ERR_BAD_INPUT },
	{ "a cut escape is refused", FORM, "a=%4", 0, ERR_BAD_INPUT },
	{ "a percent sign at the end is refused", FORM, "a=%", 0, ERR_BAD_INPUT },
	{ "an escape that is none is refused", FORM, "a=%zz", 0, ERR_BAD_INPUT },
	{ "an escape across fields is refused", FORM, "a=%4&1=x", 0, ERR_BAD_INPUT },
	{ "bytes that are no UTF-8 are refused", FORM, "a=%FF", 0, ERR_BAD_INPUT },
	{ "an overlong slash is refused", FORM, "a=%C0%AF", 0, ERR_BAD_INPUT },
	{ "a surrogate is refused", FORM, "a=%ED%A0%80", 0, ERR_BAD_INPUT },
	{ "a body without type is refused", "", "a=1", 0, ERR_MEDIA },
	{ "plain text is refused", "text/plain", "a=1", 0, ERR_MEDIA },
	{ "files are refused", "multipart/form-data; boundary=x", "--x--", 0, ERR_MEDIA },
	{ "a longer type is refused", "application/jsonx", "{}", 0, ERR_MEDIA },
	{ "JSON lines are refused", "application/json-seq", "{}", 0, ERR_MEDIA },
	{ "half a type is refused", "application/js", "{}", 0, ERR_MEDIA },
	{ "another type without body is refused", "text/plain", "", 0, ERR_MEDIA },
};

static void body_by_its_type(void **state)
{
	ROW(struct body);
	struct request rq;
	struct form f;
	struct errinfo e;

	assert_err(read_body(&rq, r->type, r->text, r->len != 0 ? r->len : strlen(r->text), &f, &e),
		   r->want, &e);
	if (r->want == ERR_OK)
		assert_false(form_has(&f, "a"));
	arena_reset(&rq.arena);
}

static void too_many_fields_are_refused(void **state)
{
	struct arena a = { 0 };
	struct strbuf sb;
	struct form f;
	struct errinfo e;

	(void)state;
	strbuf_init(&sb);
	for (int i = 0; i < 200; i++)
		strbuf_printf(&sb, "f%d=%d&", i, i);
	assert_ok(form_decode(&a, sb.buf, sb.len, &f, &e), &e);
	assert_true(form_has(&f, "f199"));
	strbuf_puts(&sb, "last=1");
	assert_err(form_decode(&a, sb.buf, sb.len, &f, &e), ERR_BAD_INPUT, &e);
	strbuf_release(&sb);
	arena_reset(&a);
}

static void wanted_field_that_is_missing_is_named(void **state)
{
	static const char *const bodies_of[] = { "y=1", "{\"y\":1,\"x\":null}" };
	static const char *const types[] = { FORM, JSON };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct request rq;
		struct form f;
		struct errinfo e;
		const char *text = NULL;
		assert_ok(read_body(&rq, types[i], bodies_of[i], strlen(bodies_of[i]), &f, &e), &e);
		assert_err(form_str(&f, "x", 0, 9, &text, &e), ERR_BAD_INPUT, &e);
		assert_string_equal(e.what, "x is missing");
		assert_false(form_has(&f, "x"));
		assert_true(form_has(&f, "y"));
		arena_reset(&rq.arena);
	}
}

/* Every text survives the way through a form: each byte escaped, and raw where that is allowed. */
static void every_character_comes_through(void **state)
{
	const char *text = "az09 ~!@#$%^&*()_+-={}[]|\\:;\"'<>,.?/\t\n\r\x01\x7f "
			   "\xC3\xA4\xE2\x82\xAC\xF0\x9F\xA6\x96";
	struct arena a = { 0 };
	struct strbuf sb;
	struct form f;
	struct errinfo e;
	const char *back = NULL;

	(void)state;
	strbuf_init(&sb);
	strbuf_puts(&sb, "x=");
	for (const char *p = text; *p != '\0'; p++)
		strbuf_printf(&sb, (p - text) % 2 != 0 ? "%%%02x" : "%%%02X", (unsigned char)*p);
	assert_ok(form_decode(&a, sb.buf, sb.len, &f, &e), &e);
	assert_ok(form_str(&f, "x", 0, 999, &back, &e), &e);
	assert_string_equal(back, text);
	strbuf_release(&sb);
	arena_reset(&a);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, fields, same_from_both_bodies);
	PLAN_ROWS(&p, bodies, body_by_its_type);
	plan_add(&p, "more than 200 fields are refused", too_many_fields_are_refused, NULL);
	plan_add(&p, "a wanted field that is missing is named",
		 wanted_field_that_is_missing_is_named, NULL);
	plan_add(&p, "every character comes through a form", every_character_comes_through, NULL);
	return plan_run("form", &p);
}

/* A form body, and the same bytes as JSON: fields are text, names are there once, and what is read
 * is read again. */
#include "fuzz.h"

#include "core/number.h"
#include "core/strbuf.h"
#include "core/utf8.h"
#include "http/form.h"

static const char *const names[] = { "id", "prompt", "x", "token_budget", "run", "" };

/* Every byte escaped: the same value comes back. */
static void assert_comes_back(struct arena *a, const char *value)
{
	struct strbuf sb;
	struct form f;
	const char *back = NULL;

	strbuf_init(&sb);
	strbuf_puts(&sb, "v=");
	for (const char *p = value; *p != '\0'; p++)
		strbuf_printf(&sb, "%%%02X", (unsigned char)*p);
	assert(form_decode(a, sb.buf, sb.len, &f, NULL) == ERR_OK);
	assert(form_str(&f, "v", 0, SIZE_MAX, &back, NULL) == ERR_OK && strcmp(back, value) == 0);
	strbuf_release(&sb);
}

static void read_fields(struct arena *a, const struct form *f)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *text = NULL;
		int64_t n = -1;
		bool b = false;
		if (form_str_opt(f, names[i], 0, FUZZ_MAX, &text, NULL) == ERR_OK && text != NULL) {
			assert(utf8_valid(text, strlen(text)));
			assert_comes_back(a, text);
		}
		if (form_i64_opt(f, names[i], 0, NUMBER_MAX, &n, NULL) == ERR_OK)
			assert(n >= -1 && n <= NUMBER_MAX);
		(void)form_bool_opt(f, names[i], &b, NULL);
	}
	int64_t id = 0;
	if (form_id(f, &id, NULL) == ERR_OK)
		assert(id == -1 || (id > 0 && id <= NUMBER_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const types[] = { "application/x-www-form-urlencoded",
					     "application/json", "" };

	if (n > FUZZ_MAX)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		struct request rq = { .content_type = types[i], .body_len = n };
		struct form f;
		rq.body = arena_strndup(&rq.arena, (const char *)p, n);
		if (form_read(&rq, &f, NULL) == ERR_OK)
			read_fields(&rq.arena, &f);
		arena_reset(&rq.arena);
	}
	return 0;
}

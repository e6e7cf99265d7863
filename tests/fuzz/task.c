/*
 * JSON to a task: what is taken is RFC 8259 and no more, what was read can be written, and what was
 * written is read as the same.
 */
#include "fuzz.h"

#include "core/json.h"
#include "core/utf8.h"
#include "model/codec.h"

static const char *text_of(struct arena *a, const struct task *t)
{
	struct strbuf sb;
	struct jw w;

	strbuf_init(&sb);
	jw_init(&w, &sb);
	jw_object(&w, NULL);
	jw_i64(&w, "id", t->id);
	task_write(&w, t, PART_FIXED | PART_CHANGING | PART_PRIVATE);
	jw_object_end(&w);
	assert(utf8_valid(sb.buf, sb.len) && memchr(sb.buf, '\n', sb.len) == NULL);
	const char *out = arena_strdup(a, sb.buf);
	strbuf_release(&sb);
	return out;
}

static void assert_kept(struct arena *a, const struct task *t)
{
	const char *text = text_of(a, t);
	struct json_object *o;
	struct task back = { 0 };

	assert(json_parse(a, text, strlen(text), &o, NULL) == ERR_OK);
	assert(task_read(a, o, &back, NULL) == ERR_OK);
	assert(strcmp(text_of(a, &back), text) == 0);
}

static void read_as_a_task(struct arena *a, const struct json_object *o)
{
	struct task t = { 0 };

	if (task_read(a, o, &t, NULL) == ERR_OK)
		assert_kept(a, &t);
	if (task_adopt(a, o, &t, NULL) == ERR_OK) {
		assert(t.id > 0 && !task_has_work(&t));
		assert_kept(a, &t);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };
	struct json_object *o;

	if (n <= FUZZ_MAX && json_parse(&a, (const char *)p, n, &o, NULL) == ERR_OK) {
		assert(utf8_valid((const char *)p, n) && memchr(p, '\0', n) == NULL);
		if (o != NULL) {
			const char *text = json_text(&a, o);
			struct json_object *again;
			assert(json_parse(&a, text, strlen(text), &again, NULL) == ERR_OK);
			assert(strcmp(json_text(&a, again), text) == 0);
		}
		read_as_a_task(&a, o);
	}
	arena_reset(&a);
	return 0;
}

#include <zlib.h>

#include "core/number.h"
#include "store/record.h"
#include "tasks.h"
#include "unit.h"

/* ---- a line of each kind, as the store writes it ---- */
enum line { LOG_LINE, NEW_LINE, SET_LINE, DEL_LINE, LINES };

static struct strbuf write_line(enum line kind)
{
	static const struct doomed kills[] = {
		{ "00112233445566778899aabbccddeeff", 2, 1770804000000 }, { "ff", 0, 0 }
	};
	struct arena a = { 0 };
	struct task t = task_full(&a);
	struct strbuf sb;

	strbuf_init(&sb);
	if (kind == LOG_LINE)
		record_log(&sb, 9, 3);
	else if (kind == NEW_LINE)
		record_new(&sb, &t);
	else if (kind == SET_LINE)
		record_set(&sb, &t);
	else
		record_del(&sb, 42, kills, 2);
	arena_reset(&a);
	return sb;
}

static const struct head {
	const char *name;
	enum line line;
	struct record_head want;
} heads[] = {
	{ "a log's head is read", LOG_LINE, { .kind = RECORD_LOG, .id = 9, .gen = 3 } },
	{ "a new task's head is read", NEW_LINE, { .kind = RECORD_NEW, .id = 42 } },
	{ "a change's head is read",
	  SET_LINE,
	  { .kind = RECORD_SET, .id = 42, .todo = true, .status = STATUS_ACTIVE, .tokens = 5678 } },
	{ "a tombstone's head is read", DEL_LINE, { .kind = RECORD_DEL, .id = 42, .todo = true } },
};

static void head_is_read(void **state)
{
	ROW(struct head);
	struct strbuf sb = write_line(r->line);
	struct record_head h;

	assert_int_equal(sb.buf[sb.len - 1], '\n');
	assert_ptr_equal(memchr(sb.buf, '\n', sb.len), sb.buf + sb.len - 1); /* one line */
	assert_true(record_read(sb.buf, sb.len - 1, &h));
	assert_int_equal(h.kind, r->want.kind);
	assert_int_equal(h.id, r->want.id);
	assert_int_equal(h.todo, r->want.todo);
	assert_int_equal(h.status, r->want.status);
	assert_int_equal(h.tokens, r->want.tokens);
	assert_int_equal(h.gen, r->want.gen);
	strbuf_release(&sb);
}

static const struct kind {
	const char *name;
	enum line line;
} kinds[] = {
	{ "of a log's first line", LOG_LINE },
	{ "of a new task's line", NEW_LINE },
	{ "of a change's line", SET_LINE },
	{ "of a tombstone's line", DEL_LINE },
};

static void no_byte_may_change(void **state)
{
	ROW(struct kind);
	struct strbuf sb = write_line(r->line);
	struct record_head h;

	for (size_t at = 0; at + 1 < sb.len; at++) {
		const char was = sb.buf[at];
		for (int flip = 1; flip < 256; flip++) {
			sb.buf[at] = (char)((unsigned char)was ^ flip);
			assert_false(record_read(sb.buf, sb.len - 1, &h));
		}
		sb.buf[at] = was;
	}
	strbuf_release(&sb);
}

static void no_byte_may_be_missing_or_added(void **state)
{
	ROW(struct kind);
	struct strbuf sb = write_line(r->line);
	struct record_head h;
	size_t len = sb.len - 1;

	for (size_t n = 0; n < len; n++) {
		char *cut = malloc(n + 1); /* exactly so much: ASan sees a look beyond */
		memcpy(cut, sb.buf, n);
		cut = realloc(cut, n != 0 ? n : 1);
		assert_false(record_read(cut, n, &h));
		free(cut);
		assert_false(record_read(sb.buf + len - n, n, &h));
	}
	assert_false(record_read(sb.buf, sb.len, &h)); /* with its newline */
	strbuf_release(&sb);
}

/* ---- lines with a right checksum that are none of ours ---- */
static const struct odd {
	const char *name;
	const char *json;
	bool good;
} odds[] = {
	{ "a small tombstone is ours", "{\"k\":\"del\",\"id\":1,\"todo\":0}", true },
	{ "the largest id is ours", "{\"k\":\"new\",\"id\":9007199254740992}", true },
	{ "a larger id is not", "{\"k\":\"new\",\"id\":9007199254740993}", false },
	{ "an id beyond 64 bits is not", "{\"k\":\"new\",\"id\":99999999999999999999999}", false },
	{ "an id in quotes is not", "{\"k\":\"new\",\"id\":\"1\"}", false },
	{ "a negative id is not", "{\"k\":\"new\",\"id\":-1}", false },
	{ "no id is not", "{\"k\":\"new\",\"id\":}", false },
	{ "a space in the head is not", "{\"k\": \"new\",\"id\":1}", false },
	{ "another order is not", "{\"id\":1,\"k\":\"new\"}", false },
	{ "an unknown kind is not", "{\"k\":\"add\",\"id\":1}", false },
	{ "todo 2 is not", "{\"k\":\"del\",\"id\":1,\"todo\":2}", false },
	{ "todo true is not", "{\"k\":\"del\",\"id\":1,\"todo\":true}", false },
	{ "a change without todo is not",
	  "{\"k\":\"set\",\"id\":1,\"status\":\"done\",\"tokens\":1}", false },
	{ "an unknown status is not",
	  "{\"k\":\"set\",\"id\":1,\"todo\":0,\"status\":\"lost\",\"tokens\":1}", false },
	{ "half a status is not",
	  "{\"k\":\"set\",\"id\":1,\"todo\":0,\"status\":\"don\",\"tokens\":1}", false },
	{ "a longer status is not",
	  "{\"k\":\"set\",\"id\":1,\"todo\":0,\"status\":\"doned\",\"tokens\":1}", false },
	{ "a change without tokens is not",
	  "{\"k\":\"set\",\"id\":1,\"todo\":0,\"status\":\"done\"}", false },
	{ "negative tokens are not",
	  "{\"k\":\"set\",\"id\":1,\"todo\":0,\"status\":\"done\",\"tokens\":-1}", false },
	{ "a log's head without generation is ours", "{\"k\":\"log\",\"v\":1,\"next_id\":1}",
	  true },
	{ "a broken generation is not", "{\"k\":\"log\",\"v\":1,\"next_id\":1,\"gen\":x}", false },
	{ "another version is not", "{\"k\":\"log\",\"v\":2,\"next_id\":1}", false },
	{ "no object is not", "[]", false },
	{ "no end is not", "{\"k\":\"new\",\"id\":1", false },
	{ "a byte is not", "}", false },
};

static void signed_all_the_same(void **state)
{
	ROW(struct odd);
	struct record_head h;
	char line[300];
	int n = snprintf(line, sizeof line, "%08lx %s",
			 crc32_z(0, (const unsigned char *)r->json, strlen(r->json)), r->json);

	assert_int_equal(record_read(line, (size_t)n, &h), r->good);
}

static void checksum_is_eight_small_hex_digits(void **state)
{
	struct strbuf sb = write_line(SET_LINE);
	struct record_head h;
	bool letters = false;

	(void)state;
	for (int i = 0; i < 8; i++) {
		char c = sb.buf[i];
		assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
		if (c < 'a')
			continue;
		letters = true;
		sb.buf[i] = (char)(c - 32); /* the same number, but not what we write */
		assert_false(record_read(sb.buf, sb.len - 1, &h));
		sb.buf[i] = c;
	}
	assert_true(letters); /* else this test has tested nothing: change the task */
	strbuf_release(&sb);
}

static void lines_are_appended(void **state)
{
	struct strbuf sb;
	struct record_head h;
	int lines = 0;

	(void)state;
	strbuf_init(&sb);
	strbuf_puts(&sb, "before\n");
	record_log(&sb, 1, 1);
	record_log(&sb, 2, 1);
	assert_int_equal(strncmp(sb.buf, "before\n", 7), 0);
	for (const char *p = sb.buf + 7, *nl; (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		assert_true(record_read(p, (size_t)(nl - p), &h));
		assert_int_equal(h.id, ++lines);
	}
	assert_int_equal(lines, 2);
	strbuf_release(&sb);
}

int main(void)
{
	static struct plan p;
	static char flipped[4][60], cut[4][60];

	PLAN_ROWS(&p, heads, head_is_read);
	for (size_t i = 0; i < LINES; i++) {
		(void)snprintf(flipped[i], sizeof flipped[i], "no byte %s may change",
			       kinds[i].name);
		(void)snprintf(cut[i], sizeof cut[i], "no byte %s may be missing", kinds[i].name);
		plan_add(&p, flipped[i], no_byte_may_change, &kinds[i]);
		plan_add(&p, cut[i], no_byte_may_be_missing_or_added, &kinds[i]);
	}
	PLAN_ROWS(&p, odds, signed_all_the_same);
	plan_add(&p, "a checksum is eight small hex digits", checksum_is_eight_small_hex_digits,
		 NULL);
	plan_add(&p, "lines are appended", lines_are_appended, NULL);
	return plan_run("record", &p);
}

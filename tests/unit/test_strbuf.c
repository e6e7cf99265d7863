#include "core/strbuf.h"
#include "unit.h"

static void empty_one_is_an_empty_string(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	assert_string_equal(sb.buf, "");
	strbuf_add(&sb, "x", 0);
	strbuf_puts(&sb, "");
	strbuf_printf(&sb, "%s", "");
	assert_int_equal(sb.len, 0);
	assert_string_equal(sb.buf, "");
	strbuf_release(&sb); /* twice does no harm */
	strbuf_release(&sb);
}

static void grows_and_stays_terminated(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (size_t i = 0; i < 5000; i++) {
		strbuf_putc(&sb, (char)('a' + i % 26));
		assert_int_equal(sb.len, i + 1);
		assert_int_equal(strlen(sb.buf), i + 1);
	}
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(sb.buf[i], 'a' + i % 26);
	strbuf_release(&sb);
}

static void length_counts_not_the_nul(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_add(&sb, "a\0b", 3);
	assert_int_equal(sb.len, 3);
	assert_memory_equal(sb.buf, "a\0b", 4);
	strbuf_release(&sb);
}

static void prints_and_counts(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_printf(&sb, "%d-%s", 42, "x");
	strbuf_i64(&sb, INT64_MIN);
	strbuf_putc(&sb, ' ');
	strbuf_i64(&sb, INT64_MAX);
	assert_string_equal(sb.buf, "42-x-9223372036854775808 9223372036854775807");
	strbuf_release(&sb);
}

static void prints_more_than_it_had_room_for(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_puts(&sb, "head ");
	strbuf_printf(&sb, "%*d", 100000, 7);
	assert_int_equal(sb.len, 100005);
	assert_int_equal(strlen(sb.buf), sb.len);
	assert_int_equal(sb.buf[sb.len - 1], '7');
	strbuf_release(&sb);
}

static void reset_keeps_the_memory(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_reset(&sb);
	strbuf_puts(&sb, "some text");
	const char *before = sb.buf;
	strbuf_reset(&sb);
	assert_string_equal(sb.buf, "");
	assert_int_equal(sb.len, 0);
	strbuf_puts(&sb, "more");
	assert_ptr_equal(sb.buf, before);
	assert_string_equal(sb.buf, "more");
	strbuf_release(&sb);
}

static void room_is_as_large_as_asked(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_puts(&sb, "ab");
	char *to = strbuf_grow(&sb, 70000);
	assert_ptr_equal(to, sb.buf + 2);
	memset(to, 'x', 70000);
	sb.len += 70000;
	sb.buf[sb.len] = '\0';
	assert_int_equal(strlen(sb.buf), 70002);
	strbuf_release(&sb);
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "an empty one is an empty string", empty_one_is_an_empty_string, NULL);
	plan_add(&p, "it grows and stays terminated", grows_and_stays_terminated, NULL);
	plan_add(&p, "the length counts bytes, a NUL too", length_counts_not_the_nul, NULL);
	plan_add(&p, "it prints text and numbers", prints_and_counts, NULL);
	plan_add(&p, "it prints more than it had room for", prints_more_than_it_had_room_for, NULL);
	plan_add(&p, "reset empties it and keeps the memory", reset_keeps_the_memory, NULL);
	plan_add(&p, "the room is as large as asked", room_is_as_large_as_asked, NULL);
	return plan_run("strbuf", &p);
}

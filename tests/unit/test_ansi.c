#include "core/ansi.h"
#include "core/utf8.h"
#include "unit.h"

#define REPLACED "\xEF\xBF\xBD"

static const struct row {
	const char *name;
	const char *in, *out;
} rows[] = {
	{ "plain text stays", "hello, world\n", "hello, world\n" },
	{ "tabs stay", "a\tb", "a\tb" },
	{ "UTF-8 stays", "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\xA6\x96",
	  "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\xA6\x96" },
	{ "colours go", "\x1b[1;31mred\x1b[0m", "red" },
	{ "private modes go", "\x1b[?25l\x1b[?1049hx", "x" },
	{ "parameters with colons go", "\x1b[38:2::1:2:3mx", "x" },
	{ "intermediates go", "\x1b[4 q\x1b[!px", "x" },
	{ "cursor moves go", "a\x1b[2;5Hb\x1b[Kc", "abc" },
	{ "a title ended by BEL goes", "\x1b]0;my title\x07x", "x" },
	{ "a title ended by ST goes", "\x1b]2;my title\x1b\\x", "x" },
	{ "a hyperlink leaves its text", "\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\.", "link." },
	{ "a device control string goes", "\x1bP1$r0m\x1b\\x", "x" },
	{ "SOS, PM and APC go", "\x1bXa\x1b\\\x1b^b\x1b\\\x1b_c\x1b\\x", "x" },
	{ "a string cut by CAN ends there", "\x1b]0;tit\x18x", "x" },
	{ "a string cut by another sequence ends there", "\x1b]0;tit\x1b[31mx", "x" },
	{ "a string never ended swallows the rest", "a\x1b]0;title", "a" },
	{ "character sets go", "\x1b(B\x1b)0x", "x" },
	{ "short escapes go",
	  "\x1b=\x1b>\x1b"
	  "7\x1b"
	  "8\x1b"
	  "cx",
	  "x" },
	{ "an escape in an escape starts anew", "\x1b\x1b[31mx", "x" },
	{ "a sequence in a sequence starts anew", "\x1b[3\x1b[31mx", "x" },
	{ "CR LF is a line feed", "a\r\nb\r\n", "a\nb\n" },
	{ "several CR before LF are one line feed", "a\r\r\nb", "a\nb" },
	{ "a lone CR is a line feed", "10%\r20%\rdone", "10%\n20%\ndone" },
	{ "a lone CR before UTF-8 is a line feed", "a\r\xC3\xA4", "a\n\xC3\xA4" },
	{ "a sequence between CR and LF changes nothing", "a\r\x1b[K\nb", "a\nb" },
	{ "a lone CR at the end is a line feed", "a\r", "a\n" },
	{ "control characters go",
	  "a\x01\x07\x08\x0b\x0c\x0e\x7f"
	  "b",
	  "ab" },
	{ "C1 controls go",
	  "a\xC2\x9B\xC2\x85"
	  "b",
	  "ab" },
	{ "no-break space stays",
	  "a\xC2\xA0"
	  "b",
	  "a\xC2\xA0"
	  "b" },
	{ "a stray byte is replaced",
	  "a\xFF"
	  "b",
	  "a" REPLACED "b" },
	{ "a lone continuation is replaced",
	  "a\x80"
	  "b",
	  "a" REPLACED "b" },
	{ "a cut character is replaced",
	  "a\xE2\x82"
	  "b",
	  "a" REPLACED "b" },
	{ "a cut character before another is replaced", "\xE2\x82\xC3\xA4", REPLACED "\xC3\xA4" },
	{ "a cut character before a sequence is replaced", "\xE2\x82\x1b[31mx", REPLACED "x" },
	{ "a cut character at the end is replaced", "a\xF0\x9F", "a" REPLACED },
	{ "a surrogate is replaced", "\xED\xA0\x80x", REPLACED "x" },
	{ "an overlong form is replaced", "\xE0\x80\xAFx", REPLACED "x" },
	{ "nothing gives nothing", "", "" },
};

static void strip(struct strbuf *out, const char *in, size_t len, size_t cut, size_t step)
{
	struct ansi st = { 0 };

	strbuf_init(out);
	ansi_strip(&st, in, cut, out);
	for (size_t i = cut; i < len; i += step)
		ansi_strip(&st, in + i, len - i < step ? len - i : step, out);
	ansi_end(&st, out);
}

static void same_text_wherever_it_is_cut(void **state)
{
	ROW(struct row);
	size_t len = strlen(r->in);
	struct strbuf out;

	for (size_t cut = 0; cut <= len; cut++) {
		strip(&out, r->in, len, cut, len + 1);
		assert_string_equal(out.buf, r->out);
		strbuf_release(&out);
	}
	for (size_t step = 1; step < 4; step++) {
		strip(&out, r->in, len, 0, step);
		assert_string_equal(out.buf, r->out);
		strbuf_release(&out);
	}
}

/* All rows behind each other: what one leaves open may swallow the next, but cuts still change
 * nothing. */
static void noise_gives_text_and_no_controls(void **state)
{
	uint32_t seed = 2026;
	char in[3000];

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct strbuf whole, pieces;
		for (size_t i = 0; i < sizeof in; i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = (char)(seed >> 24);
		}
		strip(&whole, in, sizeof in, sizeof in, 1);
		strip(&pieces, in, sizeof in, 0, (size_t)round % 7 + 1);
		assert_int_equal(whole.len, pieces.len);
		assert_memory_equal(whole.buf, pieces.buf, whole.len);
		assert_true(utf8_valid(whole.buf, whole.len));
		for (size_t i = 0; i < whole.len; i++) {
			unsigned char c = (unsigned char)whole.buf[i];
			assert_true(c >= 0x20 || c == '\n' || c == '\t');
			assert_int_not_equal(c, 0x7F);
		}
		strbuf_release(&whole);
		strbuf_release(&pieces);
	}
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, same_text_wherever_it_is_cut);
	plan_add(&p, "noise gives text and no control characters", noise_gives_text_and_no_controls,
		 NULL);
	return plan_run("ansi", &p);
}

#include "core/utf8.h"
#include "unit.h"

static const struct row {
	const char *name;
	const char *text;
	size_t len;
	bool valid;
} rows[] = {
	{ "nothing is valid", "", 0, true },
	{ "ASCII is valid", "plain\x7f", 6, true },
	{ "NUL counts as a character", "a\0b", 3, true },
	{ "two bytes are valid", "\xC3\xA4\xC2\x80\xDF\xBF", 6, true },
	{ "three bytes are valid", "\xE2\x82\xAC\xE0\xA0\x80\xEF\xBF\xBF", 9, true },
	{ "four bytes are valid", "\xF0\x9F\xA6\x96\xF0\x90\x80\x80", 8, true },
	{ "U+10FFFF is valid", "\xF4\x8F\xBF\xBF", 4, true },
	{ "around the surrogates is valid", "\xED\x9F\xBF\xEE\x80\x80", 6, true },
	{ "an overlong slash of two bytes is not", "\xC0\xAF", 2, false },
	{ "an overlong NUL is not", "\xC0\x80", 2, false },
	{ "an overlong DEL is not", "\xC1\xBF", 2, false },
	{ "an overlong slash of three bytes is not", "\xE0\x80\xAF", 3, false },
	{ "the largest overlong of three bytes is not", "\xE0\x9F\xBF", 3, false },
	{ "an overlong slash of four bytes is not", "\xF0\x80\x80\xAF", 4, false },
	{ "the largest overlong of four bytes is not", "\xF0\x8F\xBF\xBF", 4, false },
	{ "the first surrogate is not", "\xED\xA0\x80", 3, false },
	{ "the last surrogate is not", "\xED\xBF\xBF", 3, false },
	{ "a pair of surrogates is not", "\xED\xA0\x80\xED\xB0\x80", 6, false },
	{ "U+110000 is not", "\xF4\x90\x80\x80", 4, false },
	{ "F5 is not", "\xF5\x80\x80\x80", 4, false },
	{ "five bytes are not", "\xF8\x88\x80\x80\x80", 5, false },
	{ "FE is not", "\xFE", 1, false },
	{ "FF is not", "\xFF", 1, false },
	{ "a lone continuation is not", "\x80", 1, false },
	{ "a cut sequence of two is not", "\xC3", 1, false },
	{ "a cut sequence of three is not", "\xE2\x82", 2, false },
	{ "a cut sequence of four is not", "\xF0\x9F\xA6", 3, false },
	{ "text after a cut sequence does not save it",
	  "\xE2\x82"
	  "A",
	  3, false },
	{ "a fault behind good text is seen", "good\xC3\xA4\xFF", 7, false },
};

static void judged(void **state)
{
	ROW(struct row);
	char exact[16];

	/* An array of exactly that size: ASan sees a look beyond its end. */
	memcpy(exact, r->text, r->len);
	char *copy = malloc(r->len != 0 ? r->len : 1);
	assert_non_null(copy);
	memcpy(copy, exact, r->len);
	bool valid = utf8_valid(copy, r->len);
	free(copy);
	assert_int_equal(valid, r->valid);
}

/* What RFC 3629 says, by decoding and encoding again. */
static bool reference(const unsigned char *p, size_t len)
{
	size_t want = p[0] < 0x80       ? 1
		      : p[0] >> 5 == 6  ? 2
		      : p[0] >> 4 == 14 ? 3
		      : p[0] >> 3 == 30 ? 4
					: 0;
	uint32_t c = p[0] & (want == 1 ? 0x7F : 0xFFU >> (want + 1));

	if (want != len)
		return false;
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return false;
		c = c << 6 | (p[i] & 0x3F);
	}
	size_t shortest = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	return shortest == len && c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
}

static void every_sequence_is_judged_as_the_rfc_does(void **state)
{
	static const unsigned char edge[] = { 0x00, 0x7F, 0x80, 0x8F, 0x90,
					      0x9F, 0xA0, 0xBF, 0xC0, 0xFF };
	unsigned char p[4];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		p[0] = (unsigned char)i;
		assert_int_equal(utf8_valid((char *)p, 1), reference(p, 1));
		for (unsigned k = 0x80; k < 0x100; k++) {
			p[1] = (unsigned char)k;
			if (i >= 0x80)
				assert_int_equal(utf8_valid((char *)p, 2), reference(p, 2));
			for (size_t m = 0; i >= 0xE0 && m < 100; m++) {
				p[2] = edge[m / 10];
				p[3] = edge[m % 10];
				if (p[2] >= 0x80)
					assert_int_equal(utf8_valid((char *)p, 3), reference(p, 3));
				if (i >= 0xF0)
					assert_int_equal(utf8_valid((char *)p, 4), reference(p, 4));
			}
		}
	}
}

static const struct cut {
	const char *name;
	const char *text;
	size_t max, want;
} cuts[] = {
	{ "short text is not cut", "abc", 3, 3 },
	{ "room to spare changes nothing", "abc", 10, 3 },
	{ "ASCII is cut anywhere", "abc", 2, 2 },
	{ "to nothing at all", "abc", 0, 0 },
	{ "not inside of two bytes", "a\xC3\xA4z", 2, 1 },
	{ "behind two bytes", "a\xC3\xA4z", 3, 3 },
	{ "not inside of four bytes, at the second", "\xF0\x9F\xA6\x96z", 1, 0 },
	{ "not inside of four bytes, at the last", "\xF0\x9F\xA6\x96z", 3, 0 },
	{ "behind four bytes", "\xF0\x9F\xA6\x96z", 4, 4 },
};

static void cut_at_a_border(void **state)
{
	ROW(struct cut);

	assert_int_equal(utf8_cut(r->text, strlen(r->text), r->max), r->want);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, judged);
	plan_add(&p, "every sequence is judged as the RFC does",
		 every_sequence_is_judged_as_the_rfc_does, NULL);
	PLAN_ROWS(&p, cuts, cut_at_a_border);
	return plan_run("utf8", &p);
}

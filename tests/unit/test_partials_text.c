#include "partials/text.h"
#include "unit.h"

struct number_row {
	const char *name;
	const char *(*fn)(struct arena *, int64_t);
	int64_t n;
	const char *want;
};

static const struct number_row numbers[] = {
	{ "a count of nothing", text_count, 0, "0" },
	{ "a count below a thousand as it is", text_count, 999, "999" },
	{ "thousands are rounded down", text_count, 148999, "148k" },
	{ "the last thousands", text_count, 999999, "999k" },
	{ "a million has a decimal", text_count, 1000000, "1.0M" },
	{ "millions are rounded down", text_count, 1290000, "1.2M" },
	{ "the largest count", text_count, INT64_C(1) << 53, "9007199254.7M" },
	{ "an age that is not yet", text_age, -5, "0s" },
	{ "an age in seconds", text_age, 41999, "41s" },
	{ "an age in minutes", text_age, (52 * 60 + 41) * 1000, "52m 41s" },
	{ "an age in hours", text_age, (26 * 3600 + 3 * 60 + 59) * 1000, "26h 3m" },
	{ "what took seconds", text_took, 59999, "59s" },
	{ "what took minutes", text_took, 18 * 60000 + 59000, "18m" },
	{ "what took hours", text_took, 3600 * 1000, "1h 0m" },
	{ "a size in bytes", text_size, 1023, "1023 B" },
	{ "a size in kilobytes", text_size, 14 * 1024 + 1000, "14 KB" },
	{ "a size in megabytes", text_size, 3 * 1024 * 1024 + 200 * 1024, "3.1 MB" },
};

static void number(void **state)
{
	ROW(struct number_row);
	struct arena a = { 0 };

	assert_string_equal(r->fn(&a, r->n), r->want);
	arena_reset(&a);
}

struct date_row {
	const char *name;
	int64_t ms, now;
	const char *want;
};

static const struct date_row dates[] = {
	{ "a date in the afternoon", INT64_C(1763830800000), INT64_C(1763830900000), "Nov 22, 5:00 PM" },
	{ "a date after midnight", INT64_C(1763769900000), INT64_C(1763830900000), "Nov 22, 12:05 AM" },
	{ "a date at noon", INT64_C(1763812800000), INT64_C(1763830900000), "Nov 22, 12:00 PM" },
	{ "a date of another year says which", INT64_C(1763830800000), INT64_C(1770000000000),
	  "Nov 22 2025, 5:00 PM" },
};

static void date(void **state)
{
	ROW(struct date_row);
	struct arena a = { 0 };

	assert_string_equal(text_date(&a, r->ms, r->now), r->want);
	arena_reset(&a);
}

struct text_row {
	const char *name, *text, *want;
};

static const struct text_row shown[] = {
	{ "no text stays none", NULL, NULL },
	{ "newlines and tabs stay", "a\n\tb", "a\n\tb" },
	{ "CR LF becomes LF", "a\r\nb", "a\nb" },
	{ "escape sequences are seen", "\x1b[31mred\a", "␛[31mred␇" },
	{ "DEL and a lone CR are seen", "a\x7f\rb", "a␡␍b" },
	{ "C1 controls become the replacement character", "a\xc2\x9b"
							   "31m",
	  "a\xef\xbf\xbd"
	  "31m" },
	{ "other text is left alone", "é 漢字 \xf0\x9f\x98\x80 \xc2\xa0", "é 漢字 \xf0\x9f\x98\x80 \xc2\xa0" },
};

static void shows(void **state)
{
	ROW(struct text_row);
	struct arena a = { 0 };

	assert_text(text_shown(&a, r->text), r->want);
	arena_reset(&a);
}

struct title_row {
	const char *name, *prompt, *want;
	bool whole;
};

static const struct title_row titles[] = {
	{ "a short prompt is its own title", "Fix the test", "Fix the test", true },
	{ "white space around it is no loss", "\n  Fix the test \n\n", "Fix the test ", true },
	{ "of several lines the first one with words counts", "\n\nFix\nthe test", "Fix", false },
	{ "no words, no title", " \n ", "", true },
};

static void title(void **state)
{
	ROW(struct title_row);
	struct arena a = { 0 };
	bool whole;

	assert_string_equal(text_title(&a, r->prompt, &whole), r->want);
	assert_int_equal(whole, r->whole);
	arena_reset(&a);
}

static void long_title(void **state)
{
	struct arena a = { 0 };
	char prompt[1000];
	bool whole;

	(void)state;
	for (size_t i = 0; i < 333; i++)
		memcpy(prompt + 3 * i, "€", 3);
	prompt[999] = '\0';
	const char *got = text_title(&a, prompt, &whole);
	assert_false(whole);
	assert_int_equal(strlen(got), 53 * 3 + 3); /* whole characters, and the ellipsis */
	assert_string_equal(got + 53 * 3, "…");
	arena_reset(&a);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, numbers, number);
	PLAN_ROWS(&p, dates, date);
	PLAN_ROWS(&p, shown, shows);
	PLAN_ROWS(&p, titles, title);
	plan_add(&p, "a long line is cut between characters", long_title, NULL);
	return plan_run("partials_text", &p);
}

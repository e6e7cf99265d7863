#include "core/clock.h"
#include "unit.h"

/* ---- both ways ---- */
static const struct both {
	const char *name;
	int64_t ms;
	const char *text;
} both[] = {
	{ "the epoch", 0, "1970-01-01T00:00:00Z" },
	{ "one millisecond", 1, "1970-01-01T00:00:00.001Z" },
	{ "a day in 2026", 1770804000123, "2026-02-11T10:00:00.123Z" },
	{ "no fraction when it is zero", 1770804000000, "2026-02-11T10:00:00Z" },
	{ "a leap day", 1709164800000, "2024-02-29T00:00:00Z" },
	{ "before the epoch", -1, "1969-12-31T23:59:59.999Z" },
	{ "past 2038", 4102444800000, "2100-01-01T00:00:00Z" },
	{ "the last second of the year 9999", 253402300799999, "9999-12-31T23:59:59.999Z" },
	/* what Go writes for a time that was never set: old states may hold it */
	{ "the first second of the year 1", -62135596800000, "0001-01-01T00:00:00Z" },
	{ "the year 999", -30610224000001, "0999-12-31T23:59:59.999Z" },
};

static void written_and_read(void **state)
{
	ROW(struct both);
	char text[CLOCK_TEXT];
	int64_t ms;

	assert_string_equal(clock_rfc3339(r->ms, text), r->text);
	assert_int_equal(clock_parse(r->text, &ms), 0);
	assert_int_equal(ms, r->ms);
}

/* ---- other forms that are read ---- */
static const struct form {
	const char *name;
	const char *text, *same;
} forms[] = {
	{ "an offset of zero is UTC", "2026-02-11T10:00:00+00:00", "2026-02-11T10:00:00Z" },
	{ "an unknown offset is UTC", "2026-02-11T10:00:00-00:00", "2026-02-11T10:00:00Z" },
	{ "an offset east is taken off", "2026-02-11T10:00:00+05:30", "2026-02-11T04:30:00Z" },
	{ "an offset west is added", "2026-02-11T23:00:00-08:00", "2026-02-12T07:00:00Z" },
	{ "small letters are taken", "2026-02-11t10:00:00z", "2026-02-11T10:00:00Z" },
	{ "a space is taken for the T", "2026-02-11 10:00:00Z", "2026-02-11T10:00:00Z" },
	{ "one digit of fraction", "2026-02-11T10:00:00.5Z", "2026-02-11T10:00:00.500Z" },
	{ "nanoseconds are cut", "2026-02-11T10:00:00.123999999Z", "2026-02-11T10:00:00.123Z" },
	{ "a hundred digits of fraction are cut",
	  "2026-02-11T10:00:00."
	  "1230000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	  "0000000000000000Z",
	  "2026-02-11T10:00:00.123Z" },
	{ "a leap second is the next", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" },
};

static void read_as(void **state)
{
	ROW(struct form);
	char text[CLOCK_TEXT];
	int64_t ms;

	assert_int_equal(clock_parse(r->text, &ms), 0);
	assert_string_equal(clock_rfc3339(ms, text), r->same);
}

/* ---- nonsense ---- */
static const struct bad {
	const char *name;
	const char *text;
} bad[] = {
	{ "nothing is no time", "" },
	{ "a word is no time", "tomorrow" },
	{ "a number is no time", "1770804000" },
	{ "a date alone is no time", "2026-02-11" },
	{ "no zone is no time", "2026-02-11T10:00:00" },
	{ "text behind is no time", "2026-02-11T10:00:00Z " },
	{ "text before is no time", " 2026-02-11T10:00:00Z" },
	{ "a sign is no time", "+2026-02-11T10:00:00Z" },
	{ "month 0 is no time", "2026-00-11T10:00:00Z" },
	{ "month 13 is no time", "2026-13-11T10:00:00Z" },
	{ "day 0 is no time", "2026-02-00T10:00:00Z" },
	{ "day 32 is no time", "2026-01-32T10:00:00Z" },
	{ "31 February is no time", "2026-02-31T10:00:00Z" },
	{ "29 February of 2026 is no time", "2026-02-29T10:00:00Z" },
	{ "31 April is no time", "2026-04-31T10:00:00Z" },
	{ "hour 24 is no time", "2026-02-11T24:00:00Z" },
	{ "minute 60 is no time", "2026-02-11T10:60:00Z" },
	{ "second 61 is no time", "2026-02-11T10:00:61Z" },
	{ "a dot without digits is no time", "2026-02-11T10:00:00.Z" },
	{ "a comma is no dot", "2026-02-11T10:00:00,5Z" },
	{ "an offset without minutes is no time", "2026-02-11T10:00:00+05" },
	{ "an offset without colon is no time", "2026-02-11T10:00:00+0530" },
	{ "an offset of 24 hours is no time", "2026-02-11T10:00:00+24:00" },
	{ "an offset of 60 minutes is no time", "2026-02-11T10:00:00+01:60" },
	{ "two digits of year are no time", "26-02-11T10:00:00Z" },
	{ "letters for digits are no time", "2026-02-1aT10:00:00Z" },
	{ "slashes are no time", "2026/02/11T10:00:00Z" },
};

static void refused(void **state)
{
	ROW(struct bad);
	int64_t ms = 42;

	assert_int_equal(clock_parse(r->text, &ms), -1);
	assert_int_equal(ms, 42);
}

static void cut_anywhere_it_is_no_time(void **state)
{
	const char whole[] = "2026-02-11T10:00:00.123+05:30";
	int64_t ms;

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		char cut[sizeof whole];
		memcpy(cut, whole, n);
		cut[n] = '\0';
		assert_int_equal(clock_parse(cut, &ms), -1);
	}
}

static void every_seventh_day_comes_back(void **state)
{
	(void)state;
	for (int64_t day = -100000; day < 46097 + 200000; day += 7) {
		char text[CLOCK_TEXT];
		int64_t ms, want = day * 86400000 + day % 1000;
		assert_int_equal(clock_parse(clock_rfc3339(want, text), &ms), 0);
		assert_int_equal(ms, want);
	}
}

static void times_out_of_reach_still_fit(void **state)
{
	static const int64_t far[] = { INT64_MAX,        INT64_MIN,        253402300800000,
				       INT64_MAX / 1000, INT64_MIN / 1000, -62167219200001 };
	char text[CLOCK_TEXT];
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof far / sizeof far[0]; i++)
		assert_int_equal(clock_parse(clock_rfc3339(far[i], text), &ms), 0);
}

static void clocks_go_forward(void **state)
{
	(void)state;
	int64_t wall = clock_wall_ms(), mono = clock_mono_ms();
	assert_true(wall > 1700000000000);
	assert_true(clock_mono_ms() >= mono);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, both, written_and_read);
	PLAN_ROWS(&p, forms, read_as);
	PLAN_ROWS(&p, bad, refused);
	plan_add(&p, "cut anywhere it is no time", cut_anywhere_it_is_no_time, NULL);
	plan_add(&p, "every seventh day of 800 years comes back", every_seventh_day_comes_back,
		 NULL);
	plan_add(&p, "times out of reach are still written as times", times_out_of_reach_still_fit,
		 NULL);
	plan_add(&p, "clocks go forward", clocks_go_forward, NULL);
	return plan_run("clock", &p);
}

#include "core/number.h"
#include "unit.h"

static const struct row {
	const char *name;
	const char *text;
	int64_t min, max;
	int rc;
	int64_t want;
} rows[] = {
	{ "zero is a number", "0", 0, 10, 0, 0 },
	{ "digits are a number", "42", 0, 100, 0, 42 },
	{ "leading zeros are taken", "007", 0, 100, 0, 7 },
	{ "a minus is taken", "-7", -10, 10, 0, -7 },
	{ "the smallest allowed", "-10", -10, 10, 0, -10 },
	{ "the largest allowed", "10", -10, 10, 0, 10 },
	{ "below the smallest is refused", "-11", -10, 10, -1, 0 },
	{ "above the largest is refused", "11", -10, 10, -1, 0 },
	{ "2^53 is a number", "9007199254740992", 0, NUMBER_MAX, 0, NUMBER_MAX },
	{ "2^53 + 1 is beyond what JSON keeps", "9007199254740993", 0, NUMBER_MAX, -1, 0 },
	{ "the largest of 64 bits", "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
	{ "the smallest of 64 bits", "-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN },
	{ "one more than 64 bits hold is refused", "9223372036854775808", INT64_MIN, INT64_MAX, -1,
	  0 },
	{ "one less than 64 bits hold is refused", "-9223372036854775809", INT64_MIN, INT64_MAX, -1,
	  0 },
	{ "a thousand digits are refused",
	  "10000000000000000000000000000000000000000000000000000000", INT64_MIN, INT64_MAX, -1, 0 },
	{ "nothing is refused", "", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a minus alone is refused", "-", INT64_MIN, INT64_MAX, -1, 0 },
	{ "two minuses are refused", "--1", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a plus is refused", "+1", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a space before is refused", " 1", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a space behind the minus is refused", "- 1", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a space behind is refused", "1 ", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a line feed behind is refused", "1\n", INT64_MIN, INT64_MAX, -1, 0 },
	{ "hex is refused", "0x10", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a fraction is refused", "1.0", INT64_MIN, INT64_MAX, -1, 0 },
	{ "an exponent is refused", "1e3", INT64_MIN, INT64_MAX, -1, 0 },
	{ "a word is refused", "ten", INT64_MIN, INT64_MAX, -1, 0 },
	{ "foreign digits are refused", "\xD9\xA1", INT64_MIN, INT64_MAX, -1, 0 },
};

static void parsed(void **state)
{
	ROW(struct row);
	int64_t n = 4711;

	assert_int_equal(number_parse(r->text, r->min, r->max, &n), r->rc);
	assert_int_equal(n, r->rc == 0 ? r->want : 4711);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, parsed);
	return plan_run("number", &p);
}

#include <ctype.h>

#include "core/rand.h"
#include "unit.h"

static void fills_what_it_is_given_and_no_more(void **state)
{
	unsigned char buf[1002];

	(void)state;
	for (size_t len = 0; len <= 1000; len += 125) {
		memset(buf, 0, sizeof buf);
		buf[len + 1] = 0xA5;
		rand_bytes(buf + 1, len);
		assert_int_equal(buf[0], 0);
		assert_int_equal(buf[len + 1], 0xA5);
		size_t zeros = 0;
		for (size_t i = 1; i <= len; i++)
			zeros += buf[i] == 0 ? 1 : 0;
		assert_true(len == 0 || zeros < len / 8);
	}
}

static void never_twice_the_same(void **state)
{
	char seen[200][33];

	(void)state;
	for (int i = 0; i < 200; i++) {
		rand_hex(seen[i], 16);
		assert_int_equal(strlen(seen[i]), 32);
		for (const char *p = seen[i]; *p != '\0'; p++)
			assert_true(isdigit((unsigned char)*p) || (*p >= 'a' && *p <= 'f'));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	}
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "it fills what it is given and no more", fills_what_it_is_given_and_no_more,
		 NULL);
	plan_add(&p, "it gives never twice the same", never_twice_the_same, NULL);
	return plan_run("rand", &p);
}

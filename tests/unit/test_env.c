#include "core/env.h"
#include "unit.h"

static const struct row {
	const char *name;
	const char *value; /* NULL: unset */
	enum err want;
	int number;
} rows[] = {
	{ "unset is the fallback", NULL, ERR_OK, 8 },
	{ "empty is the fallback", "", ERR_OK, 8 },
	{ "a number is taken", "12", ERR_OK, 12 },
	{ "the smallest is taken", "1", ERR_OK, 1 },
	{ "the largest is taken", "256", ERR_OK, 256 },
	{ "too small is refused", "0", ERR_BAD_INPUT, 8 },
	{ "too large is refused", "257", ERR_BAD_INPUT, 8 },
	{ "larger than an int is refused", "4294967297", ERR_BAD_INPUT, 8 },
	{ "a word is refused", "many", ERR_BAD_INPUT, 8 },
	{ "a number with text behind is refused", "8 workers", ERR_BAD_INPUT, 8 },
};

static void read_from_the_environment(void **state)
{
	ROW(struct row);
	struct errinfo e;
	int n = -1;

	if (r->value != NULL)
		setenv("CHOMP_TEST_ENV", r->value, 1);
	else
		unsetenv("CHOMP_TEST_ENV");
	assert_err(env_int("CHOMP_TEST_ENV", 8, 1, 256, &n, &e), r->want, &e);
	assert_int_equal(n, r->number);
	if (r->want != ERR_OK)
		assert_non_null(strstr(e.what, "CHOMP_TEST_ENV="));
	bool set = r->value != NULL && *r->value != '\0';
	assert_text(env_text("CHOMP_TEST_ENV", NULL), set ? r->value : NULL);
	assert_text(env_text("CHOMP_TEST_ENV", "else"), set ? r->value : "else");
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, read_from_the_environment);
	return plan_run("env", &p);
}

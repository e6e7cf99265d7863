#include "http/app.h"
#include "unit.h"

static const struct row {
	const char *name;
	const char *var, *port, *origins;
	const char *wrong; /* the variable an error names; NULL: fine */
	size_t count;
	const char *cookie;
} rows[] = {
	{ "defaults are local", "/var/x", NULL, NULL, NULL, 1, "chomp_8000" },
	{ "the cookie's name holds the port", "/var/x", "9123", NULL, NULL, 1, "chomp_9123" },
	{ "several origins are taken", "/var/x", NULL, "http://a:1, https://b  http://c", NULL, 3,
	  "chomp_8000" },
	{ "no directory is refused", NULL, NULL, NULL, "CHOMP_VAR", 0, NULL },
	{ "a relative directory is refused", "var", NULL, NULL, "CHOMP_VAR", 0, NULL },
	{ "a port that is none is refused", "/var/x", "http", NULL, "CHOMP_PORT", 0, NULL },
	{ "port 0 is refused", "/var/x", "0", NULL, "CHOMP_PORT", 0, NULL },
	{ "port 65536 is refused", "/var/x", "65536", NULL, "CHOMP_PORT", 0, NULL },
	{ "an origin without scheme is refused", "/var/x", NULL, "chomp.example",
	  "CHOMP_PUBLIC_ORIGINS", 0, NULL },
	{ "an origin by ftp is refused", "/var/x", NULL, "ftp://chomp.example",
	  "CHOMP_PUBLIC_ORIGINS", 0, NULL },
	{ "commas alone are refused", "/var/x", NULL, " , ", "CHOMP_PUBLIC_ORIGINS", 0, NULL },
	{ "seventeen origins are refused", "/var/x", NULL,
	  "http://1 http://2 http://3 http://4 http://5 http://6 http://7 http://8 http://9 "
	  "http://10 http://11 http://12 "
	  "http://13 http://14 http://15 http://16 http://17",
	  "CHOMP_PUBLIC_ORIGINS", 0, NULL },
};

static void put(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void configured_by_the_environment(void **state)
{
	ROW(struct row);
	struct app app = { 0 };
	struct arena a = { 0 };
	struct errinfo e;

	put("CHOMP_VAR", r->var);
	put("CHOMP_PORT", r->port);
	put("CHOMP_PUBLIC_ORIGINS", r->origins);
	enum err rc = app_configure(&app, &a, &e);
	if (r->wrong != NULL) {
		assert_err(rc, ERR_BAD_INPUT, &e);
		assert_non_null(strstr(e.what, r->wrong));
	} else {
		assert_ok(rc, &e);
		assert_string_equal(app.var, r->var);
		assert_string_equal(app.cookie_name, r->cookie);
		assert_int_equal(app.origin_count, r->count);
		assert_true(app.now() > 0);
	}
	arena_reset(&a);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, configured_by_the_environment);
	return plan_run("app", &p);
}

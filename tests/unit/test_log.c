#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "unit.h"

/* What was written to standard error since begin(). */
static int saved = -1, caught = -1;

static void begin(void)
{
	char path[] = "/tmp/chomp-log-XXXXXX";

	caught = mkstemp(path);
	assert_true(caught >= 0);
	unlink(path);
	saved = dup(2);
	dup2(caught, 2);
}

static const char *end(void)
{
	static char text[4096];

	dup2(saved, 2);
	close(saved);
	ssize_t n = pread(caught, text, sizeof text - 1, 0);
	close(caught);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A200 A50 A50 A50 A50

static const struct row {
	const char *name;
	const char *value, *shown;
} rows[] = {
	{ "a plain value is plain", "queued", "queued" },
	{ "a path is plain", "/api/tasks/7?x", "/api/tasks/7?x" },
	{ "an empty value is quoted", "", "\"\"" },
	{ "no value at all is an empty one", NULL, "\"\"" },
	{ "a space is quoted", "two words", "\"two words\"" },
	{ "an equals sign is quoted", "a=b", "\"a=b\"" },
	{ "a quote is escaped", "say \"x\"", "\"say \\\"x\\\"\"" },
	{ "a backslash is escaped", "a\\b", "\"a\\\\b\"" },
	{ "a line feed cannot make a line", "a\nts=now lvl=error", "\"a\\x0ats=now lvl=error\"" },
	{ "CR is escaped", "a\rb", "\"a\\x0db\"" },
	{ "an escape sequence is harmless", "\x1b[31m", "\"\\x1b[31m\"" },
	{ "DEL is escaped", "\x7f", "\"\\x7f\"" },
	{ "UTF-8 stays", "\xC3\xA4", "\"\xC3\xA4\"" },
	{ "200 bytes are shown", A200, A200 },
	{ "more than 200 bytes are cut", A200 "b", A200 },
	{ "no character is cut in two",
	  A50 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xC3\xA4",
	  A50 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
};

static void shown(void **state)
{
	ROW(struct row);
	char want[600];
	size_t lines = 0;

	begin();
	log_event(LOG_INFO, "test.value", LOG_S("v", r->value), LOG_I("n", -7));
	const char *got = end();
	snprintf(want, sizeof want, " ev=test.value v=%s n=-7\n", r->shown);
	const char *from = strstr(got, " ev=");
	assert_non_null(from);
	assert_string_equal(from, want);
	for (const char *p = got; *p != '\0'; p++)
		lines += *p == '\n' ? 1 : 0;
	assert_int_equal(lines, 1);
}

static void line_begins_with_when_and_who(void **state)
{
	char when[40], level[20], prog[20];
	int pid;
	int64_t ms;

	(void)state;
	begin();
	log_event(LOG_WARN, "test.head");
	const char *got = end();
	assert_int_equal(sscanf(got, "ts=%39s lvl=%19s prog=%19s pid=%d", when, level, prog, &pid),
			 4);
	assert_int_equal(clock_parse(when, &ms), 0);
	assert_true(ms <= clock_wall_ms() && ms > clock_wall_ms() - 60000);
	assert_string_equal(level, "warn");
	assert_string_equal(prog, "unit");
	assert_int_equal(pid, getpid());
}

static void error_is_one_line(void **state)
{
	struct errinfo e;

	(void)state;
	err_wire(&e, ERR_CONFLICT, "not_queued", "task %d is \"active\"", 7);
	begin();
	log_err(LOG_ERROR, "test.refused", &e);
	assert_non_null(strstr(end(), "lvl=error prog=unit"));
	begin();
	log_err(LOG_ERROR, "test.refused", &e);
	assert_non_null(strstr(
		end(), " ev=test.refused code=not_queued why=\"task 7 is \\\"active\\\"\"\n"));
}

static void level_is_a_threshold(void **state)
{
	(void)state;
	begin();
	log_event(LOG_DEBUG, "test.quiet");
	assert_string_equal(end(), "");
	setenv("CHOMP_LOG", "error", 1);
	log_init("unit");
	begin();
	log_event(LOG_WARN, "test.quiet");
	assert_string_equal(end(), "");
	setenv("CHOMP_LOG", "shout", 1); /* no level: the one before stays */
	log_init("unit");
	begin();
	log_event(LOG_WARN, "test.quiet");
	assert_string_equal(end(), "");
	setenv("CHOMP_LOG", "debug", 1);
	log_init("unit");
	begin();
	log_event(LOG_DEBUG, "test.loud");
	assert_non_null(strstr(end(), "lvl=debug"));
	setenv("CHOMP_LOG", "info", 1);
	log_init("unit");
}

static void closed_stderr_is_survived(void **state)
{
	(void)state;
	int keep = dup(2);
	close(2);
	log_event(LOG_ERROR, "test.nowhere");
	dup2(keep, 2);
	close(keep);
}

int main(void)
{
	static struct plan p;

	unsetenv("CHOMP_LOG");
	log_init("unit");
	PLAN_ROWS(&p, rows, shown);
	plan_add(&p, "a line begins with when and who", line_begins_with_when_and_who, NULL);
	plan_add(&p, "an error is one line with its code and reason", error_is_one_line, NULL);
	plan_add(&p, "the level is a threshold", level_is_a_threshold, NULL);
	plan_add(&p, "a closed standard error is survived", closed_stderr_is_survived, NULL);
	return plan_run("log", &p);
}

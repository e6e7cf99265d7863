/* What a monitor reads. */
#include "api_kit.h"

static bool has(const char *line)
{
	struct reply r = get(api_metrics, NULL);
	const char *at = strstr(r.body, arena_printf(&w.a, "\n%s\n", line));

	assert_status(r, 200);
	assert_string_equal(r.type, "text/plain; version=0.0.4; charset=utf-8");
	if (at == NULL)
		print_error("no line %s in:\n%s\n", line, r.body);
	return at != NULL;
}

static void an_empty_store_is_all_zero(void **state)
{
	static const char *const lines[] = {
		"chomp_tasks{status=\"queued\"} 0",
		"chomp_tasks{status=\"failed\"} 0",
		"chomp_tokens 0",
		"chomp_next_id 1",
		"chomp_store_writable 1",
		"chomp_oldest_queued_seconds 0",
		"chomp_dispatch_pending 0",
		"chomp_process_up{process=\"worker\"} 1",
		"chomp_process_up{process=\"dispatch\"} 0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		assert_true(has(lines[i]));
}

static void tasks_are_counted(void **state)
{
	(void)state;
	make_five();
	now_ms += 61500;
	make_task("");
	assert_true(has("chomp_tasks{status=\"queued\"} 2"));
	assert_true(has("chomp_tasks{status=\"active\"} 1"));
	assert_true(has("chomp_tasks{status=\"done\"} 1"));
	assert_true(has("chomp_tasks{status=\"failed\"} 1"));
	assert_true(has("chomp_tokens 10"));
	assert_true(has("chomp_next_id 7"));
	assert_true(has("chomp_oldest_queued_seconds 61"));
	assert_true(has(
		"chomp_dispatch_pending 1")); /* closed sessions that wait for their end are none */
	assert_true(has(arena_printf(&w.a, "chomp_log_bytes %lld",
				     (long long)store_counts(w.store).bytes)));
}

static void more_than_may_be_read_is_not_guessed(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++)
		run_task("");
	assert_true(has("chomp_dispatch_pending 256"));
	run_task("");
	assert_null(strstr(get(api_metrics, NULL).body, "\nchomp_dispatch_pending "));
}

static void a_store_that_refuses_is_shown(void **state)
{
	(void)state;
	world_write(&w, "run/worker/read_only", "", 0);
	assert_true(has("chomp_store_writable 0"));
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("an empty store is all zero", an_empty_store_is_all_zero),
		T("tasks are counted", tasks_are_counted),
		T("more than may be read is not guessed", more_than_may_be_read_is_not_guessed),
		T("a store that refuses is shown", a_store_that_refuses_is_shown),
	};

	return cmocka_run_group_tests_name("api_metrics", tests, NULL, NULL) != 0;
}

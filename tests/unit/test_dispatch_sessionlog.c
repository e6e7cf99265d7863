#include "dispatch/sessionlog.h"

#include "dispatch_kit.h"

static void the_terminal_is_copied_as_it_grows(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(1000, KIT_RUNS, "one\r\n");
	assert_string_equal(kit_output(id, "s1"), "one\r\n");
	kit_serve(2000, KIT_RUNS, "one\r\ntwo\r\n");
	assert_string_equal(kit_output(id, "s1"), "one\r\ntwo\r\n");
}

static void a_quiet_terminal_is_asked_every_two_seconds_a_busy_one_often(void **state)
{
	(void)state;
	kit_running();
	kit_serve(60 * 1000, KIT_RUNS, "x");
	size_t before = kit.total;
	kit_serve(60 * 1000, KIT_RUNS, "x");
	assert_true(kit.total - before < 70); /* with the looks */
	char text[256] = "";
	before = kit.total;
	for (size_t i = 0; i < 100; i++) {
		text[i] = 'y';
		kit_serve(300, KIT_RUNS, text);
	}
	assert_true(kit.total - before > 100);
}

static void a_restart_goes_on_where_the_copy_ends(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(1000, KIT_RUNS, "12345");
	kit_restart();
	kit_turn();
	struct call *c = kit.calls[0]->kind == CALL_LOGS ? kit.calls[0] : kit.calls[1];
	assert_string_equal(strchr(c->path, '?'), "?offset=5");
	kit_serve(1000, KIT_RUNS, "123456789");
	assert_string_equal(kit_output(id, "s1"), "123456789");
}

static void an_answer_that_begins_earlier_is_not_copied_twice(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(1000, KIT_RUNS, "12345");
	while (kit_waiting(CALL_LOGS) == 0)
		kit_pass(100);
	struct call *c = kit_take(CALL_LOGS);
	c->status = 200;
	c->log_start = 0;
	c->log_end = 7;
	assert_true(c->take(c, "123", 3));
	assert_true(c->take(c, "4567", 4));
	kit_end(c);
	assert_string_equal(kit_output(id, "s1"), "1234567");
}

static void what_the_host_dropped_is_filled_up(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(1000, KIT_RUNS, "12345");
	while (kit_waiting(CALL_LOGS) == 0)
		kit_pass(100);
	kit_logs_from("the end", 10000, 7);
	assert_int_equal(output_size(kit.var, id, "s1", OUTPUT_LOG), 10007);
	const char *text = kit_output(id, "s1");
	assert_non_null(strstr(text, "[chomp: 9995 bytes were not kept by the sandbox host]"));
	assert_string_equal(text + 10000, "the end");
}

static void a_long_terminal_comes_in_pieces_at_once(void **state)
{
	(void)state;
	size_t len = 3 * COPY_ONCE_MAX + 12345;
	char *text = arena_alloc(&kit.a, len + 1);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + i % 23);
	int64_t id = kit_running();
	int64_t from = kit.now;
	while (output_size(kit.var, id, "s1", OUTPUT_LOG) < (int64_t)len)
		kit_serve(10, KIT_RUNS, text);
	assert_true(kit.now - from < 1000);
	assert_string_equal(kit_output(id, "s1"), text);
}

static void a_terminal_without_end_is_kept_to_64_mib(void **state)
{
	(void)state;
	int64_t id = kit_running();
	char path[128], *big = arena_alloc(&kit.a, 4096);

	memset(big, 'z', 4095);
	(void)snprintf(path, sizeof path, "%s/log/sessions/%" PRId64 "-s1.log", kit.var, id);
	assert_int_equal(truncate(path, 0), -1); /* nothing came yet */
	kit_serve(1000, KIT_RUNS, "x");
	kit_stop();
	assert_int_equal(truncate(path, COPY_KEEP_MAX - 100), 0);
	kit_start();
	kit_turn();
	kit_logs_from(big, COPY_KEEP_MAX - 100, 4095);
	int64_t size = output_size(kit.var, id, "s1", OUTPUT_LOG);
	assert_true(size > COPY_KEEP_MAX && size < COPY_KEEP_MAX + 200);
	assert_non_null(strstr(kit_output(id, "s1") + COPY_KEEP_MAX - 100,
			       "z\r\n[chomp: what follows is not kept"));
	/* Nothing is added, but it is still a sign of life. */
	kit_status(KIT_RUNS);
	kit_pass(COPY_FULL_MS);
	kit_logs_from(big, COPY_KEEP_MAX + 3995, 10);
	assert_int_equal(output_size(kit.var, id, "s1", OUTPUT_LOG), size);
	kit_restart();
	kit_pass(70 * 1000);
	kit_logs_from(big, COPY_KEEP_MAX + 4095, 10);
	kit_pass(COPY_FULL_MS);
	int64_t before = kit_session(id).active_at;
	kit_logs_from(big, COPY_KEEP_MAX + 4195, 10);
	assert_int_equal(output_size(kit.var, id, "s1", OUTPUT_LOG), size);
	assert_true(kit_session(id).active_at > before);
}

static void bytes_are_a_sign_of_life_once_a_minute(void **state)
{
	(void)state;
	char text[512] = "";
	int64_t id = kit_running(), start = kit_session(id).active_at;

	for (size_t i = 0; i < 59; i++) {
		text[i] = '.';
		kit_serve(1000, KIT_RUNS, text);
	}
	assert_int_equal(kit_session(id).active_at, start);
	text[59] = '.';
	kit_serve(2000, KIT_RUNS, text);
	int64_t first = kit_session(id).active_at;
	assert_true(first >= start + 60000);
	for (size_t i = 60; i < 110; i++) {
		text[i] = '.';
		kit_serve(1000, KIT_RUNS, text);
	}
	assert_int_equal(kit_session(id).active_at, first);
	kit_serve(600 * 1000, KIT_RUNS, text); /* quiet: looks are no sign of life */
	assert_true(kit_session(id).active_at <= first + 62000);
}

static void a_restart_is_no_sign_of_life(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(100 * 1000, KIT_RUNS, "shown long ago");
	int64_t before = kit_session(id).active_at;
	kit_serve(600 * 1000, KIT_RUNS, "shown long ago");
	kit_restart();
	kit_serve(10 * 1000, KIT_RUNS, "shown long ago");
	assert_int_equal(kit_session(id).active_at, before);
}

static void somebody_elses_bytes_are_not_written_over(void **state)
{
	(void)state;
	int64_t id = kit_running();
	struct errinfo e;
	kit_serve(1000, KIT_RUNS, "12345");
	while (kit_waiting(CALL_LOGS) == 0)
		kit_pass(100);
	assert_ok(output_append(kit.var, id, "s1", OUTPUT_LOG, 5, "67", 2, &e), &e);
	kit_logs("123456789");
	assert_string_equal(kit_output(id, "s1"), "1234567");
	kit_serve(5000, KIT_RUNS, "123456789");
	assert_string_equal(kit_output(id, "s1"), "123456789");
}

static void an_answer_cut_off_leaves_what_came(void **state)
{
	(void)state;
	int64_t id = kit_running();
	while (kit_waiting(CALL_LOGS) == 0)
		kit_pass(100);
	struct call *c = kit_take(CALL_LOGS);
	c->log_start = 0;
	c->log_end = 9;
	assert_true(c->take(c, "1234", 4));
	c->status = 0; /* the connection broke */
	kit_end(c);
	kit_serve(6000, KIT_RUNS, "123456789");
	assert_string_equal(kit_output(id, "s1"), "123456789");
}

int main(void)
{
	static struct plan p;

	kit_test(&p, the_terminal_is_copied_as_it_grows);
	kit_test(&p, a_quiet_terminal_is_asked_every_two_seconds_a_busy_one_often);
	kit_test(&p, a_restart_goes_on_where_the_copy_ends);
	kit_test(&p, an_answer_that_begins_earlier_is_not_copied_twice);
	kit_test(&p, what_the_host_dropped_is_filled_up);
	kit_test(&p, a_long_terminal_comes_in_pieces_at_once);
	kit_test(&p, a_terminal_without_end_is_kept_to_64_mib);
	kit_test(&p, bytes_are_a_sign_of_life_once_a_minute);
	kit_test(&p, a_restart_is_no_sign_of_life);
	kit_test(&p, somebody_elses_bytes_are_not_written_over);
	kit_test(&p, an_answer_cut_off_leaves_what_came);
	return plan_run("sessionlog", &p);
}

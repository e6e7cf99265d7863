#include "dispatch/reconcile.h"

#include "dispatch_kit.h"

static void an_exit_record_without_a_word_closes_the_session(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(5000, KIT_RUNS, "a");
	kit_serve(5000, KIT_EXIT(0), "abc");
	assert_int_equal(kit_task(id).status, STATUS_DONE);
	assert_null(kit_task(id).error);
	assert_int_equal(kit_session(id).exit_code, 0);
	assert_true(kit_session(id).has_exit_code);
	assert_string_equal(kit_output(id, "s1"), "abc");
	assert_int_equal(kit_waiting(CALL_KILL), 1);
}

static void an_exit_code_without_a_word_fails_with_it(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(5000, KIT_EXIT(3), "");
	assert_int_equal(kit_task(id).status, STATUS_FAILED);
	assert_string_equal(kit_task(id).error, "exit code 3");
	assert_int_equal(kit_session(id).exit_code, 3);
}

static void the_agents_word_wins_over_the_record(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_pass(1000);
	struct call *c = kit_take(CALL_STATUS);
	const char *body =
		arena_printf(&kit.a, "{\"sandboxId\":\"%s\"," KIT_EXIT(3) "}", kit_id_of(c));
	kit_reply(c, 200, body);
	kit_pass(1000);
	/* The record is about to close the session when the word arrives, and nobody told us yet.
	 */
	struct errinfo e;
	assert_ok(store_change(kit.worker, &kit.a, id, (struct change){ kit_done_fn, NULL }, NULL,
			       &e),
		  &e);
	kit_reply(kit_take(CALL_STATUS), 200, body);
	struct task t = kit_task(id);
	assert_int_equal(t.status, STATUS_DONE);
	assert_string_equal(t.result, "said done");
	assert_int_equal(t.sessions[0].result, RESULT_DONE);
	assert_int_equal(t.sessions[0].exit_code, 3); /* what the record adds */
}

static void a_dead_box_is_lost_within_15_s(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(90 * 1000, KIT_RUNS, "x");
	int64_t death = kit.now;
	while (kit_task(id).status == STATUS_ACTIVE && kit.now < death + 60000)
		kit_serve(100, KIT_GONE, "xy");
	assert_true(kit.now - death < 15000);
	assert_int_equal(kit_session(id).result, RESULT_LOST);
	assert_int_equal(kit_task(id).status, STATUS_FAILED);
	assert_non_null(strstr(kit_task(id).error, "gone"));
	kit_serve(3000, KIT_GONE, "xy");
	assert_int_equal(kit_waiting(CALL_KILL), 1); /* to be sure */
	assert_string_equal(kit_output(id, "s1"), "xy");
}

static void a_restart_does_not_count_old_looks(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_pass(2000);
	kit_status(KIT_GONE);
	kit_restart();
	kit_turn();
	kit_status(KIT_GONE);
	kit_pass(4000);
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
	kit_pass(1000);
	kit_status(KIT_GONE);
	assert_int_equal(kit_session(id).result, RESULT_LOST);
}

static void silence(int64_t ms)
{
	for (int64_t end = kit.now + ms; kit.now < end; kit_pass(100)) {
		if (kit_waiting(CALL_STATUS) > 0)
			kit_answer(CALL_STATUS, 0, "");
		if (kit_waiting(CALL_LOGS) > 0)
			kit_answer(CALL_LOGS, 0, "");
	}
}

static void an_unreachable_host_is_shown_and_not_lost(void **state)
{
	(void)state;
	int64_t id = kit_running();
	silence(9000);
	assert_null(kit_session(id).dispatch.error);
	silence(10000);
	assert_string_equal(kit_session(id).dispatch.error,
			    "the sandbox host cannot be reached: Connection refused");
	int64_t version = store_version(kit.worker);
	size_t calls = kit.total;
	silence(3600 * 1000);
	assert_int_equal(store_version(kit.worker), version); /* said once */
	assert_true(kit.total - calls < 2 * 3600 / 4);
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
	kit_serve(10000, KIT_RUNS, "");
	assert_null(kit_session(id).dispatch.error);
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
}

static void an_unreachable_host_is_lost_when_the_time_is_over(void **state)
{
	(void)state;
	int64_t id = kit_running();
	silence(KIT_TIMEOUT_MS - kit.now + SILENT_LOST_MS - 1000);
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
	silence(15000);
	assert_int_equal(kit_session(id).result, RESULT_LOST);
	assert_int_equal(kit_task(id).status, STATUS_FAILED);
}

static void a_session_past_its_time_is_closed_and_killed_at_once(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(KIT_TIMEOUT_MS - kit.now + 10 * 1000, KIT_RUNS, "");
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
	kit_serve(10 * 1000, KIT_RUNS, "");
	assert_int_equal(kit_task(id).status, STATUS_FAILED);
	assert_string_equal(kit_task(id).error, "timed out after 4 h");
	assert_int_equal(kit_waiting(CALL_KILL), 1);
}

static const struct nonsense {
	const char *name;
	int status;
	const char *body;
} nonsenses[] = {
	{ "no JSON", 200, "alive" },
	{ "an array", 200, "[]" },
	{ "nothing said", 200, "{\"sandboxId\":\"box1\"}" },
	{ "about another box", 200, "{\"sandboxId\":\"box2\",\"alive\":false,\"running\":false}" },
	{ "a wrong type", 200, "{\"sandboxId\":\"box1\",\"alive\":\"no\",\"running\":false}" },
	{ "an exit code beyond all codes", 200,
	  "{\"sandboxId\":\"box1\",\"alive\":true,\"running\":false,\"exitCode\":99999999999}" },
	{ "not our secret", 401, "{}" },
	{ "no such route", 404, "{}" },
	{ "an error of the host", 500,
	  "{\"sandboxId\":\"box1\",\"alive\":false,\"running\":false}" },
};

static void proves_nothing(void **state)
{
	ROW(struct nonsense);
	kit_open(NULL);
	int64_t id = kit_running();
	for (int64_t end = kit.now + 60000; kit.now < end; kit_pass(500)) {
		if (kit_waiting(CALL_STATUS) > 0)
			kit_answer(CALL_STATUS, r->status, r->body);
		if (kit_waiting(CALL_LOGS) > 0)
			kit_logs("");
	}
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
	assert_non_null(kit_session(id).dispatch.error);
	kit_close(NULL);
}

static void an_adopted_task_without_a_sandbox_is_left_alone(void **state)
{
	(void)state;
	struct task t = { .prompt = "old", .platform = "pi", .status = STATUS_ACTIVE };
	struct errinfo e;
	struct session s = { .id = "s1", .agent = "pi", .started_at = kit_wall() };
	t.sessions = &s;
	t.session_count = 1;
	assert_ok(store_create(kit.worker, &kit.a, &t, &e), &e);
	kit_news();
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.total, 0);
}

static void one_look_at_a_time(void **state)
{
	(void)state;
	kit_running();
	kit_pass(60000);
	assert_int_equal(kit_waiting(CALL_STATUS), 1);
	assert_int_equal(kit_waiting(CALL_LOGS), 1);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, nonsenses, proves_nothing);
	kit_test(&p, an_exit_record_without_a_word_closes_the_session);
	kit_test(&p, an_exit_code_without_a_word_fails_with_it);
	kit_test(&p, the_agents_word_wins_over_the_record);
	kit_test(&p, a_dead_box_is_lost_within_15_s);
	kit_test(&p, a_restart_does_not_count_old_looks);
	kit_test(&p, an_unreachable_host_is_shown_and_not_lost);
	kit_test(&p, an_unreachable_host_is_lost_when_the_time_is_over);
	kit_test(&p, a_session_past_its_time_is_closed_and_killed_at_once);
	kit_test(&p, an_adopted_task_without_a_sandbox_is_left_alone);
	kit_test(&p, one_look_at_a_time);
	return plan_run("reconcile", &p);
}

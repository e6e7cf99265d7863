#include "dispatch/kill.h"

#include "dispatch_kit.h"

static void delays(void **state)
{
	(void)state;
	assert_int_equal(kill_delay(0), 1000);
	assert_int_equal(kill_delay(3), 8000);
	assert_int_equal(kill_delay(5), 32000);
	assert_int_equal(kill_delay(6), 60000);
	assert_int_equal(kill_delay(1000000), 60000);
}

static void expect_killed(int64_t id, const char *by)
{
	struct call *c = kit_take(CALL_KILL);

	assert_string_equal(kit_id_of(c), by);
	kit_reply(c, 200, "{\"status\":\"destroyed\"}");
	assert_int_equal(kit_session(id).kill.state, STEP_DONE);
}

static void after_done_the_last_output_is_waited_for(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_done_fn, NULL);
	kit_serve(1500, KIT_RUNS, "working");
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_serve(300, KIT_EXIT(0), "working\r\nlast words");
	assert_string_equal(kit_output(id, "s1"), "working\r\nlast words");
	expect_killed(id, "box1");
	assert_int_equal(kit_task(id).status, STATUS_DONE);
	assert_true(kit_session(id).has_exit_code);
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.d.job_count, 0);
}

static void a_quick_end_is_seen_quickly(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_pass(100);
	kit_change(id, kit_done_fn, NULL);
	int64_t from = kit.now;
	while (kit_waiting(CALL_KILL) == 0)
		kit_serve(1, KIT_EXIT(0), "all");
	assert_true(kit.now - from <= 2 * LOOK_CLOSING_MS);
	expect_killed(id, "box1");
}

static void a_box_that_does_not_end_is_killed_after_10_s(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_done_fn, NULL);
	kit_serve(9900, KIT_RUNS, "x");
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_serve(200, KIT_RUNS, "xyz");
	expect_killed(id, "box1");
	assert_string_equal(kit_output(id, "s1"), "xyz");
}

static void a_host_that_is_silent_does_not_keep_the_kill_for_long(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_done_fn, NULL);
	kit_pass(KILL_GRACE_MS + KILL_COPY_MS + 100); /* calls hang */
	expect_killed(id, "box1");
}

static void a_handoff_waits_too(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_handoff_fn, NULL);
	kit_serve(1000, KIT_RUNS, "x");
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_serve(300, KIT_EXIT(0), "xy");
	expect_killed(id, "box1");
	assert_string_equal(kit_output(id, "s1"), "xy");
}

/* The sandbox is the next session's: nothing is ended, but what the first one showed is kept. */
static void a_failed_gate_hands_the_box_on(void **state)
{
	int loops = 3;

	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_gate_fn, &loops);
	kit_serve(2000, KIT_RUNS, "the first try, and its gate");
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	struct task t = kit_task(id);
	assert_int_equal(t.sessions[0].kill.state, STEP_NONE);
	assert_int_equal(t.sessions[1].dispatch.state, STEP_DONE);
	assert_string_equal(kit_output(id, "s1"), "the first try, and its gate");
	kit_serve(2000, KIT_RUNS, "the first try, and its gate, and the second");
	assert_string_equal(kit_output(id, "s2"), "the first try, and its gate, and the second");
	assert_string_equal(kit_output(id, "s1"), "the first try, and its gate");
	kit_change(id, kit_done_fn, NULL);
	kit_serve(300, KIT_EXIT(0), "the first try, and its gate, and the second.");
	expect_killed(id, "box1");
	assert_int_equal(kit_task(id).sessions[1].kill.state, STEP_DONE);
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.d.job_count, 0);
}

static void after_the_last_gate_the_box_may_end_by_itself(void **state)
{
	int loops = 1;

	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_gate_fn, &loops);
	assert_int_equal(kit_task(id).status, STATUS_FAILED);
	kit_serve(1000, KIT_RUNS, "x");
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_serve(300, KIT_EXIT(1), "xy");
	expect_killed(id, "box1");
	assert_string_equal(kit_output(id, "s1"), "xy");
	assert_int_equal(kit_session(id).exit_code, 1);
}

static void a_cancelled_box_goes_at_once_but_not_without_its_output(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_cancel_fn, NULL);
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_serve(10, KIT_RUNS, "what it had shown");
	assert_string_equal(kit_output(id, "s1"), "what it had shown");
	expect_killed(id, "box1");
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
}

static void an_answer_from_before_the_end_does_not_count_as_the_last(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_pass(500); /* a copy is under way … */
	struct call *old = kit_take(CALL_LOGS);
	kit_change(id, kit_cancel_fn, NULL);
	old->status = 200; /* … that saw nothing new … */
	old->log_start = old->log_end = 0;
	kit_end(old);
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_logs("shown in the last moment"); /* … so one more is made */
	kit_answer(CALL_FILM, 404, "");
	expect_killed(id, "box1");
	assert_string_equal(kit_output(id, "s1"), "shown in the last moment");
}

static void a_hanging_copy_holds_a_cancel_two_seconds(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_cancel_fn, NULL);
	kit_pass(KILL_COPY_NOW_MS - 1);
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_pass(1);
	expect_killed(id, "box1");
	kit_logs("late"); /* the hanging copy ends at last */
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.d.job_count, 0);
}

static void a_failed_kill_is_shown_and_repeated(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_cancel_fn, NULL);
	kit_serve(10, KIT_RUNS, "");
	kit_answer(CALL_KILL, 0, "");
	struct session s = kit_session(id);
	assert_int_equal(s.kill.state, STEP_PENDING);
	assert_int_equal(s.kill.attempts, 1);
	assert_string_equal(s.kill.error, "the sandbox host cannot be reached: Connection refused");
	kit_serve(900, KIT_RUNS, "");
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_serve(110, KIT_RUNS, "");
	expect_killed(id, "box1");
	assert_null(kit_session(id).kill.error);
}

static void a_host_gone_for_good_is_asked_once_a_minute_and_does_not_fill_the_log(void **state)
{
	(void)state;
	int64_t id = kit_running(), day = kit.now + 24 * 3600 * 1000;
	struct stat st;
	size_t tries = 0;

	kit_change(id, kit_cancel_fn, NULL);
	while (kit.now < day) {
		if (kit_waiting(CALL_KILL) > 0) {
			kit_answer(CALL_KILL, 0, "");
			tries++;
		}
		kit_serve(1000, KIT_RUNS, "");
	}
	assert_true(tries > 1300 && tries < 1460);
	assert_int_equal(stat(arena_printf(&kit.a, "%s/state/tasks.log", kit.var), &st), 0);
	assert_true(st.st_size < 200 * 1000);
	assert_int_equal(kit_session(id).kill.state, STEP_PENDING);
}

static void a_restart_in_the_middle_kills_all_the_same(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_change(id, kit_cancel_fn, NULL);
	kit_restart();
	kit_serve(10, KIT_RUNS, "all of it");
	kit_restart(); /* the kill was sent and nobody heard the answer */
	kit_serve(10, KIT_RUNS, "all of it");
	expect_killed(id, "box1");
	assert_string_equal(kit_output(id, "s1"), "all of it");
	kit_restart();
	assert_true(kit_turn() == NEVER);
}

static void a_word_before_the_answer_waits_for_the_answer(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_change(id, kit_done_fn, NULL); /* the agent was faster */
	kit_pass(50);
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_started("quick");
	kit_serve(300, KIT_EXIT(0), "hello");
	assert_string_equal(kit_output(id, "s1"), "hello");
	expect_killed(id, "quick");
	assert_int_equal(kit_session(id).dispatch.state, STEP_DONE);
	assert_int_equal(kit_task(id).status, STATUS_DONE);
}

static void a_word_before_a_lost_answer_is_copied_by_the_derived_id(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_change(id, kit_done_fn, NULL);
	kit_restart(); /* and with it the answer */
	kit_turn();
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	struct session s = kit_session(id);
	assert_string_equal(kit_id_of(kit.calls[0]),
			    host_derive_id(&kit.a, KIT_SECRET, s.dispatch.id));
	kit_serve(300, KIT_EXIT(0), "hello");
	assert_string_equal(kit_output(id, "s1"), "hello");
	expect_killed(id, s.dispatch.id);
}

static void a_deleted_task_takes_its_sandbox_and_its_output_along(void **state)
{
	(void)state;
	int64_t id = kit_running();
	kit_serve(1000, KIT_RUNS, "something");
	const char *dispatch_id = kit_session(id).dispatch.id;
	kit_pass(2000);
	struct call *copy = kit_take(CALL_LOGS);
	output_remove(kit.var, id, "s1"); /* the worker's part */
	kit_delete(id);
	copy->status = 200;
	copy->log_start = 9;
	copy->log_end = 12;
	assert_false(copy->take(copy, "new", 3)); /* not wanted any more */
	kit_end(copy);
	if (kit_waiting(CALL_STATUS) > 0)
		kit_status(KIT_RUNS);
	assert_null(kit_output(id, "s1"));
	struct call *c = kit_take(CALL_KILL);
	assert_string_equal(kit_id_of(c), dispatch_id);
	kit_reply(c, 503, "");
	kit_pass(900);
	assert_int_equal(kit_waiting(CALL_KILL), 0);
	kit_restart(); /* the tombstone remembers */
	kit_pass(1100);
	kit_answer(CALL_KILL, 200, "{}");
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.d.job_count, 0);
	kit_restart();
	assert_true(kit_turn() == NEVER);
}

static void two_sandboxes_of_a_deleted_task_are_ended_one_by_one(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_started("one");
	kit_change(id, kit_cancel_fn, NULL);
	kit_run_as(id, "shell", NULL);
	kit_started("two");
	kit_delete(id);
	for (size_t i = kit.count; i-- > 0;) { /* whatever was asked about the living task */
		if (kit.calls[i]->kind == CALL_STATUS || kit.calls[i]->kind == CALL_LOGS)
			kit_answer(kit.calls[i]->kind, 0, "");
	}
	struct call *a = kit_take(CALL_KILL), *b = kit_take(CALL_KILL);
	kit_reply(b, 200, "{}");
	kit_reply(a, 0, "");
	kit_pass(1000);
	assert_int_equal(kit_waiting(CALL_KILL), 1);
	kit_answer(CALL_KILL, 200, "{}");
	assert_int_equal(kit.d.job_count, 0);
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "kills are repeated at growing distances, at most a minute", delays, NULL);
	kit_test(&p, after_done_the_last_output_is_waited_for);
	kit_test(&p, a_quick_end_is_seen_quickly);
	kit_test(&p, a_box_that_does_not_end_is_killed_after_10_s);
	kit_test(&p, a_host_that_is_silent_does_not_keep_the_kill_for_long);
	kit_test(&p, a_handoff_waits_too);
	kit_test(&p, a_failed_gate_hands_the_box_on);
	kit_test(&p, after_the_last_gate_the_box_may_end_by_itself);
	kit_test(&p, a_cancelled_box_goes_at_once_but_not_without_its_output);
	kit_test(&p, an_answer_from_before_the_end_does_not_count_as_the_last);
	kit_test(&p, a_hanging_copy_holds_a_cancel_two_seconds);
	kit_test(&p, a_failed_kill_is_shown_and_repeated);
	kit_test(&p, a_host_gone_for_good_is_asked_once_a_minute_and_does_not_fill_the_log);
	kit_test(&p, a_restart_in_the_middle_kills_all_the_same);
	kit_test(&p, a_word_before_the_answer_waits_for_the_answer);
	kit_test(&p, a_word_before_a_lost_answer_is_copied_by_the_derived_id);
	kit_test(&p, a_deleted_task_takes_its_sandbox_and_its_output_along);
	kit_test(&p, two_sandboxes_of_a_deleted_task_are_ended_one_by_one);
	return plan_run("kill", &p);
}

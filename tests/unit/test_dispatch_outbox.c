#include "dispatch/outbox.h"

#include "dispatch_kit.h"

/* ---- when to try again ---- */
static const struct again {
	const char *name;
	int64_t attempts, wait_ms, since, now, want;
} agains[] = {
	{ "the first failure waits half a second", 0, -1, 1000, 2000, 2500 },
	{ "the second waits one second", 1, -1, 1000, 2000, 3000 },
	{ "the fifth waits eight", 4, -1, 1000, 2000, 10000 },
	{ "never longer than 30 s", 20, -1, 1000, 2000, 32000 },
	{ "the host may ask for more", 0, 120000, 1000, 2000, 122000 },
	{ "the host may not ask for less", 3, 1, 1000, 2000, 6000 },
	{ "the last try is at ten minutes", 20, -1, 1000, 590000, 601000 },
	{ "the host cannot put off the last try", 0, 86400000, 1000, 2000, 601000 },
	{ "past ten minutes the wait counts", 20, -1, 1000, 700000, 730000 },
};

static void next_try(void **state)
{
	ROW(struct again);
	assert_int_equal(outbox_next_at(r->attempts, r->wait_ms, r->since, r->now), r->want);
}

/* ---- from a run to a sandbox ---- */
static void a_run_becomes_a_dispatch_and_is_written_down(void **state)
{
	(void)state;
	int64_t id = kit_run_new();

	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
	kit_started("abc-123");
	struct session s = kit_session(id);
	assert_int_equal(s.dispatch.state, STEP_DONE);
	assert_string_equal(s.sandbox_id, "abc-123");
	assert_int_equal(s.dispatch.attempts, 1);
	assert_true(session_open(&s));
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
}

static void nothing_to_do_means_nothing_is_due(void **state)
{
	(void)state;
	assert_true(kit_turn() == NEVER);
	kit_create("not run");
	kit_news();
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.total, 0);
}

static void a_session_is_sent_once_while_it_is_under_way(void **state)
{
	(void)state;
	kit_run_new();
	for (int i = 0; i < 5; i++)
		kit_news();
	kit_pass(20000);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
}

static void after_a_crash_the_same_dispatch_is_sent_again(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	const char *first = arena_strdup(&kit.a, kit.calls[0]->body.buf);

	kit_restart();
	kit_turn();
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
	assert_string_equal(kit.calls[0]->body.buf, first);
	kit_started("box");
	kit_restart();
	kit_turn();
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	assert_string_equal(kit_session(id).sandbox_id, "box");
}

static const struct refusal {
	const char *name;
	int status;
	const char *body, *why;
} refusals[] = {
	{ "a 400 fails the task with the host's words", 400,
	  "{\"error\":{\"code\":\"bad_field\",\"message\":\"dir: /nope does not exist\"}}",
	  "dir: /nope does not exist" },
	{ "a 404 without words fails it too", 404, "<html>", "the sandbox host answered 404" },
	{ "a 413 fails it", 413, "{\"error\":{\"code\":\"too_large\",\"message\":\"too long\"}}",
	  "too long" },
	{ "a 401 says what to look at", 401,
	  "{\"error\":{\"code\":\"no_token\",\"message\":\"who?\"}}",
	  "the sandbox host does not accept our secret (401)" },
	{ "a sandbox killed before it started fails it", 200,
	  "{\"sandboxId\":\"x\",\"status\":\"destroyed\"}",
	  "the sandbox was ended before it started" },
};

static void permanent(void **state)
{
	ROW(struct refusal);
	kit_open(NULL);
	int64_t id = kit_run_new();
	kit_answer(CALL_DISPATCH, r->status, r->body);
	struct task t = kit_task(id);
	struct session s = kit_session(id);
	assert_int_equal(t.status, STATUS_FAILED);
	assert_string_equal(t.error, r->why);
	assert_int_equal(s.result, RESULT_FAILED);
	assert_string_equal(s.summary, r->why);
	assert_int_equal(s.dispatch.state, STEP_FAILED);
	/* Something may have come of an earlier attempt: it is ended at once, by the dispatch's id.
	 */
	struct call *kill = kit_take(CALL_KILL);
	assert_string_equal(kit_id_of(kill), s.dispatch.id);
	kit_reply(kill, 200, "{\"status\":\"destroyed\"}");
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.d.job_count, 0);
	kit_close(NULL);
}

static const struct trouble {
	const char *name;
	int status;
	const char *body, *why;
} troubles[] = {
	{ "a host that cannot be reached", 0, "",
	  "the sandbox host cannot be reached: Connection refused" },
	{ "a full host", 503,
	  "{\"error\":{\"code\":\"full\",\"message\":\"all 32 places are taken\"}}",
	  "the sandbox host answered 503: all 32 places are taken" },
	{ "a busy host", 429, "", "the sandbox host answered 429" },
	{ "a conflict", 409, "", "the sandbox host answered 409" },
	{ "a broken host", 500, "oops", "the sandbox host answered 500" },
	{ "a redirect", 302, "", "the sandbox host answered 302" },
	{ "an answer that is no JSON", 200, "hello",
	  "the sandbox host's answer is not a JSON object" },
	{ "an answer without a sandbox", 200, "{}", "the sandbox host's answer names no sandbox" },
	{ "a sandbox id that is no id", 200, "{\"sandboxId\":\"../kill/x\"}",
	  "the sandbox host's answer names no sandbox" },
};

static void passing(void **state)
{
	ROW(struct trouble);
	kit_open(NULL);
	int64_t id = kit_run_new();
	kit_answer(CALL_DISPATCH, r->status, r->body);
	struct session s = kit_session(id);
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
	assert_int_equal(s.dispatch.state, STEP_PENDING);
	assert_string_equal(s.dispatch.error, r->why);
	assert_int_equal(s.dispatch.attempts, 1);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	kit_pass(499);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	kit_pass(1);
	kit_started("box");
	s = kit_session(id);
	assert_int_equal(s.dispatch.state, STEP_DONE);
	assert_null(s.dispatch.error);
	kit_close(NULL);
}

static void the_host_says_when_to_come_again(void **state)
{
	(void)state;
	kit_run_new();
	struct call *c = kit_take(CALL_DISPATCH);
	c->status = 503;
	c->retry_after_ms = 7000;
	kit_end(c);
	kit_pass(6999);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	kit_pass(1);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
}

static void ten_minutes_of(int status, const char *why)
{
	int64_t id = kit_run_new(), from = kit.now;
	size_t tries = 0;

	while (kit_task(id).status == STATUS_ACTIVE) {
		assert_true(kit.now - from <= 10 * 60 * 1000);
		while (kit_waiting(CALL_DISPATCH) == 0)
			kit_pass(500);
		kit_answer(CALL_DISPATCH, status, "");
		tries++;
	}
	assert_true(kit.now - from >= 10 * 60 * 1000);
	assert_true(tries > 15 && tries < 40);
	assert_string_equal(kit_task(id).error, why);
}

static void an_unreachable_host_is_given_up_after_ten_minutes(void **state)
{
	(void)state;
	ten_minutes_of(0,
		       "the sandbox host could not be reached for 10 minutes: Connection refused");
}

static void a_full_host_is_given_up_after_ten_minutes(void **state)
{
	(void)state;
	ten_minutes_of(
		503,
		"the sandbox could not be started for 10 minutes: the sandbox host answered 503");
}

/* We were away for an hour: one attempt is made all the same. */
static void an_old_intent_gets_its_try(void **state)
{
	(void)state;
	int64_t id = kit_run_new();

	kit_stop();
	kit.now += 3600 * 1000;
	kit_start();
	kit_turn();
	kit_started("box");
	assert_int_equal(kit_session(id).dispatch.state, STEP_DONE);
}

static void an_intent_past_its_time_is_not_sent(void **state)
{
	(void)state;
	int64_t id = kit_run_new();

	kit_stop();
	kit.now += KIT_TIMEOUT_MS + 1;
	kit_start();
	kit_turn();
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	assert_string_equal(kit_task(id).error, "timed out before it could be started");
}

static void a_session_cancelled_before_it_was_sent_is_never_sent(void **state)
{
	(void)state;
	kit.d.draining = true;
	int64_t id = kit_run_new();
	kit_change(id, kit_cancel_fn, NULL);
	kit.d.draining = false;
	kit_turn();
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	/* Not even later, whatever the host believes: the kill names the dispatch. */
	struct call *kill = kit_take(CALL_KILL);
	assert_string_equal(kit_id_of(kill), kit_session(id).dispatch.id);
	kit_reply(kill, 200, "{}");
	assert_int_equal(kit_session(id).kill.state, STEP_DONE);
}

static void draining_starts_nothing_new(void **state)
{
	(void)state;
	kit.d.draining = true;
	kit_run_new();
	kit_pass(60000);
	assert_int_equal(kit.total, 0);
}

static void the_answer_for_a_cancelled_session_is_written_down_and_killed(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_change(id, kit_cancel_fn, NULL);
	kit_answer(CALL_KILL, 200, "{}"); /* by the dispatch's id, at once */
	assert_int_equal(kit_session(id).kill.state, STEP_DONE);
	kit_started("late-box"); /* a host that let it slip through */
	struct session s = kit_session(id);
	assert_int_equal(s.result, RESULT_CANCELLED);
	assert_string_equal(s.sandbox_id, "late-box");
	assert_int_equal(s.kill.state, STEP_PENDING);
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
	kit_logs("");
	struct call *kill = kit_take(CALL_KILL);
	assert_string_equal(kit_id_of(kill), "late-box");
	kit_reply(kill, 200, "{}");
	assert_int_equal(kit_session(id).kill.state, STEP_DONE);
	assert_true(kit_turn() == NEVER);
}

static void a_start_that_crosses_its_kill_is_killed_again(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_change(id, kit_cancel_fn, NULL);
	assert_int_equal(kit_waiting(CALL_KILL), 1);
	kit_started("late-box");
	kit_answer(CALL_KILL, 200,
		   "{}"); /* sent before the host said "started": it may have come too early */
	assert_int_equal(kit_session(id).kill.state, STEP_PENDING);
	if (kit_waiting(CALL_LOGS) > 0)
		kit_logs("");
	struct call *kill = kit_take(CALL_KILL);
	assert_string_equal(kit_id_of(kill), "late-box");
	kit_reply(kill, 200, "{}");
	assert_int_equal(kit_session(id).kill.state, STEP_DONE);
}

static void the_answer_for_a_deleted_task_is_killed(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_delete(id);
	kit_answer(CALL_KILL, 200, "{}");
	kit_started("orphan");
	assert_int_equal(kit_waiting(CALL_KILL), 1);
	kit_answer(CALL_KILL, 200, "{}");
	assert_true(kit_turn() == NEVER);
	assert_int_equal(kit.d.job_count, 0);
}

static void a_run_after_a_cancel_does_not_wait_for_the_old_kill(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_change(id, kit_cancel_fn, NULL);
	kit_run_as(id, "shell", NULL);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 2); /* the old answer is still out */
	assert_int_equal(kit_waiting(CALL_KILL), 1);
	struct task t = kit_task(id);
	assert_string_not_equal(t.sessions[0].dispatch.id, t.sessions[1].dispatch.id);
	kit_answer(CALL_DISPATCH, 409, "");
	kit_started("second");
	t = kit_task(id);
	assert_int_equal(t.status, STATUS_ACTIVE);
	assert_string_equal(t.sessions[1].sandbox_id, "second");
	kit_answer(CALL_KILL, 200, "{}");
	t = kit_task(id);
	assert_int_equal(t.sessions[0].kill.state, STEP_DONE);
	assert_true(session_open(&t.sessions[1]));
}

static void fifty_at_once(void **state)
{
	int64_t ids[50];

	(void)state;
	for (int i = 0; i < 50; i++)
		ids[i] = kit_run_new();
	assert_int_equal(kit_waiting(CALL_DISPATCH), OUTBOX_CALLS);
	for (int i = 0; i < 50; i++)
		kit_started(arena_printf(&kit.a, "box%d", i));
	for (int i = 0; i < 50; i++)
		assert_int_equal(kit_session(ids[i]).dispatch.state, STEP_DONE);
	assert_int_equal(kit.d.dispatch_bytes, 0);
	assert_int_equal(kit.d.dispatch_calls, 0);
}

static void a_compaction_in_between_changes_nothing(void **state)
{
	(void)state;
	struct errinfo e;
	int64_t other = kit_running(), id = kit_run_new();
	assert_ok(store_compact(kit.worker, &e), &e);
	kit_news();
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
	kit_started("box");
	assert_string_equal(kit_session(id).sandbox_id, "box");
	assert_ok(store_compact(kit.worker, &e), &e);
	kit_news();
	kit_serve(3000, KIT_RUNS, "x");
	kit_change(other, kit_cancel_fn, NULL);
	kit_serve(10, KIT_RUNS, "x");
	kit_answer(CALL_KILL, 200, "{}");
	assert_int_equal(kit_session(other).kill.state, STEP_DONE);
}

static void a_store_that_takes_no_changes_is_left_alone(void **state)
{
	(void)state;
	kit_write("run/worker/read_only", "");
	struct errinfo e;
	struct task t = { .prompt = "x" };
	assert_err(store_create(kit.worker, &kit.a, &t, &e), ERR_READONLY, &e);
	unlink(arena_printf(&kit.a, "%s/run/worker/read_only", kit.var));
	int64_t id = kit_create("echo");
	kit_news();
	struct kit_run r = { "shell", "bash", NULL, KIT_TIMEOUT_MS };
	assert_ok(store_change(kit.worker, &kit.a, id, (struct change){ kit_run_fn, &r }, NULL, &e),
		  &e);
	kit_write("run/worker/read_only", "");
	kit_news();
	assert_int_equal(kit_waiting(CALL_DISPATCH),
			 0); /* nobody knows whether the intent is on disk */
	unlink(arena_printf(&kit.a, "%s/run/worker/read_only", kit.var));
	kit_pass(STORE_REFUSED_MS);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
	/* The same for the outcome: it is dropped, and found out again. */
	kit_write("run/worker/read_only", "");
	kit_started("box");
	assert_int_equal(kit_session(id).dispatch.state, STEP_PENDING);
	unlink(arena_printf(&kit.a, "%s/run/worker/read_only", kit.var));
	kit_pass(STORE_REFUSED_MS);
	kit_started("box");
	assert_int_equal(kit_session(id).dispatch.state, STEP_DONE);
}

static void a_missing_agent_key_is_shown_and_tried_again(void **state)
{
	(void)state;
	unlink(arena_printf(&kit.a, "%s/secrets/agent_key", kit.var));
	int64_t id = kit_run_new();
	struct errinfo e;
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	assert_non_null(strstr(kit_session(id).dispatch.error, "agent_key"));
	assert_ok(secret_ensure(kit.var, SECRET_AGENT, &e), &e);
	kit_pass(1000);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, agains, next_try);
	PLAN_ROWS(&p, refusals, permanent);
	PLAN_ROWS(&p, troubles, passing);
	kit_test(&p, a_run_becomes_a_dispatch_and_is_written_down);
	kit_test(&p, nothing_to_do_means_nothing_is_due);
	kit_test(&p, a_session_is_sent_once_while_it_is_under_way);
	kit_test(&p, after_a_crash_the_same_dispatch_is_sent_again);
	kit_test(&p, the_host_says_when_to_come_again);
	kit_test(&p, an_unreachable_host_is_given_up_after_ten_minutes);
	kit_test(&p, a_full_host_is_given_up_after_ten_minutes);
	kit_test(&p, an_old_intent_gets_its_try);
	kit_test(&p, an_intent_past_its_time_is_not_sent);
	kit_test(&p, a_session_cancelled_before_it_was_sent_is_never_sent);
	kit_test(&p, draining_starts_nothing_new);
	kit_test(&p, the_answer_for_a_cancelled_session_is_written_down_and_killed);
	kit_test(&p, a_start_that_crosses_its_kill_is_killed_again);
	kit_test(&p, the_answer_for_a_deleted_task_is_killed);
	kit_test(&p, a_run_after_a_cancel_does_not_wait_for_the_old_kill);
	kit_test(&p, fifty_at_once);
	kit_test(&p, a_compaction_in_between_changes_nothing);
	kit_test(&p, a_store_that_takes_no_changes_is_left_alone);
	kit_test(&p, a_missing_agent_key_is_shown_and_tried_again);
	return plan_run("outbox", &p);
}

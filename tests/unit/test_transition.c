#include "core/number.h"
#include "model/transition.h"
#include "tasks.h"
#include "unit.h"

enum { NOW = 1000000, LATER = 2000000 };

static const struct run_input run_input = {
	.agent = "pi",
	.model = "gpt-4.1",
	.router = "zen",
	.dispatch_id = "00112233445566778899aabbccddeeff",
	.nonce = "nonce",
	.expires_at = 9000000,
};
static const struct report nothing = REPORT_NONE;

/* ---- bringing a task into a status ---- */
static struct task task_in(struct arena *a, enum status status)
{
	struct task t = { .id = 7, .prompt = "x", .created = 1, .updated = 1 };
	struct errinfo e;

	if (status == STATUS_QUEUED)
		return t;
	assert_ok(task_run(&t, a, &run_input, NOW, &e), &e);
	assert_ok(task_started(&t, "s1", "sandbox-1", NOW, &e), &e);
	if (status == STATUS_DONE)
		assert_ok(task_done(&t, a, &nothing, NOW, &e), &e);
	else if (status == STATUS_FAILED)
		assert_ok(task_fail(&t, a, "broken", &nothing, NOW, &e), &e);
	assert_int_equal(t.status, status);
	return t;
}

/* ---- the whole table: every verb in every status ---- */
enum verb { RUN, UPDATE, DONE, FAIL, HANDOFF, CANCEL, RETRY };

static enum err act(enum verb v, struct task *t, struct arena *a, int64_t now, struct errinfo *e)
{
	const struct report r = { .tokens = 10 };

	switch (v) {
	case RUN:
		return task_run(t, a, &run_input, now, e);
	case UPDATE:
		return task_update(t, a, &r, now, e);
	case DONE:
		return task_done(t, a, &r, now, e);
	case FAIL:
		return task_fail(t, a, "reason", &r, now, e);
	case HANDOFF:
		return task_handoff(t, "summary", now, e);
	case CANCEL:
		return task_cancel(t, now, e);
	case RETRY:
		break;
	}
	return task_retry(t, now, e);
}

static const struct row {
	const char *name;
	enum status from;
	enum verb verb;
	const char *refused; /* the wire code; NULL: it goes to `to` */
	enum status to;
	enum result result; /* what the last session is then */
} rows[] = {
	{ "run takes a queued task", STATUS_QUEUED, RUN, NULL, STATUS_ACTIVE, RESULT_OPEN },
	{ "run refuses an active task", STATUS_ACTIVE, RUN, "not_queued", STATUS_ACTIVE,
	  RESULT_OPEN },
	{ "run refuses a done task", STATUS_DONE, RUN, "not_queued", STATUS_DONE, RESULT_DONE },
	{ "run refuses a failed task", STATUS_FAILED, RUN, "not_queued", STATUS_FAILED,
	  RESULT_FAILED },
	{ "update refuses a queued task", STATUS_QUEUED, UPDATE, "not_active", STATUS_QUEUED,
	  RESULT_OPEN },
	{ "update takes an active task", STATUS_ACTIVE, UPDATE, NULL, STATUS_ACTIVE, RESULT_OPEN },
	{ "update refuses a done task", STATUS_DONE, UPDATE, "not_active", STATUS_DONE,
	  RESULT_DONE },
	{ "update refuses a failed task", STATUS_FAILED, UPDATE, "not_active", STATUS_FAILED,
	  RESULT_FAILED },
	{ "done refuses a queued task", STATUS_QUEUED, DONE, "not_active", STATUS_QUEUED,
	  RESULT_OPEN },
	{ "done takes an active task", STATUS_ACTIVE, DONE, NULL, STATUS_DONE, RESULT_DONE },
	{ "done refuses a done task", STATUS_DONE, DONE, "not_active", STATUS_DONE, RESULT_DONE },
	{ "done refuses a failed task", STATUS_FAILED, DONE, "not_active", STATUS_FAILED,
	  RESULT_FAILED },
	{ "fail refuses a queued task", STATUS_QUEUED, FAIL, "not_active", STATUS_QUEUED,
	  RESULT_OPEN },
	{ "fail takes an active task", STATUS_ACTIVE, FAIL, NULL, STATUS_FAILED, RESULT_FAILED },
	{ "fail refuses a done task", STATUS_DONE, FAIL, "not_active", STATUS_DONE, RESULT_DONE },
	{ "fail refuses a failed task", STATUS_FAILED, FAIL, "not_active", STATUS_FAILED,
	  RESULT_FAILED },
	{ "handoff refuses a queued task", STATUS_QUEUED, HANDOFF, "not_active", STATUS_QUEUED,
	  RESULT_OPEN },
	{ "handoff takes an active task", STATUS_ACTIVE, HANDOFF, NULL, STATUS_QUEUED,
	  RESULT_HANDOFF },
	{ "handoff refuses a done task", STATUS_DONE, HANDOFF, "not_active", STATUS_DONE,
	  RESULT_DONE },
	{ "handoff refuses a failed task", STATUS_FAILED, HANDOFF, "not_active", STATUS_FAILED,
	  RESULT_FAILED },
	{ "cancel refuses a queued task", STATUS_QUEUED, CANCEL, "not_active", STATUS_QUEUED,
	  RESULT_OPEN },
	{ "cancel takes an active task", STATUS_ACTIVE, CANCEL, NULL, STATUS_QUEUED,
	  RESULT_CANCELLED },
	{ "cancel refuses a done task", STATUS_DONE, CANCEL, "not_active", STATUS_DONE,
	  RESULT_DONE },
	{ "cancel refuses a failed task", STATUS_FAILED, CANCEL, "not_active", STATUS_FAILED,
	  RESULT_FAILED },
	{ "retry refuses a queued task", STATUS_QUEUED, RETRY, "not_finished", STATUS_QUEUED,
	  RESULT_OPEN },
	{ "retry refuses an active task", STATUS_ACTIVE, RETRY, "not_finished", STATUS_ACTIVE,
	  RESULT_OPEN },
	{ "retry takes a done task", STATUS_DONE, RETRY, NULL, STATUS_QUEUED, RESULT_DONE },
	{ "retry takes a failed task", STATUS_FAILED, RETRY, NULL, STATUS_QUEUED, RESULT_FAILED },
};

static void verb_in_status(void **state)
{
	ROW(struct row);
	struct arena a = { 0 };
	struct task t = task_in(&a, r->from);
	const char *before = task_text(&a, &t);
	struct errinfo e;
	enum err rc = act(r->verb, &t, &a, LATER, &e);

	assert_int_equal(t.status, r->to);
	if (r->refused != NULL) {
		assert_err(rc, ERR_CONFLICT, &e);
		assert_string_equal(err_code(&e), r->refused);
		assert_non_null(strstr(e.what, status_name(r->from)));
		assert_string_equal(task_text(&a, &t), before);
	} else {
		assert_ok(rc, &e);
		assert_int_equal(t.updated, LATER);
	}
	const struct session *s = task_last_session(&t);
	if (s != NULL) {
		assert_int_equal(s->result, r->result);
		assert_int_equal(session_open(s), r->to == STATUS_ACTIVE);
	}
	arena_reset(&a);
}

/* ---- run ---- */
static void run_opens_a_session_and_asks_for_a_dispatch(void **state)
{
	struct arena a = { 0 };
	struct task t = {
		.id = 7, .held = true, .parked_until = 5, .error = "old", .model = "other"
	};
	struct errinfo e;

	(void)state;
	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	assert_int_equal(t.session_count, 1);
	const struct session *s = &t.sessions[0];
	assert_string_equal(s->id, "s1");
	assert_string_equal(s->agent, "pi");
	assert_string_equal(s->model, "gpt-4.1");
	assert_string_equal(s->router, "zen");
	assert_int_equal(s->started_at, NOW);
	assert_int_equal(s->active_at, NOW);
	assert_string_equal(s->nonce, "nonce");
	assert_int_equal(s->expires_at, 9000000);
	assert_int_equal(s->dispatch.state, STEP_PENDING);
	assert_string_equal(s->dispatch.id, run_input.dispatch_id);
	assert_int_equal(s->dispatch.since, NOW);
	assert_int_equal(s->dispatch.next_at, NOW);
	assert_int_equal(s->kill.state, STEP_NONE);
	assert_false(s->reported);
	assert_string_equal(t.platform, "pi");
	assert_string_equal(t.model, "gpt-4.1");
	assert_false(t.held);
	assert_int_equal(t.parked_until, 0);
	assert_null(t.error);
	assert_true(task_has_work(&t));
	arena_reset(&a);
}

static void run_keeps_earlier_sessions(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_FAILED);
	struct errinfo e;

	(void)state;
	assert_ok(task_retry(&t, LATER, &e), &e);
	assert_null(t.error);
	assert_ok(task_run(&t, &a, &run_input, LATER, &e), &e);
	assert_int_equal(t.session_count, 2);
	assert_int_equal(t.sessions[0].result, RESULT_FAILED);
	assert_string_equal(t.sessions[0].summary, "broken");
	assert_string_equal(t.sessions[1].id, "s2");
	assert_int_equal(t.sessions[1].tokens, 0);
	arena_reset(&a);
}

static void run_ends_at_a_thousand_sessions(void **state)
{
	struct arena a = { 0 };
	struct task t = { .id = 7 };
	struct errinfo e;

	(void)state;
	t.sessions = arena_alloc(&a, SESSIONS_MAX * sizeof *t.sessions);
	t.session_count = SESSIONS_MAX;
	assert_err(task_run(&t, &a, &run_input, NOW, &e), ERR_CONFLICT, &e);
	assert_int_equal(t.session_count, SESSIONS_MAX);
	assert_int_equal(t.status, STATUS_QUEUED);
	arena_reset(&a);
}

/* ---- tokens ---- */
enum { NONE = -1 };

/* A row of reports; after each one the session's and the task's count. The task had 100 before. */
static const struct tokens {
	const char *name;
	struct {
		int64_t tokens; /* NONE: by usage */
		int64_t usage[4];
		int64_t session, task;
	} step[4];
} tokens[] = {
	{ "a running total grows both",
	  { { 10, { 0 }, 10, 110 },
	    { 30, { 0 }, 30, 130 },
	    { 31, { 0 }, 31, 131 },
	    { 31, { 0 }, 31, 131 } } },
	{ "a lower total changes nothing",
	  { { 50, { 0 }, 50, 150 },
	    { 10, { 0 }, 50, 150 },
	    { 0, { 0 }, 50, 150 },
	    { 51, { 0 }, 51, 151 } } },
	{ "usage is summed",
	  { { NONE, { 1, 2, 3, 4 }, 10, 110 },
	    { NONE, { 2, 2, 3, 4 }, 11, 111 },
	    { NONE, { 2, 2, 3, 4 }, 11, 111 },
	    { NONE, { 5, 5, 5, 5 }, 20, 120 } } },
	{ "no count of usage falls",
	  { { NONE, { 10, 0, 0, 0 }, 10, 110 },
	    { NONE, { 0, 10, 0, 0 }, 20, 120 },
	    { NONE, { 0, 0, 1, 0 }, 21, 121 },
	    { NONE, { 0, 0, 0, 0 }, 21, 121 } } },
	{ "tokens count before usage",
	  { { 7, { 1, 1, 1, 1 }, 7, 107 },
	    { NONE, { 1, 1, 1, 1 }, 7, 107 },
	    { NONE, { 9, 1, 1, 1 }, 12, 112 },
	    { 3, { 0 }, 12, 112 } } },
	{ "a report of zero is a report",
	  { { 0, { 0 }, 0, 100 },
	    { 0, { 0 }, 0, 100 },
	    { 0, { 0 }, 0, 100 },
	    { 0, { 0 }, 0, 100 } } },
	{ "the largest total stops the task's at what JSON keeps",
	  { { NUMBER_MAX, { 0 }, NUMBER_MAX, NUMBER_MAX },
	    { NUMBER_MAX, { 0 }, NUMBER_MAX, NUMBER_MAX },
	    { 5, { 0 }, NUMBER_MAX, NUMBER_MAX },
	    { NONE, { 1, 1, 1, 1 }, NUMBER_MAX, NUMBER_MAX } } },
	{ "the largest usage does not overflow",
	  { { NONE,
	      { NUMBER_MAX / 4, NUMBER_MAX / 4, NUMBER_MAX / 4, NUMBER_MAX / 4 },
	      NUMBER_MAX,
	      NUMBER_MAX },
	    { NONE, { 1, 1, 1, 1 }, NUMBER_MAX, NUMBER_MAX },
	    { 1, { 0 }, NUMBER_MAX, NUMBER_MAX },
	    { NONE, { NUMBER_MAX / 4, 0, 0, 0 }, NUMBER_MAX, NUMBER_MAX } } },
};

static void tokens_never_fall(void **state)
{
	ROW(struct tokens);
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct errinfo e;

	t.tokens = 100;
	for (size_t i = 0; i < 4; i++) {
		const int64_t *u = r->step[i].usage;
		struct report rep = { .tokens = r->step[i].tokens };
		if (rep.tokens == NONE || u[0] + u[1] + u[2] + u[3] > 0)
			rep.usage = (struct usage){ true, u[0], u[1], u[2], u[3] };
		assert_ok(task_update(&t, &a, &rep, NOW + (int64_t)i, &e), &e);
		assert_int_equal(t.sessions[0].tokens, r->step[i].session);
		assert_int_equal(t.tokens, r->step[i].task);
		assert_true(t.sessions[0].reported);
		assert_int_equal(t.sessions[0].active_at, NOW + (int64_t)i);
	}
	arena_reset(&a);
}

static void usage_beyond_counting_is_refused(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	const char *before = task_text(&a, &t);
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 4; i++) {
		int64_t u[4] = { 0 };
		u[i] = NUMBER_MAX / 4 + 1;
		struct report r = { .tokens = -1, .usage = { true, u[0], u[1], u[2], u[3] } };
		assert_err(task_update(&t, &a, &r, LATER, &e), ERR_BAD_INPUT, &e);
		assert_err(task_done(&t, &a, &r, LATER, &e), ERR_BAD_INPUT, &e);
		assert_err(task_fail(&t, &a, "x", &r, LATER, &e), ERR_BAD_INPUT, &e);
		assert_string_equal(task_text(&a, &t), before);
	}
	arena_reset(&a);
}

static void sessions_add_up(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct report r = { .tokens = 30 };
	struct errinfo e;

	(void)state;
	assert_ok(task_update(&t, &a, &r, NOW, &e), &e);
	assert_ok(task_handoff(&t, "go on", NOW, &e), &e);
	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	r.tokens = 12;
	assert_ok(task_done(&t, &a, &r, NOW, &e), &e);
	assert_int_equal(t.sessions[0].tokens, 30);
	assert_int_equal(t.sessions[1].tokens, 12);
	assert_int_equal(t.tokens, 42);
	arena_reset(&a);
}

static void silence_is_no_report(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct report r = { .tokens = -1, .result = "so far", .summary = "working" };
	struct errinfo e;

	(void)state;
	assert_ok(task_update(&t, &a, &r, NOW, &e), &e);
	assert_false(t.sessions[0].reported);
	assert_false(t.sessions[0].usage.known);
	assert_string_equal(t.result, "so far");
	assert_string_equal(t.sessions[0].summary, "working");
	arena_reset(&a);
}

/* ---- the budget ---- */
static const struct budget {
	const char *name;
	int64_t budget;
	enum on_budget on;
	int64_t tokens;
	bool exceeded;
	enum status to;
} budgets[] = {
	{ "below the budget nothing happens", 100, BUDGET_STOP, 99, false, STATUS_ACTIVE },
	{ "at the budget a task that says stop stops", 100, BUDGET_STOP, 100, true, STATUS_FAILED },
	{ "above the budget a task that says stop stops", 100, BUDGET_STOP, 5000, true,
	  STATUS_FAILED },
	{ "at the budget a task that says flag goes on", 100, BUDGET_FLAG, 100, true,
	  STATUS_ACTIVE },
	{ "no budget is never used up", 0, BUDGET_STOP, NUMBER_MAX, false, STATUS_ACTIVE },
};

static void budget_is_kept(void **state)
{
	ROW(struct budget);
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct report rep = { .tokens = r->tokens };
	struct errinfo e;

	t.token_budget = r->budget;
	t.on_budget = r->on;
	assert_ok(task_update(&t, &a, &rep, LATER, &e), &e);
	assert_int_equal(t.budget_exceeded, r->exceeded);
	assert_int_equal(t.status, r->to);
	if (r->to == STATUS_FAILED) {
		assert_int_equal(t.sessions[0].result, RESULT_BUDGET);
		assert_int_equal(t.sessions[0].kill.state, STEP_PENDING);
		assert_non_null(t.error);
		assert_non_null(strstr(t.error, "budget"));
	}
	arena_reset(&a);
}

static void retry_wants_a_higher_budget(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct report r = { .tokens = 100 };
	struct errinfo e;

	(void)state;
	t.token_budget = 100;
	t.on_budget = BUDGET_STOP;
	assert_ok(task_update(&t, &a, &r, NOW, &e), &e);
	assert_err(task_retry(&t, LATER, &e), ERR_CONFLICT, &e);
	assert_string_equal(err_code(&e), "budget");
	assert_int_equal(t.status, STATUS_FAILED);
	t.token_budget = 200; /* as the handler does with the request's field */
	t.budget_exceeded = false;
	assert_ok(task_retry(&t, LATER, &e), &e);
	assert_int_equal(t.status, STATUS_QUEUED);
	t.status = STATUS_FAILED;
	t.budget_exceeded = true;
	t.on_budget = BUDGET_FLAG; /* a flag stops nobody */
	assert_ok(task_retry(&t, LATER, &e), &e);
	arena_reset(&a);
}

/* ---- what closing leaves behind ---- */
static const struct closing {
	const char *name;
	enum verb verb;
	struct report report;
	const char *result, *summary, *error; /* of task, session, task */
	bool held;
} closings[] = {
	{ "done keeps result and summary",
	  DONE,
	  { .tokens = -1, .result = "R", .summary = "S" },
	  "R",
	  "S",
	  NULL,
	  false },
	{ "done takes the result for the summary",
	  DONE,
	  { .tokens = -1, .result = "R" },
	  "R",
	  "R",
	  NULL,
	  false },
	{ "done takes the summary for the result",
	  DONE,
	  { .tokens = -1, .summary = "S" },
	  "S",
	  "S",
	  NULL,
	  false },
	{ "done says nothing where nothing was said",
	  DONE,
	  { .tokens = -1 },
	  NULL,
	  NULL,
	  NULL,
	  false },
	{ "fail keeps the reason as summary and error",
	  FAIL,
	  { .tokens = -1 },
	  NULL,
	  "reason",
	  "reason",
	  false },
	{ "fail keeps the reason before a summary",
	  FAIL,
	  { .tokens = -1, .summary = "S" },
	  NULL,
	  "reason",
	  "reason",
	  false },
	{ "handoff keeps the summary", HANDOFF, { .tokens = -1 }, NULL, "summary", NULL, false },
	{ "cancel holds the task", CANCEL, { .tokens = -1 }, NULL, NULL, NULL, true },
};

static void closing_leaves_its_words(void **state)
{
	ROW(struct closing);
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct errinfo e;
	enum err rc;

	if (r->verb == DONE)
		rc = task_done(&t, &a, &r->report, LATER, &e);
	else if (r->verb == FAIL)
		rc = task_fail(&t, &a, "reason", &r->report, LATER, &e);
	else
		rc = act(r->verb, &t, &a, LATER, &e);
	assert_ok(rc, &e);
	assert_text(t.result, r->result);
	assert_text(t.sessions[0].summary, r->summary);
	assert_text(t.error, r->error);
	assert_int_equal(t.held, r->held);
	assert_int_equal(t.sessions[0].ended_at, LATER);
	/* Whatever ends a session ends its sandbox. */
	assert_int_equal(t.sessions[0].kill.state, STEP_PENDING);
	assert_int_equal(t.sessions[0].kill.since, LATER);
	assert_true(task_has_work(&t));
	arena_reset(&a);
}

static void session_never_ends_before_it_began(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct errinfo e;

	(void)state;
	assert_ok(task_cancel(&t, NOW - 500, &e), &e); /* the clock was turned back */
	assert_int_equal(t.sessions[0].ended_at, NOW);
	arena_reset(&a);
}

static void dispatch_not_sent_is_withdrawn_by_the_kill(void **state)
{
	struct arena a = { 0 };
	struct task t = { .id = 7 };
	struct errinfo e;

	(void)state;
	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	assert_ok(task_cancel(&t, LATER, &e), &e);
	assert_int_equal(t.sessions[0].dispatch.state, STEP_PENDING);
	assert_int_equal(t.sessions[0].kill.state, STEP_PENDING);
	arena_reset(&a);
}

/* ---- an active task of an old state: no session was ever dispatched ---- */
static const struct adopted {
	const char *name;
	enum verb verb;
	enum status to;
} adopteds[] = {
	{ "an adopted active task can report", UPDATE, STATUS_ACTIVE },
	{ "an adopted active task can be done", DONE, STATUS_DONE },
	{ "an adopted active task can fail", FAIL, STATUS_FAILED },
	{ "an adopted active task can be handed off", HANDOFF, STATUS_QUEUED },
	{ "an adopted active task can be cancelled", CANCEL, STATUS_QUEUED },
};

static void adopted_task_without_sandbox(void **state)
{
	ROW(struct adopted);
	struct session old = { .id = "s1", .agent = "pi", .started_at = 5 };
	struct arena a = { 0 };
	struct errinfo e;

	for (int with = 0; with < 2; with++) {
		struct session one = old;
		struct task t = { .id = 7,
				  .status = STATUS_ACTIVE,
				  .platform = "pi",
				  .tokens = 300,
				  .sessions = &one };
		t.session_count = (size_t)with;
		assert_false(task_has_work(&t));
		assert_ok(act(r->verb, &t, &a, LATER, &e), &e);
		assert_int_equal(t.status, r->to);
		assert_true(t.tokens >= 300);
		assert_false(task_has_work(&t)); /* there is no sandbox to kill */
		if (r->verb == UPDATE || with == 1)
			assert_int_equal(t.session_count, 1);
	}
	arena_reset(&a);
}

/* ---- what the dispatcher finds out ---- */
static void answer_starts_the_session(void **state)
{
	struct arena a = { 0 };
	struct task t = { .id = 7 };
	struct errinfo e;

	(void)state;
	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	assert_ok(task_dispatch_retry(&t, "s1", "host is full", LATER, &e), &e);
	assert_int_equal(t.sessions[0].dispatch.state, STEP_PENDING);
	assert_int_equal(t.sessions[0].dispatch.attempts, 1);
	assert_int_equal(t.sessions[0].dispatch.next_at, LATER);
	assert_string_equal(t.sessions[0].dispatch.error, "host is full");
	assert_ok(task_started(&t, "s1", "sandbox-1", LATER, &e), &e);
	const struct session *s = &t.sessions[0];
	assert_int_equal(s->dispatch.state, STEP_DONE);
	assert_int_equal(s->dispatch.attempts, 2);
	assert_null(s->dispatch.error);
	assert_int_equal(s->dispatch.next_at, 0);
	assert_string_equal(s->sandbox_id, "sandbox-1");
	assert_int_equal(s->kill.state, STEP_NONE);
	arena_reset(&a);
}

static const struct late {
	const char *name;
	enum verb verb;
	bool killed_already;
} lates[] = {
	{ "an answer after done becomes a kill", DONE, false },
	{ "an answer after fail becomes a kill", FAIL, false },
	{ "an answer after handoff becomes a kill", HANDOFF, false },
	{ "an answer after cancel becomes a kill", CANCEL, false },
	{ "an answer after the kill was done becomes another kill", CANCEL, true },
};

static void late_answer_becomes_a_kill(void **state)
{
	ROW(struct late);
	struct arena a = { 0 };
	struct task t = { .id = 7 };
	struct errinfo e;

	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	assert_ok(act(r->verb, &t, &a, NOW, &e), &e);
	enum status closed = t.status;
	if (r->killed_already)
		assert_ok(task_killed(&t, "s1", &e), &e);
	assert_ok(task_started(&t, "s1", "sandbox-1", LATER, &e), &e);
	assert_int_equal(t.status, closed); /* nothing is reopened */
	assert_false(session_open(&t.sessions[0]));
	assert_string_equal(t.sessions[0].sandbox_id, "sandbox-1");
	assert_int_equal(t.sessions[0].dispatch.state, STEP_DONE);
	assert_int_equal(t.sessions[0].kill.state, STEP_PENDING);
	assert_true(task_has_work(&t));
	arena_reset(&a);
}

static void answer_for_an_older_session_leaves_the_newer_alone(void **state)
{
	struct arena a = { 0 };
	struct task t = { .id = 7 };
	struct errinfo e;

	(void)state;
	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	assert_ok(task_cancel(&t, NOW, &e), &e);
	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	assert_ok(task_started(&t, "s1", "old-box", LATER, &e), &e);
	assert_ok(task_ended(&t, "s1", RESULT_LOST, "gone", NULL, LATER, &e), &e);
	assert_int_equal(t.status, STATUS_ACTIVE);
	assert_true(session_open(&t.sessions[1]));
	assert_int_equal(t.sessions[1].dispatch.state, STEP_PENDING);
	assert_null(t.sessions[1].sandbox_id);
	arena_reset(&a);
}

static const struct ended {
	const char *name;
	enum result result;
	const char *reason;
	bool code;
	enum status to;
	const char *error;
} endeds[] = {
	{ "an exit of 0 ends the task done", RESULT_DONE, "exit 0", true, STATUS_DONE, NULL },
	{ "an exit of 1 ends the task failed", RESULT_FAILED, "exit code 1", true, STATUS_FAILED,
	  "exit code 1" },
	{ "a lost sandbox ends the task failed", RESULT_LOST, "lost", false, STATUS_FAILED,
	  "lost" },
};

static void session_ends_without_its_agent_s_word(void **state)
{
	ROW(struct ended);
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct errinfo e;
	int64_t code = 3;

	assert_ok(task_ended(&t, "s1", r->result, r->reason, r->code ? &code : NULL, LATER, &e),
		  &e);
	assert_int_equal(t.status, r->to);
	assert_int_equal(t.sessions[0].result, r->result);
	assert_int_equal(t.sessions[0].has_exit_code, r->code);
	assert_int_equal(t.sessions[0].exit_code, r->code ? 3 : 0);
	assert_text(t.error, r->error);
	assert_int_equal(t.sessions[0].kill.state, STEP_PENDING);
	arena_reset(&a);
}

static void dispatch_given_up_is_failed(void **state)
{
	struct arena a = { 0 };
	struct task t = { .id = 7 };
	struct errinfo e;

	(void)state;
	assert_ok(task_run(&t, &a, &run_input, NOW, &e), &e);
	assert_ok(task_ended(&t, "s1", RESULT_FAILED, "no such repository", NULL, LATER, &e), &e);
	assert_int_equal(t.sessions[0].dispatch.state, STEP_FAILED);
	assert_string_equal(t.sessions[0].dispatch.error, "no such repository");
	assert_int_equal(t.status, STATUS_FAILED);
	assert_string_equal(t.error, "no such repository");
	arena_reset(&a);
}

static void ended_after_done_changes_nothing(void **state)
{
	struct arena a = { 0 };
	struct report r = { .tokens = 5, .result = "R", .has_exit_code = true, .exit_code = 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct errinfo e;
	int64_t code = 143;

	(void)state;
	assert_ok(task_done(&t, &a, &r, NOW, &e), &e);
	const char *before = task_text(&a, &t);
	assert_ok(task_ended(&t, "s1", RESULT_LOST, "gone", &code, LATER, &e), &e);
	assert_string_equal(task_text(&a, &t), before);
	arena_reset(&a);
}

/* The agent may close its session without knowing its exit code: the box's record completes it, and
 * nothing more. */
static void exit_code_completes_a_closed_session(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_DONE);
	struct errinfo e;
	int64_t code = 0;

	(void)state;
	assert_ok(task_ended(&t, "s1", RESULT_FAILED, "exit", &code, LATER, &e), &e);
	assert_true(t.sessions[0].has_exit_code);
	t.sessions[0].has_exit_code = false;
	struct task same = task_in(&a, STATUS_DONE);
	assert_string_equal(task_text(&a, &t), task_text(&a, &same));
	arena_reset(&a);
}

static void kills_are_counted_and_end(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_DONE);
	struct errinfo e;

	(void)state;
	assert_ok(task_kill_retry(&t, "s1", "away", LATER, &e), &e);
	assert_int_equal(t.sessions[0].kill.state, STEP_PENDING);
	assert_int_equal(t.sessions[0].kill.attempts, 1);
	assert_string_equal(t.sessions[0].kill.error, "away");
	assert_int_equal(t.sessions[0].kill.next_at, LATER);
	assert_ok(task_killed(&t, "s1", &e), &e);
	assert_int_equal(t.sessions[0].kill.state, STEP_DONE);
	assert_int_equal(t.sessions[0].kill.attempts, 2);
	assert_null(t.sessions[0].kill.error);
	assert_false(task_has_work(&t));
	arena_reset(&a);
}

static void signs_of_life(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	struct errinfo e;

	(void)state;
	assert_ok(task_alive(&t, "s1", NOW + 5, &e), &e);
	assert_int_equal(t.sessions[0].active_at, NOW + 5);
	assert_ok(task_alive(&t, "s1", NOW - 5, &e), &e); /* never backwards */
	assert_int_equal(t.sessions[0].active_at, NOW + 5);
	assert_ok(task_contact(&t, "s1", "host is away", &e), &e);
	assert_string_equal(t.sessions[0].dispatch.error, "host is away");
	assert_int_equal(t.status, STATUS_ACTIVE); /* unreachable is not dead */
	assert_ok(task_contact(&t, "s1", NULL, &e), &e);
	assert_null(t.sessions[0].dispatch.error);
	assert_ok(task_done(&t, &a, &nothing, NOW + 9, &e), &e);
	const char *before = task_text(&a, &t);
	assert_ok(task_alive(&t, "s1", LATER, &e), &e);
	assert_ok(task_contact(&t, "s1", "away", &e), &e);
	assert_string_equal(task_text(&a, &t), before); /* the dead give none */
	arena_reset(&a);
}

static void session_that_never_was_is_not_found(void **state)
{
	struct arena a = { 0 };
	struct task t = task_in(&a, STATUS_ACTIVE);
	const char *before = task_text(&a, &t);
	struct errinfo e;

	(void)state;
	assert_err(task_started(&t, "s2", "x", LATER, &e), ERR_NOT_FOUND, &e);
	assert_err(task_dispatch_retry(&t, "s2", "x", LATER, &e), ERR_NOT_FOUND, &e);
	assert_err(task_ended(&t, "s2", RESULT_LOST, "x", NULL, LATER, &e), ERR_NOT_FOUND, &e);
	assert_err(task_killed(&t, "s2", &e), ERR_NOT_FOUND, &e);
	assert_err(task_kill_retry(&t, "s2", "x", LATER, &e), ERR_NOT_FOUND, &e);
	assert_err(task_alive(&t, "s2", LATER, &e), ERR_NOT_FOUND, &e);
	assert_err(task_contact(&t, "s2", "x", &e), ERR_NOT_FOUND, &e);
	assert_string_equal(task_text(&a, &t), before);
	arena_reset(&a);
}

/* ---- random histories ---- */
static uint32_t seed;

static uint32_t any(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void random_event(struct task *t, struct arena *a, int64_t now)
{
	char sid[16];
	int64_t code = any(3);
	struct errinfo e;

	snprintf(sid, sizeof sid, "s%u", any(4) + 1);
	switch (any(5)) {
	case 0:
		(void)task_started(t, sid, "box", now, &e);
		break;
	case 1:
		(void)task_ended(t, sid, any(2) != 0 ? RESULT_LOST : RESULT_DONE, "why", &code, now,
				 &e);
		break;
	case 2:
		(void)task_killed(t, sid, &e);
		break;
	case 3:
		(void)task_alive(t, sid, now, &e);
		break;
	default: {
		struct report r = { .tokens = (int64_t)any(100) - 1 };
		(void)task_update(t, a, &r, now, &e);
		break;
	}
	}
}

static void assert_sound(const struct task *t, const struct task *before)
{
	int64_t sum = 0;

	for (size_t i = 0; i < t->session_count; i++) {
		const struct session *s = &t->sessions[i];
		sum += s->tokens;
		assert_true(!session_open(s) || i + 1 == t->session_count);
		assert_true(session_open(s) ||
			    s->kill.state != STEP_NONE); /* every sandbox is ended */
		if (i >= before->session_count)
			continue;
		const struct session *old = &before->sessions[i];
		assert_true(s->tokens >= old->tokens);
		if (session_open(old))
			continue;
		assert_false(session_open(s)); /* nothing is reopened */
		assert_int_equal(s->result, old->result);
		assert_int_equal(s->ended_at, old->ended_at);
		assert_int_equal(s->tokens, old->tokens);
	}
	assert_int_equal(t->tokens, sum);
	assert_int_equal(t->status == STATUS_ACTIVE, task_open_session(t) != NULL);
	assert_true(t->session_count >= before->session_count);
}

static void no_history_breaks_the_rules(void **state)
{
	(void)state;
	for (uint32_t history = 1; history <= 400; history++) {
		struct arena a = { 0 };
		struct task t = { .id = 7 };
		seed = history;
		for (int64_t now = NOW; now < NOW + 60; now++) {
			struct session copy[70];
			struct task before = t;
			struct errinfo e;
			if (t.session_count > 0)
				memcpy(copy, t.sessions, t.session_count * sizeof *copy);
			before.sessions = copy;
			if (any(3) == 0)
				random_event(&t, &a, now);
			else
				(void)act((enum verb)any(7), &t, &a, now, &e);
			assert_sound(&t, &before);
		}
		arena_reset(&a);
	}
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, verb_in_status);
	plan_add(&p, "run opens a session and asks for a dispatch",
		 run_opens_a_session_and_asks_for_a_dispatch, NULL);
	plan_add(&p, "run keeps earlier sessions", run_keeps_earlier_sessions, NULL);
	plan_add(&p, "run ends at a thousand sessions", run_ends_at_a_thousand_sessions, NULL);
	PLAN_ROWS(&p, tokens, tokens_never_fall);
	plan_add(&p, "usage beyond counting is refused", usage_beyond_counting_is_refused, NULL);
	plan_add(&p, "sessions add up", sessions_add_up, NULL);
	plan_add(&p, "silence is no report", silence_is_no_report, NULL);
	PLAN_ROWS(&p, budgets, budget_is_kept);
	plan_add(&p, "retry wants a higher budget", retry_wants_a_higher_budget, NULL);
	PLAN_ROWS(&p, closings, closing_leaves_its_words);
	plan_add(&p, "a session never ends before it began", session_never_ends_before_it_began,
		 NULL);
	plan_add(&p, "a dispatch not sent is withdrawn by the kill",
		 dispatch_not_sent_is_withdrawn_by_the_kill, NULL);
	PLAN_ROWS(&p, adopteds, adopted_task_without_sandbox);
	plan_add(&p, "an answer starts the session", answer_starts_the_session, NULL);
	PLAN_ROWS(&p, lates, late_answer_becomes_a_kill);
	plan_add(&p, "an answer for an older session leaves the newer alone",
		 answer_for_an_older_session_leaves_the_newer_alone, NULL);
	PLAN_ROWS(&p, endeds, session_ends_without_its_agent_s_word);
	plan_add(&p, "a dispatch given up is failed", dispatch_given_up_is_failed, NULL);
	plan_add(&p, "ended after done changes nothing", ended_after_done_changes_nothing, NULL);
	plan_add(&p, "an exit code completes a closed session",
		 exit_code_completes_a_closed_session, NULL);
	plan_add(&p, "kills are counted and end", kills_are_counted_and_end, NULL);
	plan_add(&p, "signs of life move forward and wake no dead", signs_of_life, NULL);
	plan_add(&p, "a session that never was is not found", session_that_never_was_is_not_found,
		 NULL);
	plan_add(&p, "no history breaks the rules", no_history_breaks_the_rules, NULL);
	return plan_run("transition", &p);
}

/* Gates, reviews and parks in the state machine. */
#include "model/codec.h"
#include "model/patch.h"
#include "model/transition.h"
#include "unit.h"

enum { NOW = 1000000, LATER = 2000000 };

static const struct report nothing = REPORT_NONE;
static struct arena a;
static struct errinfo e;

static int teardown(void **state)
{
	(void)state;
	arena_reset(&a);
	return 0;
}

static struct task running(int64_t loops)
{
	static const struct run_input in = { .agent = "pi",
					     .model = "m",
					     .router = "zen",
					     .dispatch_id = "00112233445566778899aabbccddeeff",
					     .nonce = "n1",
					     .expires_at = 9000000 };
	struct task t = { .id = 7, .prompt = "x", .gate_loops = loops, .created = 1, .updated = 1 };

	assert_ok(task_run(&t, &a, &in, NOW, &e), &e);
	return t;
}

static enum err gate(struct task *t, bool passed, struct session **next)
{
	struct gate_input in = { .verdict = { .passed = passed,
					      .exit_code = passed ? 0 : 3,
					      .name = "gates/health.sh",
					      .output = "line 1\nbroken\n",
					      .tree = "abc" },
				 .report = { .tokens = 10 },
				 .nonce = "n2" };

	return task_gate(t, &a, &in, LATER, next, &e);
}

static void pass_leaves_the_session_to_its_end(void **state)
{
	struct session *next;
	struct task t = running(3);

	(void)state;
	assert_ok(task_started(&t, "s1", "box", NOW, &e), &e);
	t.gate = "gates/health.sh";
	assert_true(task_gate_due(&t));
	assert_ok(gate(&t, true, &next), &e);
	assert_null(next);
	assert_false(task_gate_due(&t));
	assert_true(session_open(&t.sessions[0]));
	assert_false(task_verified(&t));
	assert_ok(task_done(&t, &a, &nothing, LATER, &e), &e);
	assert_true(task_verified(&t));
	assert_int_equal(t.sessions[0].gate.attempt, 1);
}

static void failure_opens_the_next_session_in_the_same_sandbox(void **state)
{
	struct session *next;
	struct task t = running(2);

	(void)state;
	assert_ok(task_started(&t, "s1", "box", NOW, &e), &e);
	assert_ok(gate(&t, false, &next), &e);
	assert_non_null(next);
	assert_int_equal(t.status, STATUS_ACTIVE);
	assert_int_equal(t.sessions[0].result, RESULT_GATE_FAILED);
	assert_int_equal(t.sessions[0].tokens, 10);
	assert_true(strstr(t.sessions[0].summary, "broken") != NULL);
	assert_string_equal(next->id, "s2");
	assert_string_equal(next->sandbox_id, "box");
	assert_string_equal(next->dispatch.id, t.sessions[0].dispatch.id);
	assert_string_equal(next->nonce, "n2");
	assert_int_equal(next->expires_at, 9000000);
	assert_false(next->reported);
	assert_ptr_equal(task_heir(&t, &t.sessions[0]), next);
	/* what closes a session ends its sandbox; this one goes on */
	assert_ok(task_killed(&t, "s1", &e), &e);
	assert_int_equal(t.sessions[0].kill.state, STEP_NONE);
}

static void the_last_loop_fails_with_the_output(void **state)
{
	struct session *next;
	struct task t = running(2);

	(void)state;
	assert_ok(gate(&t, false, &next), &e);
	assert_ok(gate(&t, false, &next), &e);
	assert_null(next);
	assert_int_equal(t.status, STATUS_FAILED);
	assert_int_equal(t.session_count, 2);
	assert_int_equal(t.sessions[1].gate.attempt, 2);
	assert_int_equal(t.sessions[1].result, RESULT_GATE_FAILED);
	assert_int_equal(t.sessions[1].kill.state, STEP_PENDING);
	assert_string_equal(t.error, "the gate gates/health.sh failed, attempt 2 of 2, exit code 3:\n"
				     "line 1\nbroken\n");
}

static void no_loops_means_one_try(void **state)
{
	struct session *next;
	struct task t = running(0);

	(void)state;
	assert_ok(gate(&t, false, &next), &e);
	assert_null(next);
	assert_int_equal(t.status, STATUS_FAILED);
}

static void a_retry_counts_anew(void **state)
{
	struct run_input in = { .agent = "pi", .model = "m", .dispatch_id = "other", .nonce = "n" };
	struct session *next;
	struct task t = running(2);

	(void)state;
	assert_ok(gate(&t, false, &next), &e);
	assert_ok(gate(&t, false, &next), &e);
	assert_ok(task_retry(&t, LATER, &e), &e);
	assert_ok(task_run(&t, &a, &in, LATER, &e), &e);
	assert_ok(gate(&t, false, &next), &e);
	assert_non_null(next);
	assert_int_equal(t.sessions[2].gate.attempt, 1);
}

/* The answer to the dispatch may be written down after the gate has spoken. */
static void a_late_answer_is_the_heirs_too(void **state)
{
	struct session *next;
	struct task t = running(3);

	(void)state;
	assert_ok(gate(&t, false, &next), &e);
	assert_int_equal(next->dispatch.state, STEP_PENDING);
	assert_ok(task_started(&t, "s1", "box", LATER, &e), &e);
	assert_string_equal(t.sessions[1].sandbox_id, "box");
	assert_int_equal(t.sessions[1].dispatch.state, STEP_DONE);
	assert_ok(task_killed(&t, "s1", &e), &e);
	assert_true(task_has_work(&t)); /* s2 runs on */
}

static void only_the_end_of_long_output_is_kept(void **state)
{
	char *text = arena_alloc(&a, 3 * GATE_TAIL_MAX + 1);
	struct gate_input in = { .verdict = { .output = text }, .report = REPORT_NONE };
	struct session *next;
	struct task t = running(3);

	(void)state;
	for (size_t i = 0; i < GATE_TAIL_MAX; i++)
		memcpy(text + 3 * i, "\xe2\x82\xac", 4); /* € */
	assert_ok(task_gate(&t, &a, &in, LATER, &next, &e), &e);
	const char *kept = t.sessions[0].gate.output;
	assert_true(strlen(kept) <= GATE_TAIL_MAX && strlen(kept) > GATE_TAIL_MAX - 4);
	assert_memory_equal(kept, "\xe2\x82\xac", 3);
}

static void an_exit_without_a_verdict_is_no_success(void **state)
{
	struct task t = running(3);
	int64_t zero = 0;

	(void)state;
	t.gate = "gates/health.sh";
	assert_ok(task_ended(&t, "s1", RESULT_DONE, NULL, &zero, LATER, &e), &e);
	assert_int_equal(t.status, STATUS_FAILED);
	assert_non_null(strstr(t.error, "no verdict"));
	t = running(3);
	t.gate = "none";
	assert_ok(task_ended(&t, "s1", RESULT_DONE, NULL, &zero, LATER, &e), &e);
	assert_int_equal(t.status, STATUS_DONE);
	assert_false(task_verified(&t));
}

static void a_gate_wants_an_active_task_with_a_sandbox(void **state)
{
	struct session *next;
	struct task t = { .id = 1, .status = STATUS_QUEUED };

	(void)state;
	assert_err(gate(&t, true, &next), ERR_CONFLICT, &e);
	t.status = STATUS_ACTIVE; /* adopted */
	assert_err(gate(&t, true, &next), ERR_CONFLICT, &e);
	assert_int_equal(t.session_count, 0);
}

/* ---- review ---- */
static struct task reviewed(void)
{
	struct task t = running(3);

	t.review.wanted = true;
	assert_ok(task_done(&t, &a, &nothing, NOW, &e), &e);
	assert_int_equal(t.status, STATUS_DONE);
	assert_int_equal(t.review.state, REVIEW_WAITING);
	return t;
}

static void approved_once(void **state)
{
	struct task t = reviewed();

	(void)state;
	assert_ok(task_approve(&t, "good", LATER, &e), &e);
	assert_int_equal(t.review.state, REVIEW_APPROVED);
	assert_int_equal(t.status, STATUS_DONE);
	assert_err(task_approve(&t, NULL, LATER, &e), ERR_CONFLICT, &e);
	assert_text(e.wire, "not_waiting");
	assert_err(task_sendback(&t, "no", LATER, &e), ERR_CONFLICT, &e);
}

static void sent_back_with_a_comment(void **state)
{
	struct task t = reviewed();

	(void)state;
	assert_ok(task_sendback(&t, "more tests", LATER, &e), &e);
	assert_int_equal(t.status, STATUS_QUEUED);
	assert_false(t.held);
	assert_int_equal(t.review.state, REVIEW_SENT_BACK);
	assert_string_equal(t.review.comment, "more tests");
}

static void a_retry_ends_the_waiting(void **state)
{
	struct task t = reviewed();

	(void)state;
	assert_ok(task_retry(&t, LATER, &e), &e);
	assert_int_equal(t.review.state, REVIEW_NONE);
	assert_true(t.review.wanted);
}

static void nothing_to_review_when_nobody_asked(void **state)
{
	struct task t = running(3);

	(void)state;
	assert_ok(task_done(&t, &a, &nothing, NOW, &e), &e);
	assert_int_equal(t.review.state, REVIEW_NONE);
	assert_err(task_approve(&t, NULL, LATER, &e), ERR_CONFLICT, &e);
}

static void no_more_work_than_the_budget(void **state)
{
	struct task t = reviewed();

	(void)state;
	t.on_budget = BUDGET_STOP;
	t.budget_exceeded = true;
	assert_err(task_sendback(&t, "more", LATER, &e), ERR_CONFLICT, &e);
	assert_text(e.wire, "budget");
	assert_int_equal(t.review.state, REVIEW_WAITING);
}

/* ---- parks ---- */
static void parked_until_the_limit_is_over(void **state)
{
	struct task t = running(3);

	(void)state;
	assert_ok(task_park(&t, "429", LATER + 5000, true, LATER, &e), &e);
	assert_int_equal(t.status, STATUS_QUEUED);
	assert_int_equal(t.parked_until, LATER + 5000);
	assert_false(t.held);
	assert_string_equal(t.error, "429");
	assert_int_equal(t.sessions[0].result, RESULT_HANDOFF);
	assert_int_equal(t.sessions[0].parked_until, LATER + 5000);
	t.sessions[0].kill.state = STEP_DONE;
	assert_true(task_has_work(&t)); /* the dispatcher resumes it */
}

static void switched_off_it_waits_for_its_owner(void **state)
{
	struct task t = running(3);

	(void)state;
	assert_ok(task_park(&t, "429", LATER + 5000, false, LATER, &e), &e);
	assert_true(t.held);
	t.sessions[0].kill.state = STEP_DONE;
	assert_false(task_has_work(&t));
}

static void parked_at_most_a_week_and_five_times_in_a_row(void **state)
{
	struct run_input in = { .agent = "pi", .model = "m", .dispatch_id = "d", .nonce = "n" };
	struct task t = running(3);

	(void)state;
	assert_ok(task_park(&t, "429", INT64_MAX, true, LATER, &e), &e);
	assert_int_equal(t.parked_until, LATER + PARK_MAX_MS);
	for (int i = 1; i < PARKS_MAX; i++) {
		assert_ok(task_run(&t, &a, &in, LATER, &e), &e);
		assert_int_equal(t.parked_until, 0);
		assert_ok(task_park(&t, "429", LATER + 1, true, LATER, &e), &e);
	}
	assert_ok(task_run(&t, &a, &in, LATER, &e), &e);
	assert_ok(task_park(&t, "429 again", LATER + 1, true, LATER, &e), &e);
	assert_int_equal(t.status, STATUS_FAILED);
	assert_string_equal(t.error, "429 again");
}

/* ---- what is written is read back ---- */
static void everything_is_read_back(void **state)
{
	struct json_object *o;
	struct session *next;
	struct strbuf text;
	struct jw w;
	struct task t = running(2), back = { 0 };

	(void)state;
	t.gate = "gates/x.sh";
	t.gate_edits = t.review.wanted = true;
	t.review.state = REVIEW_SENT_BACK;
	t.review.comment = "c";
	assert_ok(gate(&t, false, &next), &e);
	t.sessions[1].parked_until = 5000;
	strbuf_init(&text);
	jw_init(&w, &text);
	jw_object(&w, NULL);
	task_write(&w, &t, PART_FIXED | PART_CHANGING | PART_PRIVATE);
	jw_object_end(&w);
	assert_ok(json_parse(&a, text.buf, text.len, &o, &e), &e);
	assert_ok(task_read(&a, o, &back, &e), &e);
	strbuf_release(&text);
	assert_string_equal(back.gate, "gates/x.sh");
	assert_int_equal(back.gate_loops, 2);
	assert_true(back.gate_edits && back.review.wanted);
	assert_int_equal(back.review.state, REVIEW_SENT_BACK);
	assert_string_equal(back.review.comment, "c");
	const struct gate_verdict *g = &back.sessions[0].gate;
	assert_true(g->known && !g->passed);
	assert_int_equal(g->attempt, 1);
	assert_int_equal(g->exit_code, 3);
	assert_int_equal(g->at, LATER);
	assert_string_equal(g->output, "line 1\nbroken\n");
	assert_string_equal(g->tree, "abc");
	assert_false(back.sessions[1].gate.known);
	assert_int_equal(back.sessions[1].parked_until, 5000);
}

/* ---- counting patches ---- */
static const struct count {
	const char *name, *text;
	int files, added, removed;
} counts[] = {
	{ "an empty patch", "", 0, 0, 0 },
	{ "a changed line",
	  "From 1 Mon\nSubject: x\n\ndiff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n"
	  "@@ -1,2 +1,2 @@ fn\n-old\n+new\n same\n-- \n2.39\n",
	  1, 1, 1 },
	{ "one line without a count",
	  "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n", 1, 1,
	  1 },
	{ "lines that look like headers are lines",
	  "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n--- a/g\n-diff --git a/x b/x\n+++ b/g\n"
	  "+@@ -1,9 +1,9 @@\n",
	  1, 2, 2 },
	{ "a binary file has no lines",
	  "diff --git a/b b/b\nindex 1..2\nGIT binary patch\nliteral 3\nKcmZQ!\n\nliteral 0\nHcmV?d00001\n\n", 1, 0, 0 },
	{ "a renamed file is one", "diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n", 1, 0, 0 },
	{ "two files and two hunks",
	  "diff --git a/f b/f\n@@ -1,0 +2,2 @@\n+a\n+b\n@@ -9 +11,0 @@\n-c\ndiff --git a/g b/g\n@@ -0,0 +1 @@\n+d\n", 2,
	  3, 1 },
	{ "a header cut off", "diff --git a/f b/f\n@@ -1", 1, 0, 0 },
	{ "a hunk cut off", "diff --git a/f b/f\n@@ -1,9 +1,9 @@\n+a", 1, 1, 0 },
};

static void counted(void **state)
{
	ROW(struct count);
	struct patch_stat s = patch_count(r->text, strlen(r->text));

	assert_true(s.known);
	assert_int_equal(s.files, r->files);
	assert_int_equal(s.added, r->added);
	assert_int_equal(s.removed, r->removed);
}

#define T(fn) { #fn, fn, NULL, teardown, NULL }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(pass_leaves_the_session_to_its_end),
		T(failure_opens_the_next_session_in_the_same_sandbox),
		T(the_last_loop_fails_with_the_output),
		T(no_loops_means_one_try),
		T(a_retry_counts_anew),
		T(a_late_answer_is_the_heirs_too),
		T(only_the_end_of_long_output_is_kept),
		T(an_exit_without_a_verdict_is_no_success),
		T(a_gate_wants_an_active_task_with_a_sandbox),
		T(approved_once),
		T(sent_back_with_a_comment),
		T(a_retry_ends_the_waiting),
		T(nothing_to_review_when_nobody_asked),
		T(no_more_work_than_the_budget),
		T(parked_until_the_limit_is_over),
		T(switched_off_it_waits_for_its_owner),
		T(parked_at_most_a_week_and_five_times_in_a_row),
		T(everything_is_read_back),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, counts, counted);
	return plan_run("gate", &p);
}

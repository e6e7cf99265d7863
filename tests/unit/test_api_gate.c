/* Gates and reviews as requests. */
#include "api_kit.h"
#include "model/task.h"

static struct reply as_agent(handler_fn *handler, const char *token, const char *body)
{
	return ask((struct ask){ .handler = handler, .type = JSON, .body = body, .bearer = token });
}

static struct reply gate(const char *token, const char *rest)
{
	return as_agent(api_task_gate, token, arena_printf(&w.a, "{\"id\":1,%s}", rest));
}

/* ---- create ---- */
static const struct created {
	const char *name, *fields;
	int status;
	const char *gate;
	int loops;
	bool review;
} created[] = {
	{ "a gate is a path", "\"gate\":\"gates/deep/x.sh\"", 200, "gates/deep/x.sh", 3, false },
	{ "no gate is no gate", "\"gate\":\"\"", 200, NULL, 3, false },
	{ "none is a gate", "\"gate\":\"none\"", 200, "none", 3, false },
	{ "loops and review are taken", "\"gate_loops\":5,\"review\":true", 200, NULL, 5, true },
	{ "the text of a number is one", "\"gate_loops\":\"0\",\"review\":true", 200, NULL, 0, true },
	{ "a gate is no option", "\"gate\":\"--help\"", 400, NULL, 0, false },
	{ "a gate stays inside", "\"gate\":\"gates/../../x\"", 400, NULL, 0, false },
	{ "a gate is not absolute", "\"gate\":\"/bin/true\"", 400, NULL, 0, false },
	{ "a gate has no line feed", "\"gate\":\"a\\nb\"", 400, NULL, 0, false },
	{ "loops are bounded", "\"gate_loops\":101", 400, NULL, 0, false },
	{ "loops are a number", "\"gate_loops\":\"many\"", 400, NULL, 0, false },
	{ "a review is yes or no", "\"review\":\"perhaps\"", 400, NULL, 0, false },
};

static void create_takes(void **state)
{
	ROW(struct created);

	(void)api_setup(state);
	struct reply rp =
		post(api_task_create, arena_printf(&w.a, "{\"prompt\":\"x\",\"dir\":\"/src\",%s}", r->fields));
	assert_status(rp, r->status);
	if (r->status == 200) {
		struct task t = task_now("1");
		assert_text(t.gate, r->gate);
		assert_int_equal(t.gate_loops, r->loops);
		assert_int_equal(t.review.wanted, r->review);
	} else {
		assert_string_equal(rp.code, "bad_field");
	}
	(void)api_teardown(state);
}

/* ---- the gate ---- */
static void a_failure_brings_the_next_token(void **state)
{
	(void)state;
	run_task("\"dir\":\"/src\",\"gate\":\"g.sh\",\"gate_loops\":2");
	const char *first = token_of("1");
	struct reply r = gate(first, "\"attempt\":1,\"passed\":false,\"exit_code\":7,\"output\":\"bad\","
				     "\"tree\":\"abc1\",\"gate_hash\":\"ff\",\"usage\":{\"input\":5,\"output\":2}");
	assert_status(r, 200);
	assert_string_equal(field(r.json, "next"), "loop");
	assert_string_equal(field(r.json, "sessionId"), "s2");
	assert_non_null(r.trigger);
	const char *second = arena_strdup(&w.a, field(r.json, "token"));
	assert_string_equal(second, token_of("1"));
	assert_int_equal(task_now("1").tokens, 7);
	assert_string_equal(task_now("1").sessions[0].gate.name, "g.sh");

	/* a lost answer: the same again, and nothing changes */
	struct strbuf before = world_picture(&w, "state"), after;
	r = gate(first, "\"attempt\":1,\"passed\":false");
	assert_status(r, 200);
	assert_string_equal(field(r.json, "next"), "loop");
	assert_string_equal(field(r.json, "token"), second);
	after = world_picture(&w, "state");
	assert_string_equal(after.buf, before.buf);
	strbuf_release(&before);
	strbuf_release(&after);

	assert_status(as_agent(api_task_update, first, "{\"id\":1,\"tokens\":9}"), 409);
	assert_status(as_agent(api_task_update, second, "{\"id\":1,\"tokens\":9}"), 200);
	assert_int_equal(task_now("1").tokens, 16);
	r = gate(second, "\"attempt\":2,\"passed\":false,\"output\":\"still bad\"");
	assert_string_equal(field(r.json, "next"), "failed");
	assert_null(field(r.json, "token"));
	assert_int_equal(task_now("1").status, STATUS_FAILED);
	assert_non_null(strstr(task_now("1").error, "still bad"));
	r = gate(second, "\"attempt\":2,\"passed\":false");
	assert_string_equal(field(r.json, "next"), "failed");
}

static void done_waits_for_the_gate(void **state)
{
	(void)state;
	run_task("\"dir\":\"/src\",\"gate\":\"g.sh\"");
	const char *token = token_of("1");
	struct reply r = as_agent(api_task_done, token, "{\"id\":1}");
	assert_status(r, 409);
	assert_string_equal(r.code, "gate_due");
	r = gate(token, "\"passed\":true,\"exit_code\":0");
	assert_string_equal(field(r.json, "next"), "done");
	assert_string_equal(field(r.json, "sessionId"), "s1");
	assert_status(as_agent(api_task_done, token, "{\"id\":1}"), 200);
	r = get(api_task_get, "1");
	assert_non_null(strstr(r.body, "\"verified\":true"));
}

static void the_owner_may_finish_without_it(void **state)
{
	(void)state;
	run_task("\"dir\":\"/src\",\"gate\":\"g.sh\"");
	assert_status(post(api_task_done, "{\"id\":1}"), 200);
	assert_non_null(strstr(get(api_task_get, "1").body, "\"verified\":false"));
}

static void a_gate_belongs_to_its_session(void **state)
{
	static const char body[] = "{\"id\":1,\"passed\":true}";

	(void)state;
	run_task("");
	run_task("");
	assert_refused((struct ask){ .handler = api_task_gate, .type = JSON, .body = body }, 403, "forbidden");
	assert_refused((struct ask){ .handler = api_task_gate, .type = JSON, .body = body, .bearer = token_of("2") }, 403,
		       "forbidden");
	assert_refused((struct ask){ .handler = api_task_gate, .type = JSON, .body = "{\"id\":1}", .bearer = token_of("1") },
		       400, "bad_field");
	assert_refused((struct ask){ .handler = api_task_gate,
				     .type = JSON,
				     .body = "{\"id\":1,\"passed\":true,\"tree\":\"<b>\"}",
				     .bearer = token_of("1") },
		       400, "bad_field");
}

/* ---- review ---- */
static void waits_is_sent_back_and_approved(void **state)
{
	(void)state;
	run_task("\"review\":true");
	struct reply r = post(api_task_done, "{\"id\":1}");
	assert_non_null(strstr(r.body, "\"review\":{\"wanted\":true,\"state\":\"waiting\",\"comment\":null}"));
	assert_refused((struct ask){ .handler = api_task_sendback, .type = JSON, .body = "{\"id\":1}" }, 400, "bad_field");
	assert_refused((struct ask){ .handler = api_task_sendback, .type = JSON, .body = "{\"id\":1,\"comment\":\" \"}" },
		       400, "bad_field");
	r = ask((struct ask){ .handler = api_task_sendback, .type = FORM, .body = "id=1&comment=more+tests" });
	assert_status(r, 200);
	assert_string_equal(field(r.json, "status"), "queued");
	assert_string_equal(task_now("1").review.comment, "more tests");
	assert_refused((struct ask){ .handler = api_task_approve, .type = JSON, .body = "{\"id\":1}" }, 409, "not_waiting");
	assert_status(post(api_task_run, "{\"id\":1}"), 200);
	assert_status(post(api_task_done, "{\"id\":1}"), 200);
	assert_status(post(api_task_approve, "{\"id\":1,\"comment\":\"fine\"}"), 200);
	assert_int_equal(task_now("1").review.state, REVIEW_APPROVED);
}

/* ---- parks ---- */
static void a_handoff_with_a_time_is_a_park(void **state)
{
	(void)state;
	run_task("");
	assert_refused((struct ask){ .handler = api_task_handoff,
				     .type = JSON,
				     .body = "{\"id\":1,\"summary\":\"429\",\"parked_until\":\"soon\"}",
				     .bearer = token_of("1") },
		       400, "bad_field");
	struct reply r = as_agent(api_task_handoff, token_of("1"),
				  "{\"id\":1,\"summary\":\"429\",\"parked_until\":\"2026-02-11T11:00:00Z\"}");
	assert_status(r, 200);
	assert_int_equal(task_now("1").parked_until, 1770807600000);
	assert_false(task_now("1").held);
	assert_status(post(api_config_settings, "{\"auto_resume\":false}"), 200);
	assert_status(post(api_task_run, "{\"id\":1}"), 200);
	assert_int_equal(task_now("1").parked_until, 0);
	assert_status(as_agent(api_task_handoff, token_of("1"),
			       "{\"id\":1,\"summary\":\"429\",\"parked_until\":\"2026-02-11T11:00:00Z\"}"),
		      200);
	assert_true(task_now("1").held);
}

/* ---- a patch is counted ---- */
static void a_patch_is_counted(void **state)
{
	(void)state;
	run_task("");
	struct ask q = { .handler = api_artifact_post, .id = "1", .second = "changes.patch",
			 .body = "diff --git a/f b/f\n@@ -1 +1,2 @@\n-a\n+b\n+c\n", .bearer = token_of("1") };
	assert_status(ask(q), 200);
	q.second = "notes.txt";
	assert_status(ask(q), 200);
	struct task t = task_now("1");
	assert_true(t.artifacts[0].patch.known);
	assert_int_equal(t.artifacts[0].patch.files, 1);
	assert_int_equal(t.artifacts[0].patch.added, 2);
	assert_int_equal(t.artifacts[0].patch.removed, 1);
	assert_false(t.artifacts[1].patch.known);
}

#define T(fn) { #fn, fn, api_setup, api_teardown, NULL }

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_failure_brings_the_next_token), T(done_waits_for_the_gate), T(the_owner_may_finish_without_it),
		T(a_gate_belongs_to_its_session),   T(waits_is_sent_back_and_approved),
		T(a_handoff_with_a_time_is_a_park), T(a_patch_is_counted),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, created, create_takes);
	return plan_run("api_gate", &p);
}

/* The verbs of the state machine as requests: who may, what is answered, what is refused and leaves
 * no trace. */
#include <sys/wait.h>

#include "api_kit.h"
#include "core/number.h"

/* ---- refusals: every code, the state byte for byte the same ---- */
static const struct row {
	const char *name;
	handler_fn *handler;
	const char *body;
	int status;
	const char *code;
} rows[] = {
	{ "run refuses an active task", api_task_run, "{\"id\":2}", 409, "not_queued" },
	{ "run refuses a done task", api_task_run, "{\"id\":3}", 409, "not_queued" },
	{ "run refuses a failed task", api_task_run, "{\"id\":4}", 409, "not_queued" },
	{ "run refuses a deleted task", api_task_run, "{\"id\":5}", 404, "not_found" },
	{ "run refuses a task that never was", api_task_run, "{\"id\":\"99\"}", 404, "not_found" },
	{ "run refuses a very long id", api_task_run, "{\"id\":\"99999999999999999999999999\"}",
	  404, "not_found" },
	{ "run refuses a very long number", api_task_run, "{\"id\":99999999999999999999999999}",
	  404, "not_found" },
	{ "run refuses id 0", api_task_run, "{\"id\":0}", 404, "not_found" },
	{ "run refuses a word", api_task_run, "{\"id\":\"one\"}", 400, "bad_id" },
	{ "run refuses a negative id", api_task_run, "{\"id\":-1}", 400, "bad_id" },
	{ "run refuses no id", api_task_run, "{}", 400, "bad_id" },
	{ "run refuses an unknown agent", api_task_run, "{\"id\":1,\"agent\":\"nobody\"}", 400,
	  "unknown_agent" },
	{ "run refuses an agent that is a path", api_task_run, "{\"id\":1,\"agent\":\"../pi\"}",
	  400, "unknown_agent" },
	{ "run refuses an agent that is a number", api_task_run, "{\"id\":1,\"agent\":7}", 400,
	  "bad_field" },
	{ "run refuses an unknown router", api_task_run, "{\"id\":1,\"router\":\"x\"}", 400,
	  "bad_field" },
	{ "run refuses a model that is an option", api_task_run, "{\"id\":1,\"model\":\"--yolo\"}",
	  400, "bad_field" },
	{ "run refuses a model with a line feed", api_task_run, "{\"id\":1,\"model\":\"a\\nb\"}",
	  400, "bad_field" },
	{ "run refuses broken JSON", api_task_run, "{\"id\":1", 400, "bad_json" },
	{ "run refuses a key twice", api_task_run, "{\"id\":1,\"id\":1}", 400, "bad_json" },
	{ "update refuses a queued task", api_task_update, "{\"id\":1,\"tokens\":1}", 409,
	  "not_active" },
	{ "update refuses a done task", api_task_update, "{\"id\":3,\"tokens\":1}", 409,
	  "not_active" },
	{ "update refuses no report", api_task_update, "{\"id\":2}", 400, "bad_field" },
	{ "update refuses negative tokens", api_task_update, "{\"id\":2,\"tokens\":-1}", 400,
	  "bad_field" },
	{ "update refuses broken tokens", api_task_update, "{\"id\":2,\"tokens\":1.5}", 400,
	  "bad_field" },
	{ "update refuses tokens by words", api_task_update, "{\"id\":2,\"tokens\":\"many\"}", 400,
	  "bad_field" },
	{ "update refuses tokens beyond 2^53", api_task_update,
	  "{\"id\":2,\"tokens\":9007199254740993}", 400, "bad_field" },
	{ "update refuses tokens beyond 64 bits", api_task_update,
	  "{\"id\":2,\"tokens\":99999999999999999999}", 400, "bad_field" },
	{ "update refuses tokens in a list", api_task_update, "{\"id\":2,\"tokens\":[1]}", 400,
	  "bad_field" },
	{ "update refuses usage by number", api_task_update, "{\"id\":2,\"usage\":7}", 400,
	  "bad_field" },
	{ "update refuses negative usage", api_task_update, "{\"id\":2,\"usage\":{\"input\":-1}}",
	  400, "bad_field" },
	{ "update refuses usage beyond counting", api_task_update,
	  "{\"id\":2,\"usage\":{\"input\":9007199254740992}}", 400, "bad_field" },
	{ "update refuses a result that is a number", api_task_update,
	  "{\"id\":2,\"tokens\":1,\"result\":1}", 400, "bad_field" },
	{ "update refuses a result with NUL", api_task_update, "{\"id\":2,\"result\":\"a\\u0000\"}",
	  400, "bad_field" },
	{ "done refuses a queued task", api_task_done, "{\"id\":1}", 409, "not_active" },
	{ "done refuses a done task", api_task_done, "{\"id\":3}", 409, "not_active" },
	{ "done refuses an exit code that is none", api_task_done, "{\"id\":2,\"exit_code\":1000}",
	  400, "bad_field" },
	{ "done refuses an exit code by words", api_task_done, "{\"id\":2,\"exit_code\":\"zero\"}",
	  400, "bad_field" },
	{ "fail refuses a queued task", api_task_fail, "{\"id\":1,\"reason\":\"x\"}", 409,
	  "not_active" },
	{ "fail refuses no reason", api_task_fail, "{\"id\":2}", 400, "bad_field" },
	{ "fail refuses an empty reason", api_task_fail, "{\"id\":2,\"reason\":\"\"}", 400,
	  "bad_field" },
	{ "handoff refuses a queued task", api_task_handoff, "{\"id\":1,\"summary\":\"x\"}", 409,
	  "not_active" },
	{ "handoff refuses no summary", api_task_handoff, "{\"id\":2}", 400, "bad_field" },
	{ "handoff refuses an empty summary", api_task_handoff, "{\"id\":2,\"summary\":\"\"}", 400,
	  "bad_field" },
	{ "cancel refuses a queued task", api_task_cancel, "{\"id\":1}", 409, "not_active" },
	{ "cancel refuses a done task", api_task_cancel, "{\"id\":3}", 409, "not_active" },
	{ "cancel refuses a task that never was", api_task_cancel, "{\"id\":99}", 404,
	  "not_found" },
	{ "retry refuses a queued task", api_task_retry, "{\"id\":1}", 409, "not_finished" },
	{ "retry refuses an active task", api_task_retry, "{\"id\":2}", 409, "not_finished" },
	{ "retry refuses a used up budget", api_task_retry, "{\"id\":4}", 409, "budget" },
	{ "retry refuses the same budget", api_task_retry, "{\"id\":4,\"token_budget\":10}", 409,
	  "budget" },
	{ "retry refuses a negative budget", api_task_retry, "{\"id\":4,\"token_budget\":-5}", 400,
	  "bad_field" },
	{ "delete refuses a deleted task", api_task_delete, "{\"id\":5}", 404, "not_found" },
	{ "delete refuses a task that never was", api_task_delete, "{\"id\":99}", 404,
	  "not_found" },
	{ "delete refuses a word", api_task_delete, "{\"id\":\"all\"}", 400, "bad_id" },
};

static void refused_without_a_trace(void **state)
{
	ROW(struct row);

	(void)api_setup(state);
	make_five();
	assert_refused((struct ask){ .handler = r->handler, .type = JSON, .body = r->body },
		       r->status, r->code);
	(void)api_teardown(state);
}

static handler_fn *const verbs[] = { api_task_run,   api_task_update,  api_task_done,
				     api_task_fail,  api_task_handoff, api_task_cancel,
				     api_task_retry, api_task_delete };
enum { VERBS = sizeof verbs / sizeof verbs[0] };

static void every_verb_wants_a_known_body(void **state)
{
	static const struct {
		const char *type, *body;
		int status;
		const char *code;
	} bodies[] = {
		{ "text/plain", "id=2", 415, "unsupported_media" },
		{ "multipart/form-data; boundary=x", "--x--", 415, "unsupported_media" },
		{ NULL, "id=2", 415, "unsupported_media" },
		{ JSON, "[2]", 400, "bad_json" },
		{ JSON, "", 400, "bad_json" },
		{ JSON, "{'id':2}", 400, "bad_json" },
		{ FORM, "id=%zz", 400, "bad_field" },
		{ FORM, "id=2&id=2", 400, "bad_field" },
	};

	(void)state;
	make_five();
	for (size_t v = 0; v < VERBS; v++) {
		for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
			assert_refused((struct ask){ .handler = verbs[v],
						     .type = bodies[i].type,
						     .body = bodies[i].body },
				       bodies[i].status, bodies[i].code);
	}
}

/* ---- what a verb does ---- */
static void run_answers_the_active_task(void **state)
{
	(void)state;
	const char *id = make_task("\"agent\":\"pi\",\"model\":\"gpt-4.1\"");
	struct reply r = post(api_task_run, "{\"id\":\"1\"}");
	assert_status(r, 200);
	assert_string_equal(r.trigger, "refreshTasks");
	assert_string_equal(field(r.json, "status"), "active");
	assert_string_equal(field(r.json, "platform"), "pi");
	const struct json_object *s = item(r.json, "sessions", 0);
	assert_string_equal(field(s, "id"), "s1");
	assert_string_equal(field(s, "model"), "gpt-4.1");
	assert_null(field(s, "result"));
	assert_null(strstr(r.body, "nonce"));
	struct task t = task_now(id);
	assert_int_equal(strlen(t.sessions[0].dispatch.id), 32);
	assert_int_equal(strlen(t.sessions[0].nonce), 32);
	assert_int_equal(t.sessions[0].expires_at, now_ms + 4 * 3600 * 1000);
	assert_int_equal(t.sessions[0].dispatch.state, STEP_PENDING);
}

static const struct choice {
	const char *name;
	const char *task, *run;
	const char *agent, *model;
} choices[] = {
	{ "run names agent and model", "\"agent\":\"pi\",\"model\":\"m1\"",
	  "\"agent\":\"codex\",\"model\":\"m2\"", "codex", "m2" },
	{ "run takes the task's own", "\"agent\":\"pi\",\"model\":\"m1\"", "", "pi", "m1" },
	{ "a named agent takes the task's model", "\"agent\":\"pi\",\"model\":\"m1\"",
	  "\"agent\":\"codex\"", "codex", "m1" },
	{ "a named agent without any model takes its default", "", "\"agent\":\"gemini\"", "gemini",
	  "gemini-2.5-pro" },
	{ "the task's agent takes its default", "\"agent\":\"codex\"", "", "codex", "gpt-4.1" },
	{ "the old name of an agent is taken", "\"platform\":\"codex\"", "", "codex", "gpt-4.1" },
	{ "nobody named is the shell where nothing is installed", "", "", "shell", "bash" },
	{ "empty names are no names", "\"agent\":\"\",\"model\":\"\"",
	  "\"agent\":\"\",\"model\":\"\"", "shell", "bash" },
};

static void run_chooses(void **state)
{
	ROW(struct choice);

	(void)api_setup(state);
	const char *id = make_task(r->task);
	struct reply rp = post(api_task_run, arena_printf(&w.a, "{\"id\":\"%s\"%s%s}", id,
							  *r->run != '\0' ? "," : "", r->run));
	assert_status(rp, 200);
	assert_string_equal(field(rp.json, "platform"), r->agent);
	assert_string_equal(field(item(rp.json, "sessions", 0), "agent"), r->agent);
	assert_string_equal(field(item(rp.json, "sessions", 0), "model"), r->model);
	(void)api_teardown(state);
}

static void forms_do_the_same_as_json(void **state)
{
	static const struct {
		handler_fn *handler;
		const char *form, *json;
	} pairs[] = {
		{ api_task_run, "id=%s&agent=pi&model=m+1",
		  "{\"id\":%s,\"agent\":\"pi\",\"model\":\"m 1\"}" },
		{ api_task_update, "id=%s&tokens=12&summary=half%%0Adone",
		  "{\"id\":%s,\"tokens\":\"12\",\"summary\":\"half\\ndone\"}" },
		{ api_task_handoff, "id=%s&context=go+on", "{\"id\":%s,\"context\":\"go on\"}" },
		{ api_task_run, "id=%s", "{\"id\":%s}" },
		{ api_task_cancel, "id=%s", "{\"id\":%s}" },
		{ api_task_run, "id=%s&model=", "{\"id\":%s,\"model\":\"\"}" },
		{ api_task_fail, "id=%s&reason=%%C3%%A4&exit_code=1",
		  "{\"id\":%s,\"reason\":\"\xC3\xA4\",\"exit_code\":1}" },
		{ api_task_retry, "id=%s&token_budget=5", "{\"id\":%s,\"token_budget\":5}" },
	};

	(void)state;
	make_task("");
	make_task("");
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct reply form, json;
		char body[2][200];
		for (int k = 0; k < 2; k++) {
			const char *tpl = k == 0 ? pairs[i].form : pairs[i].json,
				   *at = strstr(tpl, "%s");
			size_t n = 0;
			for (const char *p = tpl; *p != '\0'; p++) {
				if (p == at) {
					body[k][n++] = (char)('1' + k);
					p++;
				} else if (p[0] != '%' || p[1] != '%') {
					body[k][n++] = *p;
				}
			}
			body[k][n] = '\0';
		}
		form = ask(
			(struct ask){ .handler = pairs[i].handler, .type = FORM, .body = body[0] });
		json = ask((struct ask){ .handler = pairs[i].handler,
					 .type = JSON "; charset=utf-8",
					 .body = body[1] });
		assert_status(form, 200);
		assert_status(json, 200);
		struct task a = task_now("1"), b = task_now("2");
		assert_int_equal(a.status, b.status);
		assert_int_equal(a.tokens, b.tokens);
		assert_int_equal(a.token_budget, b.token_budget);
		assert_text(a.error, b.error);
		assert_text(task_last_session(&a)->summary, task_last_session(&b)->summary);
		assert_text(task_last_session(&a)->model, task_last_session(&b)->model);
		assert_int_equal(task_last_session(&a)->exit_code,
				 task_last_session(&b)->exit_code);
	}
}

static const struct end {
	const char *name;
	handler_fn *handler;
	const char *fields;
	const char *status, *result, *summary, *error, *session;
} ends[] = {
	{ "done keeps both words", api_task_done, "\"result\":\"R\",\"summary\":\"S\"", "done", "R",
	  "S", NULL, "done" },
	{ "done takes the result for the summary", api_task_done, "\"result\":\"R\"", "done", "R",
	  "R", NULL, "done" },
	{ "done takes the summary for the result", api_task_done, "\"summary\":\"S\"", "done", "S",
	  "S", NULL, "done" },
	{ "done says nothing", api_task_done, "\"result\":\"\"", "done", "", NULL, NULL, "done" },
	{ "done with the result failed is a failure", api_task_done,
	  "\"result\":\"failed\",\"summary\":\"why\"", "failed", "", "why", "why", "failed" },
	{ "done with nothing but failed is a failure", api_task_done, "\"result\":\"failed\"",
	  "failed", "", "the agent reported a failure", "the agent reported a failure", "failed" },
	{ "fail keeps its reason", api_task_fail, "\"reason\":\"why\"", "failed", "", "why", "why",
	  "failed" },
	{ "fail takes a summary for its reason", api_task_fail, "\"summary\":\"why\"", "failed", "",
	  "why", "why", "failed" },
	{ "handoff goes back to the queue", api_task_handoff, "\"summary\":\"S\"", "queued", "",
	  "S", NULL, "handoff" },
	{ "handoff takes context for its summary", api_task_handoff, "\"context\":\"S\"", "queued",
	  "", "S", NULL, "handoff" },
	{ "cancel goes back to the queue", api_task_cancel, "\"x\":1", "queued", "", NULL, NULL,
	  "cancelled" },
};

static void ended_as_told(void **state)
{
	ROW(struct end);

	(void)api_setup(state);
	const char *id = run_task("");
	struct reply rp = post(r->handler, arena_printf(&w.a, "{\"id\":%s,%s}", id, r->fields));
	assert_status(rp, 200);
	assert_string_equal(rp.trigger, "refreshTasks");
	const struct json_object *s = item(rp.json, "sessions", 0);
	assert_string_equal(field(rp.json, "status"), r->status);
	assert_text(field(rp.json, "result"), r->result);
	assert_text(field(rp.json, "error"), r->error);
	assert_text(field(s, "summary"), r->summary);
	assert_text(field(s, "result"), r->session);
	assert_int_equal(strstr(rp.body, "\"held\":true") != NULL, r->handler == api_task_cancel);
	(void)api_teardown(state);
}

static void tokens_are_counted_as_they_come(void **state)
{
	(void)state;
	const char *id = run_task("\"token_budget\":100");
	struct reply r = post(api_task_update, arena_printf(&w.a, "{\"id\":%s,\"tokens\":60}", id));
	assert_int_equal(number(r.json, "tokens"), 60);
	r = post(api_task_update, arena_printf(&w.a, "{\"id\":%s,\"tokens\":40}", id));
	assert_int_equal(number(r.json, "tokens"), 60);
	r = post(api_task_update,
		 arena_printf(&w.a,
			      "{\"id\":%s,\"usage\":{\"input\":70,\"output\":30,\"new_kind\":5}}",
			      id));
	assert_int_equal(number(r.json, "tokens"), 100);
	assert_non_null(strstr(r.body, "\"budget_exceeded\":true"));
	assert_string_equal(field(r.json, "status"), "active"); /* flagged, not stopped */
	assert_non_null(strstr(
		r.body,
		"\"usage\":{\"input\":70,\"output\":30,\"cache_read\":0,\"cache_write\":0}"));
	r = post(api_task_update,
		 arena_printf(&w.a, "{\"id\":%s,\"tokens\":%lld}", id, (long long)NUMBER_MAX));
	assert_true(number(r.json, "tokens") == NUMBER_MAX);
}

static void used_up_budget_stops_and_retries_with_more(void **state)
{
	(void)state;
	make_five();
	struct task t = task_now("4");
	assert_int_equal(t.status, STATUS_FAILED);
	assert_int_equal(t.sessions[0].result, RESULT_BUDGET);
	assert_int_equal(t.sessions[0].kill.state, STEP_PENDING);
	struct reply r = post(api_task_retry, "{\"id\":4,\"token_budget\":1000}");
	assert_status(r, 200);
	assert_string_equal(field(r.json, "status"), "queued");
	assert_int_equal(number(r.json, "token_budget"), 1000);
	assert_non_null(strstr(r.body, "\"budget_exceeded\":false"));
	assert_status(post(api_task_run, "{\"id\":4}"), 200);
	assert_int_equal(task_now("4").session_count, 2);
}

/* ---- agents ---- */
static struct reply as_agent(handler_fn *handler, const char *token, const char *body)
{
	return ask((struct ask){ .handler = handler, .type = JSON, .body = body, .bearer = token });
}

static void agent_works_on_its_own_task(void **state)
{
	(void)state;
	const char *id = run_task(""), *token = token_of(id);
	struct reply r = as_agent(api_task_update, token,
				  "{\"id\":\"1\",\"tokens\":5,\"summary\":\"so far\"}");
	assert_status(r, 200);
	r = as_agent(api_task_done, token, "{\"id\":\"1\",\"result\":\"fine\",\"exit_code\":0}");
	assert_status(r, 200);
	assert_string_equal(field(r.json, "status"), "done");
	assert_int_equal(number(item(r.json, "sessions", 0), "exit_code"), 0);
}

static const struct agent_row {
	const char *name;
	const char *token; /* of what: own, other, old (an earlier session), forged, cut, none,
			      plain, expired */
	handler_fn *handler;
	const char *body;
	int status;
	const char *code;
} agent_rows[] = {
	{ "an agent may not touch another task", "own", api_task_done, "{\"id\":2}", 403,
	  "forbidden" },
	{ "an agent may not touch a task that never was", "own", api_task_done, "{\"id\":99}", 403,
	  "forbidden" },
	{ "another task's agent may not touch this one", "other", api_task_update,
	  "{\"id\":1,\"tokens\":1}", 403, "forbidden" },
	{ "an earlier session's agent may not report", "old", api_task_update,
	  "{\"id\":1,\"tokens\":1}", 409, "not_active" },
	{ "an earlier session's agent may not finish", "old", api_task_done, "{\"id\":1}", 409,
	  "not_active" },
	{ "an earlier session's agent may not fail", "old", api_task_fail,
	  "{\"id\":1,\"reason\":\"x\"}", 409, "not_active" },
	{ "a forged token is none", "forged", api_task_update, "{\"id\":1,\"tokens\":1}", 401,
	  "no_token" },
	{ "a cut token is none", "cut", api_task_done, "{\"id\":1}", 401, "no_token" },
	{ "any other bearer is none", "plain", api_task_done, "{\"id\":1}", 401, "no_token" },
	{ "nobody at all is refused", "none", api_task_done, "{\"id\":1}", 401, "no_token" },
	{ "an expired token is refused", "expired", api_task_update, "{\"id\":1,\"tokens\":1}", 401,
	  "no_token" },
	{ "an expired token cannot finish", "expired", api_task_done, "{\"id\":1}", 401,
	  "no_token" },
	{ "another key's token is none", "rekeyed", api_task_done, "{\"id\":1}", 401, "no_token" },
};

static void agent_is_refused(void **state)
{
	ROW(struct agent_row);
	struct errinfo e;

	(void)api_setup(state);
	run_task("");
	run_task("");
	const char *token = token_of("1");
	if (strcmp(r->token, "other") == 0) {
		token = token_of("2");
	} else if (strcmp(r->token, "old") == 0) {
		assert_status(post(api_task_cancel, "{\"id\":1}"), 200);
		assert_status(post(api_task_run, "{\"id\":1}"), 200);
	} else if (strcmp(r->token, "forged") == 0) {
		token = "c1.1.s1.00.1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	} else if (strcmp(r->token, "cut") == 0) {
		token = arena_strndup(&w.a, token, strlen(token) - 1);
	} else if (strcmp(r->token, "plain") == 0) {
		token = "some-token";
	} else if (strcmp(r->token, "expired") == 0) {
		now_ms += 4 * 3600 * 1000 + 1;
	} else if (strcmp(r->token, "rekeyed") == 0) {
		assert_int_equal(unlink(world_path(&w, "secrets/agent_key")), 0);
		assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	} else if (strcmp(r->token, "none") == 0) {
		token = NULL;
	}
	assert_refused((struct ask){ .handler = r->handler,
				     .type = JSON,
				     .body = r->body,
				     .bearer = token,
				     .nobody = token == NULL },
		       r->status, r->code);
	(void)api_teardown(state);
}

static const struct again {
	const char *name;
	handler_fn *first, *second;
	const char *body;
	int64_t after_ms;
	int status;
} agains[] = {
	{ "done again is no error", api_task_done, api_task_done, "{\"id\":1,\"summary\":\"x\"}",
	  1000, 200 },
	{ "done again within the hour is no error", api_task_done, api_task_done, "{\"id\":1}",
	  3600 * 1000, 200 },
	{ "done again after the hour is refused", api_task_done, api_task_done, "{\"id\":1}",
	  3600 * 1000 + 1, 409 },
	{ "fail again is no error", api_task_fail, api_task_fail, "{\"id\":1,\"reason\":\"x\"}",
	  1000, 200 },
	{ "handoff again is no error", api_task_handoff, api_task_handoff,
	  "{\"id\":1,\"summary\":\"x\"}", 1000, 200 },
	{ "fail after done is refused", api_task_done, api_task_fail, "{\"id\":1,\"reason\":\"x\"}",
	  1000, 409 },
	{ "done after fail is refused", api_task_fail, api_task_done, "{\"id\":1,\"reason\":\"x\"}",
	  1000, 409 },
	{ "done after handoff is refused", api_task_handoff, api_task_done,
	  "{\"id\":1,\"summary\":\"x\"}", 1000, 409 },
	{ "an update after done is refused", api_task_done, api_task_update,
	  "{\"id\":1,\"tokens\":5}", 1000, 409 },
};

static void closing_verb_again(void **state)
{
	ROW(struct again);

	(void)api_setup(state);
	run_task("");
	const char *token = token_of("1");
	assert_status(as_agent(r->first, token, r->body), 200);
	struct strbuf before = world_picture(&w, "state"), after;
	now_ms += r->after_ms;
	struct reply rp = as_agent(r->second, token, r->body);
	assert_status(rp, r->status);
	if (r->status == 409)
		assert_string_equal(rp.code, "not_active");
	after = world_picture(&w, "state");
	assert_string_equal(after.buf, before.buf); /* either way nothing changes */
	strbuf_release(&before);
	strbuf_release(&after);
	(void)api_teardown(state);
}

static void owner_has_no_second_done(void **state)
{
	(void)state;
	run_task("");
	assert_status(post(api_task_done, "{\"id\":1}"), 200);
	assert_refused((struct ask){ .handler = api_task_done, .type = JSON, .body = "{\"id\":1}" },
		       409, "not_active");
}

/* ---- many at once ---- */
static void twenty_runs_are_one_session(void **state)
{
	int won = 0;

	(void)state;
	make_task("");
	for (int i = 0; i < 20; i++) {
		if (fork() != 0)
			continue;
		struct errinfo e;
		if (store_after_fork(w.store, &e) != ERR_OK)
			_exit(99);
		struct reply r = post(api_task_run, "{\"id\":1}");
		_exit(r.status == 200                                        ? 1
		      : r.status == 409 && strcmp(r.code, "not_queued") == 0 ? 0
									     : 98);
	}
	for (int i = 0; i < 20; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		won += WEXITSTATUS(status);
	}
	assert_int_equal(won, 1);
	assert_int_equal(task_now("1").session_count, 1);
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("every verb wants a body it can read", every_verb_wants_a_known_body),
		T("run answers the active task", run_answers_the_active_task),
		T("forms do the same as JSON", forms_do_the_same_as_json),
		T("tokens are counted as they come", tokens_are_counted_as_they_come),
		T("a used up budget stops, and retries with more",
		  used_up_budget_stops_and_retries_with_more),
		T("an agent works on its own task", agent_works_on_its_own_task),
		T("the owner has no second done", owner_has_no_second_done),
		T("twenty runs at once are one session", twenty_runs_are_one_session),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, rows, refused_without_a_trace);
	PLAN_ROWS(&p, choices, run_chooses);
	PLAN_ROWS(&p, ends, ended_as_told);
	PLAN_ROWS(&p, agent_rows, agent_is_refused);
	PLAN_ROWS(&p, agains, closing_verb_again);
	return plan_run("api_verbs", &p);
}

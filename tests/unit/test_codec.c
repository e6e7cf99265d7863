#include "core/file.h"
#include "core/number.h"
#include "core/utf8.h"
#include "tasks.h"
#include "unit.h"

#include <fcntl.h>

static void read_back(struct arena *a, const char *text, struct task *t)
{
	struct json_object *o;
	struct errinfo e;

	memset(t, 0, sizeof *t);
	assert_ok(json_parse(a, text, strlen(text), &o, &e), &e);
	assert_ok(task_read(a, o, t, &e), &e);
}

/* ---- write and read ---- */
static void every_field_comes_back(void **state)
{
	struct arena a = { 0 };
	struct task t = task_full(&a), back;

	(void)state;
	read_back(&a, task_text(&a, &t), &back);
	/* Field by field, so that one which is neither written nor read is missed. */
	assert_int_equal(back.id, t.id);
	assert_string_equal(back.prompt, t.prompt);
	assert_string_equal(back.dir, t.dir);
	assert_string_equal(back.repo_url, t.repo_url);
	assert_string_equal(back.branch, t.branch);
	assert_string_equal(back.host, t.host);
	assert_string_equal(back.network, t.network);
	assert_string_equal(back.idempotency_key, t.idempotency_key);
	assert_string_equal(back.extra, t.extra);
	assert_int_equal(back.created, t.created);
	assert_int_equal(back.status, t.status);
	assert_string_equal(back.platform, t.platform);
	assert_string_equal(back.model, t.model);
	assert_string_equal(back.router, t.router);
	assert_int_equal(back.priority, t.priority);
	assert_int_equal(back.updated, t.updated);
	assert_int_equal(back.tokens, t.tokens);
	assert_int_equal(back.token_budget, t.token_budget);
	assert_int_equal(back.on_budget, t.on_budget);
	assert_true(back.budget_exceeded);
	assert_string_equal(back.result, t.result);
	assert_string_equal(back.error, t.error);
	assert_true(back.held);
	assert_int_equal(back.parked_until, t.parked_until);
	assert_int_equal(back.artifact_count, 1);
	assert_string_equal(back.artifacts[0].name, "changes.patch");
	assert_int_equal(back.artifacts[0].size, 777);
	assert_int_equal(back.artifacts[0].at, 1770804100000);
	assert_string_equal(back.artifacts[0].session, "s1");
	assert_int_equal(back.session_count, 2);
	arena_reset(&a);
}

static void same_outbox(const struct outbox *x, const struct outbox *y)
{
	assert_text(x->id, y->id);
	assert_int_equal(x->state, y->state);
	assert_int_equal(x->attempts, y->attempts);
	assert_text(x->error, y->error);
	assert_int_equal(x->next_at, y->next_at);
	assert_int_equal(x->since, y->since);
}

static void every_field_of_a_session_comes_back(void **state)
{
	struct arena a = { 0 };
	struct task t = task_full(&a), back;
	const struct session want = session_full();

	(void)state;
	read_back(&a, task_text(&a, &t), &back);
	const struct session *s = &back.sessions[0];
	assert_string_equal(s->id, want.id);
	assert_string_equal(s->agent, want.agent);
	assert_string_equal(s->model, want.model);
	assert_string_equal(s->router, want.router);
	assert_int_equal(s->started_at, want.started_at);
	assert_int_equal(s->ended_at, want.ended_at);
	assert_true(s->reported);
	assert_int_equal(s->tokens, want.tokens);
	assert_true(s->usage.known);
	assert_int_equal(s->usage.input, want.usage.input);
	assert_int_equal(s->usage.output, want.usage.output);
	assert_int_equal(s->usage.cache_read, want.usage.cache_read);
	assert_int_equal(s->usage.cache_write, want.usage.cache_write);
	assert_int_equal(s->result, want.result);
	assert_string_equal(s->summary, want.summary);
	assert_string_equal(s->sandbox_id, want.sandbox_id);
	assert_true(s->has_exit_code);
	assert_int_equal(s->exit_code, want.exit_code);
	same_outbox(&s->dispatch, &want.dispatch);
	same_outbox(&s->kill, &want.kill);
	assert_string_equal(s->nonce, want.nonce);
	assert_int_equal(s->expires_at, want.expires_at);
	assert_int_equal(s->active_at, want.active_at);
	assert_string_equal(s->extra, want.extra);
	s = &back.sessions[1];
	assert_false(s->reported);
	assert_false(s->has_exit_code);
	assert_false(s->usage.known);
	assert_true(session_open(s));
	assert_int_equal(s->dispatch.state, STEP_NONE);
	assert_null(s->nonce);
	arena_reset(&a);
}

/* ---- text that wants to be something else ---- */
static const struct hostile {
	const char *name;
	const char *text;
} hostiles[] = {
	{ "quotes and backslashes come back", "\"\\\"\\\\\"},{\"id\":1" },
	{ "line breaks come back", "a\nb\r\nc\n" },
	{ "a record's own text comes back", "\n00000000 {\"k\":\"del\",\"id\":1,\"todo\":0}\n" },
	{ "every control character comes back",
	  "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
	  "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f" },
	{ "markup comes back", "<script>alert('x')</script>&amp;<?cs var:x ?>" },
	{ "escapes that are none come back", "\\u0041 \\n %41 %00 &#65;" },
	{ "terminal sequences come back", "\x1b[31mred\x1b]0;x\x07" },
	{ "all planes come back",
	  "\xC3\xA4\xE2\x82\xAC\xEF\xBF\xBF\xF0\x9F\xA6\x96\xF4\x8F\xBF\xBF" },
	{ "line separators come back", "\xE2\x80\xA8\xE2\x80\xA9\xC2\x85" },
	{ "a space alone comes back", " " },
	{ "words of JSON come back", "null" },
};

static void hostile_text_comes_back(void **state)
{
	ROW(struct hostile);
	struct arena a = { 0 };
	struct task t = task_full(&a), back;

	t.prompt = t.dir = t.repo_url = t.branch = t.host = t.network = t.idempotency_key = r->text;
	t.platform = t.model = t.router = t.result = t.error = r->text;
	t.artifacts[0].name = r->text;
	struct session *s = &t.sessions[0];
	s->agent = s->model = s->router = s->summary = s->sandbox_id = s->nonce = r->text;
	s->dispatch.error = s->kill.error = r->text;
	const char *text = task_text(&a, &t);
	for (const char *p = text; *p != '\0'; p++)
		assert_true((unsigned char)*p >= 0x20); /* one line, whatever is in it */
	read_back(&a, text, &back);
	assert_string_equal(back.prompt, r->text);
	assert_string_equal(back.sessions[0].summary, r->text);
	assert_string_equal(back.artifacts[0].name, r->text);
	assert_string_equal(task_text(&a, &back), text);
	arena_reset(&a);
}

static void smallest_task_comes_back(void **state)
{
	struct arena a = { 0 };
	struct task t = { .id = 1, .prompt = "x", .created = 1 }, back;

	(void)state;
	read_back(&a, task_text(&a, &t), &back);
	assert_string_equal(task_text(&a, &back), task_text(&a, &t));
	assert_null(back.error);
	assert_null(back.router);
	assert_int_equal(back.updated, 0);
	assert_int_equal(back.session_count, 0);
	assert_int_equal(back.on_budget, BUDGET_FLAG);
	arena_reset(&a);
}

/* A `set` line is read on top of a `new` line: what it says null must be null then, not what was
 * before. */
static void newer_line_overwrites_what_changes(void **state)
{
	const char set[] = "{\"status\":\"queued\",\"tokens\":9,\"updated\":null,\"parked_until\":"
			   "null,\"sessions\":[]}";
	struct arena a = { 0 };
	struct task t = task_full(&a);
	struct json_object *o;
	struct errinfo e;

	(void)state;
	assert_ok(json_parse(&a, set, sizeof set - 1, &o, &e), &e);
	assert_ok(task_read(&a, o, &t, &e), &e);
	assert_int_equal(t.status, STATUS_QUEUED);
	assert_int_equal(t.tokens, 9);
	assert_int_equal(t.updated, 0);
	assert_int_equal(t.parked_until, 0);
	assert_int_equal(t.session_count, 0);
	assert_string_equal(t.prompt, "do it");
	assert_int_equal(t.created, 1770800000001);
	arena_reset(&a);
}

/* ---- what a client sees ---- */
static void public_form_hides_what_is_private(void **state)
{
	struct arena a = { 0 };
	struct task t = task_full(&a);
	struct strbuf sb;
	struct jw w;

	(void)state;
	strbuf_init(&sb);
	jw_init(&w, &sb);
	task_write_public(&w, NULL, &t);
	assert_non_null(strstr(sb.buf, "{\"id\":\"42\","));
	assert_null(strstr(sb.buf, "n0nce"));
	assert_null(strstr(sb.buf, "idempotency"));
	/* Members of an old state are where they were. */
	assert_null(strstr(sb.buf, "\"extra\""));
	assert_non_null(strstr(sb.buf, ",\"extra_field\":{\"kept\":true},\"x\":null,"));
	assert_non_null(strstr(sb.buf, ",\"old\":[1,2.50]}"));
	assert_non_null(strstr(
		sb.buf,
		"\"usage\":{\"input\":1000,\"output\":200,\"cache_read\":30,\"cache_write\":4}"));
	assert_non_null(strstr(sb.buf, "\"state\":\"started\""));
	assert_non_null(strstr(sb.buf, "\"result\":\"gate_failed\""));
	assert_true(utf8_valid(sb.buf, sb.len));
	strbuf_release(&sb);
	arena_reset(&a);
}

static void parts_add_up(void **state)
{
	struct arena a = { 0 };
	struct task t = task_full(&a), back = { 0 };
	static const unsigned parts[] = { PART_FIXED | PART_PRIVATE, PART_CHANGING | PART_PRIVATE };
	struct errinfo e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct json_object *o;
		struct strbuf sb;
		struct jw w;
		strbuf_init(&sb);
		jw_init(&w, &sb);
		jw_object(&w, NULL);
		jw_i64(&w, "id", t.id);
		task_write(&w, &t, parts[i]);
		jw_object_end(&w);
		assert_ok(json_parse(&a, sb.buf, sb.len, &o, &e), &e);
		assert_ok(task_read(&a, o, &back, &e), &e);
		strbuf_release(&sb);
	}
	assert_string_equal(task_text(&a, &back), task_text(&a, &t));
	arena_reset(&a);
}

/* ---- what is refused ---- */
static const struct bad {
	const char *name;
	const char *json;
} bad[] = {
	{ "a status that is none is refused", "{\"id\":\"1\",\"status\":\"waiting\"}" },
	{ "a status that is a number is refused", "{\"id\":\"1\",\"status\":1}" },
	{ "an id that is a word is refused", "{\"id\":\"one\"}" },
	{ "a negative id is refused", "{\"id\":-1}" },
	{ "a prompt that is a number is refused", "{\"id\":\"1\",\"prompt\":7}" },
	{ "a prompt with NUL is refused", "{\"id\":\"1\",\"prompt\":\"a\\u0000b\"}" },
	{ "a time that is none is refused", "{\"id\":\"1\",\"created\":\"yesterday\"}" },
	{ "a time that is a number is refused", "{\"id\":\"1\",\"created\":1770800000}" },
	{ "negative tokens are refused", "{\"id\":\"1\",\"status\":\"done\",\"tokens\":-5}" },
	{ "tokens beyond 2^53 are refused",
	  "{\"id\":\"1\",\"status\":\"done\",\"tokens\":9007199254740993}" },
	{ "broken tokens are refused", "{\"id\":\"1\",\"status\":\"done\",\"tokens\":1.5}" },
	{ "sessions that are an object are refused",
	  "{\"id\":\"1\",\"status\":\"done\",\"sessions\":{}}" },
	{ "a session's wrong time is refused",
	  "{\"id\":\"1\",\"status\":\"done\",\"sessions\":[{\"started_at\":\"x\"}]}" },
	{ "a session's wrong usage is refused",
	  "{\"id\":\"1\",\"status\":\"done\",\"sessions\":[{\"usage\":{\"input\":\"many\"}}]}" },
	{ "a session's wrong dispatch is refused",
	  "{\"id\":\"1\",\"status\":\"done\",\"sessions\":[{\"dispatch\":\"started\"}]}" },
	{ "an artifact without name is refused",
	  "{\"id\":\"1\",\"status\":\"done\",\"artifacts\":[{\"size\":1}]}" },
	{ "held that is text is refused", "{\"id\":\"1\",\"status\":\"done\",\"held\":\"yes\"}" },
};

static void wrong_types_are_refused(void **state)
{
	ROW(struct bad);
	struct arena a = { 0 };
	struct task t = { 0 };
	struct json_object *o;
	struct errinfo e;

	assert_ok(json_parse(&a, r->json, strlen(r->json), &o, &e), &e);
	assert_err(task_read(&a, o, &t, &e), ERR_BAD_INPUT, &e);
	arena_reset(&a);
}

static void usage_is_read_in_part(void **state)
{
	const char text[] = "{\"input\":5,\"output\":\"6\",\"cache_read\":null,\"reasoning\":9}";
	struct usage u = { 0 };
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;

	(void)state;
	assert_ok(json_parse(&a, text, sizeof text - 1, &o, &e), &e);
	assert_ok(usage_read(o, &u, &e), &e);
	assert_true(u.known);
	assert_int_equal(u.input, 5);
	assert_int_equal(u.output, 6);
	assert_int_equal(usage_total(&u), 11);
	arena_reset(&a);
}

/* ---- the old chomp's state ---- */
static struct task old_task(struct arena *a, size_t i)
{
	struct json_object *o, *tasks = NULL;
	struct task t = { 0 };
	struct errinfo e;
	char *text;
	size_t len;

	assert_ok(file_read(AT_FDCWD, "tests/fixtures/old-state/state.json", 1 << 20, a, &text,
			    &len, &e),
		  &e);
	assert_ok(json_parse(a, text, len, &o, &e), &e);
	assert_ok(jr_arr_opt(o, "tasks", &tasks, &e), &e);
	assert_int_equal(json_array_len(tasks), 6);
	assert_ok(task_adopt(a, json_array_at(tasks, i), &t, &e), &e);
	/* What was read can be kept: written in our form it comes back. */
	struct task back;
	read_back(a, task_text(a, &t), &back);
	assert_string_equal(task_text(a, &back), task_text(a, &t));
	return t;
}

static void old_active_task_is_not_attached(void **state)
{
	struct arena a = { 0 };
	struct task t = old_task(&a, 0);

	(void)state;
	assert_int_equal(t.id, 1);
	assert_int_equal(t.status, STATUS_ACTIVE);
	assert_string_equal(t.platform, "opencode");
	assert_int_equal(t.tokens, 310000);
	assert_true(t.budget_exceeded);
	assert_int_equal(t.created, 1795372868000);
	assert_int_equal(t.session_count, 2);
	assert_int_equal(t.sessions[0].result, RESULT_HANDOFF);
	assert_string_equal(t.sessions[0].summary,
			    "Token store extracted, login flow still on the old session");
	assert_int_equal(t.sessions[0].tokens, 62000);
	assert_ptr_equal(task_open_session(&t), &t.sessions[1]);
	assert_int_equal(t.sessions[1].dispatch.state, STEP_NONE);
	assert_false(task_has_work(&t));
	arena_reset(&a);
}

static void old_tasks_keep_their_fields(void **state)
{
	struct arena a = { 0 };

	(void)state;
	struct task t = old_task(&a, 1);
	assert_string_equal(
		t.prompt,
		"Write tests for billing \xE2\x80\x94 with \xE2\x80\x9Cquotes\xE2\x80\x9D, "
		"<b>tags</b> & \xC3\xBCn\xC3\xAF"
		"code \xF0\x9F\xA6\x96");
	assert_string_equal(t.repo_url, "https://example.com/acme/billing.git");
	t = old_task(&a, 2);
	assert_int_equal(t.status, STATUS_DONE);
	assert_string_equal(t.result, "17 flaky tests");
	assert_int_equal(t.sessions[0].result, RESULT_DONE);
	t = old_task(&a, 3);
	assert_string_equal(t.platform, "my-agent");
	assert_string_equal(t.prompt, "line one\nline two\n\nPREVIOUS PROGRESS: half of it");
	t = old_task(&a, 4); /* the old CLI wrote null where the server leaves out */
	assert_null(t.result);
	assert_null(t.platform);
	assert_int_equal(t.tokens, 0);
	assert_string_equal(t.dir, "/srv/x");
	assert_string_equal(t.extra, "{\"extra_field\":{\"kept\":true}}");
	assert_int_equal(t.updated, t.created);
	t = old_task(&a, 5);
	assert_int_equal(t.status, STATUS_FAILED);
	assert_int_equal(t.tokens, 1200);
	assert_int_equal(t.session_count, 0);
	arena_reset(&a);
}

static void go_s_zero_time_can_be_kept(void **state)
{
	struct arena a = { 0 };
	struct task t, back;

	(void)state;
	read_back(&a,
		  "{\"id\":\"1\",\"prompt\":\"x\",\"status\":\"done\",\"created\":\"0001-01-01T00:"
		  "00:00Z\","
		  "\"sessions\":[{\"agent\":\"pi\",\"ended_at\":\"0001-01-01T00:00:00Z\"}]}",
		  &t);
	read_back(&a, task_text(&a, &t), &back);
	assert_string_equal(task_text(&a, &back), task_text(&a, &t));
	assert_string_equal(t.sessions[0].id, "s1"); /* old sessions may have no id */
	arena_reset(&a);
}

static const struct foreign {
	const char *name;
	const char *json;
} foreigns[] = {
	{ "a task that is no object is not adopted", "[1]" },
	{ "a task that is null is not adopted", "null" },
	{ "a task without id is not adopted", "{\"prompt\":\"x\",\"status\":\"done\"}" },
	{ "a task with id 0 is not adopted",
	  "{\"id\":\"0\",\"prompt\":\"x\",\"status\":\"done\"}" },
	{ "a task with a word for id is not adopted",
	  "{\"id\":\"a1\",\"prompt\":\"x\",\"status\":\"done\"}" },
	/* Everything that changes is read only where there is a status: it would be lost in
	   silence. */
	{ "a task without status is not adopted",
	  "{\"id\":\"1\",\"prompt\":\"x\",\"tokens\":5,\"sessions\":[{}]}" },
};

static void foreign_task_is_not_adopted(void **state)
{
	ROW(struct foreign);
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	struct task t;

	assert_ok(json_parse(&a, r->json, strlen(r->json), &o, &e), &e);
	assert_err(task_adopt(&a, o, &t, &e), ERR_BAD_INPUT, &e);
	arena_reset(&a);
}

/* A dispatch of another chomp is none of ours: acting on it would kill what is not ours either. */
static void adopted_sessions_are_not_attached(void **state)
{
	const char text[] = "{\"id\":\"3\",\"prompt\":\"x\",\"status\":\"active\",\"sessions\":[{"
			    "\"agent\":\"pi\",\"odd\":1,"
			    "\"dispatch\":{\"id\":\"00\",\"state\":\"pending\"},\"kill\":{"
			    "\"state\":\"pending\"}}]}";
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	struct task t;

	(void)state;
	assert_ok(json_parse(&a, text, sizeof text - 1, &o, &e), &e);
	assert_ok(task_adopt(&a, o, &t, &e), &e);
	assert_int_equal(t.session_count, 1);
	assert_false(task_has_work(&t));
	assert_string_equal(t.sessions[0].extra, "{\"odd\":1}");
	assert_null(t.extra);
	arena_reset(&a);
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "every field comes back", every_field_comes_back, NULL);
	plan_add(&p, "every field of a session comes back", every_field_of_a_session_comes_back,
		 NULL);
	PLAN_ROWS(&p, hostiles, hostile_text_comes_back);
	plan_add(&p, "the smallest task comes back", smallest_task_comes_back, NULL);
	plan_add(&p, "a newer line overwrites what changes", newer_line_overwrites_what_changes,
		 NULL);
	plan_add(&p, "the public form hides what is private", public_form_hides_what_is_private,
		 NULL);
	plan_add(&p, "the parts of two lines add up to the task", parts_add_up, NULL);
	PLAN_ROWS(&p, bad, wrong_types_are_refused);
	plan_add(&p, "usage may be given in part", usage_is_read_in_part, NULL);
	plan_add(&p, "an old active task is not attached", old_active_task_is_not_attached, NULL);
	plan_add(&p, "old tasks keep their fields", old_tasks_keep_their_fields, NULL);
	plan_add(&p, "Go's zero time can be kept", go_s_zero_time_can_be_kept, NULL);
	PLAN_ROWS(&p, foreigns, foreign_task_is_not_adopted);
	plan_add(&p, "adopted sessions are not attached", adopted_sessions_are_not_attached, NULL);
	return plan_run("codec", &p);
}

/* Creating, listing, showing, deleting. */
#include <errno.h>
#include <unistd.h>

#include "api_kit.h"
#include "core/clock.h"
#include "core/number.h"
#include "store/lock.h"
#include "store/output.h"

/* ---- the disk and the lock's clock, at will ---- */
static bool disk_full;
static int64_t faster = 1;

ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	if (disk_full) {
		errno = ENOSPC;
		return -1;
	}
	return __real_write(fd, p, len);
}

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
	static int64_t began;

	if (began == 0)
		began = __real_clock_mono_ms();
	return began + (__real_clock_mono_ms() - began) * faster;
}

/* ---- refusals ---- */
static const struct row {
	const char *name;
	const char *type, *body;
	int status;
	const char *code;
} rows[] = {
	{ "no prompt is refused", JSON, "{}", 400, "bad_field" },
	{ "an empty prompt is refused", JSON, "{\"prompt\":\"\"}", 400, "bad_field" },
	{ "a prompt of white space is refused", JSON, "{\"prompt\":\" \\t\\r\\n \"}", 400,
	  "bad_field" },
	{ "a null prompt is refused", JSON, "{\"prompt\":null}", 400, "bad_field" },
	{ "a prompt that is a number is refused", JSON, "{\"prompt\":7}", 400, "bad_field" },
	{ "a prompt with NUL is refused", JSON, "{\"prompt\":\"a\\u0000b\"}", 400, "bad_field" },
	{ "a prompt under a key with NUL is refused", JSON, "{\"prompt\\u0000x\":\"a\"}", 400,
	  "bad_json" },
	{ "an empty prompt of a form is refused", FORM, "prompt=", 400, "bad_field" },
	{ "a prompt of spaces in a form is refused", FORM, "prompt=+++", 400, "bad_field" },
	{ "a prompt with NUL in a form is refused", FORM, "prompt=a%00b", 400, "bad_field" },
	{ "a prompt of broken UTF-8 is refused", FORM, "prompt=%FF", 400, "bad_field" },
	{ "broken UTF-8 in JSON is refused", JSON, "{\"prompt\":\"\xFF\"}", 400, "bad_json" },
	{ "a lone surrogate is refused", JSON, "{\"prompt\":\"\\ud800\"}", 400, "bad_json" },
	{ "broken JSON is refused", JSON, "{\"prompt\":\"x\"", 400, "bad_json" },
	{ "text behind JSON is refused", JSON, "{\"prompt\":\"x\"} x", 400, "bad_json" },
	{ "a JSON list is refused", JSON, "[\"x\"]", 400, "bad_json" },
	{ "plain text is refused", "text/plain", "x", 415, "unsupported_media" },
	{ "an unknown agent is refused", JSON, "{\"prompt\":\"x\",\"agent\":\"nobody\"}", 400,
	  "unknown_agent" },
	{ "an agent in capitals is unknown", JSON, "{\"prompt\":\"x\",\"agent\":\"PI\"}", 400,
	  "unknown_agent" },
	{ "an agent that is a path is unknown", JSON,
	  "{\"prompt\":\"x\",\"agent\":\"../../bin/sh\"}", 400, "unknown_agent" },
	{ "an unknown platform is refused", JSON, "{\"prompt\":\"x\",\"platform\":\"nobody\"}", 400,
	  "unknown_agent" },
	{ "an unknown router is refused", JSON, "{\"prompt\":\"x\",\"router\":\"x\"}", 400,
	  "bad_field" },
	{ "an unknown host is refused", JSON, "{\"prompt\":\"x\",\"host\":\"mars\"}", 400,
	  "bad_field" },
	{ "an unknown network is refused", JSON, "{\"prompt\":\"x\",\"network\":\"some\"}", 400,
	  "bad_field" },
	{ "an unknown budget rule is refused", JSON, "{\"prompt\":\"x\",\"on_budget\":\"explode\"}",
	  400, "bad_field" },
	{ "a repository that is an option is refused", JSON,
	  "{\"prompt\":\"x\",\"repo_url\":\"--upload-pack=x\"}", 400, "bad_field" },
	{ "a branch that is an option is refused", JSON, "{\"prompt\":\"x\",\"branch\":\"-b\"}",
	  400, "bad_field" },
	{ "a directory that is an option is refused", JSON, "{\"prompt\":\"x\",\"dir\":\"-C/\"}",
	  400, "bad_field" },
	{ "a model that is an option is refused", JSON, "{\"prompt\":\"x\",\"model\":\"--help\"}",
	  400, "bad_field" },
	{ "a branch with a line feed is refused", JSON, "{\"prompt\":\"x\",\"branch\":\"a\\nb\"}",
	  400, "bad_field" },
	{ "a directory with an escape is refused", JSON,
	  "{\"prompt\":\"x\",\"dir\":\"/a\\u001b[31m\"}", 400, "bad_field" },
	{ "a directory on the Cloudflare host is refused", JSON,
	  "{\"prompt\":\"x\",\"host\":\"cloudflare\",\"dir\":\"/srv/x\"}", 400, "dir_needs_local" },
	{ "a priority too high is refused", JSON, "{\"prompt\":\"x\",\"priority\":1001}", 400,
	  "bad_field" },
	{ "a priority by words is refused", JSON, "{\"prompt\":\"x\",\"priority\":\"high\"}", 400,
	  "bad_field" },
	{ "a negative budget is refused", JSON, "{\"prompt\":\"x\",\"token_budget\":-1}", 400,
	  "bad_field" },
	{ "a budget beyond 2^53 is refused", JSON,
	  "{\"prompt\":\"x\",\"token_budget\":9007199254740993}", 400, "bad_field" },
	{ "run by words is refused", JSON, "{\"prompt\":\"x\",\"run\":\"now\"}", 400, "bad_field" },
	{ "run by number is refused in JSON", JSON, "{\"prompt\":\"x\",\"run\":1}", 400,
	  "bad_field" },
};

static void refused_without_a_trace(void **state)
{
	ROW(struct row);

	(void)api_setup(state);
	make_task("");
	assert_refused((struct ask){ .handler = api_task_create, .type = r->type, .body = r->body },
		       r->status, r->code);
	(void)api_teardown(state);
}

static void long_texts_are_refused(void **state)
{
	static const struct {
		const char *field;
		size_t max;
	} fields[] = { { "prompt", 256 * 1024 },
		       { "dir", 4096 },
		       { "repo_url", 4096 },
		       { "branch", 4096 },
		       { "model", 4096 } };

	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		char *text = arena_alloc(&w.a, fields[i].max + 2);
		memset(text, 'a', fields[i].max + 1);
		const char *more = i > 0 ? ",\"prompt\":\"x\"" : "";
		assert_refused((struct ask){ .handler = api_task_create,
					     .type = JSON,
					     .body = arena_printf(&w.a, "{\"%s\":\"%s\"%s}",
								  fields[i].field, text, more) },
			       400, "bad_field");
		text[fields[i].max] = '\0';
		assert_status(post(api_task_create, arena_printf(&w.a, "{\"%s\":\"%s\"%s}",
								 fields[i].field, text, more)),
			      200);
	}
}

/* ---- what is made ---- */
static void whole_task_is_answered(void **state)
{
	const char body[] = "{\"prompt\":\"p\\n<b>\\u0001\xF0\x9F\xA6\x96\",\"dir\":\"sub\",\"repo_"
			    "url\":\"https://x/r.git\","
			    "\"branch\":\"main\",\"agent\":\"pi\",\"model\":\"gpt-4.1\",\"router\":"
			    "\"zen\",\"host\":\"cloudflare\","
			    "\"network\":\"none\",\"priority\":-1000,\"token_budget\":0,\"on_"
			    "budget\":\"stop\",\"unknown\":{\"x\":[]}}";

	(void)state;
	struct reply r = post(api_task_create, body);
	assert_status(r, 200);
	assert_string_equal(r.trigger, "refreshTasks");
	for (int i = 0; i < 2; i++) {
		assert_string_equal(field(r.json, "id"), "1");
		assert_string_equal(field(r.json, "prompt"), "p\n<b>\x01\xF0\x9F\xA6\x96");
		assert_string_equal(field(r.json, "dir"), "sub");
		assert_string_equal(field(r.json, "repo_url"), "https://x/r.git");
		assert_string_equal(field(r.json, "branch"), "main");
		assert_string_equal(field(r.json, "platform"), "pi");
		assert_string_equal(field(r.json, "model"), "gpt-4.1");
		assert_string_equal(field(r.json, "router"), "zen");
		assert_string_equal(field(r.json, "host"), "cloudflare");
		assert_string_equal(field(r.json, "network"), "none");
		assert_int_equal(number(r.json, "priority"), -1000);
		assert_int_equal(number(r.json, "token_budget"), 0);
		assert_string_equal(field(r.json, "on_budget"), "stop");
		assert_string_equal(field(r.json, "status"), "queued");
		assert_string_equal(field(r.json, "created"), "2026-02-11T10:00:00Z");
		assert_string_equal(field(r.json, "updated"), "2026-02-11T10:00:00Z");
		assert_null(item(r.json, "sessions", 0));
		r = get(api_task_get, "1");
		assert_status(r, 200);
		assert_null(r.trigger);
	}
}

static void defaults_are_filled_in(void **state)
{
	(void)state;
	struct reply r = ask((struct ask){ .handler = api_task_create,
					   .type = FORM,
					   .body = "prompt=x&dir=&agent=&priority=&run=" });
	assert_status(r, 200);
	assert_int_equal(number(r.json, "token_budget"), 300000);
	assert_int_equal(number(r.json, "priority"), 0);
	assert_string_equal(field(r.json, "on_budget"), "flag");
	assert_string_equal(field(r.json, "dir"), "");
	assert_null(field(r.json, "repo_url"));
	assert_string_equal(field(r.json, "status"), "queued");
	assert_status(post(api_config_settings, "{\"token_budget\":77}"), 200);
	r = post(api_task_create, "{\"prompt\":\"x\"}");
	assert_int_equal(number(r.json, "token_budget"), 77);
}

static void created_and_run_at_once(void **state)
{
	static const char *const bodies[] = { "{\"prompt\":\"x\",\"run\":true,\"agent\":\"codex\"}",
					      "prompt=x&run=on&agent=codex" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct reply r = ask((struct ask){ .handler = api_task_create,
						   .type = i == 0 ? JSON : FORM,
						   .body = bodies[i] });
		assert_status(r, 200);
		assert_string_equal(field(r.json, "status"), "active");
		assert_string_equal(field(item(r.json, "sessions", 0), "model"), "gpt-4.1");
		assert_int_equal(task_now(field(r.json, "id")).sessions[0].dispatch.state,
				 STEP_PENDING);
	}
}

static void custom_agents_are_known(void **state)
{
	const char agents[] =
		"{\"my-agent\":{\"name\":\"Mine\",\"command\":\"x\"},\"Bad Id\":{\"name\":\"y\"}}";

	(void)state;
	world_write(&w, "state/agents.json", agents, sizeof agents - 1);
	assert_status(post(api_task_create, "{\"prompt\":\"x\",\"agent\":\"my-agent\"}"), 200);
	assert_refused((struct ask){ .handler = api_task_create,
				     .type = JSON,
				     .body = "{\"prompt\":\"x\",\"agent\":\"Bad Id\"}" },
		       400, "unknown_agent");
	world_write(&w, "state/agents.json", "[]", 2);
	assert_refused((struct ask){ .handler = api_task_create,
				     .type = JSON,
				     .body = "{\"prompt\":\"x\",\"agent\":\"my-agent\"}" },
		       500, "corrupt");
	assert_status(post(api_task_create, "{\"prompt\":\"x\",\"agent\":\"pi\"}"),
		      200); /* what is built in needs no file */
}

/* ---- the idempotency key ---- */
static struct reply keyed(const char *key, const char *prompt)
{
	return ask((struct ask){ .handler = api_task_create,
				 .type = JSON,
				 .body = arena_printf(&w.a, "{\"prompt\":\"%s\"}", prompt),
				 .key = key });
}

static void same_key_answers_the_first_task(void **state)
{
	(void)state;
	struct reply first = keyed("k-1", "one"), again;
	struct strbuf before = world_picture(&w, "state"), after;
	again = keyed("k-1", "two");
	after = world_picture(&w, "state");
	assert_status(again, 200);
	assert_string_equal(again.body, first.body);
	assert_string_equal(after.buf, before.buf);
	strbuf_release(&before);
	strbuf_release(&after);
	assert_string_equal(field(keyed("k-2", "three").json, "id"), "2");
	now_ms += 24 * 3600 * 1000 + 1;
	assert_string_equal(field(keyed("k-1", "four").json, "id"), "3");
	assert_null(strstr(get(api_task_get, "3").body, "k-1")); /* and nobody sees it */
}

static void key_that_is_none_is_refused(void **state)
{
	char key[300];

	(void)state;
	memset(key, 'k', sizeof key);
	key[256] = '\0';
	assert_refused((struct ask){ .handler = api_task_create,
				     .type = JSON,
				     .body = "{\"prompt\":\"x\"}",
				     .key = key },
		       400, "bad_field");
	/* A header may hold any bytes; one that is no text could never be read back. */
	assert_refused((struct ask){ .handler = api_task_create,
				     .type = JSON,
				     .body = "{\"prompt\":\"x\"}",
				     .key = "k\xff" },
		       400, "bad_field");
	key[255] = '\0';
	assert_status(keyed(key, "x"), 200);
}

/* ---- what is not ours to decide ---- */
static void busy_store_is_503(void **state)
{
	struct lock l;
	struct errinfo e;
	int dirfd = open(world_path(&w, "state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	make_task("");
	assert_ok(lock_open(&l, dirfd, &e), &e);
	close(dirfd);
	assert_ok(lock_take(&l, &e), &e);
	faster = 50;
	static const struct ask asks[] = {
		{ .handler = api_task_create, .type = JSON, .body = "{\"prompt\":\"x\"}" },
		{ .handler = api_task_delete, .type = JSON, .body = "{\"id\":1}" },
		{ .handler = api_config_settings, .type = JSON, .body = "{\"max_active\":7}" },
	};
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
		assert_refused(asks[i], 503, "busy");
	struct reply r = post(api_task_create, "{\"prompt\":\"x\"}");
	assert_string_equal(r.retry, "1");
	assert_status(get(api_task_get, "1"), 200); /* reading goes on */
	assert_status(get(api_task_list, NULL), 200);
	faster = 1;
	lock_close(&l);
}

static void full_disk_is_507(void **state)
{
	static const struct ask asks[] = {
		{ .handler = api_task_create, .type = JSON, .body = "{\"prompt\":\"x\"}" },
		{ .handler = api_task_run, .type = JSON, .body = "{\"id\":1}" },
		{ .handler = api_config_settings, .type = JSON, .body = "{\"max_active\":7}" },
		{ .handler = api_config_keys,
		  .type = JSON,
		  .body = "{\"key\":\"GITHUB_TOKEN\",\"value\":\"x\"}" },
	};

	(void)state;
	make_task("");
	disk_full = true;
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
		assert_refused(asks[i], 507, "disk_full");
	disk_full = false;
	assert_status(post(api_task_run, "{\"id\":1}"), 200);
}

static void read_only_store_is_503(void **state)
{
	(void)state;
	make_task("");
	world_write(&w, "run/worker/read_only", "", 0);
	assert_refused((struct ask){ .handler = api_task_create,
				     .type = JSON,
				     .body = "{\"prompt\":\"x\"}" },
		       503, "read_only");
	assert_refused(
		(struct ask){ .handler = api_task_delete, .type = JSON, .body = "{\"id\":1}" }, 503,
		"read_only");
	assert_status(get(api_task_get, "1"), 200);
}

static void damaged_store_is_500(void **state)
{
	size_t len;

	(void)state;
	make_task("");
	char *log = world_read(&w, "state/tasks.log", &len);
	world_write(&w, "state/tasks.log", arena_printf(&w.a, "%snot a record\n", log), len + 13);
	assert_status(get(api_task_get, "1"), 200); /* what can be read is served */
	assert_refused((struct ask){ .handler = api_task_create,
				     .type = JSON,
				     .body = "{\"prompt\":\"x\"}" },
		       500, "corrupt");
	assert_status(get(api_task_list, NULL), 200);
	assert_status(get(api_state, NULL), 200);
	struct reply r = post(api_task_run, "{\"id\":1}");
	assert_string_equal(r.message, "the stored state is damaged; run chompctl doctor");
}

/* ---- show and delete ---- */
static const struct path_id {
	const char *name;
	const char *id;
	int status;
	const char *code;
} path_ids[] = {
	{ "a task that is there is shown", "1", 200, NULL },
	{ "a deleted task is gone", "2", 404, "not_found" },
	{ "a task that never was is not found", "3", 404, "not_found" },
	{ "digits of any length are not found", "99999999999999999999999999999999999999999", 404,
	  "not_found" },
	{ "a leading zero is not found", "01", 404, "not_found" },
	{ "a word is no id", "one", 400, "bad_id" },
	{ "a sign is no id", "-1", 400, "bad_id" },
	{ "an escape is no id", "%31", 400, "bad_id" },
	{ "bytes are no id", "\xFF", 400, "bad_id" },
};

static void shown_by_its_id(void **state)
{
	ROW(struct path_id);
	handler_fn *const handlers[] = { api_task_get, api_output_latest };

	(void)api_setup(state);
	make_task("");
	assert_status(post(api_task_delete, arena_printf(&w.a, "{\"id\":%s}", make_task(""))), 200);
	for (int i = 0; i < 2; i++) {
		struct reply rp = get(handlers[i], r->id);
		assert_status(rp, r->status);
		assert_text(rp.code, r->code);
	}
	(void)api_teardown(state);
}

static void deletion_takes_everything_along(void **state)
{
	struct errinfo e;

	(void)state;
	run_task("");
	const char *token = token_of("1");
	struct ask upload = { .handler = api_artifact_post,
			      .id = "1",
			      .second = "changes.patch",
			      .body = "diff",
			      .bearer = token };
	assert_status(ask(upload), 200);
	assert_ok(output_append(w.var, 1, "s1", OUTPUT_LOG, 0, "text", 4, &e), &e);
	struct reply r =
		ask((struct ask){ .handler = api_task_delete, .type = FORM, .body = "id=1" });
	assert_status(r, 200);
	assert_string_equal(r.trigger, "refreshTasks");
	assert_string_equal(field(r.json, "id"), "1");
	assert_false(world_has(&w, "log/sessions/1-s1.log"));
	assert_false(world_has(&w, "state/artifacts/1"));
	assert_int_equal(store_next_todo(w.store, 0), 1); /* its sandbox is still to be killed */
	/* Its agent is told, and can do nothing any more. */
	assert_refused((struct ask){ .handler = api_task_done,
				     .type = JSON,
				     .body = "{\"id\":1}",
				     .bearer = token },
		       404, "not_found");
	assert_refused(upload, 404, "not_found");
}

/* ---- lists ---- */
static void pages_hold_everybody_once(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++)
		make_task("");
	assert_status(post(api_task_delete, "{\"id\":6}"), 200);
	for (int limit = 1; limit < 14; limit++) {
		const char *query = arena_printf(&w.a, "limit=%d", limit);
		int64_t want = 12;
		int pages = 0;
		while (query != NULL) {
			struct reply r =
				ask((struct ask){ .handler = api_task_list, .query = query });
			assert_status(r, 200);
			int n = 0;
			for (const struct json_object *t;
			     (t = item(r.json, "tasks", (size_t)n)) != NULL; n++) {
				want -= want == 6 ? 1 : 0;
				assert_string_equal(field(t, "id"),
						    arena_printf(&w.a, "%d", (int)want--));
			}
			assert_true(n <= limit);
			const char *next = field(r.json, "next_cursor");
			query = next != NULL ? arena_printf(&w.a, "limit=%d&cursor=%s", limit, next)
					     : NULL;
			assert_true(++pages < 20);
		}
		assert_int_equal(want, 0);
	}
}

static const struct query {
	const char *name;
	const char *query;
	const char *ids; /* in order; NULL: refused */
} queries[] = {
	{ "no query is everything", "", "4 3 2 1 " },
	{ "one status", "status=queued", "1 " },
	{ "another status", "status=active", "2 " },
	{ "done", "status=done", "3 " },
	{ "failed", "status=failed", "4 " },
	{ "an empty status is everything", "status=", "4 3 2 1 " },
	{ "a cursor goes on below", "cursor=3", "2 1 " },
	{ "a cursor of 1 is the end", "cursor=1", "" },
	{ "a cursor beyond is the beginning", "cursor=9007199254740992", "4 3 2 1 " },
	{ "a word of the prompt", "q=needle", "2 " },
	{ "a word in other letters", "q=NEEDLE", "2 " },
	{ "a word of the result", "q=found+it", "3 " },
	{ "a word of nobody", "q=nothing", "" },
	{ "a word and a status", "q=needle&status=done", "" },
	{ "a markup in a word is a word", "q=%3Cb%3E", "" },
	{ "an unknown status is refused", "status=parked", NULL },
	{ "no limit is refused", "limit=0", NULL },
	{ "a limit too high is refused", "limit=201", NULL },
	{ "a limit by words is refused", "limit=all", NULL },
	{ "a negative cursor is refused", "cursor=-1", NULL },
	{ "a cursor by words is refused", "cursor=next", NULL },
	{ "a parameter twice is refused", "limit=1&limit=2", NULL },
	{ "a broken escape is refused", "q=%4", NULL },
	{ "a NUL is refused", "q=%00", NULL },
	{ "an unknown parameter is none of ours", "color=red", "4 3 2 1 " },
};

static void listed_by_query(void **state)
{
	ROW(struct query);
	const char *ids = "";

	(void)api_setup(state);
	make_task("");
	assert_status(post(api_task_create, "{\"prompt\":\"a Needle here\",\"run\":true}"), 200);
	assert_status(post(api_task_done,
			   arena_printf(&w.a, "{\"id\":%s,\"result\":\"found it\"}", run_task(""))),
		      200);
	assert_status(post(api_task_fail,
			   arena_printf(&w.a, "{\"id\":%s,\"reason\":\"no\"}", run_task(""))),
		      200);
	struct reply rp = ask((struct ask){ .handler = api_task_list, .query = r->query });
	if (r->ids == NULL) {
		assert_status(rp, 400);
		assert_string_equal(rp.code, "bad_field");
	} else {
		assert_status(rp, 200);
		const struct json_object *t;
		for (size_t i = 0; (t = item(rp.json, "tasks", i)) != NULL; i++)
			ids = arena_printf(&w.a, "%s%s ", ids, field(t, "id"));
		assert_string_equal(ids, r->ids);
	}
	(void)api_teardown(state);
}

static void search_goes_on_behind_a_full_page(void **state)
{
	const char *query = "q=needle&limit=2", *ids = "";
	int pages = 0;

	(void)state;
	for (int i = 1; i <= 500; i++) {
		struct task t = { .prompt = i % 100 == 3 ? "a needle" : "hay", .created = 1 };
		struct errinfo e;
		assert_ok(store_create(w.store, &w.a, &t, &e), &e);
	}
	while (query != NULL) {
		struct reply r = ask((struct ask){ .handler = api_task_list, .query = query });
		const struct json_object *t;
		size_t n = 0;
		for (; (t = item(r.json, "tasks", n)) != NULL; n++)
			ids = arena_printf(&w.a, "%s%s ", ids, field(t, "id"));
		assert_true(n <= 2);
		const char *next = field(r.json, "next_cursor");
		query = next != NULL ? arena_printf(&w.a, "q=needle&limit=2&cursor=%s", next)
				     : NULL;
		assert_true(++pages < 20);
	}
	assert_string_equal(ids, "403 303 203 103 3 ");
}

#define T(name, fn)                                     \
	{                                               \
		name, fn, api_setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("long texts are refused", long_texts_are_refused),
		T("the whole task is answered", whole_task_is_answered),
		T("defaults are filled in", defaults_are_filled_in),
		T("a task is created and run at once", created_and_run_at_once),
		T("custom agents are known", custom_agents_are_known),
		T("the same key answers the first task", same_key_answers_the_first_task),
		T("a key that is none is refused", key_that_is_none_is_refused),
		T("a busy store is 503", busy_store_is_503),
		T("a full disk is 507", full_disk_is_507),
		T("a read-only store is 503", read_only_store_is_503),
		T("a damaged store is 500", damaged_store_is_500),
		T("deletion takes everything along", deletion_takes_everything_along),
		T("pages hold everybody once", pages_hold_everybody_once),
		T("a search goes on behind a full page", search_goes_on_behind_a_full_page),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, rows, refused_without_a_trace);
	PLAN_ROWS(&p, path_ids, shown_by_its_id);
	PLAN_ROWS(&p, queries, listed_by_query);
	return plan_run("api_tasks", &p);
}

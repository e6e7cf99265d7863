/* Work products and terminal output. */
#include "api_kit.h"
#include "store/output.h"

static const char *token;

static int setup(void **state)
{
	(void)api_setup(state);
	run_task("");
	run_task("");
	token = token_of("1");
	return 0;
}

static struct ask upload(const char *name, const char *body)
{
	return (struct ask){ .handler = api_artifact_post,
			     .id = "1",
			     .second = name,
			     .body = body,
			     .bearer = token };
}

static struct reply download(const char *name)
{
	return ask((struct ask){ .handler = api_artifact_get, .id = "1", .second = name });
}

/* ---- artifacts ---- */
static bool ends_meanwhile;

enum err __real_artifact_stage(const char *var, int64_t task, const void *buf, size_t len, struct staged *out,
			       struct errinfo *e);
enum err __wrap_artifact_stage(const char *var, int64_t task, const void *buf, size_t len, struct staged *out,
			       struct errinfo *e);
enum err __wrap_artifact_stage(const char *var, int64_t task, const void *buf, size_t len, struct staged *out,
			       struct errinfo *e)
{
	enum err rc = __real_artifact_stage(var, task, buf, len, out, e);

	if (ends_meanwhile)
		assert_status(post(api_task_done, "{\"id\":1}"), 200);
	return rc;
}

/* The bytes are on disk, and then the session ends: no file may stay that nobody lists. */
static void upload_that_comes_too_late_leaves_nothing(void **state)
{
	(void)state;
	assert_status(ask(upload("changes.patch", "first")), 200);
	ends_meanwhile = true;
	struct reply r = ask(upload("other", "late"));
	ends_meanwhile = false;
	assert_status(r, 409);
	assert_false(world_has(&w, "state/artifacts/1/other"));
	struct strbuf all = world_picture(&w, "state/artifacts");
	assert_string_equal(all.buf, "state/artifacts\nstate/artifacts/1\nstate/artifacts/1/changes.patch\nfirst");
	strbuf_release(&all);
}

static void agent_writes_and_owner_reads(void **state)
{
	(void)state;
	struct reply r = ask(upload("changes.patch", "--- a\n+++ b\n"));
	assert_status(r, 200);
	assert_string_equal(r.trigger, "refreshTasks");
	const struct json_object *f = item(r.json, "artifacts", 0);
	assert_string_equal(field(f, "name"), "changes.patch");
	assert_int_equal(number(f, "size"), 12);
	assert_string_equal(field(f, "session"), "s1");
	assert_string_equal(field(f, "at"), "2026-02-11T10:00:00Z");
	r = download("changes.patch");
	assert_status(r, 200);
	assert_string_equal(r.body, "--- a\n+++ b\n");
	/* Again: replaced, and listed once. */
	r = ask(upload("changes.patch", "shorter"));
	assert_int_equal(number(item(r.json, "artifacts", 0), "size"), 7);
	assert_null(item(r.json, "artifacts", 1));
	assert_string_equal(download("changes.patch").body, "shorter");
	struct ask binary = upload("core", "a\0b");
	binary.body_len = 3;
	assert_status(ask(binary), 200);
	r = download("core");
	assert_int_equal(r.len, 3);
	assert_memory_equal(r.body, "a\0b", 3);
	/* After the task is done it can still be read, but no longer written. */
	assert_status(post(api_task_done, "{\"id\":1}"), 200);
	assert_string_equal(download("changes.patch").body, "shorter");
	assert_refused(upload("changes.patch", "late"), 409, "not_active");
}

static const struct type {
	const char *name;
	const char *file, *type;
} types[] = {
	{ "a patch is shown as text", "x.patch", "text/plain; charset=utf-8" },
	{ "a log is shown as text", "x.log", "text/plain; charset=utf-8" },
	{ "JSON is shown as text", "x.json", "text/plain; charset=utf-8" },
	{ "markup is a download", "x.html", "application/octet-stream" },
	{ "a drawing is a download", "x.svg", "application/octet-stream" },
	{ "an ending in capitals is a download", "x.TXT", "application/octet-stream" },
	{ "an ending alone is a download", "patch", "application/octet-stream" },
	{ "no ending is a download", "x", "application/octet-stream" },
};

static void shown_by_its_name(void **state)
{
	ROW(struct type);

	(void)setup(state);
	assert_status(ask(upload(r->file, "<script>")), 200);
	assert_string_equal(download(r->file).type, r->type);
	(void)api_teardown(state);
}

static const struct row {
	const char *name;
	const char *id, *file;
	const char *who; /* own, other, owner, nobody, forged */
	int status;
	const char *code;
} rows[] = {
	{ "the owner does not write", "1", "x", "owner", 403, "forbidden" },
	{ "nobody does not write", "1", "x", "nobody", 401, "no_token" },
	{ "a forged token does not write", "1", "x", "forged", 401, "no_token" },
	{ "another task's agent does not write", "1", "x", "other", 403, "forbidden" },
	{ "an agent does not write to another task", "2", "x", "own", 403, "forbidden" },
	{ "a task that never was is not written to", "99", "x", "own", 403, "forbidden" },
	{ "a word is no task", "one", "x", "own", 400, "bad_id" },
	{ "a hidden name is refused", "1", ".bashrc", "own", 400, "bad_field" },
	{ "a way up is refused", "1", "..", "own", 400, "bad_field" },
	{ "an escaped way up is refused", "1", "..%2fx", "own", 400, "bad_field" },
	{ "a name with a quote is refused", "1", "a\"b", "own", 400, "bad_field" },
	{ "our own temporary name is refused", "1", "changes.patch.new", "own", 400, "bad_field" },
};

static void not_written(void **state)
{
	ROW(struct row);

	(void)setup(state);
	struct ask q = upload(r->file, "x");
	q.id = r->id;
	if (strcmp(r->who, "other") == 0)
		q.bearer = token_of("2");
	else if (strcmp(r->who, "forged") == 0)
		q.bearer = "c1.1.s1.00.1.AAAA";
	else if (strcmp(r->who, "own") != 0)
		q.bearer = NULL;
	q.nobody = strcmp(r->who, "nobody") == 0;
	assert_refused(q, r->status, r->code);
	assert_false(world_has(&w, "state/artifacts"));
	(void)api_teardown(state);
}

/* A file whose record is refused must not lie there: an agent could fill the disk with names nobody
 * lists or deletes. */
static void sixty_four_and_no_more(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++)
		assert_status(ask(upload(arena_printf(&w.a, "f%d", i), "x")), 200);
	assert_refused(upload("one-more", "x"), 409, "conflict");
	assert_false(world_has(&w, "state/artifacts/1/one-more"));
	assert_status(ask(upload("f63", "again")), 200); /* a known name may still be replaced */
}

static void what_is_not_there_is_not_found(void **state)
{
	static const struct {
		const char *id, *name;
		int status;
		const char *code;
	} asks[] = { { "1", "x", 404, "not_found" },
		     { "99", "x", 404, "not_found" },
		     { "one", "x", 400, "bad_id" },
		     { "1", "../x", 400, "bad_field" },
		     { "1", "", 400, "bad_field" } };

	(void)state;
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
		assert_refused((struct ask){ .handler = api_artifact_get,
					     .id = asks[i].id,
					     .second = asks[i].name },
			       asks[i].status, asks[i].code);
	/* A file that no record names is none. */
	assert_status(ask(upload("x", "x")), 200);
	world_write(&w, "state/artifacts/1/stray", "x", 1);
	assert_refused((struct ask){ .handler = api_artifact_get, .id = "1", .second = "stray" },
		       404, "not_found");
}

/* ---- output ---- */
static void output_is_plain_text(void **state)
{
	const char raw[] = "\x1b[32mgreen\x1b[0m\r\n\xff<b>\r50%\r100%\r\n";
	struct errinfo e;

	(void)state;
	struct reply r = get(api_output_latest, "1");
	assert_status(r, 200);
	assert_string_equal(r.body, "");
	assert_ok(output_append(w.var, 1, "s1", OUTPUT_LOG, 0, raw, sizeof raw - 1, &e), &e);
	r = get(api_output_latest, "1");
	assert_string_equal(r.type, "text/plain; charset=utf-8");
	assert_string_equal(r.body, "green\n\xEF\xBF\xBD<b>\n50%\n100%\n");
	r = ask((struct ask){ .handler = api_output_session, .id = "1", .second = "s1" });
	assert_string_equal(r.body, "green\n\xEF\xBF\xBD<b>\n50%\n100%\n");
}

static void output_of_each_session(void **state)
{
	struct errinfo e;

	(void)state;
	assert_ok(output_append(w.var, 1, "s1", OUTPUT_LOG, 0, "first", 5, &e), &e);
	assert_status(post(api_task_cancel, "{\"id\":1}"), 200);
	assert_status(post(api_task_run, "{\"id\":1}"), 200);
	assert_string_equal(get(api_output_latest, "1").body,
			    ""); /* the newest has shown nothing yet */
	assert_ok(output_append(w.var, 1, "s2", OUTPUT_LOG, 0, "second", 6, &e), &e);
	assert_string_equal(get(api_output_latest, "1").body, "second");
	struct ask q = { .handler = api_output_session, .id = "1", .second = "s1" };
	assert_string_equal(ask(q).body, "first");
	static const char *const none[] = { "s3", "", "1", "../../1-s1", "S1", "s1 ", "\xff\xfe" };
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		q.second = none[i];
		assert_refused(q, 404, "not_found");
	}
	q.id = "99";
	assert_refused(q, 404, "not_found");
	make_task("");
	assert_string_equal(get(api_output_latest, "3").body, ""); /* never run */
}

static void long_output_comes_whole(void **state)
{
	size_t len = 300000;
	char *raw = arena_alloc(&w.a, len);
	struct errinfo e;

	(void)state;
	for (size_t i = 0; i + 10 <= len; i += 10)
		memcpy(raw + i, "\x1b[1m\xC3\xA4x\r\n\t",
		       10); /* pieces are cut inside of everything */
	assert_ok(output_append(w.var, 1, "s1", OUTPUT_LOG, 0, raw, len, &e), &e);
	struct reply r = get(api_output_latest, "1");
	assert_int_equal(r.len, len / 10 * 5);
	for (size_t i = 0; i < r.len; i += 5)
		assert_memory_equal(r.body + i, "\xC3\xA4x\n\t", 5);
}

#define T(name, fn)                                 \
	{                                           \
		name, fn, setup, api_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("an agent writes and the owner reads", agent_writes_and_owner_reads),
		T("an upload that comes too late leaves nothing", upload_that_comes_too_late_leaves_nothing),
		T("sixty-four artifacts and no more", sixty_four_and_no_more),
		T("what is not there is not found", what_is_not_there_is_not_found),
		T("output is plain text", output_is_plain_text),
		T("output is that of each session", output_of_each_session),
		T("long output comes whole", long_output_comes_whole),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, types, shown_by_its_name);
	PLAN_ROWS(&p, rows, not_written);
	return plan_run("api_files", &p);
}

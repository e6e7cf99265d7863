#include "partials_kit.h"

#include "core/strbuf.h"
#include "http/form.h"
#include "partials/parts.h"

#define assert_has(text, want) has((text), (want), true, __FILE__, __LINE__)
#define assert_lacks(text, want) has((text), (want), false, __FILE__, __LINE__)

static void has(const char *text, const char *want, bool wanted, const char *file, int line)
{
	if ((strstr(text, want) != NULL) == wanted)
		return;
	print_error("%s: %s\n%.6000s\n", wanted ? "missing" : "not wanted", want, text);
	_fail(file, line);
}

/* Transitions with fixed inputs, for kit_change. */
static enum err updated(struct task *t, struct arena *a, struct errinfo *e)
{
	return task_update(t, a, &(struct report){ .tokens = 148000 }, kit.now, e);
}

static enum err done(struct task *t, struct arena *a, struct errinfo *e)
{
	const struct report r = { .tokens = -1, .summary = "All green", .has_exit_code = true };

	return task_done(t, a, &r, kit.now, e);
}

static enum err failed(struct task *t, struct arena *a, struct errinfo *e)
{
	const struct report r = { .tokens = -1, .has_exit_code = true, .exit_code = 3 };

	return task_fail(t, a, "exit code 3: no such file\nmore", &r, kit.now, e);
}

static enum err cancelled(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)a;
	return task_cancel(t, kit.now, e);
}

static enum err refused(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)a;
	return task_dispatch_retry(t, "s1", "connection refused", kit.now + 60000, e);
}

static enum err handed_off(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)a;
	return task_handoff(t, "PKCE done, refresh rotation left", kit.now, e);
}

static int64_t running(const char *prompt)
{
	int64_t id = kit_create((struct task){ .prompt = prompt, .token_budget = 300000 });

	kit_change(id, kit_run);
	kit_change(id, kit_started);
	return id;
}

static void write_output(int64_t id, const char *sid, const char *text)
{
	struct errinfo e;

	assert_ok(output_append(kit.var, id, sid, OUTPUT_LOG, output_size(kit.var, id, sid, OUTPUT_LOG), text, strlen(text), &e), &e);
}

/* ---- the dashboard ---- */
static void empty_dashboard(void **state)
{
	(void)state;
	const char *page = kit_get(page_index, "/", "", false);
	assert_has(page, "<!doctype html>");
	assert_has(page, "Nothing here yet");
	assert_has(page, "hx-get=\"/partials/tasks?tab=active\"");
	assert_has(page, "hx-get=\"/partials/balance\"");
	assert_has(page, "refreshTasks from:body");
	assert_has(page, "href=\"/partials/create\"");
	assert_has(page, "<title>chomp</title>");
	assert_lacks(page, "Waiting");
	assert_lacks(page, "live-dot");
	assert_lacks(page, "Load more");
	assert_has(kit_get(page_index, "/", "tab=completed", false), "Nothing completed yet");
}

static void dashboard(void **state)
{
	(void)state;
	int64_t first = running("Refactor auth");
	kit_change(first, updated);
	running("Add rate limiting");
	kit_prompt("Write tests");
	kit.now += (52 * 60 + 41) * 1000;
	const char *page = kit_get(page_index, "/", "", false);
	assert_has(page, "<title>(2) chomp</title>");
	assert_has(page, "live-dot");
	assert_has(page, "href=\"/partials/detail/1\"");
	assert_has(page, "148k tokens burned of 300k");
	assert_has(page, "value=\"49\"");
	assert_has(page, "Tokens not reported");
	assert_has(page, "data-age=\"3161\">52m 41s<");
	assert_has(page, "stale</span>");
	assert_has(page, "Waiting");
	assert_has(page, "action=\"/api/tasks/run\"");
	assert_has(page, "aria-label=\"Run task 3\"");
	assert_has(page, "aria-label=\"Delete task 3\"");
	assert_true(strstr(page, "Refactor auth") < strstr(page, "Add rate limiting"));
	assert_true(strstr(page, "Add rate limiting") < strstr(page, "Write tests"));
	assert_has(page, "<dd>148k</dd>");
}

static void fragments(void **state)
{
	(void)state;
	kit_prompt("Write tests");
	const char *list = kit_get(partial_tasks, "/partials/tasks", "tab=active", true);
	assert_lacks(list, "<html");
	assert_has(list, "Write tests");
	assert_has(kit_get(partial_tasks, "/partials/tasks", "tab=active", false), "<html");
	assert_lacks(kit_get(partial_balance, "/partials/balance", "", true), "<html");
	assert_has(kit_get(partial_balance, "/partials/balance", "", false), "<html");
	assert_lacks(kit_get(partial_detail, "/partials/detail/1", "", true), "<html");
	assert_has(kit_get(partial_detail, "/partials/detail/1", "", false), "<html");
	assert_lacks(kit_get(partial_create, "/partials/create", "", true), "<html");
	assert_has(kit_get(partial_create, "/partials/create", "", false), "<html");
	assert_has(kit_get(page_login, "/login", "", false), "name=\"token\"");
}

static void completed_tab(void **state)
{
	(void)state;
	kit_change(running("Paginate"), done);
	int64_t bad = running("Migrate");
	kit.now += 18 * 60 * 1000;
	kit_change(bad, failed);
	const char *page = kit_get(page_index, "/", "tab=completed", false);
	assert_has(page, ">✓<");
	assert_has(page, ">✗<");
	assert_has(page, "exit code 3: no such file");
	assert_has(page, "<bdi>Pi</bdi>");
	assert_has(page, "18m · Nov 22, 5:18 PM");
	assert_has(page, "href=\"/partials/detail/2\"");
	assert_true(strstr(page, "Migrate") < strstr(page, "Paginate"));
	assert_has(kit_get(page_index, "/", "", false), "Nothing here yet");
}

static void pages_of_fifty(void **state)
{
	char word[32];

	(void)state;
	for (int i = 1; i <= 51; i++) {
		(void)snprintf(word, sizeof word, "number %d.", i);
		kit_prompt(arena_strdup(&kit.a, word));
	}
	const char *page = kit_get(page_index, "/", "", false);
	assert_has(page, "number 50.");
	assert_lacks(page, "number 51.");
	assert_has(page, "href=\"/?tab=active&amp;cursor=50\"");
	page = kit_get(page_index, "/", "tab=active&cursor=50", false);
	assert_lacks(page, "number 50.");
	assert_has(page, "number 51.");
	assert_lacks(page, "Load more");
	assert_has(page, "hx-get=\"/partials/tasks?tab=active&amp;cursor=50\"");
	for (int i = 1; i <= 51; i++) {
		kit_change(i, kit_run);
		kit_change(i, done);
	}
	page = kit_get(partial_tasks, "/partials/tasks", "tab=completed", true);
	assert_has(page, "number 2.");
	assert_lacks(page, "number 1.");
	assert_has(page, "cursor=2\"");
	page = kit_get(partial_tasks, "/partials/tasks", "tab=completed&cursor=2", true);
	assert_has(page, "number 1.");
	assert_lacks(page, "Load more");
	assert_has(kit_get(partial_tasks, "/partials/tasks", "tab=active&cursor=9007199254740992", true), "Nothing here");
}

static void half_a_hundred(void **state)
{
	(void)state;
	for (int i = 1; i <= 50; i++) {
		kit_prompt("x");
		kit_change(i, kit_run);
		kit_change(i, done);
	}
	assert_lacks(kit_get(partial_tasks, "/partials/tasks", "tab=completed", true), "Load more");
}

static void worked_on_is_asked(void **state)
{
	(void)state;
	kit_change(running("Half way"), cancelled);
	const char *page = kit_get(page_index, "/", "", false);
	assert_lacks(page, "action=\"/api/tasks/delete\"");
	assert_has(page, "href=\"/partials/detail/1?ask=delete#ask-delete\"");
	assert_has(page, "· held");
}

/* ---- 304 ---- */
static int status_for(handler_fn *handler, const char *path, const char *query, const char *etag)
{
	struct request *rq = kit_request(path, query, true);
	struct errinfo e;

	rq->params[0] = strrchr(path, '/') + 1;
	rq->if_none_match = etag;
	assert_ok(handler(&kit.app, rq, &kit.rs, &e), &e);
	if (kit.rs.status == 304)
		assert_int_equal(kit.rs.body.len, 0);
	return kit.rs.status;
}

static const char *etag_of(handler_fn *handler, const char *path, const char *query)
{
	(void)kit_get(handler, path, query, true);
	return arena_strdup(&kit.a, kit_header("ETag"));
}

static void unchanged(void **state)
{
	(void)state;
	int64_t id = running("One");
	const char *list = etag_of(partial_tasks, "/partials/tasks", "tab=active");
	const char *ended = etag_of(partial_tasks, "/partials/tasks", "tab=completed");
	const char *detail = etag_of(partial_detail, "/partials/detail/1", "");
	const char *card = etag_of(partial_balance, "/partials/balance", "");
	assert_string_not_equal(list, ended);
	assert_int_equal(status_for(partial_tasks, "/partials/tasks", "tab=active", list), 304);
	assert_string_equal(kit_header("ETag"), list);
	assert_int_equal(status_for(partial_tasks, "/partials/tasks", "tab=completed", list), 200);
	assert_int_equal(status_for(partial_detail, "/partials/detail/1", "", detail), 304);
	assert_int_equal(status_for(partial_detail, "/partials/detail/1", "ask=delete", detail), 200);
	assert_int_equal(status_for(partial_balance, "/partials/balance", "", card), 304);
	write_output(id, "s1", "hello\n");
	assert_int_equal(status_for(partial_detail, "/partials/detail/1", "", detail), 200);
	kit.now += 60000;
	assert_int_equal(status_for(partial_tasks, "/partials/tasks", "tab=active", list), 200);
	assert_int_equal(status_for(partial_tasks, "/partials/tasks", "tab=completed", ended), 304);
	kit_change(id, done);
	assert_int_equal(status_for(partial_tasks, "/partials/tasks", "tab=completed", ended), 200);
	assert_int_equal(status_for(partial_balance, "/partials/balance", "", card), 200);
}

static void page_holds_its_tag(void **state)
{
	(void)state;
	running("One");
	const char *etag = etag_of(partial_tasks, "/partials/tasks", "tab=active");
	const char *page = kit_get(page_index, "/", "", false);
	const char *bare = arena_strndup(&kit.a, etag + 1, strlen(etag) - 2);
	assert_has(page, arena_printf(&kit.a, "data-etag=\"&quot;%s&quot;\"", bare));
	/* The tag of a fragment is not that of the page at the same address. */
	struct request *rq = kit_request("/partials/tasks", "tab=active", false);
	struct errinfo e;
	rq->if_none_match = etag;
	assert_ok(partial_tasks(&kit.app, rq, &kit.rs, &e), &e);
	assert_int_equal(kit.rs.status, 200);
}

/* ---- detail ---- */
static void detail_of_a_run(void **state)
{
	(void)state;
	int64_t id = running("Refactor auth");
	kit_change(id, updated);
	kit_change(id, handed_off);
	kit.now += 60000;
	kit_change(id, kit_run);
	kit_change(id, kit_started);
	write_output(id, "s2", "\x1b[32mgreen\x1b[0m <b>\r\nnext\n");
	kit.now += 41000;
	const char *page = kit_get(partial_detail, "/partials/detail/1", "", false);
	assert_has(page, "Running</span>");
	assert_has(page, "data-age=\"41\" data-stale=\"260\">41s<");
	assert_has(page, "dir=\"auto\" tabindex=\"-1\">Refactor auth</h1>");
	assert_has(page, "<dd>148k <small>of 300k</small></dd>");
	assert_has(page, "Nov 22, 5:01 PM");
	assert_has(page, "PKCE done, refresh rotation left");
	assert_has(page, ">handoff<");
	assert_has(page, "<span>running</span>");
	assert_has(page, "<pre>green &lt;b&gt;\nnext\n</pre>");
	assert_has(page, "box-1");
	assert_has(page, "action=\"/api/tasks/cancel\"");
	assert_has(page, "<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>");
	assert_has(page, "hx-get=\"/partials/detail/1\"");
	assert_has(page, "action=\"/api/tasks/handoff\"");
	assert_lacks(page, "action=\"/api/tasks/retry\"");
	assert_has(page, "<details id=\"ask-delete\" class=\"ask\" name=\"ask\">");
	assert_lacks(page, "<h2 class=\"label\">Prompt</h2>");
}

static void detail_of_ends(void **state)
{
	(void)state;
	int64_t good = running("Good\nwith more lines"), bad = running("Bad");
	kit_change(good, done);
	kit_change(bad, failed);
	kit.now += 60000;
	const char *page = kit_get(partial_detail, "/partials/detail/1", "", false);
	assert_has(page, "✓ Done");
	assert_has(page, "exit code 0");
	assert_has(page, "All green");
	assert_has(page, "action=\"/api/tasks/retry\"");
	assert_has(page, "<h2 class=\"label\">Prompt</h2>");
	assert_lacks(page, "http-equiv=\"refresh\"");
	assert_has(page, "href=\"/?tab=completed\"");
	page = kit_get(partial_detail, "/partials/detail/2", "ask=delete", false);
	assert_has(page, "✗ Failed");
	assert_has(page, "exit code 3");
	assert_has(page, "exit code 3: no such file\nmore");
	assert_has(page, "action=\"/api/tasks/delete\"");
	assert_has(page, "Delete for good");
	assert_has(page, "<details id=\"ask-delete\" class=\"ask\" name=\"ask\" open>");
}

static void detail_of_waiting(void **state)
{
	(void)state;
	kit_create((struct task){ .prompt = "x", .platform = "opencode", .model = "gpt-4.1", .router = "zen",
				  .dir = "/srv/a b", .repo_url = "https://example.org/r", .branch = "main" });
	const char *page = kit_get(partial_detail, "/partials/detail/1", "", false);
	assert_has(page, "Queued</span>");
	assert_has(page, "action=\"/api/tasks/run\"");
	assert_has(page, "<option value=\"opencode\" selected>OpenCode</option>");
	assert_has(page, "<option value=\"zen\" selected>");
	assert_has(page, "value=\"gpt-4.1\"");
	assert_has(page, "/srv/a b");
	assert_has(page, "https://example.org/r");
	assert_has(page, "No session history yet");
	assert_has(page, "not reported");
	assert_lacks(page, "http-equiv=\"refresh\"");
	assert_lacks(page, "No output");
}

static void detail_of_trouble(void **state)
{
	(void)state;
	kit_change(kit_prompt("x"), kit_run);
	assert_has(kit_get(partial_detail, "/partials/detail/1", "", true), "Starting</span>");
	kit_change(1, refused);
	const char *page = kit_get(partial_detail, "/partials/detail/1", "", true);
	assert_has(page, "Not started yet (1 attempts, next at Nov 22, 5:01 PM): connection refused");
	assert_has(kit_get(page_index, "/", "", false), "not started yet</span>");
}

static void long_output(void **state)
{
	struct strbuf text;

	(void)state;
	int64_t id = running("x");
	strbuf_init(&text);
	for (int i = 0; text.len < 300 * 1024; i++)
		strbuf_printf(&text, "\x1b[3%dmline %d\x1b[0m\r\n", i % 8, i);
	write_output(id, "s1", text.buf);
	const char *page = kit_get(partial_detail, "/partials/detail/1", "", true);
	assert_has(page, "The last 256 KiB");
	assert_has(page, "href=\"/api/tasks/1/sessions/s1/output\"");
	assert_lacks(page, "line 0\n");
	assert_lacks(page, "\x1b");
	assert_has(page, "<pre>line ");
	strbuf_release(&text);
}

static enum err with_files(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)e;
	t->artifacts = arena_alloc(a, 2 * sizeof *t->artifacts);
	t->artifacts[0] = (struct artifact){ "changes.patch", 2048, kit.now, "s1", { 0 } };
	t->artifacts[1] = (struct artifact){ "../../etc/passwd\"><script>", 1, kit.now, "s1", { 0 } };
	t->artifact_count = 2;
	return ERR_OK;
}

static void files(void **state)
{
	(void)state;
	kit_change(running("x"), with_files);
	const char *page = kit_get(partial_detail, "/partials/detail/1", "", true);
	assert_has(page, "href=\"/api/tasks/1/artifacts/changes.patch\"");
	assert_has(page, "2 KB");
	assert_lacks(page, "passwd");
}

static enum err with_odd_sids(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)e;
	t->status = STATUS_DONE;
	for (int i = 0; i < 2; i++) {
		struct session *s = task_add_session(t, a);
		s->id = "x/../../state/tasks";
		s->started_at = s->ended_at = kit.now;
		s->result = RESULT_DONE;
	}
	return ERR_OK;
}

static void odd_sids(void **state)
{
	(void)state;
	kit_change(kit_prompt("x"), with_odd_sids);
	const char *page = kit_get(partial_detail, "/partials/detail/1", "", true);
	assert_lacks(page, "/sessions/");
	assert_lacks(page, "..");
}

/* ---- the form ---- */
static void write_state(const char *name, const char *text)
{
	FILE *f = fopen(arena_printf(&kit.a, "%s/state/%s", kit.var, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void offers_what_there_is(void **state)
{
	(void)state;
	write_state("agents.json", "{\"my-agent\":{\"name\":\"My <Agent>\",\"command\":\"x\"},\"Bad Id\":{},\"pi\":{}}");
	write_state("settings.json", "{\"default_agent\":\"opencode\"}");
	const char *page = kit_get(partial_create, "/partials/create", "step=2", false);
	assert_has(page, "name=\"choose\" value=\"my-agent\"");
	assert_has(page, ">My &lt;Agent&gt;</bdi>");
	assert_lacks(page, "Bad Id");
	assert_has(page, "aria-label=\"Skip: let OpenCode do it\"");
	assert_has(page, "value=\"gemini\"");
	assert_has(page, "scripts/chompctl agent install pi");
	const char *first = strstr(page, "value=\"pi\"");
	assert_null(strstr(first + 1, "value=\"pi\""));
	page = kit_get(partial_create, "/partials/create", "step=3", false);
	assert_has(page, "value=\"o4-mini\"");
	const char *model = strstr(page, "value=\"claude-sonnet-4\"");
	assert_null(strstr(model + 1, "value=\"claude-sonnet-4\""));
	page = kit_get(partial_create, "/partials/create", "step=3&agent=shelley", false);
	assert_has(page, "Models for <bdi class=\"agent-shelley\">Shelley</bdi>");
	assert_lacks(page, "o4-mini");
}

#define VALUES "&prompt=%0Atwo%0Alines+%3Cb%3E&dir=%2Fsrv&agent=pi&model=m%22x&router=custom&branch=b&priority=7"

struct step_row {
	const char *name, *query;
	const char *has[6];
};

/* Each step has its own values in fields and every other one hidden. */
static const struct step_row steps[] = {
	{ "the first step asks for the task", "step=1" VALUES,
	  { "\n\ntwo\nlines &lt;b&gt;</textarea>", "value=\"/srv\"", "name=\"branch\"", "<details class=\"fold\" open>",
	    "type=\"hidden\" name=\"model\" value=\"m&quot;x\"", "type=\"hidden\" name=\"agent\" value=\"pi\"" } },
	{ "the second step asks for the agent", "step=2" VALUES,
	  { "value=\"pi\" aria-current=\"true\"", "name=\"prompt\" value=\"\ntwo\nlines &lt;b&gt;\"",
	    "type=\"hidden\" name=\"priority\" value=\"7\"", "name=\"at\" value=\"2\"",
	    "type=\"hidden\" name=\"agent\" value=\"pi\"", "name=\"step\" value=\"1\">Back" } },
	{ "the third step asks for the model", "step=3" VALUES,
	  { "maxlength=\"4096\" autocomplete=\"off\" autocapitalize=\"off\" spellcheck=\"false\" placeholder=\"the agent's default\" value=\"m&quot;x\"",
	    "<option value=\"custom\" selected>", "type=\"hidden\" name=\"agent\" value=\"pi\"",
	    "type=\"hidden\" name=\"dir\" value=\"/srv\"", "name=\"at\" value=\"3\"", "name=\"step\" value=\"2\">Back" } },
	{ "the fourth step shows them all", "step=4" VALUES,
	  { "action=\"/api/tasks\"", "name=\"run\" value=\"true\"", "<bdi class=\"agent-pi\">Pi</bdi>", "<bdi>m&quot;x</bdi>",
	    "type=\"hidden\" name=\"router\" value=\"custom\"", "formaction=\"/partials/create\"" } },
	{ "a chosen agent leads to its models", "at=2&choose=opencode" VALUES,
	  { "Step 3 of 4", "Models for <bdi class=\"agent-opencode\">", "type=\"hidden\" name=\"agent\" value=\"opencode\"",
	    "placeholder=\"the agent's default\" value=\"\"", "name=\"prompt\"", "name=\"branch\" value=\"b\"" } },
	{ "the same agent keeps its model", "at=2&choose=pi" VALUES,
	  { "Step 3 of 4", "value=\"m&quot;x\"", "name=\"agent\" value=\"pi\"", "name=\"dir\"", "name=\"prompt\"", "name=\"branch\"" } },
	{ "a chosen model leads to the review", "at=3&choose=o3" VALUES,
	  { "Step 4 of 4", "<bdi>o3</bdi>", "name=\"model\" value=\"o3\"", "name=\"agent\" value=\"pi\"", "name=\"dir\"", "name=\"prompt\"" } },
	{ "no agent leads to the review", "at=2&skip=true" VALUES,
	  { "Step 4 of 4", ", the default</dd>", "name=\"router\" value=\"custom\"", "name=\"dir\"", "name=\"prompt\"", "name=\"branch\"" } },
};

static void wizard_step(void **state)
{
	ROW(struct step_row);
	const char *page = kit_get(partial_create, "/partials/create", r->query, true);

	for (size_t i = 0; i < sizeof r->has / sizeof r->has[0]; i++)
		assert_has(page, r->has[i]);
}

static const char *post_create(const char *body)
{
	struct request *rq = kit_request("/partials/create", "", false);
	struct errinfo e;

	rq->method = "POST";
	rq->content_type = "application/x-www-form-urlencoded";
	rq->body = arena_strdup(&rq->arena, body);
	rq->body_len = strlen(rq->body);
	assert_ok(partial_create(&kit.app, rq, &kit.rs, &e), &e);
	return kit.rs.body.buf;
}

static void form_by_post(void **state)
{
	(void)state;
	assert_has(post_create("prompt=long+words&step=2"), "type=\"hidden\" name=\"prompt\" value=\"long words\"");
}

static void nothing_to_do(void **state)
{
	(void)state;
	const char *page = post_create("prompt=+%0A&dir=%2Fsrv&step=2");
	assert_has(page, "Enter a task");
	assert_has(page, "Step 1 of 4");
	assert_has(page, "value=\"/srv\"");
}

static void unknown_agent_stays(void **state)
{
	(void)state;
	const char *page = kit_get(partial_create, "/partials/create", "agent=aider&step=2", false);
	assert_has(page, "value=\"aider\" aria-current=\"true\"");
}

/* ---- settings ---- */
static void settings_page(void **state)
{
	(void)state;
	write_state("agents.json", "{\"my-agent\":{\"name\":\"My <Agent>\",\"command\":\"x {prompt}\",\"color\":\"#0ea5e9\"}}");
	write_state("keys.json", "{\"OPENROUTER_API_KEY\":\"sk-or-0123456789abcdef\",\"CLOUDFLARE_API_TOKEN\":\"short\"}");
	write_state("settings.json", "{\"auto_run\":true,\"max_active\":7,\"session_timeout\":14400}");
	const char *page = kit_get(partial_settings, "/partials/settings", "", true);
	assert_has(page, "2 of 5 keys configured");
	assert_has(page, "****cdef");
	assert_lacks(page, "0123456789");
	assert_lacks(page, "short");
	assert_has(page, "2 missing");
	assert_has(page, "<bdi class=\"hue-sky\">My &lt;Agent&gt;</bdi>");
	assert_has(page, "x {prompt}");
	assert_has(page, "<code>scripts/chompctl agent install pi</code>");
	assert_has(page, "name=\"auto_run\" value=\"false\"");
	assert_has(page, "name=\"paused\" value=\"true\"");
	assert_has(page, "value=\"7\"");
	assert_has(page, "value=\"4h\"");
	assert_has(page, "name=\"everywhere\" value=\"true\"");
	assert_lacks(page, "<html");
	assert_has(kit_get(partial_settings, "/partials/settings", "", false), "<html");
}

static void colours(void **state)
{
	static const char *const rows[][2] = {
		{ "#f00", "hue-red" },	  { "#ff8800", "hue-orange" }, { "#C8A630", "hue-amber" },  { "#22c55e", "hue-green" },
		{ "#14b8a6", "hue-teal" }, { "#0ea5e9", "hue-sky" },	{ "#4F6EC5", "hue-sky" }, { "#7C3AED", "hue-indigo" },
		{ "#c026d3", "hue-purple" }, { "#888888", "agent-other" }, { "red", "agent-other" },  { "#12345", "agent-other" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(agent_color_class(rows[i][0]), rows[i][1]) != 0)
			print_message("%s: %s\n", rows[i][0], agent_color_class(rows[i][0]));
		assert_string_equal(agent_color_class(rows[i][0]), rows[i][1]);
	}
	assert_string_equal(agent_color_class(NULL), "agent-other");
}

/* ---- the diff ---- */
static enum err with_patch(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)e;
	t->artifacts = arena_alloc(a, sizeof *t->artifacts);
	t->artifacts[0] = (struct artifact){ .name = "changes.patch", .size = 1, .at = kit.now, .session = "s1" };
	t->artifact_count = 1;
	return ERR_OK;
}

static const char *page_of_patch(const char *patch, size_t len)
{
	struct staged staged;
	struct errinfo e;

	kit_change(running("x"), with_patch);
	assert_ok(artifact_stage(kit.var, 1, patch, len, &staged, &e), &e);
	assert_ok(artifact_keep(kit.var, &staged, "changes.patch", &e), &e);
	return kit_get(partial_detail, "/partials/detail/1", "", true);
}

struct diff_row {
	const char *name, *patch;
	const char *has[4], *lacks;
};

#define GIT_A "diff --git a/a.c b/a.c\nindex 1..2 100644\n--- a/a.c\n+++ b/a.c\n"

static const struct diff_row diffs[] = {
	{ "lines are counted by file",
	  GIT_A "@@ -1,3 +1,3 @@ main\n same\n-old\n+new\n+more\n \ndiff --git a/b b/b\nnew file mode 100644\n--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+one\n",
	  { "2 files", ">+3</span>", ">−1</span>", "<span class=\"diff-how\">new</span>" }, NULL },
	{ "a removed line may look like a header", GIT_A "@@ -1,2 +1,1 @@\n--- a/x\n same\n",
	  { "1 file ", ">+0</span>", ">−1</span>", "--- a/x" }, "a/x</bdi>" },
	{ "binary files have no lines", "diff --git a/p.png b/p.png\nindex 1..2 100644\nBinary files a/p.png and b/p.png differ\n",
	  { "1 file ", "binary", "Nothing to show", "<bdi>p.png</bdi>" }, NULL },
	{ "a rename names the new file", "diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n",
	  { "renamed", "<bdi>y</bdi>", ">+0</span>", ">−0</span>" }, NULL },
	{ "markup in a patch is text", GIT_A "@@ -1 +1 @@\n-<b>\n+<script>alert(1)</script>\n",
	  { "&lt;script&gt;", "-&lt;b&gt;", ">+1</span>", ">−1</span>" }, "<script>" },
	{ "what is no patch has no files", "hello\n@@ -1 +1 @@\n+x\n", { "0 files", ">+0</span>", ">−0</span>", "changes.patch" }, "diff-add" },
	{ "a hunk that lies about its length ends with the file", GIT_A "@@ -1,99 +1,99 @@\n+x\n",
	  { "1 file ", ">+1</span>", ">−0</span>", "+x" }, NULL },
};

static void diff(void **state)
{
	ROW(struct diff_row);
	const char *page = page_of_patch(r->patch, strlen(r->patch));

	for (size_t i = 0; i < 4; i++)
		assert_has(page, r->has[i]);
	if (r->lacks != NULL)
		assert_lacks(page, r->lacks);
}

static void diff_of_bytes(void **state)
{
	static const char patch[] = GIT_A "@@ -1 +1 @@\n-\xff\xfe\0x\n+\x1b[31m\xe2\x82\n";

	(void)state;
	const char *page = page_of_patch(patch, sizeof patch - 1);
	assert_has(page, "\xef\xbf\xbd");
	assert_has(page, "\xe2\x90\x9b[31m"); /* the picture of ESC */
	assert_lacks(page, "\xff");
}

static void diff_is_cut(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_puts(&sb, GIT_A "@@ -0,0 +1,50000 @@\n");
	for (int i = 0; i < 50000; i++)
		strbuf_puts(&sb, "+many lines\n");
	const char *page = page_of_patch(sb.buf, sb.len);
	assert_has(page, ">+50000</span>");
	assert_has(page, "Not every line is shown");
	assert_true(strlen(page) < 400 * 1024);
	strbuf_release(&sb);
}

/* ---- search and pages ---- */
static void search(void **state)
{
	(void)state;
	kit_change(running("Paginate the Audit log"), done);
	kit_change(running("Migrate"), failed);
	const char *page = kit_get(partial_tasks, "/partials/tasks", "tab=completed&q=audit", true);
	assert_has(page, "Paginate");
	assert_lacks(page, "Migrate");
	assert_has(page, "name=\"q\" maxlength=\"200\" value=\"audit\"");
	assert_has(kit_get(partial_tasks, "/partials/tasks", "tab=completed&q=no+such+file", true), "Migrate");
	assert_has(kit_get(partial_tasks, "/partials/tasks", "tab=completed&q=%3Cb%3E%22", true), "&lt;b&gt;&quot;");
	assert_has(kit_get(page_index, "/", "tab=completed&q=a%26b", false), "tab=completed&amp;q=a%26b\"");
}

static void several_pages(void **state)
{
	char word[32];

	(void)state;
	for (int i = 1; i <= 120; i++) {
		(void)snprintf(word, sizeof word, "number %d.", i);
		kit_prompt(arena_strdup(&kit.a, word));
	}
	const char *page = kit_get(partial_tasks, "/partials/tasks", "tab=active&pages=2", true);
	assert_has(page, "number 100.");
	assert_lacks(page, "number 101.");
	assert_has(page, "hx-get=\"/partials/tasks?tab=active&amp;pages=3\"");
	assert_has(page, "href=\"/?tab=active&amp;cursor=100\"");
	page = kit_get(partial_tasks, "/partials/tasks", "tab=active&pages=3", true);
	assert_has(page, "number 120.");
	assert_lacks(page, "Load more");
}

/* ---- refusals ---- */
struct refusal_row {
	const char *name;
	handler_fn *handler;
	const char *path, *query;
	enum err want;
	const char *wire;
};

static const struct refusal_row refusals[] = {
	{ "an unknown tab is refused", partial_tasks, "/partials/tasks", "tab=all", ERR_BAD_INPUT, "bad_field" },
	{ "an unknown tab is refused on the page", page_index, "/", "tab=all", ERR_BAD_INPUT, "bad_field" },
	{ "a cursor is a number", partial_tasks, "/partials/tasks", "cursor=x", ERR_BAD_INPUT, "bad_field" },
	{ "a cursor is not below 1", partial_tasks, "/partials/tasks", "cursor=0", ERR_BAD_INPUT, "bad_field" },
	{ "a task that does not exist", partial_detail, "/partials/detail/7", "", ERR_NOT_FOUND, "not_found" },
	{ "a number no task can have", partial_detail, "/partials/detail/99999999999999999999", "", ERR_NOT_FOUND,
	  "not_found" },
	{ "an id that is no number", partial_detail, "/partials/detail/x1", "", ERR_BAD_INPUT, "bad_id" },
	{ "no pages", partial_tasks, "/partials/tasks", "pages=0", ERR_BAD_INPUT, "bad_field" },
	{ "a thousand pages", partial_tasks, "/partials/tasks", "pages=1000", ERR_BAD_INPUT, "bad_field" },
	{ "step 0", partial_create, "/partials/create", "step=0", ERR_BAD_INPUT, "bad_field" },
	{ "step 5", partial_create, "/partials/create", "step=5", ERR_BAD_INPUT, "bad_field" },
	{ "a step that is no number", partial_create, "/partials/create", "step=one", ERR_BAD_INPUT, "bad_field" },
	{ "a query that is no text", partial_create, "/partials/create", "prompt=%ff", ERR_BAD_INPUT, "bad_field" },
};

static void refuses(void **state)
{
	ROW(struct refusal_row);
	struct errinfo e;

	assert_err(kit_fail(r->handler, r->path, r->query, &e), r->want, &e);
	assert_string_equal(err_code(&e), r->wire);
}

struct error_row {
	const char *name;
	struct errinfo e;
	int status;
	const char *has, *lacks;
};

static const struct error_row errors[] = {
	{ "a missing token shows the login form", { .code = ERR_NO_TOKEN, .what = "that is <not> it" }, 401,
	  "that is &lt;not&gt; it</p>", "To the tasks" },
	{ "not found leads back", { .code = ERR_NOT_FOUND, .what = "there is no task 7" }, 404, "there is no task 7",
	  NULL },
	{ "a conflict says to look again", { .code = ERR_CONFLICT, .what = "task 1 is done" }, 409, "has moved on", NULL },
	{ "an internal error keeps its reason", { .code = ERR_IO, .what = "open /secret" }, 500, "9f2c0001", "/secret" },
	{ "damage keeps its reason", { .code = ERR_CORRUPT, .what = "byte 7" }, 500, "chompctl doctor", "byte 7" },
	{ "busy says to try again", { .code = ERR_BUSY, .what = "lock" }, 503, "try again in a moment", NULL },
	{ "read-only names the command", { .code = ERR_READONLY, .what = "refused" }, 503, "chompctl restart", NULL },
};

static void error_page(void **state)
{
	ROW(struct error_row);
	struct request *rq = kit_request("/partials/detail/7", "", false);

	response_error(&kit.rs, &r->e);
	page_error(&kit.app, rq, &kit.rs, &r->e);
	assert_int_equal(kit.rs.status, r->status);
	assert_string_equal(kit.rs.type, "text/html; charset=utf-8");
	assert_has(kit.rs.body.buf, "<!doctype html>");
	assert_has(kit.rs.body.buf, r->has);
	if (r->lacks != NULL)
		assert_lacks(kit.rs.body.buf, r->lacks);
}

static void refused_creation_keeps_words(void **state)
{
	const struct errinfo e = { .code = ERR_BAD_INPUT, .what = "branch: must not begin with a dash" };
	struct request *rq = kit_request("/api/tasks", "", false);

	(void)state;
	rq->method = "POST";
	rq->content_type = "application/x-www-form-urlencoded";
	rq->body = arena_strdup(&rq->arena, "prompt=%3Cb%3E+my+words&branch=-x&agent=pi&run=true");
	rq->body_len = strlen(rq->body);
	page_error(&kit.app, rq, &kit.rs, &e);
	assert_int_equal(kit.rs.status, 400);
	assert_has(kit.rs.body.buf, "branch: must not begin with a dash");
	assert_has(kit.rs.body.buf, "&lt;b&gt; my words</textarea>");
	assert_has(kit.rs.body.buf, "value=\"-x\"");
	assert_has(kit.rs.body.buf, "type=\"hidden\" name=\"agent\" value=\"pi\"");
}

static void broken_templates(void **state)
{
	const struct errinfo e = { .code = ERR_NOT_FOUND, .what = "x" };
	struct request *rq = kit_request("/x", "", false);

	(void)state;
	kit.app.templates = "/nonexistent";
	page_error(&kit.app, rq, &kit.rs, &e);
	assert_int_equal(kit.rs.status, 404);
	assert_has(kit.rs.body.buf, "cannot show its pages");
}

/* ---- hostile data ---- */
static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
		n++;
	return n;
}

/* Every field full of `word`; the sessions stand for each kind of end and trouble. */
static enum err fill_all(struct task *t, struct arena *a, struct errinfo *e, const char *word)
{
	(void)e;
	t->result = t->error = word;
	t->artifacts = arena_alloc(a, 2 * sizeof *t->artifacts);
	t->artifacts[0] = (struct artifact){ "changes.patch", 1, kit.now, word, { 0 } };
	t->artifacts[1] = (struct artifact){ word, 1, kit.now, word, { 0 } };
	t->artifact_count = 2;
	for (int i = 0; i < 4; i++) {
		struct session *s = task_add_session(t, a);
		s->agent = s->model = s->router = s->summary = s->sandbox_id = word;
		s->dispatch.error = s->kill.error = word;
		s->started_at = kit.now;
		s->dispatch.state = i == 0 ? STEP_FAILED : i == 3 ? STEP_PENDING : STEP_DONE;
		s->kill.state = i == 1 ? STEP_PENDING : i == 2 ? STEP_FAILED : STEP_NONE;
		s->ended_at = i < 3 ? kit.now : 0;
		s->result = i < 3 ? RESULT_LOST : RESULT_OPEN;
	}
	return ERR_OK;
}

static const char *hostile;
static enum err make_hostile(struct task *t, struct arena *a, struct errinfo *e)
{
	t->status = STATUS_ACTIVE;
	return fill_all(t, a, e, hostile);
}

static enum err end_hostile(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)a;
	(void)e;
	struct session *s = task_last_session(t);
	s->ended_at = kit.now;
	s->result = RESULT_FAILED;
	t->status = STATUS_FAILED;
	return ERR_OK;
}

static enum err queue_hostile(struct task *t, struct arena *a, struct errinfo *e)
{
	(void)a;
	(void)e;
	t->status = STATUS_QUEUED;
	return ERR_OK;
}

static int64_t hostile_task(const char *word)
{
	hostile = word;
	int64_t id = kit_create((struct task){ .prompt = word, .dir = word, .repo_url = word, .branch = word,
					       .platform = word, .model = word, .router = word });
	kit_change(id, make_hostile);
	write_output(id, "s4", word);
	return id;
}

struct shape {
	size_t tags, quotes;
};

static struct shape shape_of(const char *page)
{
	return (struct shape){ count(page, "<"), count(page, "\"") };
}

static const char *percent(const char *word)
{
	struct strbuf sb;

	strbuf_init(&sb);
	for (; *word != '\0'; word++)
		strbuf_printf(&sb, "%%%02X", (unsigned char)*word);
	const char *out = arena_strdup(&kit.a, sb.buf);
	strbuf_release(&sb);
	return out;
}

/* The same tasks with harmless words must give pages with exactly as many tags and quotes. */
static void hostile_pages(const char *word, struct shape *out, size_t *n)
{
	int64_t id = hostile_task(word);
	const char *path = arena_printf(&kit.a, "/partials/detail/%" PRId64, id), *q = percent(word);
	handler_fn *const lists[] = { page_index, partial_tasks };

	*n = 0;
	for (int round = 0; round < 3; round++) {
		for (int htmx = 0; htmx < 2; htmx++) {
			out[(*n)++] = shape_of(kit_get(partial_detail, path, "", htmx));
			out[(*n)++] = shape_of(kit_get(lists[htmx], "/partials/tasks", "tab=active", htmx));
			out[(*n)++] = shape_of(kit_get(lists[htmx], "/partials/tasks", "tab=completed", htmx));
		}
		kit_change(id, round == 0 ? end_hostile : queue_hostile);
	}
	const char *query = arena_printf(&kit.a, "prompt=%s&dir=%s&repo_url=%s&branch=%s&model=%s&agent=%s&router=%s", q,
					 q, q, q, q, q, q);
	for (int step = 1; step <= 4; step++)
		out[(*n)++] = shape_of(kit_get(partial_create, "/partials/create",
					       arena_printf(&kit.a, "step=%d&%s", step, query), step % 2 == 0));
	out[(*n)++] = shape_of(kit_get(lists[1], "/partials/tasks", arena_printf(&kit.a, "tab=completed&q=%s", q), true));
	struct errinfo e = { .code = ERR_BAD_INPUT };
	(void)snprintf(e.what, sizeof e.what, "%s", word);
	page_error(&kit.app, kit_request("/", "", false), &kit.rs, &e);
	out[(*n)++] = shape_of(kit.rs.body.buf);
	e.code = ERR_NO_TOKEN;
	page_error(&kit.app, kit_request("/", "", false), &kit.rs, &e);
	out[(*n)++] = shape_of(kit.rs.body.buf);
}

struct hostile_row {
	const char *name, *word;
};

static const struct hostile_row words[] = {
	{ "a script element stays text", "<script>alert(1)</script>" },
	{ "an image with a handler stays text", "<img src=x onerror=alert(1)>" },
	{ "an attribute is not left", "\" onmouseover=\"alert(1)" },
	{ "a single quote is not either", "' onmouseover='alert(1)'" },
	{ "a text area is not left", "</textarea></pre></title><script>" },
	{ "template text is text", "<?cs var:title ?><?cs include:\"/etc/passwd\" ?>" },
	{ "entities are not decoded twice", "&lt;script&gt;&amp;quot;" },
	{ "right-to-left overrides are text", "\xe2\x80\xae<b>evil\xe2\x80\xac" },
	{ "terminal escapes are text", "\x1b]8;;javascript:alert(1)\x07link\x1b[2J<b>" },
};

static void hostile_data(void **state)
{
	ROW(struct hostile_row);
	struct shape plain[32], got[32];
	size_t n, m;

	hostile_pages("harm less", plain, &n);
	void *none = NULL;
	kit_teardown(&none);
	kit_setup(&none);
	hostile_pages(r->word, got, &m);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++) {
		if (plain[i].tags != got[i].tags || plain[i].quotes != got[i].quotes)
			fail_msg("page %zu: %zu tags and %zu quotes, not %zu and %zu", i, got[i].tags, got[i].quotes,
				 plain[i].tags, plain[i].quotes);
	}
}

static void largest_prompt(void **state)
{
	char *prompt = malloc(PROMPT_MAX + 1);

	(void)state;
	memset(prompt, '<', PROMPT_MAX);
	prompt[PROMPT_MAX] = '\0';
	kit_prompt(prompt);
	free(prompt);
	assert_true(strlen(kit_get(page_index, "/", "", false)) < 20000);
	assert_true(strlen(kit_get(partial_detail, "/partials/detail/1", "", true)) > 4 * PROMPT_MAX);
}

static void add(struct plan *p, const char *name, CMUnitTestFunction fn, const void *row)
{
	plan_add(p, name, fn, row);
	p->tests[p->count - 1].setup_func = kit_setup;
	p->tests[p->count - 1].teardown_func = kit_teardown;
}

#define ADD_ROWS(rows, fn) \
	for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
	add(&p, (rows)[i].name, (fn), &(rows)[i])

int main(void)
{
	static struct plan p;

	add(&p, "an empty dashboard says so", empty_dashboard, NULL);
	add(&p, "a dashboard shows what runs and waits, in order", dashboard, NULL);
	add(&p, "htmx gets fragments, everybody else whole pages", fragments, NULL);
	add(&p, "what has ended is shown with its reason, newest first", completed_tab, NULL);
	add(&p, "fifty tasks are a page", pages_of_fifty, NULL);
	add(&p, "exactly fifty have no next page", half_a_hundred, NULL);
	add(&p, "a task that was worked on is not deleted by one tap", worked_on_is_asked, NULL);
	add(&p, "what has not changed is 304", unchanged, NULL);
	add(&p, "the page holds the tag of its list", page_holds_its_tag, NULL);
	add(&p, "detail of a task that runs", detail_of_a_run, NULL);
	add(&p, "detail of tasks that ended", detail_of_ends, NULL);
	add(&p, "detail of a task that waits", detail_of_waiting, NULL);
	add(&p, "trouble with the host is shown", detail_of_trouble, NULL);
	add(&p, "of long output the end is shown, plain", long_output, NULL);
	add(&p, "files are linked by valid names only", files, NULL);
	add(&p, "session ids of odd shape are in no address", odd_sids, NULL);
	ADD_ROWS(diffs, diff);
	add(&p, "bytes that are no text do not break a diff", diff_of_bytes, NULL);
	add(&p, "of a long patch all is counted and some is shown", diff_is_cut, NULL);
	add(&p, "the completed are searched", search, NULL);
	add(&p, "several pages come at once", several_pages, NULL);
	add(&p, "settings show what is there and no key", settings_page, NULL);
	add(&p, "a colour is one that can be read", colours, NULL);
	add(&p, "the wizard offers every agent and model once", offers_what_there_is, NULL);
	ADD_ROWS(steps, wizard_step);
	add(&p, "the wizard takes long prompts by POST", form_by_post, NULL);
	add(&p, "no task is no second step", nothing_to_do, NULL);
	add(&p, "an agent that is not known stays chosen", unknown_agent_stays, NULL);
	ADD_ROWS(refusals, refuses);
	ADD_ROWS(errors, error_page);
	add(&p, "a refused task keeps its words", refused_creation_keeps_words, NULL);
	add(&p, "an error page needs no templates", broken_templates, NULL);
	ADD_ROWS(words, hostile_data);
	add(&p, "the largest prompt is cut on cards and whole on its page", largest_prompt, NULL);
	return plan_run("partials_pages", &p);
}

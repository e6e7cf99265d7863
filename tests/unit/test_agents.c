#include "store/agents.h"
#include "store/document.h"

#include "core/json.h"
#include "store/plan.h"
#include "world.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	setenv("CHOMP_AGENTS", world_path(&w, "agents"), 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static void adopt(void)
{
	char *text;
	size_t len;
	struct errinfo e;

	assert_ok(file_read(AT_FDCWD, "tests/fixtures/old-state/agents.json", 1 << 20, &w.a, &text,
			    &len, &e),
		  &e);
	world_write(&w, "state/agents.json", text, len);
}

static void adopted_agents_are_read(void **state)
{
	struct own_agent *all, one;
	size_t count;
	struct errinfo e;

	(void)state;
	assert_ok(agents_read(w.var, &w.a, &all, &count, &e), &e);
	assert_int_equal(count, 0);
	adopt();
	assert_ok(agents_read(w.var, &w.a, &all, &count, &e), &e);
	assert_int_equal(count, 1);
	assert_string_equal(all[0].id, "my-agent");
	assert_int_equal(all[0].model_count, 2);
	assert_string_equal(all[0].models[1], "m2");
	assert_ok(agents_find(w.var, &w.a, "my-agent", &one, &e), &e);
	assert_string_equal(one.command, "my-agent-cli");
	assert_err(agents_find(w.var, &w.a, "other", &one, &e), ERR_NOT_FOUND, &e);
}

static void what_a_change_does_not_name_stays(void **state)
{
	static const char before[] = "{\"a\":{\"name\":\"A\",\"command\":\"a\",\"models\":[\"m\"],"
				     "\"color\":\"#111111\",\"env\":{\"X\":1}},"
				     "\"later\":[1,2],\"b\":{\"name\":\"B\"}}";
	struct own_agent change = { .id = "a", .name = "A2", .color = "" }, now;
	struct errinfo e;

	(void)state;
	world_write(&w, "state/agents.json", before, sizeof before - 1);
	assert_ok(agents_put(w.var, &w.a, &change, &now, &e), &e);
	assert_string_equal(now.name, "A2");
	assert_string_equal(now.command, "a");
	assert_string_equal(now.color, "#999999");
	assert_int_equal(now.model_count, 1);
	assert_string_equal(
		world_read(&w, "state/agents.json", NULL),
		"{\"a\":{\"name\":\"A2\",\"command\":\"a\",\"models\":[\"m\"],\"env\":{\"X\":1}},"
		"\"later\":[1,2],\"b\":{\"name\":\"B\"}}\n");
	assert_ok(agents_remove(w.var, &w.a, "b", &now, &e), &e);
	assert_string_equal(now.name, "B");
	assert_string_equal(world_read(&w, "state/agents.json", NULL),
			    "{\"a\":{\"name\":\"A2\",\"command\":\"a\",\"models\":[\"m\"],\"env\":{"
			    "\"X\":1}},\"later\":[1,2]}\n");
	assert_err(agents_remove(w.var, &w.a, "b", &now, &e), ERR_NOT_FOUND, &e);
	assert_err(agents_remove(w.var, &w.a, "later", &now, &e), ERR_NOT_FOUND,
		   &e); /* not an agent, and not ours to drop */
}

static void a_document_stays_readable(void **state)
{
	struct own_agent now, change = { .id = "a", .name = arena_alloc(&w.a, 4001) };
	struct strbuf most;
	struct errinfo e;
	enum err rc = ERR_OK;

	(void)state;
	memset((char *)(uintptr_t)change.name, 'x', 4000);
	((char *)(uintptr_t)change.name)[4000] = '\0';
	/* Nearly full already: adding every one by itself would take seconds. */
	strbuf_init(&most);
	for (int i = 0; most.len < DOCUMENT_MAX - 20000; i++)
		strbuf_printf(&most, "%c\"a%d\":{\"name\":\"%s\"}", i == 0 ? '{' : ',', i, change.name);
	strbuf_putc(&most, '}');
	world_write(&w, "state/agents.json", most.buf, most.len);
	strbuf_release(&most);
	for (int i = 1000; rc == ERR_OK && i < 1300; i++) {
		change.id = arena_printf(&w.a, "a%d", i);
		rc = agents_put(w.var, &w.a, &change, &now, &e);
	}
	assert_err(rc, ERR_TOO_LARGE, &e);
	assert_ok(agents_find(w.var, &w.a, "a0", &now, &e), &e);
	assert_ok(agents_remove(w.var, &w.a, "a0", &now, &e), &e);
}

static void a_default_that_is_gone_is_none(void **state)
{
	struct settings s = { .default_agent = "my-agent" };

	(void)state;
	assert_string_equal(agents_default(w.var, &w.a, &s), "shell");
	adopt();
	assert_string_equal(agents_default(w.var, &w.a, &s), "my-agent");
}

static const struct plan_row {
	const char *name;
	struct plan_wish wish;
	const char *agent, *model, *router; /* the task's own */
	const char *got[3];                 /* agent NULL: refused */
} plan_rows[] = {
	{ "nothing is named", { 0 }, NULL, NULL, NULL, { "shell", "bash", NULL } },
	{ "the task's own", { 0 }, "pi", "m", "zen", { "pi", "m", "zen" } },
	{ "a wish wins",
	  { "claude", "n", "openrouter" },
	  "pi",
	  "m",
	  "zen",
	  { "claude", "n", "openrouter" } },
	{ "a named agent keeps the task's model",
	  { .agent = "codex" },
	  "pi",
	  "m",
	  NULL,
	  { "codex", "m", NULL } },
	{ "a named agent leaves behind the model that the last one brought",
	  { .agent = "codex" },
	  "shell",
	  "bash",
	  NULL,
	  { "codex", "gpt-4.1", NULL } },
	{ "the same agent keeps its model", { .agent = "shell" }, "shell", "bash", NULL, { "shell", "bash", NULL } },
	{ "a named agent brings its model",
	  { .agent = "codex" },
	  "pi",
	  NULL,
	  NULL,
	  { "codex", "gpt-4.1", NULL } },
	{ "an own agent brings its first model",
	  { .agent = "my-agent" },
	  NULL,
	  NULL,
	  NULL,
	  { "my-agent", "m1", NULL } },
	{ "empty is not named", { "", "", "" }, "", "", "", { "shell", "bash", NULL } },
	{ "an unknown agent is refused", { .agent = "nobody" }, NULL, NULL, NULL, { NULL } },
	{ "an unknown router is refused", { .router = "nobody" }, NULL, NULL, NULL, { NULL } },
};

static void session_is_planned(void **state)
{
	ROW(struct plan_row);
	struct task t = { .platform = r->agent, .model = r->model, .router = r->router };
	struct settings s = { .session_timeout_s = 60 };
	struct run_input in;
	struct errinfo e;

	(void)setup(NULL);
	adopt();
	enum err rc = plan_session(w.var, &w.a, &s, &t, &r->wish, 5000, &in, &e);
	assert_err(rc, r->got[0] != NULL ? ERR_OK : ERR_BAD_INPUT, &e);
	if (rc == ERR_OK) {
		assert_text(in.agent, r->got[0]);
		assert_text(in.model, r->got[1]);
		assert_text(in.router, r->got[2]);
		assert_int_equal(in.expires_at, 65000);
		assert_int_equal(strlen(in.dispatch_id), 32);
		assert_string_not_equal(in.dispatch_id, in.nonce);
	}
	(void)teardown(NULL);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(adopted_agents_are_read),
		T(what_a_change_does_not_name_stays),
		T(a_document_stays_readable),
		T(a_default_that_is_gone_is_none),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, plan_rows, session_is_planned);
	return plan_run("agents", &p);
}

#include "dispatch/payload.h"

#include "core/json.h"
#include "dispatch_kit.h"
#include "model/capability.h"
#include "store/agents.h"
#include "store/settings.h"

static struct json_object *body_of(const struct call *c)
{
	struct json_object *o;
	struct errinfo e;

	assert_ok(json_parse(&kit.a, c->body.buf, c->body.len, &o, &e), &e);
	assert_true(c->body.len <= HOST_BODY_MAX);
	return o;
}

static const char *text(const struct json_object *o, const char *key)
{
	const char *s = NULL;
	struct errinfo e;

	assert_ok(jr_str_opt(o, key, 0, SIZE_MAX, &s, &e), &e);
	return s;
}

static struct json_object *member(const struct json_object *o, const char *key)
{
	struct json_object *v = NULL;
	struct errinfo e;

	assert_ok(jr_obj_opt(o, key, &v, &e), &e);
	assert_non_null(v);
	return v;
}

static void all_that_the_box_needs(void **state)
{
	struct errinfo e;
	int64_t seconds = 0;

	(void)state;
	struct task t = { .prompt = "say \"hi\" \xc3\xa9\n",
			  .dir = "sub/dir",
			  .repo_url = "https://example.org/r.git",
			  .branch = "main",
			  .network = "full",
			  .platform = "pi",
			  .created = kit_wall() };
	assert_ok(store_create(kit.worker, &kit.a, &t, &e), &e);
	struct kit_run r = { "pi", "gpt-4.1", "openrouter", 90 * 1000 };
	kit_change(t.id, kit_run_fn, &r);
	struct json_object *o = body_of(kit.calls[0]);
	struct session s = kit_session(t.id);
	assert_text(text(o, "dispatchId"), s.dispatch.id);
	assert_text(text(o, "taskId"), "1");
	assert_text(text(o, "sessionId"), "s1");
	assert_text(text(o, "prompt"), t.prompt);
	assert_text(text(o, "agent"), "pi");
	assert_text(text(o, "model"), "gpt-4.1");
	assert_text(text(o, "router"), "openrouter");
	assert_text(text(o, "repoUrl"), "https://example.org/r.git");
	assert_text(text(o, "branch"), "main");
	assert_text(text(o, "dir"), "sub/dir");
	assert_text(text(o, "network"), "full");
	assert_ok(jr_i64(o, "timeoutSeconds", 0, 1000000, &seconds, &e), &e);
	assert_int_equal(seconds, 90);
	struct json_object *back = member(o, "callback");
	assert_text(text(back, "url"), "http://127.0.0.1:8000");
	const char *key;
	struct capability c;
	assert_ok(secret_read(kit.var, SECRET_AGENT, &kit.a, &key, &e), &e);
	assert_true(capability_read(&kit.a, key, text(back, "token"), &c));
	assert_true(capability_fits(&c, &s));
	assert_int_equal(c.task, t.id);
}

static void what_is_not_set_is_not_sent(void **state)
{
	(void)state;
	kit_run_new();
	struct json_object *o = body_of(kit.calls[0]);
	assert_false(jr_has(o, "repoUrl") || jr_has(o, "branch") || jr_has(o, "dir") ||
		     jr_has(o, "network") || jr_has(o, "router"));
	assert_true(jr_has(o, "history"));
}

#define OWN " ANTHROPIC_API_KEY OPENAI_API_KEY GEMINI_API_KEY"
static const struct keys {
	const char *name, *agent, *router, *want;
} keys[] = {
	{ "shell gets no key", "shell", NULL, "" },
	{ "pi takes any provider's", "pi", NULL, OWN },
	{ "opencode takes any provider's", "opencode", "", OWN },
	{ "claude gets Anthropic's only", "claude", NULL, " ANTHROPIC_API_KEY" },
	{ "codex gets OpenAI's only", "codex", NULL, " OPENAI_API_KEY" },
	{ "gemini gets Gemini's only", "gemini", NULL, " GEMINI_API_KEY" },
	{ "an owner's own agent takes any", "my-agent", NULL, OWN },
	{ "OpenRouter", "pi", "openrouter", " OPENROUTER_API_KEY" },
	{ "Zen", "pi", "zen", " OPENCODE_ZEN_API_KEY" },
	{ "Cloudflare AI", "opencode", "cf-ai",
	  " CLOUDFLARE_API_TOKEN CLOUDFLARE_ACCOUNT_ID CLOUDFLARE_AI_GATEWAY_ID" },
	{ "a custom server", "pi", "custom", " CUSTOM_BASE_URL CUSTOM_API CUSTOM_API_KEY" },
	{ "an unknown router", "pi", "nonesuch", "" },
};

static enum err list_name(const char *key, struct json_object *value, void *arg)
{
	struct strbuf *names = arg;

	(void)value;
	strbuf_printf(names, " %s", key);
	return ERR_OK;
}

static enum err to_custom_server(struct settings *s, void *arg, struct errinfo *e)
{
	(void)arg;
	(void)e;
	s->custom_base_url = "http://127.0.0.1:11434/v1";
	s->custom_api = "openai";
	return ERR_OK;
}

static void only_the_keys_that_are_needed(void **state)
{
	ROW(struct keys);
	struct strbuf names;
	struct errinfo e;

	kit_open(NULL);
	for (size_t i = 0; i < key_name_count; i++)
		assert_ok(key_write(kit.var, &kit.a, key_names[i].env_var, "a-key-0123456789", &e),
			  &e);
	assert_ok(settings_change(kit.var, &kit.a, to_custom_server, NULL, NULL, &e), &e);
	kit_run_as(kit_create("x"), r->agent, r->router);
	strbuf_init(&names);
	assert_ok(json_each(member(body_of(kit.calls[0]), "env"), list_name, &names), &e);
	assert_string_equal(names.buf, r->want);
	strbuf_release(&names);
	kit_close(NULL);
}

static void a_key_that_is_not_set_is_not_sent(void **state)
{
	(void)state;
	kit_run_as(kit_create("x"), "pi", "custom");
	struct json_object *env = member(body_of(kit.calls[0]), "env");
	assert_false(jr_has(env, "CUSTOM_API_KEY") || jr_has(env, "CUSTOM_BASE_URL"));
	assert_text(text(env, "CUSTOM_API"), "openai");
}

static void an_own_agent_brings_its_command(void **state)
{
	struct own_agent mine = { .id = "mine", .name = "Mine", .command = "run {prompt_file}" }, now;
	struct errinfo e;

	(void)state;
	assert_ok(agents_put(kit.var, &kit.a, &mine, &now, &e), &e);
	kit_run_as(kit_create("x"), "mine", NULL);
	assert_text(text(body_of(kit.calls[0]), "command"), "run {prompt_file}");
	kit_run_as(kit_create("x"), "shell", NULL);
	assert_false(jr_has(body_of(kit.calls[1]), "command"));
	assert_ok(agents_remove(kit.var, &kit.a, "mine", &now, &e), &e);
	kit_run_as(kit_create("x"), "mine", NULL);
	assert_false(jr_has(body_of(kit.calls[2]), "command"));
}

static struct json_object *history_of(const struct call *c)
{
	struct json_object *arr = NULL;
	struct errinfo e;

	assert_ok(jr_arr_opt(body_of(c), "history", &arr, &e), &e);
	assert_non_null(arr);
	return arr;
}

static void earlier_sessions_come_along_oldest_first(void **state)
{
	(void)state;
	int64_t id = kit_run_new();
	kit_started("one");
	kit_change(id, kit_handoff_fn, NULL);
	kit_run_as(id, "pi", NULL);
	kit_started("two");
	kit_change(id, kit_cancel_fn, NULL);
	kit_run_as(id, "codex", NULL);
	struct json_object *h = history_of(kit.calls[kit.count - 1]);
	assert_int_equal(json_array_len(h), 2);
	assert_text(text(json_array_at(h, 0), "sessionId"), "s1");
	assert_text(text(json_array_at(h, 0), "agent"), "shell");
	assert_text(text(json_array_at(h, 0), "result"), "handoff");
	assert_text(text(json_array_at(h, 0), "summary"), "half done: see notes.md");
	assert_text(text(json_array_at(h, 1), "sessionId"), "s2");
	assert_text(text(json_array_at(h, 1), "result"), "cancelled");
	assert_text(text(json_array_at(h, 1), "summary"), "");
}

/* 64 KiB summaries, 40 of them: more than a host takes. */
static void the_newest_history_that_fits_is_sent(void **state)
{
	struct session s[41] = { 0 };
	struct task t = { .id = 7, .prompt = "go on", .sessions = s, .session_count = 41 };
	struct payload_input in = {
		.var = kit.var, .callback_url = "http://x", .task = &t, .session = &s[40]
	};
	char *summary = arena_alloc(&kit.a, 64 * 1024 + 1);
	struct strbuf out;
	size_t left_out;
	struct errinfo e;

	(void)state;
	memset(summary, 'x', 64 * 1024);
	for (size_t i = 0; i < 41; i++)
		s[i] = (struct session){ .id = arena_printf(&kit.a, "s%zu", i + 1),
					 .agent = "pi",
					 .model = "m",
					 .result = RESULT_HANDOFF,
					 .summary = summary,
					 .dispatch.id = "d" };
	strbuf_init(&out);
	assert_ok(payload_build(&in, &kit.a, &out, &left_out, &e), &e);
	assert_true(out.len <= HOST_BODY_MAX && out.len > HOST_BODY_MAX - 80 * 1024);
	struct json_object *o, *arr = NULL;
	assert_ok(json_parse(&kit.a, out.buf, out.len, &o, &e), &e);
	assert_ok(jr_arr_opt(o, "history", &arr, &e), &e);
	assert_int_equal(json_array_len(arr) + left_out, 40);
	assert_text(text(json_array_at(arr, json_array_len(arr) - 1), "sessionId"), "s40");
	assert_text(text(o, "prompt"), "go on");
	strbuf_release(&out);
}

/* 256 KiB that JSON writes with six bytes each. */
static void the_longest_prompt_fits(void **state)
{
	(void)state;
	char *prompt = arena_alloc(&kit.a, PROMPT_MAX + 1);
	memset(prompt, 1, PROMPT_MAX);
	kit_run_as(kit_create(prompt), "shell", NULL);
	assert_text(text(body_of(kit.calls[0]), "prompt"), prompt);
}

/* The body for a task as it is, with one session of an agent. */
static struct json_object *built(struct task *t, const char *agent)
{
	struct session s = { .id = "s1", .agent = agent, .model = "m", .dispatch.id = "d" };
	struct payload_input in = {
		.var = kit.var, .callback_url = "http://x", .task = t, .session = &s
	};
	struct json_object *o;
	struct strbuf out;
	size_t left_out;
	struct errinfo e;

	t->id = 7;
	t->sessions = &s;
	t->session_count = 1;
	strbuf_init(&out);
	assert_ok(payload_build(&in, &kit.a, &out, &left_out, &e), &e);
	assert_ok(json_parse(&kit.a, out.buf, out.len, &o, &e), &e);
	strbuf_release(&out);
	return o;
}

static void a_comment_of_a_review_is_the_next_prompt(void **state)
{
	struct task t = { .prompt = "do it",
			  .review = { true, REVIEW_SENT_BACK, "do it better" } };

	(void)state;
	assert_text(text(built(&t, "pi"), "prompt"),
		    "do it\n\nThe result of an earlier session was reviewed and sent back with this "
		    "comment:\ndo it better\n");
	assert_text(text(built(&t, "shell"), "prompt"), "do it better");
	t.review.state = REVIEW_WAITING;
	assert_text(text(built(&t, "pi"), "prompt"), "do it");
}

static void gate_and_budget_come_along(void **state)
{
	struct task t = { .prompt = "x",
			  .gate = "gates/x.sh",
			  .gate_edits = true,
			  .tokens = 30,
			  .token_budget = 100 };

	(void)state;
	struct json_object *o = built(&t, "pi"), *env = member(o, "env");
	assert_text(text(o, "gate"), "gates/x.sh");
	assert_text(text(env, "GATE_SCRIPT"), "gates/x.sh");
	assert_text(text(env, "GATE_EDITS"), "1");
	assert_text(text(env, "TOKENS_LEFT"), "70");
	assert_text(text(env, "TOKEN_BUDGET"), "100");
	t = (struct task){ .prompt = "x", .tokens = 30 };
	env = member(built(&t, "pi"), "env");
	assert_null(text(env, "GATE_SCRIPT"));
	assert_null(text(env, "TOKENS_LEFT"));
}

static void the_token_of_github_goes_to_its_repositories_alone(void **state)
{
	struct errinfo e;
	struct task t = { .prompt = "x", .repo_url = "https://github.com/a/b.git" };

	(void)state;
	assert_ok(key_write(kit.var, &kit.a, "GITHUB_TOKEN", "ghp_1", &e), &e);
	assert_text(text(member(built(&t, "shell"), "env"), "GITHUB_TOKEN"), "ghp_1");
	t.repo_url = "https://github.com.example.org/a/b.git";
	assert_null(text(member(built(&t, "shell"), "env"), "GITHUB_TOKEN"));
	t.repo_url = NULL;
	assert_null(text(member(built(&t, "shell"), "env"), "GITHUB_TOKEN"));
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, keys, only_the_keys_that_are_needed);
	kit_test(&p, all_that_the_box_needs);
	kit_test(&p, what_is_not_set_is_not_sent);
	kit_test(&p, a_key_that_is_not_set_is_not_sent);
	kit_test(&p, an_own_agent_brings_its_command);
	kit_test(&p, earlier_sessions_come_along_oldest_first);
	kit_test(&p, the_newest_history_that_fits_is_sent);
	kit_test(&p, the_longest_prompt_fits);
	kit_test(&p, a_comment_of_a_review_is_the_next_prompt);
	kit_test(&p, gate_and_budget_come_along);
	kit_test(&p, the_token_of_github_goes_to_its_repositories_alone);
	return plan_run("payload", &p);
}

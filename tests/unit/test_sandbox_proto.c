#include "core/strbuf.h"
#include "sandbox/proto.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef"

static const struct field {
	const char *key, *json;
} base[] = {
	{ "dispatchId", "\"" ID "\"" },
	{ "taskId", "\"7\"" },
	{ "sessionId", "\"s1\"" },
	{ "prompt", "\"echo hi\"" },
	{ "agent", "\"shell\"" },
	{ "callback", "{\"url\":\"http://127.0.0.1:8000\",\"token\":\"abc.DEF-1_2\"}" },
};

/* A dispatch that is right but for one field: replaced, left out (json NULL) or added. */
static void build(struct strbuf *out, const char *key, const char *json)
{
	bool seen = false;

	strbuf_init(out);
	strbuf_putc(out, '{');
	for (size_t i = 0; i < sizeof base / sizeof base[0]; i++) {
		bool other = key != NULL && strcmp(base[i].key, key) == 0;
		const char *value = other ? json : base[i].json;
		seen = seen || other;
		if (value != NULL)
			strbuf_printf(out, "%s\"%s\":%s", out->len > 1 ? "," : "", base[i].key,
				      value);
	}
	if (key != NULL && json != NULL && !seen)
		strbuf_printf(out, ",\"%s\":%s", key, json);
	strbuf_putc(out, '}');
}

static const struct row {
	const char *name, *key, *json;
	enum err want;
} rows[] = {
	{ "a plain dispatch is taken", NULL, NULL, ERR_OK },
	{ "an unknown field is ignored", "later", "{\"x\":[1]}", ERR_OK },
	{ "taskId may be a number", "taskId", "7", ERR_OK },
	{ "dispatchId is needed", "dispatchId", NULL, ERR_BAD_INPUT },
	{ "dispatchId of 31 digits is refused", "dispatchId", "\"0123456789abcdef0123456789abcde\"",
	  ERR_BAD_INPUT },
	{ "dispatchId in capitals is refused", "dispatchId", "\"0123456789ABCDEF0123456789ABCDEF\"",
	  ERR_BAD_INPUT },
	{ "dispatchId as a number is refused", "dispatchId", "1", ERR_BAD_INPUT },
	{ "taskId is needed", "taskId", NULL, ERR_BAD_INPUT },
	{ "taskId of letters is refused", "taskId", "\"a\"", ERR_BAD_INPUT },
	{ "taskId below zero is refused", "taskId", "-1", ERR_BAD_INPUT },
	{ "sessionId is s and a number", "sessionId", "\"s12\"", ERR_OK },
	{ "sessionId without a number is refused", "sessionId", "\"s\"", ERR_BAD_INPUT },
	{ "sessionId with a path is refused", "sessionId", "\"s1/..\"", ERR_BAD_INPUT },
	{ "prompt is needed", "prompt", NULL, ERR_BAD_INPUT },
	{ "an empty prompt is refused", "prompt", "\"\"", ERR_BAD_INPUT },
	{ "a prompt with NUL is refused", "prompt", "\"a\\u0000b\"", ERR_BAD_INPUT },
	{ "agent is needed", "agent", NULL, ERR_BAD_INPUT },
	{ "agent may have dashes", "agent", "\"my-own-2\"", ERR_OK },
	{ "agent with a double dash is refused", "agent", "\"my--own\"", ERR_BAD_INPUT },
	{ "agent with a dash in front is refused", "agent", "\"-x\"", ERR_BAD_INPUT },
	{ "agent with a slash is refused", "agent", "\"../sh\"", ERR_BAD_INPUT },
	{ "model is free text", "model", "\"claude sonnet (4)\"", ERR_OK },
	{ "model may be empty", "model", "\"\"", ERR_OK },
	{ "model may be null", "model", "null", ERR_OK },
	{ "model with a line feed is refused", "model", "\"a\\nb\"", ERR_BAD_INPUT },
	{ "command is one line", "command", "\"my-agent --prompt-file $TASK_PROMPT_FILE\"",
	  ERR_OK },
	{ "command with an escape is refused", "command", "\"a\\u001bb\"", ERR_BAD_INPUT },
	{ "router by id", "router", "\"cf-ai\"", ERR_OK },
	{ "router with a space is refused", "router", "\"cf ai\"", ERR_BAD_INPUT },
	{ "repoUrl by https", "repoUrl", "\"https://example.org/a/b.git\"", ERR_OK },
	{ "repoUrl by ssh", "repoUrl", "\"git@example.org:a/b.git\"", ERR_OK },
	{ "repoUrl that looks like an option is refused", "repoUrl", "\"--upload-pack=x\"",
	  ERR_BAD_INPUT },
	{ "repoUrl that names a helper is refused", "repoUrl", "\"ext::sh -c x\"", ERR_BAD_INPUT },
	{ "branch is text", "branch", "\"feature/x\"", ERR_OK },
	{ "branch that looks like an option is refused", "branch", "\"-b\"", ERR_BAD_INPUT },
	{ "dir alone is absolute", "dir", "\"/srv/repo\"", ERR_OK },
	{ "dir alone and relative is refused", "dir", "\"srv/repo\"", ERR_BAD_INPUT },
	{ "network none", "network", "\"none\"", ERR_OK },
	{ "network internet", "network", "\"internet\"", ERR_OK },
	{ "network host", "network", "\"host\"", ERR_OK },
	{ "an unknown network is refused", "network", "\"moon\"", ERR_BAD_INPUT },
	{ "allow takes addresses", "allow", "[\"127.0.0.1:11434\",\"gpu.lan:80\"]", ERR_OK },
	{ "allow without a port is refused", "allow", "[\"127.0.0.1\"]", ERR_BAD_INPUT },
	{ "allow of port 0 is refused", "allow", "[\"h:0\"]", ERR_BAD_INPUT },
	{ "allow of an option is refused", "allow", "[\"--probe:1\"]", ERR_BAD_INPUT },
	{ "allow of a number is refused", "allow", "[1]", ERR_BAD_INPUT },
	{ "history is an array of objects", "history", "[{\"sessionId\":\"s1\"}]", ERR_OK },
	{ "history as an object is refused", "history", "{}", ERR_BAD_INPUT },
	{ "history of texts is refused", "history", "[\"x\"]", ERR_BAD_INPUT },
	{ "callback is needed", "callback", NULL, ERR_BAD_INPUT },
	{ "callback without a token is refused", "callback", "{\"url\":\"http://x\"}",
	  ERR_BAD_INPUT },
	{ "callback to a file is refused", "callback", "{\"url\":\"file:///x\",\"token\":\"t\"}",
	  ERR_BAD_INPUT },
	{ "a token with a line feed is refused", "callback",
	  "{\"url\":\"http://x\",\"token\":\"a\\nb\"}", ERR_BAD_INPUT },
	{ "a time-out of a second", "timeoutSeconds", "1", ERR_OK },
	{ "no time at all is refused", "timeoutSeconds", "0", ERR_BAD_INPUT },
	{ "more than a week is refused", "timeoutSeconds", "604801", ERR_BAD_INPUT },
	{ "env gives keys", "env", "{\"OPENROUTER_API_KEY\":\"k\",\"CUSTOM_API\":\"\"}", ERR_OK },
	{ "env may hold several lines", "env", "{\"A_KEY\":\"a\\nb\"}", ERR_OK },
	{ "env with NUL is refused", "env", "{\"A_KEY\":\"a\\u0000b\"}", ERR_BAD_INPUT },
	{ "env of numbers is refused", "env", "{\"A_KEY\":1}", ERR_BAD_INPUT },
	{ "env in small letters is refused", "env", "{\"http_proxy\":\"x\"}", ERR_BAD_INPUT },
	{ "env with an equals sign is refused", "env", "{\"A=B\":\"x\"}", ERR_BAD_INPUT },
	{ "env with an empty name is refused", "env", "{\"\":\"x\"}", ERR_BAD_INPUT },
	{ "PATH is refused", "env", "{\"PATH\":\"/x\"}", ERR_BAD_INPUT },
	{ "LD_PRELOAD is refused", "env", "{\"LD_PRELOAD\":\"/x\"}", ERR_BAD_INPUT },
	{ "BASH_ENV is refused", "env", "{\"BASH_ENV\":\"/x\"}", ERR_BAD_INPUT },
	{ "ENV is refused", "env", "{\"ENV\":\"/x\"}", ERR_BAD_INPUT },
	{ "GLIBC_TUNABLES is refused", "env", "{\"GLIBC_TUNABLES\":\"x\"}", ERR_BAD_INPUT },
	{ "CHOMP_API is refused", "env", "{\"CHOMP_API\":\"x\"}", ERR_BAD_INPUT },
	{ "TASK_ID is refused", "env", "{\"TASK_ID\":\"8\"}", ERR_BAD_INPUT },
	{ "TASKS is another name", "env", "{\"TASKS\":\"8\"}", ERR_OK },
	{ "AGENT is refused", "env", "{\"AGENT\":\"x\"}", ERR_BAD_INPUT },
	{ "AGENT_KEY is another name", "env", "{\"AGENT_KEY\":\"x\"}", ERR_OK },
	{ "env as an array is refused", "env", "[]", ERR_BAD_INPUT },
};

static void parse_row(void **state)
{
	ROW(struct row);
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct dispatch d;
	struct strbuf text;

	build(&text, r->key, r->json);
	assert_err(dispatch_parse(&a, text.buf, text.len, &d, &e), r->want, &e);
	strbuf_release(&text);
	arena_reset(&a);
}

static void everything(void **state)
{
	static const char text[] =
		"{\"dispatchId\":\"" ID "\",\"taskId\":42,\"sessionId\":\"s3\",\"prompt\":\"p\","
					"\"agent\":\"pi\",\"model\":\"m\","
		"\"router\":\"\",\"repoUrl\":\"https://x/y\",\"branch\":\"b\",\"dir\":\"sub/"
		"dir\",\"network\":\"none\","
		"\"history\":[{\"sessionId\":\"s1\",\"summary\":\"\\u00fc/"
		"\"}],\"command\":\"run\",\"env\":{\"K\":\"v\"},"
		"\"callback\":{\"url\":\"https://h:1/"
		"\",\"token\":\"t\"},\"timeoutSeconds\":\"60\"}";
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct dispatch d;

	(void)state;
	assert_ok(dispatch_parse(&a, text, sizeof text - 1, &d, &e), &e);
	assert_text(d.id, ID);
	assert_text(d.task, "42");
	assert_text(d.session, "s3");
	assert_text(d.model, "m");
	assert_null(d.router);
	assert_text(d.dir, "sub/dir");
	assert_int_equal(d.network, NETWORK_NONE);
	assert_text(d.history, "[{\"sessionId\":\"s1\",\"summary\":\"\xC3\xBC/\"}]");
	assert_text(d.callback_url, "https://h:1/");
	assert_int_equal(d.env_len, 1);
	assert_text(d.env[0].name, "K");
	assert_text(d.env[0].value, "v");
	assert_int_equal(d.timeout_s, 60);
	arena_reset(&a);
}

static const struct inside {
	const char *name, *dir;
	enum err want;
} insides[] = {
	{ "a path in the clone", "\"a/b\"", ERR_OK },
	{ "dots in a name are no climbing", "\"a/..b/c..\"", ERR_OK },
	{ "an absolute path is refused beside a repository", "\"/a\"", ERR_BAD_INPUT },
	{ "climbing is refused", "\"../x\"", ERR_BAD_INPUT },
	{ "climbing in the middle is refused", "\"a/../../x\"", ERR_BAD_INPUT },
	{ "climbing at the end is refused", "\"a/..\"", ERR_BAD_INPUT },
	{ "a path like an option is refused", "\"-a\"", ERR_BAD_INPUT },
};

static void inside_row(void **state)
{
	ROW(struct inside);
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct dispatch d;
	struct strbuf text;

	build(&text, "dir", r->dir);
	text.len--; /* the closing brace */
	strbuf_puts(&text, ",\"repoUrl\":\"https://x/y\"}");
	assert_err(dispatch_parse(&a, text.buf, text.len, &d, &e), r->want, &e);
	strbuf_release(&text);
	arena_reset(&a);
}

static const struct text_row {
	const char *name, *text;
	enum err want;
} texts[] = {
	{ "nothing is no JSON", "", ERR_BAD_JSON },
	{ "an array is no dispatch", "[]", ERR_BAD_JSON },
	{ "text behind is refused", "{} x", ERR_BAD_JSON },
	{ "a key twice is refused", "{\"a\":1,\"a\":2}", ERR_BAD_JSON },
};

static void text_row(void **state)
{
	ROW(struct text_row);
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct dispatch d;

	assert_err(dispatch_parse(&a, r->text, strlen(r->text), &d, &e), r->want, &e);
	arena_reset(&a);
}

static void prompt_limit(void **state)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct dispatch d;
	struct strbuf text;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t len = 256 * 1024 + over;
		char *json = malloc(len + 3);
		memset(json, 'x', len + 2);
		json[0] = json[len + 1] = '"';
		json[len + 2] = '\0';
		build(&text, "prompt", json);
		assert_err(dispatch_parse(&a, text.buf, text.len, &d, &e),
			   over ? ERR_BAD_INPUT : ERR_OK, &e);
		strbuf_release(&text);
		free(json);
	}
	arena_reset(&a);
}

static void too_many_names(void **state)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct dispatch d;
	struct strbuf text, env;

	(void)state;
	strbuf_init(&env);
	strbuf_putc(&env, '{');
	for (int i = 0; i <= DISPATCH_ENV_MAX; i++)
		strbuf_printf(&env, "%s\"K%d\":\"v\"", i > 0 ? "," : "", i);
	strbuf_putc(&env, '}');
	build(&text, "env", env.buf);
	assert_err(dispatch_parse(&a, text.buf, text.len, &d, &e), ERR_BAD_INPUT, &e);
	strbuf_release(&text);
	strbuf_release(&env);
	arena_reset(&a);
}

static void answers(void **state)
{
	struct strbuf out;
	struct errinfo e = { 0 };
	const struct status gone = { .id = "x" };
	const struct status ended = { .id = "x",
				      .has_code = true,
				      .exit_code = 3,
				      .started_ms = 1000,
				      .reason = "exit",
				      .error = "",
				      .ended = "1970-01-01T00:00:02Z" };

	(void)state;
	strbuf_init(&out);
	answer_started(&out, "x", "walls");
	assert_text(out.buf, "{\"sandboxId\":\"x\",\"status\":\"started\",\"boundary\":\"walls\"}");
	strbuf_reset(&out);
	answer_destroyed(&out);
	assert_text(out.buf, "{\"status\":\"destroyed\"}");
	strbuf_reset(&out);
	answer_status(&out, &gone);
	assert_text(out.buf, "{\"sandboxId\":\"x\",\"alive\":false,\"running\":false}");
	strbuf_reset(&out);
	answer_status(&out, &ended);
	assert_text(out.buf,
		    "{\"sandboxId\":\"x\",\"alive\":false,\"running\":false,\"exitCode\":3,"
		    "\"reason\":\"exit\","
		    "\"startedAt\":\"1970-01-01T00:00:01Z\",\"endedAt\":\"1970-01-01T00:00:02Z\"}");
	strbuf_reset(&out);
	err_set(&e, ERR_IO, 0, "/secret/path: broken");
	answer_error(&out, &e);
	assert_null(strstr(out.buf, "/secret"));
	assert_non_null(strstr(out.buf, "\"code\":\"io\""));
	strbuf_reset(&out);
	err_wire(&e, ERR_BAD_INPUT, "no_boundary", "install \"it\"");
	answer_error(&out, &e);
	assert_text(out.buf,
		    "{\"error\":{\"code\":\"no_boundary\",\"message\":\"install \\\"it\\\"\"}}");
	strbuf_release(&out);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, parse_row);
	PLAN_ROWS(&p, insides, inside_row);
	PLAN_ROWS(&p, texts, text_row);
	plan_add(&p, "every field arrives", everything, NULL);
	plan_add(&p, "a prompt of 256 KiB is taken, a byte more is not", prompt_limit, NULL);
	plan_add(&p, "more than 64 names are refused", too_many_names, NULL);
	plan_add(&p, "answers are as the protocol says", answers, NULL);
	return plan_run("sandbox proto", &p);
}

#include "sandbox/argv.h"
#include "unit.h"

static const struct limits limits = { .tmp = 4096 };
static const struct box_host host = {
	.scripts = "/s", .agents = "/a", .callback = "/cb", .etc = "/e", .limits = &limits
};
static const struct source source = { .from = "/srv/r/.git", .to = "/source/.git" };

static struct dispatch sample(void)
{
	return (struct dispatch){ .id = "d",
				  .task = "7",
				  .session = "s1",
				  .prompt = "PROMPT-SECRET",
				  .agent = "pi",
				  .history = "[\"HISTORY-SECRET\"]",
				  .callback_url = "http://h",
				  .callback_token = "TOKEN-SECRET",
				  .env = { { "CUSTOM_API_KEY", "KEY-SECRET" } },
				  .env_len = 1,
				  .timeout_s = 60 };
}

/* Does this run of words occur? */
static bool has(const struct strbuf *out, const char *a, const char *b, const char *c)
{
	const char *end = out->buf + out->len;

	for (const char *p = out->buf; p < end; p += strlen(p) + 1) {
		const char *q = p + strlen(p) + 1;
		const char *r = b != NULL && q < end ? q + strlen(q) + 1 : end;
		if (strcmp(p, a) != 0)
			continue;
		if (b == NULL ||
		    (q < end && strcmp(q, b) == 0 && (c == NULL || (r < end && strcmp(r, c) == 0))))
			return true;
	}
	return false;
}

static bool holds_bytes(const struct strbuf *out, const char *text)
{
	return memmem(out->buf, out->len, text, strlen(text)) != NULL;
}

static void walls(void **state)
{
	struct dispatch d = sample();
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	argv_box(&out, &host, &d, "/w/id", &source);
	assert_int_equal(out.buf[out.len - 1], '\0');
	assert_true(has(&out, "--unshare-user", NULL, NULL));
	assert_true(has(&out, "--unshare-pid", NULL, NULL));
	assert_true(has(&out, "--unshare-ipc", NULL, NULL));
	assert_true(has(&out, "--unshare-uts", NULL, NULL));
	assert_true(has(&out, "--cap-drop", "ALL", NULL));
	assert_true(has(&out, "--die-with-parent", NULL, NULL));
	assert_true(has(&out, "--uid", "1000", NULL));
	assert_true(has(&out, "--bind", "/w/id/workspace", "/workspace"));
	assert_true(has(&out, "--bind", "/w/id/home", "/home/agent"));
	assert_true(has(&out, "--ro-bind", "/s", "/opt/chomp"));
	assert_true(has(&out, "--ro-bind", "/a", "/opt/agents"));
	assert_true(has(&out, "--ro-bind", "/cb", "/run/chomp/api"));
	assert_true(has(&out, "--ro-bind", "/srv/r/.git", "/source/.git"));
	assert_true(has(&out, "--remount-ro", "/", "--chdir"));
	assert_false(has(&out, "--new-session", NULL, NULL));
	assert_true(has(&out, "--size", "4096", "--tmpfs"));
	assert_true(has(&out, "--seccomp", "11", NULL));
	assert_true(has(&out, "--ro-bind", "/e/resolv.conf", "/etc/resolv.conf"));
	assert_false(has(&out, "--setenv", NULL, NULL));
	strbuf_release(&out);
}

static void no_secret_in_options(void **state)
{
	struct dispatch d = sample();
	struct strbuf out;

	(void)state;
	strbuf_init(&out);
	argv_box(&out, &host, &d, "/w/id", NULL);
	assert_false(holds_bytes(&out, "SECRET"));
	argv_env(&out, &host, &d, NULL);
	assert_true(has(&out, "CUSTOM_API_KEY=KEY-SECRET", NULL, NULL));
	assert_false(holds_bytes(&out, "TOKEN-SECRET"));
	assert_false(holds_bytes(&out, "PROMPT-SECRET"));
	assert_false(holds_bytes(&out, "HISTORY-SECRET"));
	strbuf_release(&out);
}

static void missing_parts(void **state)
{
	const struct box_host bare = { .scripts = "/s", .etc = "/e", .limits = &limits };
	struct dispatch d = sample();
	struct strbuf out;

	(void)state;
	d.network = NETWORK_HOST;
	strbuf_init(&out);
	argv_box(&out, &bare, &d, "/w/id", NULL);
	assert_true(has(&out, "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"));
	assert_false(holds_bytes(&out, "/opt/agents"));
	assert_false(holds_bytes(&out, "/run/chomp/api"));
	assert_false(holds_bytes(&out, "/source"));
	argv_env(&out, &bare, &d, NULL);
	assert_false(holds_bytes(&out, "CHOMP_API_SOCKET"));
	assert_false(holds_bytes(&out, "TASK_SOURCE"));
	strbuf_release(&out);
}

static const struct row {
	const char *name, *want;
	bool clone, source;
} rows[] = {
	{ "PATH begins with our verbs", "PATH=/opt/chomp:/usr/local/bin:/usr/bin:/bin", false,
	  false },
	{ "HOME is the agent's", "HOME=/home/agent", false, false },
	{ "an empty model is still set", "MODEL=", false, false },
	{ "an empty repository is still set", "TASK_REPO_URL=", false, false },
	{ "the callback", "CHOMP_API=http://h", false, false },
	{ "the callback's socket", "CHOMP_API_SOCKET=/run/chomp/api/api.sock", false, false },
	{ "the token's file", "CHOMP_TOKEN_FILE=/run/chomp/token", false, false },
	{ "the prompt's file", "TASK_PROMPT_FILE=/run/chomp/prompt", false, false },
	{ "the history's file", "CHOMP_HISTORY_FILE=/run/chomp/history.json", false, false },
	{ "the time-out", "CHOMP_TIMEOUT=60", false, false },
	{ "a repository of this host", "TASK_SOURCE=/source", false, true },
	{ "a place in a clone", "TASK_SUBDIR=sub", true, false },
};

static void env_row(void **state)
{
	ROW(struct row);
	struct dispatch d = sample();
	struct strbuf out;

	if (r->clone) {
		d.repo_url = "https://x/y";
		d.dir = "sub";
	}
	strbuf_init(&out);
	argv_env(&out, &host, &d, r->source ? &source : NULL);
	assert_true(has(&out, r->want, NULL, NULL));
	strbuf_release(&out);
}

static void what_is_blanked(void **state)
{
	struct dispatch d = sample();
	struct strbuf out;

	(void)state;
	d.env[1].name = "TOKEN_BUDGET";
	d.env[1].value = "300000";
	d.env[2].name = "GATE_SCRIPT";
	d.env[2].value = "make test";
	d.env_len = 3;
	strbuf_init(&out);
	argv_secrets(&out, &d);
	assert_true(has(&out, "TOKEN-SECRET", "KEY-SECRET", NULL));
	assert_false(holds_bytes(&out, "300000"));
	assert_false(holds_bytes(&out, "make test"));
	strbuf_release(&out);
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "the walls are asked for", walls, NULL);
	plan_add(&p, "no option holds a secret", no_secret_in_options, NULL);
	plan_add(&p, "what the host lacks is left out", missing_parts, NULL);
	plan_add(&p, "keys are blanked in the terminal, settings are not", what_is_blanked, NULL);
	PLAN_ROWS(&p, rows, env_row);
	return plan_run("sandbox argv", &p);
}

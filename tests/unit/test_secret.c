#include <sys/wait.h>
#include <time.h>

#include "core/mac.h"
#include "store/secret.h"
#include "world.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

/* ---- secrets ---- */
static const struct row {
	const char *name;
	const char *file; /* NULL: no file */
	enum err want;
	const char *text;
} rows[] = {
	{ "a secret is its first line", "0123456789abcdef\n", ERR_OK, "0123456789abcdef" },
	{ "a secret needs no line end", "0123456789abcdef", ERR_OK, "0123456789abcdef" },
	{ "a line end of Windows is none of the secret", "0123456789abcdef\r\n", ERR_OK,
	  "0123456789abcdef" },
	{ "a second line is none of the secret", "0123456789abcdef\nmore\n", ERR_OK,
	  "0123456789abcdef" },
	{ "a short secret is refused", "0123456789abcde\n", ERR_CORRUPT, NULL },
	{ "an empty secret is refused", "", ERR_CORRUPT, NULL },
	{ "an empty line is refused", "\n0123456789abcdef\n", ERR_CORRUPT, NULL },
	{ "no secret is not found", NULL, ERR_NOT_FOUND, NULL },
};

static void secret_is_read(void **state)
{
	ROW(struct row);
	const char *text = NULL;
	struct errinfo e;

	(void)setup(state);
	if (r->file != NULL)
		world_write(&w, "secrets/owner_token", r->file, strlen(r->file));
	assert_err(secret_read(w.var, SECRET_OWNER, &w.a, &text, &e), r->want, &e);
	assert_text(text, r->text);
	assert_err(secret_read_file(world_path(&w, "secrets/owner_token"), &w.a, &text, &e),
		   r->want, &e);
	(void)teardown(state);
}

static void replaced_secret_counts_at_once(void **state)
{
	struct secret_cache c = { 0 };
	const char *first, *text;
	struct errinfo e;

	(void)state;
	assert_err(secret_recall(&c, w.var, SECRET_OWNER, &w.a, &text, &e), ERR_NOT_FOUND, &e);
	assert_ok(secret_ensure(w.var, SECRET_OWNER, &e), &e);
	assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	assert_ok(secret_recall(&c, w.var, SECRET_OWNER, &w.a, &first, &e), &e);
	assert_ok(secret_recall(&c, w.var, SECRET_OWNER, &w.a, &text, &e), &e);
	assert_string_equal(text, first);
	assert_ok(secret_recall(&c, w.var, SECRET_AGENT, &w.a, &text, &e), &e);
	assert_string_not_equal(text, first);
	for (int i = 0; i < 20; i++) {
		const char *now;
		assert_ok(secret_renew(w.var, SECRET_OWNER, &e), &e);
		assert_ok(secret_read(w.var, SECRET_OWNER, &w.a, &now, &e), &e);
		assert_ok(secret_recall(&c, w.var, SECRET_OWNER, &w.a, &text, &e), &e);
		assert_string_equal(text, now);
	}
	assert_int_equal(unlink(world_path(&w, "secrets/owner_token")), 0);
	assert_err(secret_recall(&c, w.var, SECRET_OWNER, &w.a, &text, &e), ERR_NOT_FOUND, &e);
}

static void missing_secret_is_made_once(void **state)
{
	const char *first, *again;
	struct errinfo e;
	struct stat st;

	(void)state;
	assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	assert_ok(secret_read(w.var, SECRET_AGENT, &w.a, &first, &e), &e);
	assert_int_equal(strlen(first), 43); /* 32 bytes */
	assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	assert_ok(secret_read(w.var, SECRET_AGENT, &w.a, &again, &e), &e);
	assert_string_equal(first, again);
	assert_int_equal(stat(world_path(&w, "secrets/agent_key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_ok(secret_ensure(w.var, SECRET_COOKIE, &e), &e);
	assert_ok(secret_read(w.var, SECRET_COOKIE, &w.a, &again, &e), &e);
	assert_string_not_equal(first, again);
	/* One that is there but broken is not written over: somebody put it there. */
	world_write(&w, "secrets/agent_key", "short\n", 6);
	assert_err(secret_ensure(w.var, SECRET_AGENT, &e), ERR_CORRUPT, &e);
	assert_err(secret_ensure("/nowhere", SECRET_AGENT, &e), ERR_IO, &e);
}

static void long_or_strange_file_is_refused(void **state)
{
	char text[SECRET_MAX + 2];
	const char *out = NULL;
	struct errinfo e;

	(void)state;
	memset(text, 'x', sizeof text);
	world_write(&w, "secrets/owner_token", text, SECRET_MAX);
	assert_ok(secret_read(w.var, SECRET_OWNER, &w.a, &out, &e), &e);
	world_write(&w, "secrets/owner_token", text, SECRET_MAX + 1);
	assert_err(secret_read(w.var, SECRET_OWNER, &w.a, &out, &e), ERR_TOO_LARGE, &e);
	assert_int_equal(unlink(world_path(&w, "secrets/owner_token")), 0);
	assert_int_equal(symlink("/etc/hostname", world_path(&w, "secrets/owner_token")), 0);
	assert_err(secret_read(w.var, SECRET_OWNER, &w.a, &out, &e), ERR_IO, &e);
}

/* ---- login codes ---- */
static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

/* As chompctl url makes one. */
static void make_code(const char *code)
{
	uint8_t digest[MAC_LEN];
	char hex[MAC_HEX];

	sha256(code, strlen(code), digest);
	hex_encode(hex, digest, sizeof digest);
	world_write(&w, arena_printf(&w.a, "secrets/codes/%s", hex), "", 0);
}

static void code_is_good_once(void **state)
{
	(void)state;
	make_code("correct-horse");
	make_code("another");
	assert_false(secret_spend_code(w.var, "battery-staple", now_ms()));
	assert_false(secret_spend_code(w.var, "", now_ms()));
	assert_false(secret_spend_code(w.var, "../owner_token", now_ms()));
	assert_true(secret_spend_code(w.var, "correct-horse", now_ms()));
	assert_false(secret_spend_code(w.var, "correct-horse", now_ms()));
	assert_true(secret_spend_code(w.var, "another", now_ms()));
	assert_false(secret_spend_code("/nowhere", "another", now_ms()));
}

static void code_is_good_for_ten_minutes(void **state)
{
	(void)state;
	make_code("late");
	assert_false(secret_spend_code(w.var, "late", now_ms() + LOGIN_CODE_MS + 2000));
	assert_false(secret_spend_code(w.var, "late", now_ms())); /* and spent by trying */
	make_code("in time");
	assert_true(secret_spend_code(w.var, "in time", now_ms() + LOGIN_CODE_MS - 2000));
}

static void many_processes_share_one_success(void **state)
{
	enum { ROUNDS = 20, CHILDREN = 4 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		int good = 0, go[2];
		assert_int_equal(pipe(go), 0);
		for (int i = 0; i < CHILDREN; i++) {
			if (fork() != 0)
				continue;
			char byte;
			close(go[1]);
			(void)!read(go[0], &byte, 1); /* all start at the same moment */
			_exit(secret_spend_code(w.var, "the-code", now_ms()) ? 1 : 0);
		}
		make_code("the-code");
		close(go[0]);
		close(go[1]);
		for (int i = 0; i < CHILDREN; i++) {
			int status;
			assert_true(wait(&status) > 0);
			assert_true(WIFEXITED(status));
			good += WEXITSTATUS(status);
		}
		assert_int_equal(good, 1);
	}
}

/* ---- signing out ---- */
#define NONCE "0123456789abcdef0123456789abcdef"

static void signed_out_session_stays_out(void **state)
{
	struct errinfo e;

	(void)state;
	assert_false(secret_signed_out(w.var, NONCE));
	assert_ok(secret_sign_out(w.var, NONCE, now_ms(), &e), &e);
	assert_true(secret_signed_out(w.var, NONCE));
	assert_false(secret_signed_out(w.var, "0123456789abcdef0123456789abcdee"));
	assert_ok(secret_sign_out(w.var, NONCE, now_ms(), &e), &e); /* twice does no harm */
	assert_err(secret_sign_out("/nowhere", NONCE, now_ms(), &e), ERR_IO, &e);
}

static void what_no_cookie_can_outlive_is_swept(void **state)
{
	const int64_t day = 24 * 3600 * 1000;
	struct errinfo e;

	(void)state;
	assert_ok(secret_sign_out(w.var, NONCE, now_ms(), &e), &e);
	assert_ok(
		secret_sign_out(w.var, "11111111111111111111111111111111", now_ms() + 30 * day, &e),
		&e);
	assert_true(secret_signed_out(w.var, NONCE));
	assert_ok(
		secret_sign_out(w.var, "22222222222222222222222222222222", now_ms() + 32 * day, &e),
		&e);
	assert_false(secret_signed_out(w.var, NONCE));
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("a replaced secret counts at once", replaced_secret_counts_at_once),
		T("a missing secret is made once", missing_secret_is_made_once),
		T("a long or strange file is refused", long_or_strange_file_is_refused),
		T("a login code is good once", code_is_good_once),
		T("a login code is good for ten minutes", code_is_good_for_ten_minutes),
		T("many processes share one success", many_processes_share_one_success),
		T("a session that is signed out stays out", signed_out_session_stays_out),
		T("what no cookie can outlive is swept", what_no_cookie_can_outlive_is_swept),
	};
	static struct plan p;

	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		p.tests[p.count++] = tests[i];
	PLAN_ROWS(&p, rows, secret_is_read);
	return plan_run("secret", &p);
}

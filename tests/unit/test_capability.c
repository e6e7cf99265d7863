#include "core/number.h"
#include "model/capability.h"
#include "unit.h"

static const char key[] = "the agents' key, 32 bytes or so..";
static const struct session session = { .id = "s3",
					.nonce = "0123456789abcdef",
					.expires_at = 1770818400000 };

static void own_token_is_good(void **state)
{
	struct arena a = { 0 };
	struct capability c;

	(void)state;
	const char *token = capability_make(&a, key, 42, &session);
	assert_int_equal(strncmp(token, "c1.42.s3.0123456789abcdef.1770818400000.", 40), 0);
	assert_true(capability_like(token));
	assert_true(capability_read(&a, key, token, &c));
	assert_int_equal(c.task, 42);
	assert_string_equal(c.sid, "s3");
	assert_string_equal(c.nonce, "0123456789abcdef");
	assert_int_equal(c.expires_at, 1770818400000);
	assert_true(capability_fits(&c, &session));
	/* The dispatcher can make the same one again. */
	assert_string_equal(capability_make(&a, key, 42, &session), token);
	arena_reset(&a);
}

/* ---- another session ---- */
static const struct other {
	const char *name;
	struct session s;
} others[] = {
	{ "another session's id does not fit",
	  { .id = "s2", .nonce = "0123456789abcdef", .expires_at = 1770818400000 } },
	{ "a longer id does not fit",
	  { .id = "s33", .nonce = "0123456789abcdef", .expires_at = 1770818400000 } },
	{ "another nonce does not fit",
	  { .id = "s3", .nonce = "0123456789abcdee", .expires_at = 1770818400000 } },
	{ "no nonce does not fit", { .id = "s3", .nonce = NULL, .expires_at = 1770818400000 } },
	{ "an empty nonce does not fit", { .id = "s3", .nonce = "", .expires_at = 1770818400000 } },
	{ "another expiry does not fit",
	  { .id = "s3", .nonce = "0123456789abcdef", .expires_at = 1770818400001 } },
	{ "a session without id does not fit",
	  { .id = NULL, .nonce = "0123456789abcdef", .expires_at = 1770818400000 } },
};

static void other_session_does_not_fit(void **state)
{
	ROW(struct other);
	struct arena a = { 0 };
	struct capability c;

	assert_true(capability_read(&a, key, capability_make(&a, key, 42, &session), &c));
	assert_false(capability_fits(&c, &r->s));
	arena_reset(&a);
}

/* ---- forgeries ---- */
static void cut_anywhere_it_is_no_token(void **state)
{
	struct arena a = { 0 };
	struct capability c;

	(void)state;
	const char *token = capability_make(&a, key, 42, &session);
	for (size_t n = 0; n < strlen(token); n++) {
		assert_false(capability_read(&a, key, arena_strndup(&a, token, n), &c));
		if (n > 0)
			assert_false(capability_read(&a, key, token + n, &c));
	}
	assert_false(capability_read(&a, key, arena_printf(&a, "%s ", token), &c));
	assert_false(capability_read(&a, key, arena_printf(&a, "%s=", token), &c));
	assert_false(capability_read(&a, key, arena_printf(&a, "%s.", token), &c));
	arena_reset(&a);
}

static void no_byte_may_change(void **state)
{
	(void)state;
	for (size_t at = 0;; at++) {
		struct arena a = { 0 };
		struct capability c;
		char *token = arena_strdup(&a, capability_make(&a, key, 42, &session));
		size_t len = strlen(token);
		for (int bit = 0; at < len && bit < 8; bit++) {
			token[at] = (char)(token[at] ^ 1 << bit);
			assert_false(capability_read(&a, key, token, &c));
			token[at] = (char)(token[at] ^ 1 << bit);
		}
		arena_reset(&a);
		if (at >= len)
			break;
	}
}

static const struct forged {
	const char *name;
	const char *token;
} forgeds[] = {
	{ "nothing is no token", "" },
	{ "the mark alone is no token", "c1." },
	{ "dots alone are no token", "c1....." },
	{ "an owner's token is no token of a session",
	  "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm8" },
	{ "a token without a MAC is none", "c1.42.s3.0123456789abcdef.1770818400000." },
	{ "a token with any MAC is none",
	  "c1.42.s3.0123456789abcdef.1770818400000.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
	{ "another version is none", "c2.42.s3.n.1.AAAA" },
};

static void forgery_is_no_token(void **state)
{
	ROW(struct forged);
	struct arena a = { 0 };
	struct capability c;

	assert_false(capability_read(&a, key, r->token, &c));
	arena_reset(&a);
}

static void another_key_makes_all_worthless(void **state)
{
	struct arena a = { 0 };
	struct capability c;

	(void)state;
	const char *token = capability_make(&a, key, 42, &session);
	assert_false(capability_read(&a, "another key that has some length", token, &c));
	assert_false(capability_read(&a, "", token, &c));
	arena_reset(&a);
}

/* Rightly signed, but not what we write: only a fault of ours could sign it. */
static void signed_nonsense_is_no_token(void **state)
{
	static const struct session odd[] = {
		{ .id = "s3.x", .nonce = "n", .expires_at = 1 },
		{ .id = "s3", .nonce = "a.b", .expires_at = 1 },
		{ .id = "s3", .nonce = "n", .expires_at = -1 },
	};
	struct arena a = { 0 };
	struct capability c;
	char nonce[600];

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_false(capability_read(&a, key, capability_make(&a, key, 42, &odd[i]), &c));
	assert_false(capability_read(&a, key, capability_make(&a, key, 0, &session), &c));
	assert_false(
		capability_read(&a, key, capability_make(&a, key, NUMBER_MAX + 1, &session), &c));
	memset(nonce, 'n', sizeof nonce - 1);
	nonce[sizeof nonce - 1] = '\0';
	struct session tall = { .id = "s3", .nonce = nonce, .expires_at = 1 };
	assert_false(capability_read(&a, key, capability_make(&a, key, 42, &tall), &c));
	assert_true(capability_read(&a, key, capability_make(&a, key, NUMBER_MAX, &session), &c));
	arena_reset(&a);
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "a session's own token is good", own_token_is_good, NULL);
	PLAN_ROWS(&p, others, other_session_does_not_fit);
	plan_add(&p, "cut anywhere it is no token", cut_anywhere_it_is_no_token, NULL);
	plan_add(&p, "no byte may change", no_byte_may_change, NULL);
	PLAN_ROWS(&p, forgeds, forgery_is_no_token);
	plan_add(&p, "another key makes all tokens worthless", another_key_makes_all_worthless,
		 NULL);
	plan_add(&p, "signed nonsense is no token", signed_nonsense_is_no_token, NULL);
	return plan_run("capability", &p);
}

#include "sandbox/redact.h"
#include "unit.h"

#define TOKEN "sk-or-abcdef0123456789"
#define OTHER "sk-or-zzzz"
#define STARS "**********************"

static char secrets[] = TOKEN "\0" OTHER "\0short\0line one of it\nline two of it";
static struct redact it;

struct shown {
	char text[4096];
	size_t len;
};

static void take(struct shown *s, const char *p, size_t len)
{
	assert_true(s->len + len < sizeof s->text);
	memcpy(s->text + s->len, p, len);
	s->len += len;
	s->text[s->len] = '\0';
}

static void feed(struct shown *s, const char *p, size_t len)
{
	const char *out;
	size_t n = redact_feed(&it, p, len, &out);

	take(s, out, n);
}

static void flush(struct shown *s)
{
	const char *out;
	size_t n = redact_flush(&it, &out);

	take(s, out, n);
}

static int setup(void **state)
{
	(void)state;
	redact_init(&it, secrets, sizeof secrets);
	return 0;
}

static const struct row {
	const char *name, *in, *want;
} rows[] = {
	{ "a secret alone", TOKEN, STARS },
	{ "between other bytes", "key=" TOKEN ";\r\n", "key=" STARS ";\r\n" },
	{ "twice without a gap", TOKEN TOKEN, STARS STARS },
	{ "after its own beginning", "sk-or-abc" TOKEN "x", "sk-or-abc" STARS "x" },
	{ "another with the same beginning", OTHER " " TOKEN, "********** " STARS },
	{ "not quite", "sk-or-abcdef012345678X and on", "sk-or-abcdef012345678X and on" },
	{ "a short word is none", "short", "short" },
	{ "each line of one with lines", "line one of it\r\nline two of it\r\n", "**************\r\n**************\r\n" },
	{ "nothing of it", "plain text\r\n", "plain text\r\n" },
	{ "escape codes around it", "\x1b[31m" TOKEN "\x1b[0m", "\x1b[31m" STARS "\x1b[0m" },
};

/* In one piece, in two at every point, in three at every pair of points, byte for byte: always the same. */
static void every_split(void **state)
{
	ROW(struct row);
	size_t n = strlen(r->in);

	for (size_t i = 0; i <= n; i++) {
		for (size_t j = i; j <= n; j++) {
			struct shown s = { .len = 0 };
			setup(NULL);
			feed(&s, r->in, i);
			feed(&s, r->in + i, j - i);
			feed(&s, r->in + j, n - j);
			flush(&s);
			assert_int_equal(s.len, n);
			assert_text(s.text, r->want);
		}
	}
}

/* With a moment of silence at every point the length stays, and never more than its first bytes are shown. */
static void silence(void **state)
{
	static const char text[] = "key=" TOKEN ";";

	(void)state;
	for (size_t i = 0; i <= sizeof text - 1; i++) {
		struct shown s = { .len = 0 };
		setup(NULL);
		feed(&s, text, i);
		flush(&s);
		assert_int_equal(s.len, i);
		feed(&s, text + i, sizeof text - 1 - i);
		flush(&s);
		assert_int_equal(s.len, sizeof text - 1);
		assert_null(strstr(s.text, "sk-o"));
		assert_null(strstr(s.text, "or-abcdef"));
		assert_non_null(strstr(s.text, "*******************;"));
	}
	struct shown s = { .len = 0 };
	setup(NULL);
	for (size_t i = 0; i < sizeof text - 1; i++) {
		feed(&s, text + i, 1);
		flush(&s);
	}
	assert_text(s.text, "key=sk-*******************;");
}

/* Around the size of one piece, where a secret lies half in each. */
static void large(void **state)
{
	static char in[REDACT_FEED * 2];

	(void)state;
	for (size_t at = REDACT_FEED - sizeof TOKEN; at <= REDACT_FEED; at++) {
		size_t total = 0, stars = 0;
		memset(in, 's', sizeof in);
		memcpy(in + at, TOKEN, sizeof TOKEN - 1);
		setup(NULL);
		for (int i = 0; i < 3; i++) {
			const char *out;
			size_t n = i < 2 ? redact_feed(&it, in + i * REDACT_FEED, REDACT_FEED, &out) :
					   redact_flush(&it, &out);
			for (size_t k = 0; k < n; k++)
				stars += out[k] == '*';
			total += n;
		}
		assert_int_equal(total, sizeof in);
		assert_int_equal(stars, sizeof TOKEN - 1);
	}
}

static void none(void **state)
{
	struct shown s = { .len = 0 };

	(void)state;
	redact_init(&it, secrets, 0);
	feed(&s, "sk-", 3);
	assert_false(redact_waits(&it));
	assert_text(s.text, "sk-");
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, every_split);
	plan_add(&p, "a silence within a secret shows no more than its first three bytes", silence, NULL);
	plan_add(&p, "a secret across two full pieces", large, NULL);
	plan_add(&p, "without secrets nothing is held back", none, NULL);
	return plan_run("sandbox redact", &p);
}

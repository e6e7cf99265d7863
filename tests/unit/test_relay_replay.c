/* The replay filter: what is erased, what stays, and that cutting makes no difference. */
#include "unit.h"

#include "relay/replay.h"

#define ST "\033\\"

static const struct row {
	const char *name, *in, *out; /* '~' stands for NUL */
} rows[] = {
	{ "text and colours stay", "a\033[1;31mb\033[0mc\r\n", "a\033[1;31mb\033[0mc\r\n" },
	{ "letters beyond ASCII stay", "\303\251 \302\240 \302\251 \342\202\254",
	  "\303\251 \302\240 \302\251 \342\202\254" },
	{ "a status report", "x\033[6ny", "x" ST "~~y" },
	{ "device attributes", "x\033[>0cy", "x" ST "~~~y" },
	{ "a mode", "\033[?25$p", ST "~~~~~" },
	{ "the version", "\033[>q", ST "~~" },
	{ "the size of the window", "\033[18t\033[022t", ST "~~~" ST "~~~~" },
	{ "moving the window stays", "\033[8;24;80t", "\033[8;24;80t" },
	{ "a colour", "a\033]11;?\007b", "a" ST "~~~~~b" },
	{ "a colour, ended by ST", "a\033]4;1;?\033\\b", "a" ST "~~~~~\033\\b" },
	{ "a new colour stays", "\033]11;#fff\007", "\033]11;#fff\007" },
	{ "a link with a question mark stays", "\033]8;;http://a?b\007x",
	  "\033]8;;http://a?b\007x" },
	{ "the clipboard", "\033]052;c;aGk=\007", ST "~~~~~~~~~~~" },
	{ "a setting", "\033P0$qm\033\\", ST "~~~~\033\\" },
	{ "a picture stays", "\033P1;2q#0~-\033\\", "\033P1;2q#0~-\033\\" },
	{ "ENQ", "a\005b", "a~b" },
	{ "DECID", "a\033Zb", "a" ST "b" },
	{ "the one-character form", "a\302\2336nb", "a\302\234~~b" },
	{ "the one-character form of OSC", "\302\23511;?\302\234", "\302\234~~~~~~" },
	{ "with a control character in its midst", "\033[\r6n", ST "~~~" },
	{ "with a control character behind ESC", "\033\n[c", ST "~~" },
	{ "with broken UTF-8 in its midst", "\033[6\377n", ST "~~~" },
	{ "behind one that was broken off", "\033[1\033[cn", "\033[1" ST "~n" },
	{ "behind a title that was broken off", "\033]0;t\033[cn", "\033]0;t" ST "~n" },
	{ "the end of text that is no sequence", "a\302b", "a\302b" },
};

static size_t filter(char *out, const char *in, size_t len, size_t step)
{
	struct replay st = { 0 };
	size_t n = 0, now;

	for (size_t i = 0; i < len; i += step) {
		replay_filter(&st, in + i, len - i < step ? len - i : step, out + n, &now);
		n += now;
	}
	replay_end(&st, out + n, &now);
	return n + now;
}

static void row_holds(void **state)
{
	ROW(struct row);
	char want[200], out[200 + REPLAY_HELD];
	size_t len = strlen(r->in);
	bool picture = strstr(r->name, "picture") != NULL;

	assert_int_equal(strlen(r->out), len);
	for (size_t i = 0; i <= len; i++)
		want[i] = (char)(r->out[i] == '~' && !picture ? 0 : r->out[i]);
	for (size_t step = 1; step <= len; step++) {
		assert_int_equal(filter(out, r->in, len, step), len);
		assert_memory_equal(out, want, len);
	}
}

/* A sequence longer than what can be held: the beginning, 600 characters, the end. */
static const struct long_row {
	const char *name, *begin;
	char fill;
	const char *end;
	bool erased;
} long_rows[] = {
	{ "a long clipboard is erased", "\033]52;c;", 'A', "\007", true },
	{ "a long list of colours is erased", "\033]4;1;", 'x', ";2;?\007", true },
	{ "a long CSI is erased", "\033[6;", '0', "n", true },
	{ "a long link stays", "\033]8;;http://", '?', "\007", false },
	{ "a long picture stays", "\033Pq", '?', "\033\\", false },
};

static void long_row_holds(void **state)
{
	ROW(struct long_row);
	char in[800], out[800 + REPLAY_HELD], first[800 + REPLAY_HELD];
	size_t a = strlen(r->begin), b = strlen(r->end), len = a + 600 + b + 1;

	memcpy(in, r->begin, a);
	memset(in + a, r->fill, 600);
	memcpy(in + a + 600, r->end, b);
	in[len - 1] = '.';
	assert_int_equal(filter(first, in, len, len), len);
	assert_int_equal(first[len - 1], '.');
	for (size_t i = 2; i < a + 600; i++)
		assert_int_equal(first[i], r->erased ? 0 : in[i]);
	for (size_t step = 1; step < len; step++) {
		assert_int_equal(filter(out, in, len, step), len);
		assert_memory_equal(out, first, len);
	}
}

/* The line to the host breaks anywhere: what was held comes again, and the browser gets the same bytes as ever. */
static void break_anywhere(const char *in, size_t len)
{
	char whole[800 + REPLAY_HELD], out[2 * (800 + REPLAY_HELD)];

	(void)filter(whole, in, len, len);
	for (size_t cut = 0; cut <= len; cut++) {
		struct replay st = { 0 };
		size_t n, at = 0;
		replay_filter(&st, in, cut, out, &n);
		at += n;
		size_t from = cut - replay_rewind(&st);
		assert_int_equal(from, at);
		replay_filter(&st, in + from, len - from, out + at, &n);
		at += n;
		replay_end(&st, out + at, &n);
		assert_int_equal(at + n, len);
		assert_memory_equal(out, whole, len);
	}
}

static void broken_row_holds(void **state)
{
	ROW(struct row);
	break_anywhere(r->in, strlen(r->in));
}

static void broken_long_row_holds(void **state)
{
	ROW(struct long_row);
	char in[800];
	int len = snprintf(in, sizeof in, "%s%0600d%s.", r->begin, 0, r->end);

	memset(in + strlen(r->begin), r->fill, 600);
	break_anywhere(in, (size_t)len);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, row_holds);
	PLAN_ROWS(&p, long_rows, long_row_holds);
	PLAN_ROWS(&p, rows, broken_row_holds);
	PLAN_ROWS(&p, long_rows, broken_long_row_holds);
	return plan_run("relay_replay", &p);
}

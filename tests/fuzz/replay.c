/*
 * Scrollback through the replay filter: as long as it was, the same however it is cut, and no query
 * is left for a terminal that reads like xterm.js.  The first byte says how it is cut.
 */
#include "fuzz.h"

#include "relay/replay.h"

enum { ROOM = REPLAY_HELD + FUZZ_MAX };

static size_t filter(char *out, const char *p, size_t n, size_t step)
{
	struct replay st = { 0 };
	size_t len = 0, now;

	for (size_t i = 0; i < n; i += step) {
		replay_filter(&st, p + i, n - i < step ? n - i : step, out + len, &now);
		len += now;
		assert(len + st.held_len == (i + step < n ? i + step : n));
	}
	replay_end(&st, out + len, &now);
	return len + now;
}

/* ---- a terminal: what it would be asked ---- */
enum state { GROUND, ESCAPE, CSI, OSC, DCS, DATA, STRING };
struct terminal {
	enum state state;
	int mark, between, first;
	bool counting, numbered, question,
		pending; /* pending: to be answered at the end of the string */
	bool asked;
};

static void enter(struct terminal *t, enum state state)
{
	bool asked = t->asked || (t->state == DATA && t->pending);

	if (t->state == OSC) {
		bool plain = t->first <= 2 || t->first == 7 || t->first == 8;
		asked = asked || (t->numbered && ((!plain && t->question) || t->first == 52));
	}
	*t = (struct terminal){ .state = state, .counting = true, .asked = asked };
}

static void dispatch(struct terminal *t, int c)
{
	if (t->state == CSI)
		t->asked = t->asked || c == 'c' || c == 'n' || c == 'x' ||
			   (c == 't' && t->first >= 11) || (c == 'p' && t->between == '$') ||
			   (c == 'q' && t->mark == '>');
	bool pending = t->state == DCS && c == 'q' && t->between != 0;
	enter(t, t->state == DCS ? DATA : GROUND);
	t->pending = pending;
}

static void shape(struct terminal *t, int c)
{
	if (c >= 0x40 && c <= 0x7E)
		dispatch(t, c);
	else if (c >= '<' && c <= '?')
		t->mark = c;
	else if (c >= '0' && c <= '9' && t->counting)
		t->first = t->first < 10000 ? t->first * 10 + c - '0' : t->first;
	else if (c == ';' || c == ':')
		t->counting = false;
	else if (c >= 0x20 && c < 0x30)
		t->between = c;
}

static void see(struct terminal *t, int c)
{
	static const char after[] = "[]PX^_";
	static const enum state begin[] = { CSI, OSC, DCS, STRING, STRING, STRING };

	if (c == 0x1B)
		enter(t, ESCAPE);
	else if (c == 0x18 || c == 0x1A || (c == 7 && t->state == OSC))
		enter(t, GROUND);
	else if (c >= 0x80 && c <= 0x9F)
		enter(t, c == 0x9B                ? CSI
			 : c == 0x9D              ? OSC
			 : c == 0x90              ? DCS
			 : c == 0x98 || c >= 0x9E ? STRING
						  : GROUND);
	else if (c < 0x20 || c == 0x7F)
		return;
	else if (t->state == ESCAPE && c < 0x30)
		t->between = c;
	else if (t->state == ESCAPE)
		enter(t, c < 0x7F && strchr(after, c) != NULL && t->between == 0
				 ? begin[strchr(after, c) - after]
				 : GROUND);
	else if ((t->state == CSI || t->state == DCS) && c > 0x9F)
		enter(t, GROUND);
	else if (t->state == CSI || t->state == DCS)
		shape(t, c);
	else if (t->state == OSC) {
		t->question = t->question || c == '?';
		if (t->counting && c >= '0' && c <= '9')
			t->first = t->first < 10000 ? t->first * 10 + c - '0' : t->first;
		else if (t->counting) {
			t->counting = false;
			t->numbered = c == ';';
		}
	}
}

/* Characters as a terminal decodes them: what is no UTF-8 is left out. */
static bool asks(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	struct terminal t = { 0 };

	for (size_t i = 0; i < n;) {
		int c = p[i], more = c < 0x80                ? 0
				     : c >= 0xC2 && c < 0xE0 ? 1
				     : c >= 0xE0 && c < 0xF0 ? 2
				     : c >= 0xF0 && c < 0xF5 ? 3
							     : -1;
		size_t k = 1;
		if (more > 0)
			c &= 0x3F >> more;
		for (; more > 0 && k <= (size_t)more && i + k < n && (p[i + k] & 0xC0) == 0x80; k++)
			c = c << 6 | (p[i + k] & 0x3F);
		bool whole = more >= 0 && k == (size_t)more + 1 && (more != 2 || c >= 0x800) &&
			     (more != 3 || c >= 0x10000);
		if (whole)
			see(&t, c);
		i += k;
	}
	return t.asked;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char whole[ROOM], cut[ROOM];

	if (n == 0 || n > FUZZ_MAX)
		return 0;
	const char *text = (const char *)p + 1;
	size_t len = filter(whole, text, n - 1, n);
	assert(len == n - 1);
	assert(filter(cut, text, n - 1, 1) == len && memcmp(whole, cut, len) == 0);
	assert(filter(cut, text, n - 1, p[0] % 64U + 1) == len && memcmp(whole, cut, len) == 0);
	for (size_t i = 0; i < len; i++)
		assert(whole[i] == text[i] || whole[i] == 0 || whole[i] == '\\' ||
		       whole[i] == '\x9C');
	assert(!asks(whole, len));
	return 0;
}

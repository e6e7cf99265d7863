/*
 * What a host sends on a WebSocket, the answer to the handshake first.  The first byte says how it
 * is cut: the parts that come out, put together, do not depend on it.
 */
#include "fuzz.h"

#include "relay/wsframe.h"

struct seen {
	char text[8 * FUZZ_MAX];
	size_t len;
	bool bad, in_message;
};

static void note(struct seen *s, char kind, const char *p, size_t n)
{
	assert(s->len + n + 1 <= sizeof s->text);
	s->text[s->len++] = kind;
	memcpy(s->text + s->len, p, n);
	s->len += n;
}

static void take(struct seen *s, const struct wsframe_part *part, enum wsframe_kind kind)
{
	if (kind == WSFRAME_IS_CONTROL) {
		assert(part->len <= WSFRAME_CONTROL_MAX && part->op >= WSFRAME_CLOSE);
		note(s, 'c', part->p, part->len);
		return;
	}
	assert(part->first == !s->in_message);
	s->in_message = !part->last;
	if (part->first)
		note(s, part->text ? 't' : 'b', "", 0);
	memcpy(s->text + s->len, part->p, part->len);
	s->len += part->len;
	if (part->last)
		note(s, '.', "", 0);
}

static void read_all(struct seen *s, const char *p, size_t n, size_t step)
{
	struct wsframe_reader r = { 0 };
	struct wsframe_part part;
	enum wsframe_kind kind;

	s->len = 0;
	s->bad = s->in_message = false;
	for (size_t i = 0; i < n && !s->bad; i += step) {
		const char *at = p + i;
		size_t left = n - i < step ? n - i : step;
		while ((kind = wsframe_read(&r, &at, &left, &part)) != WSFRAME_IS_NOTHING) {
			s->bad = kind == WSFRAME_IS_BAD;
			if (s->bad)
				break;
			take(s, &part, kind);
		}
	}
}

static void answer(const char *p, size_t n)
{
	static const char accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
	int head = wsframe_answer(p, n, accept);

	assert(head <= (int)n);
	for (size_t i = 0; head > 0 && i < (size_t)head; i++)
		assert(wsframe_answer(p, i, accept) == 0);
}

/* What we write would be read as it was, by a server that takes the mask off. */
static void round_trip(const char *p, size_t n)
{
	static unsigned char frame[WSFRAME_HEAD_MAX + FUZZ_MAX];
	struct wsframe_reader r = { 0 };
	struct wsframe_part part;
	size_t len =
		wsframe_write(frame, WSFRAME_BINARY, true, (const unsigned char[4]){ 0 }, p, n);
	size_t mask = len - n - 4;

	assert((frame[1] & 0x80) != 0);
	frame[1] &= 0x7F;
	memmove(frame + mask, frame + mask + 4, n);
	const char *at = (const char *)frame;
	len -= 4;
	assert(wsframe_read(&r, &at, &len, &part) == WSFRAME_IS_DATA && len == 0);
	assert(part.len == n && memcmp(part.p, p, n) == 0 && part.first && part.last && !part.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct seen whole, cut;

	if (n == 0 || n > FUZZ_MAX)
		return 0;
	const char *text = (const char *)p + 1;
	read_all(&whole, text, n - 1, n);
	read_all(&cut, text, n - 1, p[0] % 64U + 1);
	assert(whole.bad == cut.bad && whole.in_message == cut.in_message);
	assert(whole.len == cut.len && memcmp(whole.text, cut.text, whole.len) == 0);
	answer(text, n - 1);
	round_trip(text, n - 1);
	return 0;
}

#include "relay/replay.h"

#include <stdbool.h>
#include <string.h>

enum { ESC = 0x1B, BEL = 0x07, ENQ = 0x05 };

/* Length of the sequence at p (which begins with ESC), or 0 when its end is not there yet. */
static size_t sequence(const char *p, size_t len)
{
	if (len < 2)
		return 0;
	if (p[1] == '[') {
		for (size_t i = 2; i < len; i++) {
			unsigned char c = (unsigned char)p[i];
			if (c >= 0x40 && c <= 0x7E)
				return i + 1;
			if (c < 0x20 || c > 0x7E)
				return i; /* broken off */
		}
		return 0;
	}
	if (p[1] == ']' || p[1] == 'P' || p[1] == '_' || p[1] == '^' || p[1] == 'X') {
		for (size_t i = 2; i < len; i++) {
			if (p[i] == BEL || p[i] == 0x18 || p[i] == 0x1A)
				return i + 1;
			if (p[i] == ESC && i + 1 < len)
				return p[i + 1] == '\\' ? i + 2 : i;
		}
		return 0;
	}
	return 2;
}

static bool csi_asks(const char *p, size_t len)
{
	char final = p[len - 1];

	if (final == 'c' || final == 'n' || final == 'x')
		return true;
	if (final == 'p')
		return len > 3 && p[len - 2] == '$';
	if (final != 't')
		return false;
	/* window manipulation: 11 and above with an answer (11 13 14 15 16 18 19 20 21), and titles kept by 22, 23 */
	return len >= 4 && (p[2] == '1' || p[2] == '2');
}

static bool string_asks(const char *p, size_t len)
{
	if (p[1] == ']')
		return (len > 4 && memcmp(p + 2, "52;", 3) == 0) || memchr(p, '?', len) != NULL;
	return p[1] == 'P' && len > 4 && (p[2] == '$' || p[2] == '+') && p[3] == 'q';
}

static bool asks(const char *p, size_t len)
{
	if (len < 3)
		return len == 2 && p[1] == 'Z'; /* DECID */
	return p[1] == '[' ? csi_asks(p, len) : string_asks(p, len);
}

void replay_filter(struct replay *st, const char *p, size_t len, char *out, size_t *out_len)
{
	size_t n = st->held_len + len, i = 0;

	memcpy(out, st->held, st->held_len);
	memcpy(out + st->held_len, p, len);
	st->held_len = 0;
	while (i < n) {
		if (out[i] == ENQ)
			out[i] = '\0';
		if (out[i] != ESC) {
			i++;
			continue;
		}
		size_t seq = sequence(out + i, n - i);
		if (seq == 0 && n - i <= REPLAY_HELD) {
			st->held_len = n - i;
			memcpy(st->held, out + i, st->held_len);
			break;
		}
		if (seq == 0) {
			i++; /* too long to wait for */
			continue;
		}
		if (asks(out + i, seq))
			memset(out + i, 0, seq);
		i += seq;
	}
	*out_len = n - st->held_len;
}

void replay_end(struct replay *st, char *out, size_t *out_len)
{
	memcpy(out, st->held, st->held_len);
	*out_len = st->held_len;
	st->held_len = 0;
}

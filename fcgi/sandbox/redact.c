#include "sandbox/redact.h"

#include <string.h>

static void add(struct redact *r, const char *s, size_t len)
{
	if (len > REDACT_MAX)
		len = REDACT_MAX;
	if (len < REDACT_MIN || r->secrets == REDACT_SECRETS)
		return;
	r->secret[r->secrets] = s;
	r->len[r->secrets++] = len;
	if (r->shortest == 0 || len < r->shortest)
		r->shortest = len;
}

void redact_init(struct redact *r, char *text, size_t len)
{
	memset(r, 0, offsetof(struct redact, hold));
	r->held = r->shown = 0;
	for (size_t at = 0; at < len;) {
		size_t n = 0;
		while (at + n < len && text[at + n] != '\0' && text[at + n] != '\n' && text[at + n] != '\r')
			n++;
		add(r, text + at, n);
		at += n + 1;
	}
	for (size_t i = 0; i < 256; i++)
		r->skip[i] = (uint16_t)r->shortest;
	for (size_t s = 0; s < r->secrets; s++) {
		for (size_t i = 0; i + 1 < r->shortest; i++) {
			uint16_t far = (uint16_t)(r->shortest - 1 - i);
			uint16_t *skip = &r->skip[(unsigned char)r->secret[s][i]];
			if (far < *skip)
				*skip = far;
		}
	}
}

/* Horspool's search, for all secrets at once by the length of the shortest. */
static void blank(struct redact *r, size_t n)
{
	for (size_t at = 0; at + r->shortest <= n;) {
		for (size_t s = 0; s < r->secrets; s++) {
			if (r->len[s] <= n - at && r->work[at] == r->secret[s][0] &&
			    memcmp(r->work + at, r->secret[s], r->len[s]) == 0)
				memset(r->out + at, '*', r->len[s]);
		}
		at += r->skip[(unsigned char)r->work[at + r->shortest - 1]];
	}
}

/* The longest end of the first n bytes that begins a secret, and is not all of it. */
static size_t beginning(const struct redact *r, size_t n)
{
	size_t best = 0;

	for (size_t s = 0; s < r->secrets; s++) {
		size_t len = r->len[s] - 1 < n ? r->len[s] - 1 : n;
		for (; len > best; len--) {
			if (r->work[n - len] == r->secret[s][0] && memcmp(r->work + n - len, r->secret[s], len) == 0)
				best = len;
		}
	}
	return best;
}

size_t redact_feed(struct redact *r, const char *in, size_t len, const char **out)
{
	if (r->secrets == 0) {
		*out = in;
		return len;
	}
	size_t n = r->held + len, shown = r->shown;
	memcpy(r->work, r->hold, r->held);
	memcpy(r->out, r->hold_out, r->held);
	memcpy(r->work + r->held, in, len);
	memcpy(r->out + r->held, in, len);
	blank(r, n);
	r->held = beginning(r, n);
	memcpy(r->hold, r->work + n - r->held, r->held);
	memcpy(r->hold_out, r->out + n - r->held, r->held);
	r->shown = shown > n - r->held ? shown - (n - r->held) : 0;
	*out = r->out + shown;
	return n - r->held > shown ? n - r->held - shown : 0;
}

bool redact_waits(const struct redact *r)
{
	return r->held > r->shown;
}

size_t redact_flush(struct redact *r, const char **out)
{
	size_t n = r->held - r->shown;

	if (r->held > REDACT_SHOWN)
		memset(r->hold_out + r->shown, '*', n);
	*out = r->hold_out + r->shown;
	r->shown = r->held;
	return n;
}

#include "relay/wsframe.h"

#include <string.h>
#include <strings.h>

enum { FIN = 0x80, RESERVED = 0x70, MASKED = 0x80 };

/* ---- the answer ---- */
/* The value of a header in head (which ends with an empty line), or NULL; *len without spaces around it. */
static const char *value_of(const char *head, size_t head_len, const char *name, size_t *len)
{
	const char *end = head + head_len;
	size_t name_len = strlen(name);

	for (const char *line = head; line < end;) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		if (nl == NULL)
			break;
		if ((size_t)(nl - line) > name_len && line[name_len] == ':' && strncasecmp(line, name, name_len) == 0) {
			const char *from = line + name_len + 1, *to = nl;
			while (from < to && *from == ' ')
				from++;
			while (to > from && (to[-1] == '\r' || to[-1] == ' '))
				to--;
			*len = (size_t)(to - from);
			return from;
		}
		line = nl + 1;
	}
	return NULL;
}

int wsframe_answer(const char *p, size_t len, const char *accept)
{
	static const char yes[] = "HTTP/1.1 101 ";
	size_t shown = len < WSFRAME_ANSWER_MAX ? len : WSFRAME_ANSWER_MAX, n;
	const char *end = memmem(p, shown, "\r\n\r\n", 4);

	if (end == NULL)
		return len < WSFRAME_ANSWER_MAX ? 0 : -1;
	size_t head = (size_t)(end - p) + 4;
	if (head < sizeof yes || memcmp(p, yes, sizeof yes - 1) != 0)
		return -1;
	const char *value = value_of(p, head, "Sec-WebSocket-Accept", &n);
	return value != NULL && n == WSFRAME_ACCEPT && memcmp(value, accept, n) == 0 ? (int)head : -1;
}

/* ---- out ---- */
size_t wsframe_write(unsigned char *out, enum wsframe_op op, bool last, const unsigned char mask[4], const char *p,
		     size_t len)
{
	int wide = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;
	size_t at = 2;

	out[0] = (unsigned char)((last ? FIN : 0) | (int)op);
	out[1] = (unsigned char)(MASKED | (wide == 0 ? (int)len : wide == 2 ? 126 : 127));
	for (int i = wide - 1; i >= 0; i--)
		out[at++] = (unsigned char)((uint64_t)len >> (8 * i));
	memcpy(out + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < len; i++)
		out[at + i] = (unsigned char)p[i] ^ mask[i % 4];
	return at + len;
}

/* ---- in ---- */
static size_t head_size(const struct wsframe_reader *r)
{
	if (r->head_len < 2)
		return 2;
	int len = r->head[1] & 0x7F;
	return len == 126 ? 4 : len == 127 ? 10 : 2;
}

/* False when the peer may not send such a frame now. */
static bool begin_frame(struct wsframe_reader *r)
{
	int op = r->head[0] & 15;
	bool fin = (r->head[0] & FIN) != 0;

	r->left = r->head[1] & 0x7F;
	if (r->head_len > 2) {
		r->left = 0;
		for (size_t i = 2; i < r->head_len; i++)
			r->left = r->left << 8 | r->head[i];
	}
	if ((r->head[0] & RESERVED) != 0 || (r->head[1] & MASKED) != 0 || r->left > INT64_MAX)
		return false;
	r->inside = true;
	r->control_len = 0;
	if (op >= WSFRAME_CLOSE)
		return op <= WSFRAME_PONG && fin && r->left <= WSFRAME_CONTROL_MAX;
	if (op == WSFRAME_MORE)
		return r->open;
	if (op > WSFRAME_BINARY || r->open)
		return false;
	r->open = true;
	r->begun = false;
	r->text = op == WSFRAME_TEXT;
	return true;
}

static void end_frame(struct wsframe_reader *r)
{
	r->inside = false;
	r->head_len = 0;
}

/* True when the control frame is whole. */
static bool take_control(struct wsframe_reader *r, const char *p, size_t n, struct wsframe_part *out)
{
	memcpy(r->control + r->control_len, p, n);
	r->control_len += n;
	if (r->left > 0)
		return false;
	*out = (struct wsframe_part){ .p = r->control, .len = r->control_len,
				      .op = (enum wsframe_op)(r->head[0] & 15) };
	end_frame(r);
	return true;
}

static void take_data(struct wsframe_reader *r, const char *p, size_t n, struct wsframe_part *out)
{
	bool last = r->left == 0 && (r->head[0] & FIN) != 0;

	*out = (struct wsframe_part){ .p = p, .len = n, .text = r->text, .first = !r->begun, .last = last };
	r->begun = true;
	if (last)
		r->open = false;
	if (r->left == 0)
		end_frame(r);
}

enum wsframe_kind wsframe_read(struct wsframe_reader *r, const char **p, size_t *len, struct wsframe_part *out)
{
	while (*len > 0 || (r->inside && r->left == 0)) {
		if (!r->inside) {
			r->head[r->head_len++] = (unsigned char)*(*p)++;
			(*len)--;
			if (r->head_len == head_size(r) && !begin_frame(r))
				return WSFRAME_IS_BAD;
			continue;
		}
		size_t n = r->left < *len ? (size_t)r->left : *len;
		const char *from = *p;
		r->left -= n;
		*p += n;
		*len -= n;
		if ((r->head[0] & 15) < WSFRAME_CLOSE) {
			take_data(r, from, n, out);
			return WSFRAME_IS_DATA;
		}
		if (take_control(r, from, n, out))
			return WSFRAME_IS_CONTROL;
	}
	return WSFRAME_IS_NOTHING;
}

#include "core/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

enum { PRINT_GUESS = 64 };

static char empty[1];

void strbuf_init(struct strbuf *sb)
{
	sb->buf = empty;
	sb->len = sb->cap = 0;
}

void strbuf_release(struct strbuf *sb)
{
	if (sb->cap != 0)
		free(sb->buf);
	strbuf_init(sb);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	if (sb->cap != 0)
		sb->buf[0] = '\0';
}

char *strbuf_grow(struct strbuf *sb, size_t len)
{
	size_t need = sb->len + len + 1;

	if (need > sb->cap) {
		size_t cap = sb->cap != 0 ? sb->cap * 2 : 256;
		if (cap < need)
			cap = need;
		sb->buf = xrealloc(sb->cap != 0 ? sb->buf : NULL, cap);
		sb->cap = cap;
		sb->buf[sb->len] = '\0';
	}
	return sb->buf + sb->len;
}

void strbuf_add(struct strbuf *sb, const void *p, size_t len)
{
	if (len == 0)
		return;
	memcpy(strbuf_grow(sb, len), p, len);
	sb->len += len;
	sb->buf[sb->len] = '\0';
}

void strbuf_puts(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_putc(struct strbuf *sb, char c)
{
	*strbuf_grow(sb, 1) = c;
	sb->buf[++sb->len] = '\0';
}

void strbuf_i64(struct strbuf *sb, int64_t n)
{
	char digits[24], *p = digits + sizeof digits;
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;

	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (n < 0)
		*--p = '-';
	strbuf_add(sb, p, (size_t)(digits + sizeof digits - p));
}

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	char *to = strbuf_grow(sb, PRINT_GUESS); /* mostly it fits, and nothing is formatted twice */
	size_t room = sb->cap - sb->len;
	int n = vsnprintf(to, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room)
		n = vsnprintf(strbuf_grow(sb, (size_t)n), (size_t)n + 1, fmt, again);
	if (n > 0)
		sb->len += (size_t)n;
	sb->buf[sb->len] = '\0';
	va_end(again);
}

/*
 * A growing byte string.  `buf` is never NULL and always NUL-terminated; `len` is the truth and does not count the NUL.
 */
#ifndef CHOMP_CORE_STRBUF_H
#define CHOMP_CORE_STRBUF_H

#include <stddef.h>
#include <stdint.h>

struct strbuf {
	char *buf;
	size_t len, cap;
};

void strbuf_init(struct strbuf *sb);
void strbuf_release(struct strbuf *sb); /* frees; needs strbuf_init again */
void strbuf_reset(struct strbuf *sb);   /* length 0, memory kept */

void strbuf_add(struct strbuf *sb, const void *p, size_t len);
void strbuf_puts(struct strbuf *sb, const char *s);
void strbuf_putc(struct strbuf *sb, char c);
void strbuf_i64(struct strbuf *sb, int64_t n);
__attribute__((format(printf, 2, 3))) void strbuf_printf(struct strbuf *sb, const char *fmt, ...);

/* Room for `len` more bytes; returns where they go.  The caller then raises sb->len and keeps the NUL. */
char *strbuf_grow(struct strbuf *sb, size_t len);

#endif

#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

static const struct {
	int status;
	const char *wire;
} table[] = {
#define X(code, status, wire) [ERR_##code] = { status, wire },
	ERR_LIST(X)
#undef X
};

/* As much of s as there is room for: a cut message is still a message. */
static void append(char *buf, size_t size, const char *s)
{
	size_t n = strlen(buf);

	while (*s != '\0' && n + 1 < size)
		buf[n++] = *s++;
	buf[n] = '\0';
}

/* Messages quote what clients send, cut by %.20s or by the end of the buffer: what is no UTF-8 would break our JSON. */
static void make_text(char *s)
{
	size_t left = strlen(s);

	if (utf8_valid(s, left))
		return;
	for (size_t n; left > 0; s += n, left -= n) {
		for (n = 1; n < left && n < 4 && !utf8_valid(s, n); n++)
			;
		if (!utf8_valid(s, n)) {
			*s = '?';
			n = 1;
		}
	}
}

__attribute__((format(printf, 4, 0))) static void fill(struct errinfo *e, enum err code, int sys,
						       const char *fmt, va_list ap)
{
	e->code = code;
	e->wire = NULL;
	e->sys = sys;
	if (vsnprintf(e->what, sizeof e->what, fmt, ap) < 0)
		e->what[0] = '\0';
	if (sys != 0) {
		append(e->what, sizeof e->what, ": ");
		append(e->what, sizeof e->what, strerror(sys));
	}
	make_text(e->what);
}

enum err err_set(struct errinfo *e, enum err code, int sys, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return code;
	va_start(ap, fmt);
	fill(e, code, sys, fmt, ap);
	va_end(ap);
	return code;
}

enum err err_wire(struct errinfo *e, enum err code, const char *wire, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return code;
	va_start(ap, fmt);
	fill(e, code, 0, fmt, ap);
	va_end(ap);
	e->wire = wire;
	return code;
}

int err_status(enum err code)
{
	return table[code].status;
}

const char *err_code(const struct errinfo *e)
{
	return e->wire != NULL ? e->wire : table[e->code].wire;
}

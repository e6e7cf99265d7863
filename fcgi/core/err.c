#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

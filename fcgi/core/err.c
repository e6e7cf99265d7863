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

__attribute__((format(printf, 4, 0))) static void fill(struct errinfo *e, enum err code, int sys,
						       const char *fmt, va_list ap)
{
	e->code = code;
	e->wire = NULL;
	e->sys = sys;
	int n = vsnprintf(e->what, sizeof e->what, fmt, ap);
	if (n < 0)
		n = 0;
	size_t room = (size_t)n < sizeof e->what ? sizeof e->what - (size_t)n : 0;
	if (sys != 0 && room > 0 && snprintf(e->what + n, room, ": %s", strerror(sys)) < 0)
		e->what[n] = '\0'; /* a cut message is still a message */
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

#include "sandbox/film.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"

/* A line for each moment, not for each write: 16 ms at first, and twice as long after each MiB, so that no session fills
 * more than some MiB. */
enum { MOMENT_MS = 16, DOUBLE_EVERY = 1024 * 1024, DOUBLE_MAX = 12 };

static void put(struct film *f, const char *form, ...) __attribute__((format(printf, 2, 3)));
static void put(struct film *f, const char *form, ...)
{
	char line[128];
	va_list args;

	va_start(args, form);
	int len = vsnprintf(line, sizeof line, form, args);
	va_end(args);
	if (f->fd < 0 || len < 0 || (size_t)len >= sizeof line)
		return;
	if (write_all(f->fd, line, (size_t)len) < 0) {
		film_close(f); /* a line cut short is the last one: the reader stops there */
		return;
	}
	f->size += len;
}

void film_open(struct film *f, int dir, int64_t started_ms, int cols, int rows)
{
	*f = (struct film){ .began_ms = clock_mono_ms(), .cols = cols, .rows = rows };
	f->fd = openat(dir, "film", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	put(f, "film 1 %" PRId64 " %d %d\n", started_ms, cols, rows);
}

void film_close(struct film *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void film_output(struct film *f, int64_t offset)
{
	int64_t now = f->fd >= 0 ? clock_mono_ms() : 0, doubled = f->size / DOUBLE_EVERY;

	if (f->fd < 0 || now < f->next_ms)
		return;
	put(f, "%" PRId64 " o %" PRId64 "\n", now - f->began_ms, offset);
	f->next_ms = now + (MOMENT_MS << (doubled < DOUBLE_MAX ? doubled : DOUBLE_MAX));
}

void film_size(struct film *f, int cols, int rows, int64_t offset)
{
	if (cols == f->cols && rows == f->rows)
		return;
	f->cols = cols;
	f->rows = rows;
	put(f, "%" PRId64 " r %d %d %" PRId64 "\n", clock_mono_ms() - f->began_ms, cols, rows, offset);
}

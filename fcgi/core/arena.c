#include "core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_MIN = 16 * 1024, ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(16) char data[];
};

struct arena_deferred {
	struct arena_deferred *next;
	void (*fn)(void *);
	void *arg;
};

static _Noreturn void out_of_memory(size_t len)
{
	static const char msg[] = "lvl=error ev=process.oom\n";

	(void)len;
	if (write(2, msg, sizeof msg - 1) < 0) {
		/* nothing left to tell it to */
	}
	_exit(70);
}

void *xmalloc(size_t len)
{
	void *p = malloc(len != 0 ? len : 1);

	if (p == NULL)
		out_of_memory(len);
	return p;
}

void *xrealloc(void *p, size_t len)
{
	void *q = realloc(p, len != 0 ? len : 1);

	if (q == NULL)
		out_of_memory(len);
	return q;
}

char *xstrdup(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(xmalloc(len), s, len);
}

static void add_block(struct arena *a, size_t len)
{
	size_t size = len > BLOCK_MIN ? len : BLOCK_MIN;
	struct arena_block *b = xmalloc(sizeof *b + size);

	b->size = size;
	b->used = 0;
	b->next = a->blocks;
	a->blocks = b;
}

void *arena_alloc(struct arena *a, size_t len)
{
	if (len > SIZE_MAX / 2)
		out_of_memory(len);
	len = (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (a->blocks == NULL || a->blocks->size - a->blocks->used < len)
		add_block(a, len);
	void *p = a->blocks->data + a->blocks->used;
	a->blocks->used += len;
	return memset(p, 0, len);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (len > 0)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = arena_alloc(a, n > 0 ? (size_t)n + 1 : 1);
	if (n > 0)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct arena_deferred *d = arena_alloc(a, sizeof *d);

	d->fn = fn;
	d->arg = arg;
	d->next = a->deferred;
	a->deferred = d;
}

void arena_reset(struct arena *a)
{
	for (struct arena_deferred *d = a->deferred; d != NULL; d = d->next)
		d->fn(d->arg);
	a->deferred = NULL;
	while (a->blocks != NULL) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		free(b);
	}
}

/*
 * An arena owns all memory of one request (or one round of a loop).  Allocation never returns NULL: out of memory
 * logs one line and ends the process with status 70; the supervisor starts another.
 */
#ifndef CHOMP_CORE_ARENA_H
#define CHOMP_CORE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena_deferred;

struct arena { /* all zero is a valid empty arena */
	struct arena_block *blocks;
	struct arena_deferred *deferred;
};

void *arena_alloc(struct arena *a, size_t len); /* zeroed, aligned for any type */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len); /* len bytes and a NUL */
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *fmt, ...);

/* Call fn(arg) when the arena is reset; last in, first out. */
void arena_defer(struct arena *a, void (*fn)(void *), void *arg);

/* Run the deferred calls and free everything; the arena is empty and usable again. */
void arena_reset(struct arena *a);

/* malloc and realloc that end the process rather than return NULL. */
void *xmalloc(size_t len);
void *xrealloc(void *p, size_t len);
char *xstrdup(const char *s);

#endif

/*
 * A recording (asciicast v2) from what is kept of a terminal:
 *
 * - log: its bytes
 * - film: "film 1 <unix ms of the start> <columns> <rows>\n", then lines in the order of time, `ms` since the start:
 *   "<ms> o <offset>\n": from this moment on the bytes from `offset` of the log were shown;
 *   "<ms> r <columns> <rows> <offset>\n": there the terminal got another size.  A line without its end is not there yet.
 * - marks: "<unix ms> <text to the end of the line>\n", what a viewer may jump to; may be missing
 *
 * Of a long log only the end is told: the oldest bytes are dropped first.
 */
#ifndef CHOMP_CORE_CAST_H
#define CHOMP_CORE_CAST_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct cast {
	int log, film, marks; /* descriptors, read from their beginning by offset; marks may be -1 */
	int64_t newest;       /* bytes of the log that are told at most */
};

/* Write it, piece by piece, until `put` returns other than 0.  ERR_NOT_FOUND: the film has no beginning; ERR_IO. */
enum err cast_write(const struct cast *c, int (*put)(void *arg, const char *p, size_t len), void *arg,
		    struct errinfo *e);

#endif

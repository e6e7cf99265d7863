/*
 * When what was shown: `film` in the sandbox's directory.  With the log, which holds the bytes, it makes a recording
 * (core/cast.h, where the format is described); the bytes are written once.
 */
#ifndef CHOMP_SANDBOX_FILM_H
#define CHOMP_SANDBOX_FILM_H

#include <stdint.h>

struct film {
	int fd; /* -1: nothing is kept */
	int64_t began_ms, next_ms, size; /* monotonic; monotonic; bytes */
	int cols, rows;
};

/* A film that cannot be written costs the recording and nothing else. */
void film_open(struct film *f, int dir, int64_t started_ms, int cols, int rows);
void film_close(struct film *f);

/* Before the bytes from `offset` of the log on are written. */
void film_output(struct film *f, int64_t offset);
void film_size(struct film *f, int cols, int rows, int64_t offset); /* also when it has not changed */

#endif

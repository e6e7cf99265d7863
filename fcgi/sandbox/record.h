/* What the shim leaves behind: `begun` before the box runs, `exit` when it is gone (formats:
 * boxdir.h). */
#ifndef CHOMP_SANDBOX_RECORD_H
#define CHOMP_SANDBOX_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct ending {
	int64_t started_ms, ended_ms;
	int64_t output, kept; /* bytes the terminal gave, bytes of them in the log */
	int code;             /* 0..255, or -1: none */
	const char *reason;   /* exit timeout killed error: a literal */
	char error[200];      /* any bytes; made harmless on writing */
};

/*
 * Say on disk that this sandbox runs now.  ERR_CONFLICT when it ran before; ERR_IO, ERR_DISK_FULL.
 * Also sets a little room aside, so that the ending can be told on a full disk.
 */
enum err record_begin(int dir, int64_t now_ms, struct errinfo *e);

/* Durable on ERR_OK. */
enum err record_end(int dir, const struct ending *end, struct errinfo *e);

#endif

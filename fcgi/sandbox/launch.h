/* Starting things: the probe of what this machine allows, and the shim of one sandbox. */
#ifndef CHOMP_SANDBOX_LAUNCH_H
#define CHOMP_SANDBOX_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/err.h"
#include "sandbox/argv.h"

/* Absolute path of a program, from PATH; false when there is none. */
bool find_program(const char *name, char *path, size_t size);
/* The same of bwrap; ERR_BAD_INPUT with code no_boundary when there is none. */
enum err find_bwrap(char *path, size_t size, struct errinfo *e);

/*
 * Build an empty box and throw it away (some 10 ms; at most 2 s).  ERR_BAD_INPUT with code
 * no_boundary says what is missing and what mends it.
 */
enum err probe_boundary(const char *shim, const char *bwrap, struct errinfo *e);

struct launch {
	const char *shim, *bwrap;
	const char *slirp, *cgroup; /* or NULL */
	const char *id;             /* the sandbox */
	int seccomp;                /* the filter, at its start */
	int dir;           /* the sandbox's directory: the caller's, also afterwards */
	int lock;          /* its lock, held: likewise */
	const char *where; /* path of that directory */
	const struct box_host *host;
	const struct dispatch *dispatch;
	const struct source *source; /* or NULL */
};

/*
 * Start the shim in a session of its own.  *ready: read end of SHIM_FD_READY, non-blocking.  *pid
 * is our child until it ends. ERR_IO, nothing started.
 */
enum err launch_shim(const struct launch *l, pid_t *pid, int *ready, struct errinfo *e);

#endif

/*
 * The directory of one sandbox, `<--dir>/<sandboxId>/`, mode 0700.  What happened to a sandbox is
 * read from here alone:
 *
 * - lock: flock'ed by the shim for as long as it lives; free means that there is no box
 * - begun: "<started, unix ms> <pid of the shim>\n", written and synced before anything of the box
 *   runs; with it the sandbox is never started again, whatever becomes of it
 * - exit: one JSON object, written and synced by the shim when the last process of the box is gone
 * - killed: empty; a kill was asked for.  It may be the only file: the kill then
 *   came before the dispatch
 * - log: the bytes of the terminal, known secrets blanked
 * - film: when they were shown (film.h)
 * - about.json: task, session and agent, for the reader with `ls`
 * - workspace/ and home/: the box's /workspace and /home/agent
 *
 * Token, prompt, history and environment are never here: they are handed over in memory.
 */
#ifndef CHOMP_SANDBOX_BOXDIR_H
#define CHOMP_SANDBOX_BOXDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"

enum { SANDBOX_ID = 33, /* 32 hex digits and a NUL */ LOG_ANSWER_MAX = 1024 * 1024 };

struct begun {
	int64_t started_ms;
	pid_t shim;
};

struct exit_record {
	bool has_code;
	int64_t code;
	char reason[16]; /* exit timeout killed error; "" when there is no record */
	char error[256]; /* "" when there is none */
	char ended[32];  /* RFC 3339 */
};

bool sandbox_id_valid(const char *s); /* ^[0-9a-f]{32}$ */

/* The directory of `id` in *fd.  ERR_NOT_FOUND, ERR_IO. */
enum err boxdir_open(int root, const char *id, int *fd, struct errinfo *e);

/*
 * Make it (an existing one is fine) and take its lock: *fd and *lock are the caller's, and the lock
 * lives as long as any copy of *lock.  ERR_BUSY when somebody holds it; ERR_IO, ERR_DISK_FULL.
 */
enum err boxdir_claim(int root, const char *id, int *fd, int *lock, struct errinfo *e);

bool boxdir_alive(int fd);                    /* somebody holds the lock */
bool boxdir_begun(int fd, struct begun *out); /* out may be NULL */
bool boxdir_killed(int fd);
bool boxdir_record(int fd, struct exit_record *out);

/* Leave the mark; durable with `sync`, down to the entry in root. */
enum err boxdir_mark_killed(int root, int fd, bool sync, struct errinfo *e);

#endif

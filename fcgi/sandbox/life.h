/*
 * The sandboxes of this host: started, found again after a restart, killed.
 *
 * Truth lies in the directories (boxdir.h); the table here holds the living ones only, each with
 * the pidfd of its shim. Nothing blocks: what takes time reports through `struct life_wait`.  All
 * descriptors hang on one epoll descriptor, so any loop can carry it.
 */
#ifndef CHOMP_SANDBOX_LIFE_H
#define CHOMP_SANDBOX_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/arena.h"
#include "core/err.h"
#include "sandbox/argv.h"
#include "sandbox/boxdir.h"
#include "sandbox/proto.h"

struct life;

struct life_conf {          /* text is borrowed for the life of `struct life` */
	const char *dir;    /* of the sandboxes, absolute */
	const char *secret; /* ids are made with it; NULL: a key of our own, kept in dir */
	const char *shim;
	struct box_host host; /* host.etc is filled in */
	int capacity;
	struct limits limits;
	const char *cgroup; /* a delegated directory (cgroup v2), or NULL */
};

/* A caller that waits.  done is called exactly once, perhaps before the function returns, unless
 * life_forget comes first. */
struct life_wait {
	struct life_wait *next;
	void (*done)(struct life_wait *w, enum err rc, const struct errinfo *e);
	char id[SANDBOX_ID]; /* the sandbox, once known */
	char boundary[128];  /* of a dispatch: what stands around it */
};

/* Open the directory, adopt the living, sweep the old.  ERR_IO. */
enum err life_open(const struct life_conf *conf, struct life **out, struct errinfo *e);
void life_free(struct life *l); /* the boxes live on */

int life_fd(const struct life *l); /* readable: call life_step */
void life_step(struct life *l);

/*
 * Start the sandbox of d->id, or find it started.  done: ERR_OK; ERR_CONFLICT (killed); ERR_LIMIT
 * (full); ERR_BUSY; ERR_BAD_INPUT (dir; or code no_boundary); ERR_IO, ERR_DISK_FULL.
 */
void life_dispatch(struct life *l, struct arena *a, const struct dispatch *d, struct life_wait *w);

/* `id` is a sandbox's or a dispatch's.  done when nothing is left: ERR_OK, ERR_BUSY, ERR_IO. */
void life_kill(struct life *l, const char *id, struct life_wait *w);

void life_forget(struct life *l, struct life_wait *w); /* the caller went away */

/* Never blocks; texts live in the arena. */
enum err life_status(struct life *l, struct arena *a, const char *id, struct status *out,
		     struct errinfo *e);

/* The log, open for reading, and its size; *fd is -1 when there is none yet.  ERR_NOT_FOUND. */
enum err life_log(struct life *l, const char *id, int *fd, off_t *size, struct errinfo *e);
/* The same of `film` (film.h). */
enum err life_film(struct life *l, const char *id, int *fd, off_t *size, struct errinfo *e);
/* The recording (core/cast.h) of the newest output, in a file without a name.  ERR_NOT_FOUND; ERR_IO. */
enum err life_recording(struct life *l, const char *id, int *fd, off_t *size, struct errinfo *e);

/* A connection to the box's shim (ctl.h), or -1 with errno: EAGAIN when it is busy; ENOENT, ECONNREFUSED: not there. */
int life_ctl(struct life *l, const char *id);

/* Refuse dispatches, kill every box; life_drained when all are gone and their files removed. */
void life_drain(struct life *l);
bool life_drained(const struct life *l);
int life_count(const struct life *l);

#endif

/*
 * What one box may use.  Processes, and memory where a cgroup (v2) is delegated to us, are limited for the whole tree;
 * without one memory is limited for each process.  The rest is the kernel's rlimits.
 */
#ifndef CHOMP_SANDBOX_LIMITS_H
#define CHOMP_SANDBOX_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

struct limits {
	int64_t processes;
	int64_t memory; /* bytes: of the tree with a cgroup, of the writable memory of each process without */
	int64_t file;   /* bytes of one file */
	int64_t files;  /* open at once, in one process */
	int64_t tmp;    /* bytes of /tmp, which is memory */
};

/* The defaults; memory depends on the machine. */
void limits_default(struct limits *l);

/* Change *l by "processes=256,memory=4G,…" (K, M, G are powers of 1024).  ERR_BAD_INPUT names what is wrong. */
enum err limits_parse(struct limits *l, const char *text, struct errinfo *e);

/* The same in the form that limits_parse reads; `out` needs LIMITS_TEXT bytes. */
enum { LIMITS_TEXT = 200 };
const char *limits_text(const struct limits *l, char out[LIMITS_TEXT]);

/*
 * Put them on the calling process and all it will start, but tmp.  `tree`: a cgroup limits memory.  Called
 * inside the box's outer user namespace: the kernel counts processes for each namespace (since 5.14), so that boxes do
 * not eat from one plate.  -1 with errno.
 */
int limits_apply(const struct limits *l, bool tree);

/* ---- the cgroup, when `--cgroup DIR` names a delegated directory ---- */

/* Both controllers can be had there. */
bool limits_cgroup_usable(const char *dir);
/* Make DIR/NAME with the limits, and join it.  -1 with errno. */
int limits_cgroup_join(const char *dir, const char *name, const struct limits *l);
/* Kill what is left in it, and remove it.  Harmless when there is none. */
void limits_cgroup_remove(const char *dir, const char *name);

#endif

/* What the files of the store share, and nobody outside sees. */
#ifndef CHOMP_STORE_INSIDE_H
#define CHOMP_STORE_INSIDE_H

#include "store/cache.h"
#include "store/lock.h"
#include "store/log.h"
#include "store/store.h"

struct store {
	int var_fd, dirfd; /* CHOMP_VAR, its state/ */
	struct lock lock;
	struct log log;
	struct cache cache;
	bool poisoned; /* by this process; the mark may be impossible to write on such a disk */
};

/* Read-only for every process and until the pool starts again: what the disk holds after a failed sync is not known. */
void store_poison(struct store *s, const struct errinfo *why);

/* The lock, with everything up to date and writable; on an error it is not held. */
enum err store_begin(struct store *s, struct errinfo *e);

/* A log of live lines only, of this next_id and generation, to an empty file. */
enum err log_copy_live(struct log *l, int fd, int64_t next_id, int64_t gen, struct errinfo *e);

#endif

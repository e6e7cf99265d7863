/*
 * The writers' lock: flock(LOCK_EX) on state/lock, a file that is never renamed or removed.  Waiting is bounded.
 * Nobody forks with the lock in hand.
 */
#ifndef CHOMP_STORE_LOCK_H
#define CHOMP_STORE_LOCK_H

#include "core/err.h"

enum { LOCK_WAIT_MS = 5000 };

struct lock {
	int fd;
	int owner; /* pid the timer belongs to: timers do not cross a fork */
	void *timer;
};

/* Opens or creates dirfd/lock.  Installs a handler for SIGRTMIN (it ends the wait). */
enum err lock_open(struct lock *l, int dirfd, struct errinfo *e);
void lock_close(struct lock *l);

/* ERR_BUSY when another process held it for LOCK_WAIT_MS. */
enum err lock_take(struct lock *l, struct errinfo *e);
void lock_drop(struct lock *l);

#endif

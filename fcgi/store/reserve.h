/*
 * Room that is kept for the day the disk is full: state/reserve, a file whose blocks are allocated and never written.
 * What ends work (finishing, failing, deleting, and what the dispatcher records) spends it piece by piece; what begins
 * work (creating a task) is refused as long as it is not whole, and makes it whole again when there is room.
 */
#ifndef CHOMP_STORE_RESERVE_H
#define CHOMP_STORE_RESERVE_H

#include <stdbool.h>

#include "core/err.h"

enum { RESERVE_BYTES = 4 << 20, RESERVE_STEP = 256 << 10 };

/* dirfd: of state/.  The caller holds the lock.  ERR_DISK_FULL when it is not whole and cannot be made so. */
enum err reserve_ensure(int dirfd, struct errinfo *e);

bool reserve_is_whole(int dirfd);

/* Give one piece back to the disk.  The caller holds the lock.  false: nothing is left. */
bool reserve_spend(int dirfd);

/* Whether something could be created now: it is whole, or there is room to make it so.  Changes nothing. */
bool reserve_can_be_whole(int dirfd);

#endif

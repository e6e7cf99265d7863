/* The outbox: pending dispatches become POST /dispatch, and what comes of it is written down. */
#ifndef CHOMP_DISPATCH_OUTBOX_H
#define CHOMP_DISPATCH_OUTBOX_H

#include "dispatch/dispatcher.h"

enum {
	OUTBOX_FIRST_MS = 500,
	OUTBOX_MAX_MS = 30 * 1000,
	OUTBOX_GIVE_UP_MS = 10 * 60 * 1000, /* since the run, if at least one attempt was made */
	OUTBOX_BYTES = 8 << 20,             /* of bodies under way; one more waits */
	OUTBOX_CALLS = 32,
};

/* For a job whose session is open and its dispatch pending.  Returns when to be called again. */
int64_t outbox_round(struct job *j);

/* When to try again after `attempts` failures, the last just now; wait_ms is the host's own wish
 * (-1: none). */
int64_t outbox_next_at(int64_t attempts, int64_t wait_ms, int64_t since, int64_t now);

#endif

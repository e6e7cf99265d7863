/*
 * Auto-run: queued tasks are started by priority (higher first), then by age, while fewer than
 * max_active are active. Held and parked ones wait.  Settings auto_run, paused and max_active count
 * at once: the last look at them is under the store's lock, so once a page was told that auto-run
 * is off nothing is started any more.
 *
 * All of this may be lost at any moment: what is started is a session in the store like any other,
 * written before the outbox sees it, and a task that is not queued any more is not started again.
 */
#ifndef CHOMP_DISPATCH_AUTORUN_H
#define CHOMP_DISPATCH_AUTORUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	AUTORUN_READS = 500, /* tasks looked at in one round */
	AUTORUN_PARKED_MS =
		600 * 1000, /* the wall clock is looked at this often while a task is parked */
};

struct dispatcher;

/* What of a queued task decides when it is its turn. */
struct waiting {
	int64_t id;
	int64_t version; /* 0: to be read */
	int64_t priority, parked_until;
	bool held;
};

struct autorun {
	bool known; /* the settings are read; false: read them */
	bool on;
	int64_t max_active;
	int64_t retry_at; /* monotonic: the store or the settings could not be read */

	struct waiting *tasks; /* the queued ones by id, as of store version `seen` */
	size_t count, room;
	int64_t seen;
	size_t read; /* so many of them are read */
};

void autorun_release(struct autorun *r);

/* Start a task if one is due.  Returns when to be called again (monotonic ms); NEVER when only news
 * can tell.  Costs nothing while auto-run is off, nobody waits, or no place is free. */
int64_t autorun_round(struct dispatcher *d);

#endif

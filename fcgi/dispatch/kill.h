/*
 * The end of a sandbox.  After the agent's own word (done, failed, handoff) the box has a moment to
 * end by itself, so that the last output and artifacts arrive; in every other case it goes at once.
 * Before the kill the terminal is copied to its end, as far as that works in a bounded time.
 */
#ifndef CHOMP_DISPATCH_KILL_H
#define CHOMP_DISPATCH_KILL_H

#include "dispatch/dispatcher.h"

enum {
	KILL_GRACE_MS = 10 * 1000,
	KILL_COPY_MS = 30 * 1000, /* after the agent's own word: a loaded machine copies 10 MB in more than 5 s */
	KILL_COPY_NOW_MS = 2 * 1000,
	KILL_FIRST_MS = 1000,
	KILL_MAX_MS = 60 * 1000,
	KILL_RECORDED = 6, /* so many failures are written down one by one, then … */
	KILL_RECORD_MS =
		10 * 60 *
		1000, /* … one in so long: a host that is gone for good must not fill the log */
};

/* For a job whose kill is pending.  Returns when to be called again. */
int64_t kill_round(struct job *j);

int64_t kill_delay(int64_t attempts);

#endif

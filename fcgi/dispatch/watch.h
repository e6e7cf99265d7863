/*
 * What looking at a sandbox tells about its session.  Pure: looks and times come in, a verdict
 * comes out.
 *
 * An exit record closes the session, but not at the first look: the agent's own word may be on its
 * way.  A box that is gone without a record is lost after two looks at least 5 s apart, with none
 * in between that found it or found no host.  A host that does not answer proves nothing.
 */
#ifndef CHOMP_DISPATCH_WATCH_H
#define CHOMP_DISPATCH_WATCH_H

#include "core/arena.h"
#include "dispatch/host.h"
#include "model/session.h"

enum {
	LOOK_YOUNG_MS = 1000,
	LOOK_OLD_MS = 2000,
	LOOK_CLOSING_MS = 200,
	LOOK_SILENT_MAX_MS = 5000,
	YOUNG_MS = 60 * 1000,
	RECORD_GRACE_MS =
		1000, /* between the look that finds an exit record and the one that acts on it */
	LOST_APART_MS = 5000,
	NO_AGENT_MS = 10 * 1000,     /* box alive, agent neither running nor ended */
	HOST_TIMEOUT_MS = 15 * 1000, /* past the session's time: the host should have acted */
	SILENT_LOST_MS = 60 * 1000,  /* past the session's time and no host to ask */
	SILENT_SHOWN_MS = 10 * 1000,
};

struct watch {
	int64_t next;     /* when to look again */
	int64_t delay;    /* of the last silent look */
	int64_t ended_at; /* first look that found the agent ended: with a record, or no box; 0: it
			     runs */
	int64_t record_at, dead_at, idle_at, silent_at; /* first of an unbroken row of such looks */
};

struct verdict {
	enum result result; /* RESULT_OPEN: nothing to say yet */
	const char *reason; /* NULL for RESULT_DONE */
	bool has_exit_code;
	int64_t exit_code;
};

/* The session's times, wall clock ms. */
struct watched {
	int64_t started_at, expires_at; /* expires_at 0: never */
	int64_t wall;                   /* now */
};

/* The host answered.  mono: now. */
struct verdict watch_answer(struct watch *w, struct arena *a, const struct host_status *st,
			    const struct watched *s, int64_t mono);
/* It did not. */
struct verdict watch_silence(struct watch *w, const struct watched *s, int64_t mono);

/* "4 h", "1 h 30 min", "45 s" */
const char *watch_duration(struct arena *a, int64_t ms);

#endif

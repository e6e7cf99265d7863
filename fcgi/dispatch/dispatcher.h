/*
 * The dispatcher: makes true what the store says (docs/ARCHITECTURE.md, "Races, decided").
 *
 * A job is one session that has work, or one sandbox left over from a deleted task.  It copies what
 * the store says of it whenever its task changed, and adds what only this process knows: calls
 * under way, when to look again.  That addition may be lost at any moment: after a restart
 * everything follows from the store again, and every call to the host may be repeated (the same
 * dispatchId starts one sandbox, a kill may be asked for as often as one likes).
 *
 * Two clocks: the store's times are wall time, waiting is measured by the monotonic one.
 */
#ifndef CHOMP_DISPATCH_DISPATCHER_H
#define CHOMP_DISPATCH_DISPATCHER_H

#include <stdbool.h>
#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "dispatch/autorun.h"
#include "dispatch/call.h"
#include "dispatch/copy.h"
#include "dispatch/host.h"
#include "dispatch/platforms.h"
#include "dispatch/watch.h"
#include "store/store.h"

#define NEVER INT64_MAX

enum { SID_MAX = 32, STORE_RETRY_MS = 1000, STORE_REFUSED_MS = 5000 };

struct dispatcher;

/* A sandbox host, as the jobs see it. */
struct at_site {
	const char *callback_url; /* what its boxes are told; NULL: there is no such host */
	const char *secret;	  /* "" when there is none; for lost answers only */
};

struct job {
	struct dispatcher *d;
	int64_t task;
	enum site site;
	char sid[SID_MAX]; /* "": a sandbox of a deleted task */
	char dispatch_id[HOST_ID_MAX + 1];
	bool wanted; /* the store still has work for it */

	/* the store's word */
	int64_t version;
	char sandbox_id[HOST_ID_MAX + 1]; /* "": not known */
	bool open, has_exit_code, contact_error;
	bool passed_on; /* closed by a gate; the next session goes on in its sandbox */
	int64_t parked_until; /* wall; then this is no session but a task that waits to be resumed, 0: it is not */
	enum result result;
	enum step dispatch_state, kill_state;
	int64_t dispatch_attempts, dispatch_next_at, dispatch_since;
	int64_t kill_attempts, kill_next_at;
	int64_t started_at, ended_at, expires_at, active_at;

	/* ours */
	struct call *calls[CALL_KINDS]; /* at most one of a kind under way */
	int64_t due;  /* monotonic: nothing to do before, unless the job changes */
	int64_t hold; /* monotonic: the store refused a change, leave it alone until then */
	struct watch watch;
	struct copy copy;
	struct farewell {
		int64_t since;      /* when this process saw the session closed */
		int64_t copy_until; /* the end of the last copying, 0: not begun */
		uint64_t copy_from; /* number of the last call sent before it began */
		bool asked;
		int64_t recorded_at;
		bool again; /* a sandbox turned up while its kill was under way */
	} farewell;
};

struct dispatcher {
	const char *var;
	struct at_site at[SITES];
	enum site usual; /* of tasks that name none */
	struct store *store;
	void (*send)(void *to, struct call *c);
	void *to;
	int64_t (*wall_ms)(void);
	int64_t (*mono_ms)(void);

	struct job **jobs; /* ordered by task */
	size_t job_count, job_room;
	int64_t durable;       /* the store's version that is known to be on disk */
	size_t dispatch_bytes; /* bodies under way */
	size_t dispatch_calls;
	uint64_t calls_sent;
	bool changed;          /* the store has news: refresh before the next round */
	bool draining;         /* no new dispatches */
	int64_t refused_until; /* monotonic: the store takes no changes, look again then */
	int64_t upkeep_at;     /* monotonic: not before */
	pid_t upkeep_pid;      /* compacts beside the loop; 0: none does */
	struct autorun autorun;
	struct platform_checks platforms;
};

void dispatcher_release(struct dispatcher *d); /* after the sender has dropped its calls */

/* Take in the store's news. */
enum err dispatcher_refresh(struct dispatcher *d, struct errinfo *e);

/* Do everything that is due.  Returns when the next thing is (monotonic ms), NEVER when only news
 * or answers can tell. */
int64_t dispatcher_round(struct dispatcher *d);

/* ---- for the parts (outbox, reconcile, sessionlog, kill) ---- */
/* Send c for this job; `done` clears the job's slot first by job_answered. */
void job_send(struct job *j, struct call *c, void (*done)(struct call *c));
void job_answered(struct call *c);

/* Make what was read durable before it is acted on.  false: not now, the job is put on hold. */
bool job_durable(struct job *j);

/* Until the store's time `wall` in monotonic time.  More than an hour ahead means that the wall
 * clock jumped: at once. */
int64_t job_when(const struct job *j, int64_t wall);

#endif

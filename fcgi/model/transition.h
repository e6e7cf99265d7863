/*
 * The state machine (docs/ARCHITECTURE.md).  Pure: no clock, no files, no randomness; `now` and fresh ids come in.
 * Each function checks first and changes the task only when it returns ERR_OK.  What a task text points to must
 * outlive the task (same arena).
 *
 * Errors: ERR_CONFLICT with wire code not_queued, not_active, not_finished or budget; ERR_BAD_INPUT for reports.
 */
#ifndef CHOMP_MODEL_TRANSITION_H
#define CHOMP_MODEL_TRANSITION_H

#include "core/err.h"
#include "model/task.h"

struct run_input {
	const char *agent, *model, *router; /* agent and model resolved by the caller; router may be NULL */
	const char *dispatch_id;	    /* 32 hex digits */
	const char *nonce;
	int64_t expires_at;
};

/* What an agent says of itself, with an update or at its end.  NULL or -1 where it says nothing. */
struct report {
	int64_t tokens; /* -1: none */
	struct usage usage;
	const char *result, *summary;
	bool has_exit_code;
	int64_t exit_code;
};
#define REPORT_NONE { .tokens = -1 }

enum err task_run(struct task *t, struct arena *a, const struct run_input *in, int64_t now, struct errinfo *e);

/* Running totals: never lower.  May close the session as `budget` where the task says stop. */
enum err task_update(struct task *t, struct arena *a, const struct report *r, int64_t now, struct errinfo *e);

enum err task_done(struct task *t, struct arena *a, const struct report *r, int64_t now, struct errinfo *e);
/* reason: what went wrong, not NULL; becomes the session's summary and the task's error. */
enum err task_fail(struct task *t, struct arena *a, const char *reason, const struct report *r, int64_t now,
		   struct errinfo *e);
enum err task_handoff(struct task *t, const char *summary, int64_t now, struct errinfo *e);

/*
 * A limit of the provider ended the session; it is over at `until` (unix ms, at most PARK_MAX_MS from now).  The task is
 * queued and goes on by itself then, or waits for its owner when `resume` is false.  After PARKS_MAX such ends in a row
 * it fails with the reason.
 */
enum { PARKS_MAX = 5 };
#define PARK_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)
enum err task_park(struct task *t, const char *reason, int64_t until, bool resume, int64_t now, struct errinfo *e);

/*
 * A gate's verdict on the open session's work (gate.c).  Passed: it is written down, the session goes on to its end.
 * Failed: the session closes as gate_failed; while the gate has failed fewer than gate_loops times in this sandbox, the
 * next session opens in it, with *nonce for its token, and *next is that session; else the task fails and *next is NULL.
 */
struct gate_input {
	struct gate_verdict verdict; /* attempt and at are set here; its output may be long */
	struct report report;
	const char *nonce;
};
enum err task_gate(struct task *t, struct arena *a, const struct gate_input *in, int64_t now, struct session **next,
		   struct errinfo *e);

/* The owner's word on a task that waits for review (review.c); ERR_CONFLICT not_waiting otherwise, or budget. */
enum err task_approve(struct task *t, const char *comment, int64_t now, struct errinfo *e);
enum err task_sendback(struct task *t, const char *comment, int64_t now, struct errinfo *e);

enum err task_cancel(struct task *t, int64_t now, struct errinfo *e);
enum err task_retry(struct task *t, int64_t now, struct errinfo *e);

/*
 * What the dispatcher finds out, for session `sid`.  For a session that is closed meanwhile a started sandbox is
 * recorded and turned into a kill; nothing is reopened.  ERR_NOT_FOUND when there is no such session.
 */
enum err task_started(struct task *t, const char *sid, const char *sandbox_id, int64_t now, struct errinfo *e);
enum err task_dispatch_retry(struct task *t, const char *sid, const char *error, int64_t next_at,
			     struct errinfo *e);
/* The session ends without its agent's word: result failed or lost. */
enum err task_ended(struct task *t, const char *sid, enum result result, const char *reason,
		    const int64_t *exit_code, int64_t now, struct errinfo *e);
enum err task_killed(struct task *t, const char *sid, struct errinfo *e);
enum err task_kill_retry(struct task *t, const char *sid, const char *error, int64_t next_at,
			 struct errinfo *e);
/* A sign of life of the running session (terminal bytes); nothing else changes. */
enum err task_alive(struct task *t, const char *sid, int64_t now, struct errinfo *e);
/* Whether the host of a started session can be reached: why not (shown as unknown), or NULL. */
enum err task_contact(struct task *t, const char *sid, const char *error, struct errinfo *e);

#endif

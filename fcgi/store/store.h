/*
 * The queue's truth: files below $CHOMP_VAR/state that workers, dispatcher and relay share (docs/STATE.md).
 * One struct store per process; after a fork each process goes on with its own copy.
 *
 * Order of a change: lock, catch up, transition, one write, unlock, fdatasync, then the answer.  A failed write or sync is
 * final: a mark in run/ turns the store read-only for every process until the worker pool is started again.  A full disk is
 * not: creating is refused while what ends work goes on in room kept for it (store/reserve.h).
 */
#ifndef CHOMP_STORE_STORE_H
#define CHOMP_STORE_STORE_H

#include <stdbool.h>

#include "core/arena.h"
#include "core/err.h"
#include "model/task.h"
#include "store/record.h"

struct store;

enum store_mode {
	STORE_OWNER, /* the worker pool's parent: adopts an old state, clears the read-only mark, begins a new log */
	STORE_WRITER,
};

/* var: absolute path of CHOMP_VAR; state/ must exist.  The store lives until store_close. */
enum err store_open(struct store **out, const char *var, enum store_mode mode, struct errinfo *e);
void store_close(struct store *s);

/*
 * In a child, first thing after the fork: a lock taken through an inherited descriptor would be the parent's too, and a
 * failed write-back is told once to each open file description.
 */
enum err store_after_fork(struct store *s, struct errinfo *e);

/* Take in other processes' changes.  Every read below does it by itself; the dispatcher calls it when the log grew. */
enum err store_catch_up(struct store *s, struct errinfo *e);

/* Grows with every change, compactions included: good for an ETag. */
int64_t store_version(const struct store *s);

/* Make everything read so far durable: before anybody acts on it (another process may not have synced yet). */
enum err store_sync(struct store *s, struct errinfo *e);

/* ERR_READONLY or ERR_CORRUPT with the reason while changes are refused. */
enum err store_writable(struct store *s, struct errinfo *e);

/* Whether a task could be created now, as far as the disk goes. */
bool store_has_room(const struct store *s);

/* ERR_NOT_FOUND; wire code not_found. */
enum err store_get(struct store *s, struct arena *a, int64_t id, struct task *out, struct errinfo *e);

/*
 * A task for a list: what this process has read before is not read again.  *out is borrowed until the next store_glance.
 * Texts longer than 2 KiB may be cut, `extra` then left out; *cut (may be NULL) says so, store_get has the whole.
 * Does not catch up by itself: a list is read from one moment.  ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO.
 */
enum err store_glance(struct store *s, int64_t id, const struct task **out, bool *cut, struct errinfo *e);
/* What store_glance has just given, as the API shows it, if it is kept and not cut.  Borrowed like it; NULL: write it. */
const char *store_glance_json(struct store *s, const struct task *t, size_t *len);

/*
 * Create a task from *t (its id is assigned; created, status and the like are the caller's).  With an idempotency key
 * used in the last 24 h, *t becomes that first task and nothing is written.
 */
enum err store_create(struct store *s, struct arena *a, struct task *t, struct errinfo *e);

/*
 * Change a task: fn gets the current task and changes it, or returns an error and nothing is written.
 * *out (may be NULL) receives the new task.  fn may set *skip to write nothing although it succeeded; what it saw is synced
 * all the same.  ERR_BAD_INPUT when a text is not UTF-8; ERR_DISK_FULL when even the reserve is used up.
 */
struct change {
	enum err (*fn)(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e);
	void *arg;
};
enum err store_change(struct store *s, struct arena *a, int64_t id, struct change c, struct task *out,
		      struct errinfo *e);
/* The same for what begins work and can wait: ERR_DISK_FULL as long as only the reserve is left. */
enum err store_change_if_room(struct store *s, struct arena *a, int64_t id, struct change c, struct task *out,
			      struct errinfo *e);

/* Delete; sandboxes still to be ended stay on the dispatcher's list.  *out (may be NULL): the task as it was. */
enum err store_delete(struct store *s, struct arena *a, int64_t id, int64_t now, struct task *out,
		      struct errinfo *e);

/* Live tasks, newest first: fill ids[] with at most max of those below `cursor` (0: from the newest) whose status
 * is in the mask (1 << status).  Returns how many; *next is the cursor to go on with, 0 at the end.
 * Looks at a bounded number of tasks, so fewer than max may come although *next is not 0. */
size_t store_list(struct store *s, unsigned status_mask, int64_t cursor, int64_t *ids, size_t max,
		  int64_t *next);

/*
 * Oldest first, one after the other: the lowest live id above `after` (0: start) whose status is in the mask, 0 when there
 * is none.  Chunks of ids without such a task are passed over at once.
 */
int64_t store_next(const struct store *s, unsigned status_mask, int64_t after);

/* How much of the log the task's newest lines are: what reading it costs, before it is read.  0: no such task. */
size_t store_bytes(const struct store *s, int64_t id);

/* The lowest live id above `after` (0: start), 0 when there is none. */
int64_t store_next_live(const struct store *s, int64_t after);

/* The lowest queued id above `after` (0: start), 0 when there is none. */
int64_t store_next_queued(const struct store *s, int64_t after);

struct store_counts {
	int64_t by_status[STATUS_COUNT];
	int64_t tokens; /* of all live tasks, at most NUMBER_MAX */
	int64_t next_id;
	int64_t bytes; /* of the log */
};
struct store_counts store_counts(const struct store *s);

/*
 * Every live task as GET /api/state shows it, oldest first, piece by piece: {"tasks":[…],"next_id":N,…}.
 * write returns -1 to stop.  ERR_IO also then.
 */
enum err store_export(struct store *s, int (*write)(void *arg, const char *p, size_t len), void *arg,
		      struct errinfo *e);

/* ---- for the dispatcher ---- */
/* Whether most of the log is history, and enough of it to be worth the work. */
bool store_compact_due(const struct store *s);
/*
 * Write a log of live lines only and put it in the old one's place; workers go on meanwhile, the lock is held for the last
 * part alone.  On any error the old log stands.
 */
enum err store_compact(struct store *s, struct errinfo *e);
/* Write state/state.json, the whole state for other programs and for the day tasks.log is lost. */
enum err store_snapshot(struct store *s, struct errinfo *e);

/* The lowest id above `after` (0: start) with work to do or to watch, 0 when there is none.  Deleted tasks included. */
int64_t store_next_todo(const struct store *s, int64_t after);
bool store_is_deleted(const struct store *s, int64_t id);
/* Another number after every change of the task (or its tombstone), 0 when there is none: whoever remembers it reads again
 * only what changed. */
int64_t store_task_version(const struct store *s, int64_t id);
/* As store_get, but without what never changes (prompt, dir …, created): a short read, and the prompt may be long. */
enum err store_peek(struct store *s, struct arena *a, int64_t id, struct task *out, struct errinfo *e);
/* The sandboxes of a deleted task that still have to be ended. */
enum err store_doomed(struct store *s, struct arena *a, int64_t id, struct doomed **kills, size_t *count,
		      struct errinfo *e);
/* Write what is left of them (count 0: all done). */
enum err store_set_doomed(struct store *s, int64_t id, const struct doomed *kills, size_t count,
			  struct errinfo *e);

#endif

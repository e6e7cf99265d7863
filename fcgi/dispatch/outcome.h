/*
 * Writing down what was found out: each under the store's lock, for the very session, after reading
 * it again.
 *
 * A change that the store refuses (busy, read-only, no room) is dropped and the job put on hold for
 * a moment: the same question to the host finds the same out again.  ERR_NOT_FOUND: the task was
 * deleted meanwhile.
 */
#ifndef CHOMP_DISPATCH_OUTCOME_H
#define CHOMP_DISPATCH_OUTCOME_H

#include "dispatch/dispatcher.h"

enum err outcome_started(struct job *j, const char *sandbox_id, const char *boundary);
enum err outcome_dispatch_retry(struct job *j, const char *error, int64_t next_at);
/* *closed: whether it was this that ended the session, and not something before it. */
enum err outcome_ended(struct job *j, const struct verdict *v, bool *closed);
enum err outcome_killed(struct job *j);
enum err outcome_kill_retry(struct job *j, const char *error, int64_t next_at);
enum err outcome_alive(struct job *j);
enum err outcome_contact(struct job *j, const char *error); /* NULL: reached again */

/* A sandbox of a deleted task: found, ended, not ended yet. */
enum err outcome_doom(struct job *j);
enum err outcome_doomed_killed(struct job *j);
enum err outcome_doomed_retry(struct job *j, int64_t next_at);

#endif

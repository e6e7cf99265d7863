/* Copies a session's terminal while it runs, and to its end when it is closed. */
#ifndef CHOMP_DISPATCH_SESSIONLOG_H
#define CHOMP_DISPATCH_SESSIONLOG_H

#include "dispatch/dispatcher.h"

/* For a job whose session is open and its sandbox started.  Returns when to be called again. */
int64_t sessionlog_round(struct job *j);

/* One step of the copy, whatever the session's state. */
int64_t sessionlog_copy(struct job *j, const char *sandbox_id);

/* Whether a call sent after that one (call.h, number) left nothing to copy. */
bool sessionlog_through(const struct job *j, uint64_t number);

#endif

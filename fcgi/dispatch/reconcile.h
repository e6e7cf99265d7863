/* Reconcile: what the host says of a running sandbox, against what the store believes. */
#ifndef CHOMP_DISPATCH_RECONCILE_H
#define CHOMP_DISPATCH_RECONCILE_H

#include "dispatch/dispatcher.h"

/* For a job whose session is open and its sandbox started.  Returns when to be called again. */
int64_t reconcile_round(struct job *j);

/* The same look at a session that is closed already: it only learns when the agent has ended. */
int64_t reconcile_look(struct job *j, const char *sandbox_id);

#endif

/* A parked task goes on by itself when its time has come, whether auto-run is on or not. */
#ifndef CHOMP_DISPATCH_RESUME_H
#define CHOMP_DISPATCH_RESUME_H

#include "dispatch/dispatcher.h"

enum { RESUME_LOOK_MS = 5000 };

/* For a job with parked_until.  Returns when to be called again. */
int64_t resume_round(struct job *j);

#endif

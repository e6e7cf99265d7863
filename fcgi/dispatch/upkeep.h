/* The store's housekeeping, begun when nothing else is due: compaction of the log, and state.json after it. */
#ifndef CHOMP_DISPATCH_UPKEEP_H
#define CHOMP_DISPATCH_UPKEEP_H

#include "dispatch/dispatcher.h"

enum { UPKEEP_RETRY_MS = 10 * 60 * 1000 };

/* Begins what is due, beside the loop; also takes notice of its end. */
void upkeep(struct dispatcher *d);

/* At a clean stop: state.json once more. */
void upkeep_end(struct dispatcher *d);

#endif

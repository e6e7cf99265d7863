/* The store's housekeeping, done when nothing else is due: compaction of the log, and state.json
 * after it. */
#ifndef CHOMP_DISPATCH_UPKEEP_H
#define CHOMP_DISPATCH_UPKEEP_H

#include "dispatch/dispatcher.h"

enum { UPKEEP_RETRY_MS = 10 * 60 * 1000 };

void upkeep(struct dispatcher *d);

#endif

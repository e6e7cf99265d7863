/*
 * What is wrong with the files below state/, and putting right what can be.  For chomp-store; the lock is held throughout,
 * so that it may run beside the services (a long log then makes them answer 503 for that time).
 */
#ifndef CHOMP_STORE_CHECK_H
#define CHOMP_STORE_CHECK_H

#include <stdbool.h>

#include "core/err.h"

struct findings {
	int faults;
	long long lines, tasks, artifacts; /* what was looked at */
};

/*
 * say gets one line of text, without a line break, for every fault and for what was done about it.
 *
 * Faults: lines of the log that do not fit their checksum, cannot be read or contradict others; bytes behind the last
 * whole line; documents that are no JSON objects; artifacts that no task lists, or that are missing.  With `repair` nothing
 * is thrown away: the log as it was stays as tasks.log.damaged-<unix time> beside one of the good lines, other files get
 * such a name too.  ERR_OK also with faults; ERR_BUSY, ERR_IO, ERR_DISK_FULL when it could not be done.
 */
enum err store_check(const char *var, bool repair, void (*say)(const char *line), struct findings *out, struct errinfo *e);

#endif

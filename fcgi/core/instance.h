/*
 * One living process per lock file: it holds flock(LOCK_EX) for life, others can see whether it does.
 */
#ifndef CHOMP_CORE_INSTANCE_H
#define CHOMP_CORE_INSTANCE_H

#include <stdbool.h>

#include "core/err.h"

/*
 * Become the one process of `path` (created 0640, whatever the umask).  *fd stays open for life and is close-on-exec.
 * ERR_BUSY when another one lives; ERR_IO.  Waits up to two seconds, because asking holds the lock for a moment.
 */
enum err instance_lock(const char *path, int *fd, struct errinfo *e);

/* Whether a process holds it.  false also when the file cannot be read. */
bool instance_alive(const char *path);

#endif

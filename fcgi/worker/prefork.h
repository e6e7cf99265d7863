/* A pool of worker processes on one listener: started, watched, replaced, stopped. */
#ifndef CHOMP_WORKER_PREFORK_H
#define CHOMP_WORKER_PREFORK_H

#include <stdbool.h>

#include "core/err.h"

enum { WORKERS_MAX = 256, BACKLOG = 1024 };

/*
 * A listening, non-blocking unix socket at path, mode 0660; a stale one is removed.  *fd is close-on-exec.
 */
enum err prefork_listen(const char *path, int *fd, struct errinfo *e);

/*
 * Run `count` children until SIGTERM or SIGINT; each calls child(arg) and exits with what it returns.  before_fork is
 * called in the parent each time, with no child's signal in the way.  A child that dies is replaced; one that dies young
 * is replaced with a pause, so that a crash at start does not spin.  Returns when all children are gone.
 */
void prefork_run(int count, void (*before_fork)(void *), int (*child)(void *), void *arg);

#endif

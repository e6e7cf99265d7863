/* A pool of worker processes on one listener: started, watched, replaced, stopped. */
#ifndef CHOMP_WORKER_PREFORK_H
#define CHOMP_WORKER_PREFORK_H

#include <stdbool.h>

#include "core/err.h"

enum { WORKERS_MAX = 256, BACKLOG = 1024 };

enum prefork_end { PREFORK_STOP, PREFORK_RENEW };

/*
 * A listening, non-blocking unix socket at path, mode 0660: the one that prefork_renew has handed over, else a new one in
 * place of whatever is there.  *fd is close-on-exec.
 */
enum err prefork_listen(const char *path, int *fd, struct errinfo *e);

/*
 * Become the program that now stands where ours was started from, in this very process and with the listener open all
 * the while: requests wait in its queue and none is refused.  Returns only when that failed.
 */
enum err prefork_renew(char *const argv[], int fd, struct errinfo *e);

/*
 * Run `count` children until SIGTERM or SIGINT (PREFORK_STOP) or SIGHUP (PREFORK_RENEW); each calls child(arg) and exits
 * with what it returns.  before_fork is called in the parent each time, with no child's signal in the way.  A child that
 * dies is replaced; one that dies young is replaced with a pause, so that a crash at start does not spin.  Returns when
 * all children are gone, each after the request it was at.
 */
enum prefork_end prefork_run(int count, void (*before_fork)(void *), int (*child)(void *), void *arg);

#endif

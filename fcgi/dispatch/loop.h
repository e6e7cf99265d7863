/*
 * The loop: sleeps in one place (the network, signals, the task log's inotify, the next due time)
 * and lets the dispatcher do what there is to do.
 */
#ifndef CHOMP_DISPATCH_LOOP_H
#define CHOMP_DISPATCH_LOOP_H

#include "dispatch/dispatcher.h"
#include "dispatch/httpc.h"

enum {
	LOOP_STOP_MS = 1000
}; /* how long answers to a dispatch or a kill are waited for at the end */

/* SIGTERM, SIGINT and SIGUSR1 are blocked by the caller.  Returns after SIGTERM or SIGINT. */
enum err loop_run(struct dispatcher *d, struct httpc *h, struct errinfo *e);

#endif

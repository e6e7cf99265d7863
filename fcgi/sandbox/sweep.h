/*
 * Removing directory trees without making anybody wait: the tree is renamed into `.trash` at once,
 * a child process removes what lies there.  What a crash leaves in `.trash` is removed at the next
 * start.
 */
#ifndef CHOMP_SANDBOX_SWEEP_H
#define CHOMP_SANDBOX_SWEEP_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/err.h"

#define SWEEP_TRASH ".trash"

/* Move `name` of directory `from` below root's trash.  A missing one is fine; false with errno
 * otherwise. */
bool sweep_move(int root, int from, const char *name);

/* Start the child that empties the trash; its pid, or -1. */
pid_t sweep_start(int root);

/* The child's work: remove everything in the trash.  False when something resisted. */
bool sweep_trash(int root);

#endif

/*
 * The mark in run/ that makes the store read-only for every process: after a write or a sync that failed, what the disk
 * holds is not known.  The worker pool takes it away at its start, when all has been written anew.
 */
#ifndef CHOMP_STORE_MARK_H
#define CHOMP_STORE_MARK_H

#include <stdbool.h>

#include "core/err.h"

/* var_fd: CHOMP_VAR. */
bool mark_is_set(int var_fd);
/* Logs why.  false: it could not be made (and that is logged); the caller at least has to remember. */
bool mark_set(int var_fd, const struct errinfo *why);
/* true: there was one. */
bool mark_clear(int var_fd);

/* ERR_READONLY with the words for the client. */
enum err mark_refuse(struct errinfo *e);

#endif

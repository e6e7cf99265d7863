/*
 * The whole state as a directory of files, out of here and into here: what a backup holds.  For chomp-store.
 *
 * Such a directory has tasks.log (live lines only), the documents, and artifacts/; it has no secrets but those that the
 * owner has typed in (keys.json).
 */
#ifndef CHOMP_STORE_TRANSFER_H
#define CHOMP_STORE_TRANSFER_H

#include "core/err.h"

/*
 * Write the state of this moment below dest, an empty directory of the caller's on the same file system; the services go
 * on, the lock is held while documents are copied and artifacts linked.  ERR_CORRUPT when the log is damaged.
 */
enum err transfer_export(const char *var, const char *dest, struct errinfo *e);

/*
 * Make what is in `from`, a directory below state/, the state.  Nothing of chomp may run.  Everything is checked before
 * anything is changed.  What was there is kept as state/replaced-<unix time>/.  Ids of either stay used, and the key that
 * signs capability tokens is a new one.
 */
enum err transfer_import(const char *var, const char *from, struct errinfo *e);

/* Go on with an import that was cut off when its files were put in place; without one, nothing.  dirfd: of state/. */
enum err transfer_resume(int dirfd, struct errinfo *e);

#endif

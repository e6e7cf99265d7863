/* Opening a session on behalf of nobody: auto-run, and the end of a park. */
#ifndef CHOMP_DISPATCH_START_H
#define CHOMP_DISPATCH_START_H

#include "core/err.h"
#include "model/task.h"
#include "store/settings.h"

struct dispatcher;

struct start {
	struct dispatcher *d;
	/* Under the store's lock, with the settings and the task as they are: a last look.  Asked of queued tasks only. */
	bool (*may)(const struct settings *s, const struct task *t, int64_t now, void *arg);
	void *arg;
	/* out */
	const char *refused; /* why it is held now; NULL when it is not */
	bool started;
};

/*
 * Open a session of task `id`.  A task that cannot be run (its agent is gone) is held, with the reason as its error.
 * ERR_OK also when it may not; ERR_NOT_FOUND; the store's errors, which are logged.
 */
enum err start_task(struct start *st, int64_t id);

#endif

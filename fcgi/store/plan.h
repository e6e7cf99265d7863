/* What a new session gets: agent, model, router, a time, and fresh ids.  The same for whoever
 * starts it. */
#ifndef CHOMP_STORE_PLAN_H
#define CHOMP_STORE_PLAN_H

#include "core/arena.h"
#include "core/err.h"
#include "model/transition.h"
#include "store/settings.h"

extern const char *const router_names[]; /* ends with NULL */

/* What somebody asked for; NULL or "" where nothing. */
struct plan_wish {
	const char *agent, *model, *router;
};

/*
 * From the wish, else the task's own, else the defaults.  Never refused for a missing key or
 * binary: that is found out in the sandbox.  s: the settings as they are; now: wall ms.
 * ERR_BAD_INPUT (unknown_agent, bad_field); ERR_IO and ERR_CORRUPT of the documents.
 */
enum err plan_session(const char *var, struct arena *a, const struct settings *s,
		      const struct task *t, const struct plan_wish *wish, int64_t now,
		      struct run_input *out, struct errinfo *e);

#endif

/* What a new session gets: agent, model, router, and fresh ids. */
#ifndef CHOMP_API_RUN_H
#define CHOMP_API_RUN_H

#include "http/app.h"
#include "http/form.h"
#include "model/transition.h"

extern const char *const router_names[]; /* ends with NULL */

/*
 * From the request's fields (f may be NULL: none), else the task's own, else the defaults.  Never refused for a missing
 * key or binary: that is found out in the sandbox.  ERR_BAD_INPUT (unknown_agent, bad_field).
 */
enum err run_input_make(struct app *app, struct request *rq, const struct task *t, const struct form *f,
			struct run_input *out, struct errinfo *e);

#endif

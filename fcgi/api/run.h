/* The fields of a request that starts a session. */
#ifndef CHOMP_API_RUN_H
#define CHOMP_API_RUN_H

#include "http/app.h"
#include "http/form.h"
#include "store/plan.h"

/* As plan_session, the wish read from the request's fields (f may be NULL: none).  ERR_BAD_INPUT besides. */
enum err run_input_make(struct app *app, struct request *rq, const struct task *t, const struct form *f,
			struct run_input *out, struct errinfo *e);

#endif

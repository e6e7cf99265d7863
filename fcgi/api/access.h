/* An agent's capability: does it fit this task, does its session still live? */
#ifndef CHOMP_API_ACCESS_H
#define CHOMP_API_ACCESS_H

#include <stdbool.h>

#include "http/app.h"
#include "http/request.h"
#include "model/capability.h"
#include "model/task.h"

struct access_claim {
	bool owner;
	struct capability cap; /* when it is not the owner */
};

/* Who the request comes from, as far as that can be said without the task.  ERR_NO_TOKEN. */
enum err access_claim(struct app *app, struct request *rq, struct access_claim *out, struct errinfo *e);

/*
 * Whether the claim holds for this task, now.  closing: the result that the verb at hand would give the session, or
 * RESULT_OPEN; the same closing verb again within an hour is no error, then *again is set and nothing may change.
 * ERR_FORBIDDEN: another task's token.  ERR_CONFLICT: its session has ended.  ERR_NO_TOKEN: expired.
 */
enum err access_check(const struct access_claim *claim, const struct task *t, enum result closing, int64_t now,
		      bool *again, struct errinfo *e);

#endif

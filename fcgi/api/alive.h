/* Which of chomp's processes live. */
#ifndef CHOMP_API_ALIVE_H
#define CHOMP_API_ALIVE_H

#include <stdbool.h>

#include "http/app.h"
#include "http/request.h"

/* By the lock it holds: "dispatch", "relay", "sandbox". */
bool process_alive(struct app *app, struct request *rq, const char *name);

/* Whether the sandbox host is one of our processes, and not a service elsewhere. */
bool sandbox_host_is_ours(struct app *app, struct request *rq);

#endif

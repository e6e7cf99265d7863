#include "api/alive.h"

#include <string.h>

#include "core/env.h"
#include "core/instance.h"

bool process_alive(struct app *app, struct request *rq, const char *name)
{
	return instance_alive(arena_printf(&rq->arena, "%s/run/%s/lock", app->var, name));
}

/* Another sandbox host, also one behind a socket of its own, has no lock of ours. */
bool sandbox_host_is_ours(struct app *app, struct request *rq)
{
	const char *url = env_text("CHOMP_SANDBOX_URL", NULL);

	return url == NULL ||
	       strcmp(url, arena_printf(&rq->arena, "unix:%s/run/sandbox/sandbox.sock", app->var)) == 0;
}

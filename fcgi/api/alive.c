#include "api/alive.h"

#include <string.h>

#include "core/env.h"
#include "core/instance.h"

bool process_alive(struct app *app, struct request *rq, const char *name)
{
	return instance_alive(arena_printf(&rq->arena, "%s/run/%s/lock", app->var, name));
}

bool sandbox_host_is_ours(void)
{
	const char *url = env_text("CHOMP_SANDBOX_URL", NULL);

	return url == NULL || strncmp(url, "unix:", 5) == 0;
}

#include "http/app.h"

#include <string.h>

#include "core/clock.h"
#include "core/env.h"

static enum err read_origins(struct app *app, struct arena *a, struct errinfo *e)
{
	char *list = arena_strdup(a, env_text("CHOMP_PUBLIC_ORIGINS", "http://127.0.0.1:8000")), *save;

	for (char *p = strtok_r(list, " ,", &save); p != NULL; p = strtok_r(NULL, " ,", &save)) {
		if (app->origin_count == ORIGINS_MAX)
			return err_set(e, ERR_BAD_INPUT, 0, "CHOMP_PUBLIC_ORIGINS: at most %d", ORIGINS_MAX);
		if (strncmp(p, "http://", 7) != 0 && strncmp(p, "https://", 8) != 0)
			return err_set(e, ERR_BAD_INPUT, 0, "CHOMP_PUBLIC_ORIGINS: %.60s is no http(s)://host[:port]", p);
		app->origins[app->origin_count++] = p;
	}
	if (app->origin_count == 0)
		return err_set(e, ERR_BAD_INPUT, 0, "CHOMP_PUBLIC_ORIGINS is empty");
	return ERR_OK;
}

enum err app_configure(struct app *app, struct arena *a, struct errinfo *e)
{
	int port;
	enum err rc;

	app->var = env_text("CHOMP_VAR", NULL);
	app->templates = env_text("CHOMP_TEMPLATES", "cgi-templates");
	app->now = clock_wall_ms;
	if (app->var == NULL || app->var[0] != '/')
		return err_set(e, ERR_BAD_INPUT, 0, "CHOMP_VAR: an absolute path is wanted; start chomp with scripts/chompctl up");
	if ((rc = env_int("CHOMP_PORT", 8000, 1, 65535, &port, e)) != ERR_OK ||
	    (rc = read_origins(app, a, e)) != ERR_OK)
		return rc;
	app->cookie_name = arena_printf(a, "chomp_%d", port);
	return ERR_OK;
}

/*
 * What a worker process knows: built once in main, handed to every handler.  The store is opaque here; handlers include
 * store/store.h themselves.
 */
#ifndef CHOMP_HTTP_APP_H
#define CHOMP_HTTP_APP_H

#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

struct secret_cache;
struct store;
struct throttle;

enum { ORIGINS_MAX = 16 };

struct app {
	struct store *store;
	const char *var;	   /* CHOMP_VAR */
	const char *templates;	   /* directory of cgi-templates */
	const char *cookie_name;   /* "chomp_<port>" */
	const char *origins[ORIGINS_MAX]; /* "http://127.0.0.1:8000" …; the first one is for links */
	size_t origin_count;
	struct throttle *throttle; /* shared by all workers */
	struct secret_cache *secrets; /* this worker's; NULL: read each time */
	int64_t (*now)(void);	   /* unix ms; tests turn it */
};

/*
 * var, templates, cookie_name, origins and now from the environment (CHOMP_VAR, CHOMP_TEMPLATES, CHOMP_PORT,
 * CHOMP_PUBLIC_ORIGINS).  Text lives in `a`.  ERR_BAD_INPUT names the variable that is wrong.
 */
enum err app_configure(struct app *app, struct arena *a, struct errinfo *e);

#endif

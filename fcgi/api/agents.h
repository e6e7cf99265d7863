/* The agents as clients see them. */
#ifndef CHOMP_API_AGENTS_H
#define CHOMP_API_AGENTS_H

#include "core/json.h"
#include "http/app.h"
#include "http/request.h"

/* The object of all agents by id: built-in ones, then the owner's.  ERR_IO, ERR_CORRUPT. */
enum err agents_write(struct app *app, struct request *rq, struct jw *w, const char *key,
		      struct errinfo *e);

#endif

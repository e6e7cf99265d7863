/*
 * The owner's own agents (state/agents.json) beside the built-in ones of model/agent.h, and which
 * agent a session gets when nobody names one.  An own agent never takes a built-in one's id.
 */
#ifndef CHOMP_STORE_AGENTS_H
#define CHOMP_STORE_AGENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "core/err.h"
#include "store/settings.h"

struct own_agent {
	const char *id, *name, *color;
	const char *command; /* a template of words for the box (scripts/adapters/custom.sh); NULL:
				none is set */
	const char **models; /* suggestions */
	size_t model_count;
};

/* All of them, in the order of the file; what is no object is left out.  ERR_IO, ERR_CORRUPT. */
enum err agents_read(const char *var, struct arena *a, struct own_agent **out, size_t *count,
		     struct errinfo *e);

/* ERR_NOT_FOUND. */
enum err agents_find(const char *var, struct arena *a, const char *id, struct own_agent *out,
		     struct errinfo *e);

/*
 * Add the agent, or change it when there is one with this id.  NULL members stay as they are (""
 * and a count of 0 clear them); members that chomp does not know and all other agents are kept.
 * *out receives the agent as it is then.
 */
enum err agents_put(const char *var, struct arena *a, const struct own_agent *ag,
		    struct own_agent *out, struct errinfo *e);

/* *out: the agent as it was.  ERR_NOT_FOUND. */
enum err agents_remove(const char *var, struct arena *a, const char *id, struct own_agent *out,
		       struct errinfo *e);

/* Built in, or the owner's.  ERR_BAD_INPUT with wire code unknown_agent. */
enum err agents_known(const char *var, struct arena *a, const char *id, struct errinfo *e);

/* Why a built-in agent cannot run here as far as can be seen from outside the box, or NULL when it
 * can. */
const char *agents_missing(const char *var, struct arena *a, const char *id);

/* The one a task gets when none is named: the setting, else the first that is installed, else
 * shell. */
const char *agents_default(const char *var, struct arena *a, const struct settings *s);

#endif

/* The agents chomp knows from the first day.  What is installed is found out in the sandbox. */
#ifndef CHOMP_MODEL_AGENT_H
#define CHOMP_MODEL_AGENT_H

#include <stddef.h>

struct agent {
	const char *id, *name, *color;
	const char *default_model;
	const char *models; /* suggestions, separated by one space; model is free text */
};

extern const struct agent builtin_agents[];
extern const size_t builtin_agent_count;

const struct agent *agent_find(const char *id); /* NULL when it is not built in */

#endif

/* Token counts of one session, as the agent's own machine-readable events state them.  Running totals. */
#ifndef CHOMP_MODEL_USAGE_H
#define CHOMP_MODEL_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
	bool known; /* false: not reported, which is not zero */
	int64_t input, output, cache_read, cache_write;
};

static inline int64_t usage_total(const struct usage *u)
{
	return u->input + u->output + u->cache_read + u->cache_write;
}

#endif

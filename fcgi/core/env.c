#include "core/env.h"

#include <stdint.h>
#include <stdlib.h>

#include "core/number.h"

const char *env_text(const char *name, const char *fallback)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0' ? v : fallback;
}

enum err env_int(const char *name, int fallback, int min, int max, int *out, struct errinfo *e)
{
	const char *v = env_text(name, NULL);
	int64_t n;

	*out = fallback;
	if (v == NULL)
		return ERR_OK;
	if (number_parse(v, min, max, &n) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "%s=%.40s: a whole number from %d to %d is wanted", name, v,
			       min, max);
	*out = (int)n;
	return ERR_OK;
}

/* Configuration from the environment.  The programs read it once, at start. */
#ifndef CHOMP_CORE_ENV_H
#define CHOMP_CORE_ENV_H

#include "core/err.h"

/* The value, or fallback (may be NULL) when unset or empty.  Borrowed from the environment. */
const char *env_text(const char *name, const char *fallback);

/* A whole number min..max in *out; fallback when unset.  ERR_BAD_INPUT says which variable is wrong. */
enum err env_int(const char *name, int fallback, int min, int max, int *out, struct errinfo *e);

#endif

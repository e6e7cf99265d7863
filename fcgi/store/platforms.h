/*
 * Where models come from, and how they are (state/platforms.json).  The dispatcher asks the
 * providers and writes what it found; workers only read, and leave word that somebody wants to know
 * (run/worker/platforms_wanted).
 *
 * A result counts for the very keys it was found with: a mark of them is kept beside it, so a new
 * key is at once one that was not checked yet.
 */
#ifndef CHOMP_STORE_PLATFORMS_H
#define CHOMP_STORE_PLATFORMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

#define PLATFORMS_WANTED "platforms_wanted" /* in run/worker/: touched at most once a minute */

/* In the order in which they are shown. */
enum platform_id {
	PLATFORM_SHELLEY,
	PLATFORM_CLOUDFLARE,
	PLATFORM_OPENROUTER,
	PLATFORM_ZEN,
	PLATFORM_COUNT
};

enum { PLATFORM_KEYS = 3, MARK_LEN = 16 };

struct platform {
	const char *id, *name, *color;
	const char *
		keys[PLATFORM_KEYS]; /* all of them are needed; the first one is the bearer token */
	const char *url_env,
		*url; /* where it is: a variable, and what counts without it (may be NULL) */
};
extern const struct platform platforms[PLATFORM_COUNT];

/* Its keys as they are.  set: all are there.  mark: of the keys, or of the address where there are
 * none. */
struct platform_keys {
	const char *values[PLATFORM_KEYS];
	bool set;
	char mark[MARK_LEN + 1];
};
enum err platform_keys_read(const char *var, struct arena *a, enum platform_id id,
			    struct platform_keys *out, struct errinfo *e);

enum platform_status {
	PLATFORM_UNKNOWN,
	PLATFORM_UNCONFIGURED,
	PLATFORM_LIVE,
	PLATFORM_LIMITED,
	PLATFORM_DOWN
};
const char *platform_status_name(enum platform_status s);
const char *platform_dollars(struct arena *a, int64_t cents); /* "12.34", a JSON number */

struct platform_state {
	enum platform_status status;
	const char *reason; /* may be NULL */
	bool has_credits;   /* the provider stated them */
	int64_t credits;    /* in US cents */
	int64_t checked_at; /* wall ms, 0: never */
	const char *mark;   /* of the keys it was found with; read only */
};

/* What was found for the keys as they are now.  ERR_IO, ERR_CORRUPT. */
enum err platforms_read(const char *var, struct arena *a,
			struct platform_state out[static PLATFORM_COUNT], struct errinfo *e);

/* Write one result down; the others stay. */
enum err platforms_write(const char *var, struct arena *a, enum platform_id id,
			 const struct platform_state *s, struct errinfo *e);

/* Somebody looked.  At most one touch a minute; nothing is reported when it cannot be left. */
void platforms_want(const char *var, struct arena *a, int64_t now_ms);

#endif

/*
 * How the platforms are: asked by HTTP when somebody looked (store/platforms.h), at most once a
 * minute for the same key, and never on a machine where nobody looks.  What a provider says never
 * reaches a reason or a log, only our own words for its status; a key is shown to its provider and
 * to nobody else.
 */
#ifndef CHOMP_DISPATCH_PLATFORMS_H
#define CHOMP_DISPATCH_PLATFORMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "store/platforms.h"

enum {
	PLATFORM_EVERY_MS = 60 * 1000,
	PLATFORM_LOOKED_MS =
		2 * 60 * 1000, /* a new key is checked at once when somebody looked this lately */
	PLATFORM_LIMIT_MS = 10 * 1000,
	PLATFORM_ANSWER_MAX = 64 * 1024,
};

struct dispatcher;

struct platform_check {
	struct dispatcher *d;
	enum platform_id id;
	char *base; /* NULL: there is nothing to ask */
	bool local;

	bool busy; /* asking; what it was asked with: */
	char mark[MARK_LEN + 1];
	int step; /* which of its questions */
	struct platform_state found;
	int64_t due; /* monotonic: nothing to look at before, unless somebody looks or a key changes
		      */
	bool known;  /* the last check is read from the store */
	int64_t checked_at; /* monotonic: when the last check began, with `mark`; 0: never */
};

struct platform_checks {
	int64_t looked_at; /* monotonic: when somebody looked last, 0: nobody did */
	struct platform_check each[PLATFORM_COUNT];
};

/* Addresses from the environment.  ERR_BAD_INPUT: a key would go over plain http to another
 * machine. */
enum err platforms_configure(struct platform_checks *p, struct errinfo *e);
void platforms_release(struct platform_checks *p);

void platforms_asked(struct dispatcher *d);
void platforms_keys_changed(struct dispatcher *d);

/* Ask what is due.  Returns when to be called again (monotonic ms), NEVER when nobody waits for an
 * answer. */
int64_t platforms_round(struct dispatcher *d);

#endif

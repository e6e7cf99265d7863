/*
 * The token an agent holds: good for one session of one task, for its verbs, until the session closes.
 *
 *   c1.<task>.<session>.<nonce>.<expiry, unix ms>.<base64url of HMAC-SHA256(agent key, all before the last dot)>
 *
 * Nothing of it is stored but nonce and expiry, in the session: the dispatcher can make the same one again, and a new
 * key makes all of them worthless.
 */
#ifndef CHOMP_MODEL_CAPABILITY_H
#define CHOMP_MODEL_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "model/session.h"

struct capability {
	int64_t task;
	const char *sid, *nonce;
	int64_t expires_at;
};

const char *capability_make(struct arena *a, const char *key, int64_t task, const struct session *s);

/* Whether text looks like one at all, whoever signed it. */
bool capability_like(const char *text);

/* Check the MAC and take it apart.  Whether its session still lives is the caller's question. */
bool capability_read(struct arena *a, const char *key, const char *text, struct capability *out);

/* Whether it is the token of this very session. */
bool capability_fits(const struct capability *c, const struct session *s);

#endif

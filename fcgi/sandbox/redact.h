/*
 * Blanks known secrets in a stream of bytes: each is replaced by as many asterisks, also when it comes in pieces.
 *
 * What may be the beginning of a secret is held back until more comes, or until nothing came for a moment: then the first
 * REDACT_SHOWN bytes of it may pass (they tell nothing, and whoever types must see them), and more is blanked, whether
 * the rest follows or not.  So no order and no timing of writes lets a secret through.  Only exact values are known: what
 * an agent encodes, or writes with something in between, is not.
 */
#ifndef CHOMP_SANDBOX_REDACT_H
#define CHOMP_SANDBOX_REDACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REDACT_MIN = 6,    /* shorter ones are words, not secrets */
	REDACT_MAX = 4096, /* of a longer one the beginning is blanked */
	REDACT_SECRETS = 128,
	REDACT_FEED = 64 * 1024, /* bytes at once */
	REDACT_SHOWN = 3,
};

struct redact {
	const char *secret[REDACT_SECRETS];
	size_t len[REDACT_SECRETS], secrets, shortest;
	uint16_t skip[256];		 /* how far a window of `shortest` bytes may move when it ends so */
	char hold[REDACT_MAX];		 /* the end of what came, which may begin a secret … */
	char hold_out[REDACT_MAX];	 /* … the same as it would be shown … */
	size_t held, shown;		 /* … of which so much has been given out */
	char work[REDACT_MAX + REDACT_FEED], out[REDACT_MAX + REDACT_FEED];
};

/* `text`: values, each with its NUL, `len` bytes in all; borrowed.  Each line of a value is a secret by itself, since a
 * terminal changes line ends. */
void redact_init(struct redact *r, char *text, size_t len);

/* At most REDACT_FEED bytes in; *out is valid until the next call.  Returns its length. */
size_t redact_feed(struct redact *r, const char *in, size_t len, const char **out);

bool redact_waits(const struct redact *r);			 /* something is held that was not given out */
size_t redact_flush(struct redact *r, const char **out); /* nothing came for a moment, or the end */

#endif

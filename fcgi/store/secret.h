/*
 * Secrets below secrets/ (0700): one line of text each.  Read afresh at every use, so that a replaced secret counts
 * at once in every process.
 */
#ifndef CHOMP_STORE_SECRET_H
#define CHOMP_STORE_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

#define SECRET_OWNER "owner_token"     /* what the owner shows */
#define SECRET_COOKIE "cookie_key"     /* signs browser sessions; replacing it signs everybody out */
#define SECRET_AGENT "agent_key"       /* signs capability tokens */
#define SECRET_HOST "sandbox_secret"   /* shared with the sandbox host */

enum { SECRET_MIN = 16, SECRET_MAX = 512, LOGIN_CODE_MS = 10 * 60 * 1000 };


/* The secret's text without its newline.  ERR_NOT_FOUND, ERR_IO; ERR_CORRUPT when it is too short to be one. */
enum err secret_read(const char *var, const char *name, struct arena *a, const char **out, struct errinfo *e);
/*
 * The same for who asks at every request: the file is only read again when it is another one, or changed.  A cache is made
 * of zeros and holds up to SECRETS_KEPT names.
 */
enum { SECRETS_KEPT = 4 };
struct secret_cache {
	struct {
		const char *name; /* a literal; NULL: free */
		uint64_t dev, ino;
		int64_t size, changed_s, changed_ns;
		char text[SECRET_MAX + 1];
	} kept[SECRETS_KEPT];
};
enum err secret_recall(struct secret_cache *c, const char *var, const char *name, struct arena *a, const char **out,
		       struct errinfo *e);
/* The same for any file (CHOMP_SANDBOX_SECRET_FILE). */
enum err secret_read_file(const char *path, struct arena *a, const char **out, struct errinfo *e);

/* Make the secret (32 random bytes, base64url) when it is missing.  Used by the worker pool's parent at start. */
enum err secret_ensure(const char *var, const char *name, struct errinfo *e);

/* Another one in its place: what was signed with the old one is worth nothing from now on. */
enum err secret_renew(const char *var, const char *name, struct errinfo *e);

/*
 * Spend a login code: secrets/codes/<sha256 of the code> is an empty file whose age counts; removing it is what makes the
 * code good for one use.  true when the code was there and younger than LOGIN_CODE_MS.
 */
bool secret_spend_code(const char *var, const char *code, int64_t now);

/*
 * Browser sessions that were signed out before their cookie expired: secrets/signed_out/<nonce>.  The relay watches that
 * folder to end live connections.  Entries older than a cookie can live are swept on the way.
 */
enum err secret_sign_out(const char *var, const char *nonce, int64_t now, struct errinfo *e);
bool secret_signed_out(const char *var, const char *nonce);

#endif

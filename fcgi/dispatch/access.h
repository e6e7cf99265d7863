/*
 * Where the sandbox host is, and the secret it is shown.  The secret goes to a unix socket, to this
 * machine's loopback, or over TLS; without a secret only the first two are allowed.
 */
#ifndef CHOMP_DISPATCH_ACCESS_H
#define CHOMP_DISPATCH_ACCESS_H

#include <stdbool.h>

#include "core/err.h"
#include "store/secret.h"

struct access {
	char *base;   /* URL without a slash at its end */
	char *socket; /* unix socket, NULL: by network */
	char *secret_file;
	char secret[SECRET_MAX + 1]; /* "": none */
	bool local;                  /* unix socket or loopback */
};

/*
 * url: unix:/path, http://… or https://….  secret_file: read now; a file that is not there is an
 * error only when `named`, that is, when the owner asked for this very one.  ERR_BAD_INPUT with
 * what to mend; access_release also after an error.
 */
enum err access_init(struct access *x, const char *url, const char *secret_file, bool named,
		     struct errinfo *e);
void access_release(struct access *x);

/*
 * An address http://… or https://… with host, port and path only.  name: the variable it comes from, for the message.
 * *base: without slashes at its end, the caller's to free; NULL on an error.  ERR_BAD_INPUT.
 */
enum err access_url(const char *name, const char *url, char **base, bool *tls, bool *local,
		    struct errinfo *e);

/* What may become part of a header line: printable ASCII without spaces. */
bool access_fits_header(const char *s);

/* Read the secret again; true when it is another one now. */
bool access_reread(struct access *x);

#endif

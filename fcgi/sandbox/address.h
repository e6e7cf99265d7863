/* Where chomp-sandbox listens: "unix:/path" or "ADDRESS:PORT". */
#ifndef CHOMP_SANDBOX_ADDRESS_H
#define CHOMP_SANDBOX_ADDRESS_H

#include <stdbool.h>

#include "core/err.h"

/* May we listen there?  Without a secret only on a unix socket or loopback.  ERR_BAD_INPUT says why
 * not. */
enum err address_check(const char *listen, bool has_secret, struct errinfo *e);

/*
 * A socket file that a killed predecessor left is fine (the library removes it when binding).
 * ERR_BAD_INPUT: somebody serves there, or it is no socket.
 */
enum err address_check_stale(const char *path, struct errinfo *e);

#endif

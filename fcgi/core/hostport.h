/* "HOST:PORT": a name or an IPv4 address, and a port from 1 to 65535. */
#ifndef CHOMP_CORE_HOSTPORT_H
#define CHOMP_CORE_HOSTPORT_H

#include <stdbool.h>
#include <stdint.h>

enum { HOSTPORT_MAX = 280 }; /* bytes with the NUL */

/* Also when it is none: then false.  `host` may be NULL. */
bool hostport_split(const char *s, char host[HOSTPORT_MAX], int64_t *port);
bool hostport_valid(const char *s);

/* The server of an address: http(s)://, ssh://, or user@host:path, with the scheme's own port where none is named. */
bool hostport_of_url(const char *url, char out[HOSTPORT_MAX]);

/* The same server, as far as that shows: also when both are this machine under different names. */
bool hostport_same(const char *a, const char *b);

#endif

/*
 * The HTTP side of the host protocol: connections, framing, routes.  One thread; carries the
 * sandboxes' epoll descriptor (life.h) and a signalfd in the same loop.
 */
#ifndef CHOMP_SANDBOX_SERVER_H
#define CHOMP_SANDBOX_SERVER_H

#include "core/err.h"
#include "sandbox/life.h"

struct server_conf {
	const char *listen; /* "unix:/path" or "ADDRESS:PORT" */
	const char *secret; /* NULL: no authorization; listen must then be a unix socket or a
			       loopback address */
	int capacity;
};

/*
 * Serve until SIGTERM or SIGINT (the boxes live on), or until SIGUSR1 has emptied the host.  These
 * signals must be blocked.  ERR_OK when stopped so; ERR_IO when listening fails.
 */
enum err server_run(const struct server_conf *conf, struct life *life, struct errinfo *e);

#endif

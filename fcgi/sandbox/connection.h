/*
 * One connection: heads and bodies in, answers out, or a terminal.  server.c listens and turns the
 * loop, this file and terminal.c are called by the library; nobody else uses libwebsockets.
 */
#ifndef CHOMP_SANDBOX_CONNECTION_H
#define CHOMP_SANDBOX_CONNECTION_H

#include <libwebsockets.h>
#include <stdbool.h>

#include "sandbox/life.h"

enum {
	CONNECTION_CHUNK = 32 * 1024, /* bytes written at once */
	CONNECTIONS_MAX = 4096, /* viewers of terminals hold theirs */
};

struct feeds;

struct connections { /* first member of the context's user data */
	struct life *life;
	struct feeds *feeds;
	const char *secret; /* or NULL */
	bool tcp;
	int capacity;
	int open;
};

size_t connection_size(void); /* of the library's per-session data */

int connection_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len);

/* What the library's parser cannot take for HTTP comes here, as raw bytes. */
int connection_garbage(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t len);

#endif

/*
 * HTTP to the sandbox host: many calls at once, each with its own limits, none in the way of
 * another.  The only user of libcurl.
 */
#ifndef CHOMP_DISPATCH_HTTPC_H
#define CHOMP_DISPATCH_HTTPC_H

#include "core/err.h"
#include "dispatch/access.h"
#include "dispatch/call.h"

enum {
	HTTPC_CONNECT_MS = 2000,
	BEARER_MAX = 4096, /* what a call may show */
	HTTPC_PARALLEL = 24, /* transfers of one kind at once; the rest waits in order, its limits
				not yet running */
};

struct httpc;

/* x: an array by site (model/task.h); only those that calls name are looked at. */
enum err httpc_open(struct httpc **out, struct access *x, struct errinfo *e);
/* Calls that have not ended are freed without a word: whoever closes is about to exit. */
void httpc_close(struct httpc *h);

/* Takes ownership of c.  `h` is a void pointer so that this is the function behind dispatcher.send.
 */
void httpc_send(void *h, struct call *c);

/* Sleep until the network, one of the descriptors, or the time (ms, -1: none) wants something. */
struct httpc_fd {
	int fd;
	bool readable;
};
void httpc_wait(struct httpc *h, struct httpc_fd *fds, unsigned count, int64_t timeout_ms);

/* Move every transfer on and end what has ended. */
void httpc_work(struct httpc *h);

/* Calls of this kind that have not ended. */
size_t httpc_open_calls(const struct httpc *h, enum call_kind kind);

#endif

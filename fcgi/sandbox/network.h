/*
 * The network of one box, made before the agent starts and out of its reach.
 *
 * The box's first process gives itself a user namespace and in it a network namespace of its own; bubblewrap then makes the
 * agent's namespaces below it.  So the agent owns neither, and what was set up stays: loopback; with `internet`, a tap
 * device that slirp4netns (beside us, outside) connects; "unreachable" routes for every address that is not public and
 * for those of this machine; and for each allowed HOST:PORT that very address on loopback, with a listener whose connections
 * forward.c carries out of the box.  (A program that names the device itself skips the routes, but finds nobody on the
 * wire who answers for those addresses: slirp4netns speaks for its own alone.)  IPv6 is loopback only.
 */
#ifndef CHOMP_SANDBOX_NETWORK_H
#define CHOMP_SANDBOX_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { NETWORK_ALLOW_MAX = 32 };
#define NETWORK_DNS "10.0.2.3" /* slirp4netns asks this machine's resolver */

struct network_conf {
	bool host;         /* this machine's network as it is: unsafe */
	bool internet;     /* else: nothing but what is allowed */
	const char *slirp; /* path of slirp4netns, or NULL */
	const char *allow[NETWORK_ALLOW_MAX]; /* HOST:PORT (core/hostport.h) */
	size_t allow_len;
};

struct network {
	pid_t slirp, forwarder; /* 0: none */
	int leash;              /* slirp4netns ends when this closes; -1: none */
};

/* Why there can be no internet here; NULL when there can. */
const char *network_missing(const char *slirp);

/*
 * In the box's first process, which still has the machine's network: enter the namespaces, tell the other end of `sync`,
 * and wait for it.  What could not be had is told on `terminal` and left out.  -1 with errno, and *step says at what.
 */
int network_enter(const struct network_conf *c, int sync, int terminal, const char **step);

/* Meanwhile in the shim: start the helpers for `child`, and let it go on.  Waits some seconds at most. */
void network_serve(struct network *n, const struct network_conf *c, pid_t child, int sync);

/* End the helpers, and wait for them. */
void network_end(struct network *n);

#endif

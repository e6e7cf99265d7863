/*
 * The shim's end of `ctl` (ctl.h): the hosts that show this terminal.  The present one, and those that
 * died and have not been noticed yet.
 */
#ifndef CHOMP_SANDBOX_PEERS_H
#define CHOMP_SANDBOX_PEERS_H

#include <poll.h>

#include "sandbox/ctl.h"

enum { PEERS_POLLS = 1 + CTL_PEERS };

struct peers {
	int listener, fds[CTL_PEERS]; /* -1: none */
};

int peers_open(struct peers *s, int dir); /* -1 with errno */
void peers_close(struct peers *s, int dir);

/* Fill PEERS_POLLS entries; after the poll: take who came, do what is asked, forget who went. */
void peers_poll(const struct peers *s, struct pollfd *p);
void peers_step(struct peers *s, const struct pollfd *p, int master);

void peers_tell(const struct peers *s); /* the log has grown */

#endif

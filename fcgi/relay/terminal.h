/*
 * WS /ws/terminal/{taskId}?cols=&rows=&offset=: a viewer of the running session's terminal (docs/PROTOCOL.md).
 *
 * One upstream connection per viewer, so that the host sends to each at its own pace: a frozen viewer stops its own
 * reading and nobody else's.  The relay keeps one piece per viewer and direction.  One viewer of a task holds the pen
 * and may type; what the others send is dropped.
 */
#ifndef CHOMP_RELAY_TERMINAL_H
#define CHOMP_RELAY_TERMINAL_H

#include "relay/relay.h"

int terminal_accept(struct relay *r, const struct upgrade *u, struct conn *c, void **owner,
		    const struct conn_ops **ops);

void terminal_changed(struct relay *r); /* the store has a new version: sessions may have begun or ended */
void terminal_recheck(struct relay *r); /* secrets changed: end what is no longer allowed */

#endif

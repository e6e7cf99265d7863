/*
 * GET /events: Server-Sent Events that say "something changed" (refreshTasks), with the store's version as id.
 * Changes within a few milliseconds are one event; a comment every 25 s keeps the line open.
 */
#ifndef CHOMP_RELAY_EVENTS_H
#define CHOMP_RELAY_EVENTS_H

#include "relay/relay.h"

int events_accept(struct relay *r, const struct upgrade *u, struct conn *c, void **owner,
		  const struct conn_ops **ops);

void events_changed(struct relay *r);	/* the store has a new version */
void events_recheck(struct relay *r);	/* secrets changed: end what is no longer allowed */

#endif

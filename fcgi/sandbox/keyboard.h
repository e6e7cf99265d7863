/*
 * The shim's end of `ctl`: what is typed, and the terminal's size.  Bytes that the terminal does
 * not take yet wait here, CTL_INPUT_MAX of them at most; meanwhile nothing more is read, so that
 * the sender waits.
 */
#ifndef CHOMP_SANDBOX_KEYBOARD_H
#define CHOMP_SANDBOX_KEYBOARD_H

#include <poll.h>
#include <stddef.h>

#include "sandbox/ctl.h"

enum { KEYBOARD_POLLS = 1 + CTL_PEERS };

struct keyboard {
	int listener, peers[CTL_PEERS];
	char pending[CTL_INPUT_MAX];
	size_t at, len; /* what of it still has to be typed */
};

void keyboard_open(struct keyboard *k,
		   int dir); /* without the socket there is no typing, and nothing else is lost */
void keyboard_close(struct keyboard *k, int dir);

/* Fill KEYBOARD_POLLS entries; returns the events to wait for on the terminal besides. */
short keyboard_poll(const struct keyboard *k, struct pollfd *p);

/* After the poll: type what can be typed, take what came. */
void keyboard_step(struct keyboard *k, const struct pollfd *p, int master);

#endif

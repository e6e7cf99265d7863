/*
 * A filter for scrollback: terminal queries in old output must not be answered again, or the viewer's terminal would type
 * its answers into the agent's terminal.  Each is overwritten by NUL bytes, which terminals ignore, so that offsets
 * stay true.  Overwritten: ENQ; device attributes, status reports, DECRQM, window reports (CSI … c n x t, $p);
 * DCS requests ($q, +q); OSC with a question mark; and OSC 52 (clipboard) as a whole.
 */
#ifndef CHOMP_RELAY_REPLAY_H
#define CHOMP_RELAY_REPLAY_H

#include <stddef.h>

enum { REPLAY_HELD = 512 };

struct replay { /* all zero is the start */
	char held[REPLAY_HELD]; /* a sequence whose end has not come yet */
	size_t held_len;
};

/*
 * Filter p into out, which has room for REPLAY_HELD + len bytes; *out_len bytes are to be sent now.  The beginning of a
 * sequence whose end has not come yet is held back and comes out with the next call.  Sequences longer than REPLAY_HELD
 * are let through.
 */
void replay_filter(struct replay *st, const char *p, size_t len, char *out, size_t *out_len);

/* What is still held, as it is. */
void replay_end(struct replay *st, char *out, size_t *out_len);

#endif

/*
 * A filter for scrollback: terminal queries in old output must not be answered again, or the viewer's terminal would type
 * its answers into the agent's terminal.  Each is overwritten by ST and NUL bytes, which mean nothing, so that
 * offsets stay true.
 *
 * Overwritten: ENQ; DECID; device attributes, status reports, mode, version, window and rectangle reports (CSI);
 * requests for settings and capabilities (DCS $q, +q); OSC with a question mark, but for titles, directories and links;
 * and OSC 52 (clipboard) as a whole.  Sequences are recognised as xterm.js does: also by their one-character forms
 * (U+009B for ESC [), and with control characters in their midst.
 */
#ifndef CHOMP_RELAY_REPLAY_H
#define CHOMP_RELAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>

enum { REPLAY_HELD = 512 };

struct replay { /* all zero is the start */
	char held[REPLAY_HELD]; /* a sequence whose end has not come yet */
	size_t held_len;
	int state, mode; /* replay.c */
	bool lead;	 /* the last byte may be the first of a one-character form */
};

/*
 * Filter p into out, which has room for REPLAY_HELD + len bytes; *out_len bytes are to be sent now.  A sequence whose end
 * has not come yet is held back and comes out with a later call; how the text is cut makes no difference.  A sequence
 * that is longer than REPLAY_HELD goes through as it comes when it is harmless, else it is overwritten to its end.
 */
void replay_filter(struct replay *st, const char *p, size_t len, char *out, size_t *out_len);

/* Forget what is held, since it will come again from its first byte; how many bytes that is. */
size_t replay_rewind(struct replay *st);

/* What is still held, as it is. */
void replay_end(struct replay *st, char *out, size_t *out_len);

#endif

/*
 * Terminal bytes to plain text: escape sequences (ECMA-48: CSI, OSC, DCS and the rest) and control characters are
 * dropped, CR LF becomes LF, a lone CR becomes LF (a progress line that was drawn over), bytes that are no UTF-8 become
 * U+FFFD.  Keeps its state between calls, so that a sequence cut in two is seen.
 */
#ifndef CHOMP_CORE_ANSI_H
#define CHOMP_CORE_ANSI_H

#include <stddef.h>

#include "core/strbuf.h"

struct ansi { /* all zero is the start */
	int state;
	char rune[4];
	int have, want;
	int cr;
};

void ansi_strip(struct ansi *st, const char *p, size_t len, struct strbuf *out);
void ansi_end(struct ansi *st, struct strbuf *out); /* what was left unfinished */

#endif

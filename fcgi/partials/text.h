/* Numbers, times and prompts as people read them (English, UTC).  Results live in the arena. */
#ifndef CHOMP_PARTIALS_TEXT_H
#define CHOMP_PARTIALS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"

/* 999, 148k (rounded down), 1.2M */
const char *text_count(struct arena *a, int64_t n);
/* How long something has been going on: 41s, 52m 41s, 26h 3m.  Negative spans are 0s. */
const char *text_age(struct arena *a, int64_t ms);
/* How long something took: 41s, 18m, 26h 3m. */
const char *text_took(struct arena *a, int64_t ms);
/* Nov 22, 5:00 PM; with the year when it is not that of `now`. */
const char *text_date(struct arena *a, int64_t ms, int64_t now);
/* 312 B, 14 KB, 3.1 MB */
const char *text_size(struct arena *a, int64_t bytes);

/*
 * Text of somebody else's, fit to be seen: control characters (an agent's escape sequences, say) become their pictures
 * (U+2400 …) instead of vanishing; newlines and tabs stay, CR before a newline goes.
 */
const char *text_shown(struct arena *a, const char *s);

/* The same for bytes that may be no text at all: what is no UTF-8 becomes U+FFFD. */
const char *text_utf8(struct arena *a, const char *p, size_t len);

/* For a value in the query of an address: all but letters, digits and -._~ as %XX. */
const char *text_query(struct arena *a, const char *s);

/* The first line that says something, at most ~160 bytes of it; *whole: nothing was left out. */
const char *text_title(struct arena *a, const char *prompt, bool *whole);

#endif

/* The terminal that chomp-watch runs in: raw while it watches, as it was afterwards. */
#ifndef CHOMP_WATCH_SCREEN_H
#define CHOMP_WATCH_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Make the terminal of standard input raw.  Returns a descriptor of its own to read keys from, or
 * -1 when standard input is no terminal: then nothing is typed, and nothing was changed.
 */
int screen_open(void);
/* Take back what screen_open did, and what the agent's output left on: mouse, paste and keyboard
 * modes, the other screen. */
void screen_close(void);

/* Of the terminal that standard output or input is; 80 × 24 without one. */
void screen_size(int *cols, int *rows);

/* The agent's bytes, to standard output.  false: nobody reads it any more. */
bool screen_show(const char *p, size_t len);

/* A line of our own, to standard error. */
__attribute__((format(printf, 1, 2))) void screen_say(const char *fmt, ...);

#endif

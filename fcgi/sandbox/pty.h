/* A terminal of our own for the box (pty(7)). */
#ifndef CHOMP_SANDBOX_PTY_H
#define CHOMP_SANDBOX_PTY_H

struct pty {
	int master; /* ours: non-blocking, close-on-exec */
	int slave;  /* the box's */
};

enum { PTY_COLS = 80, PTY_ROWS = 24 }; /* until somebody says otherwise */

/* Open a pair; 0, or -1 with errno. */
int pty_open(struct pty *p);

/* In the child: begin a session, make the slave its controlling terminal and descriptors 0, 1
 * and 2.  0, or -1. */
int pty_become(const struct pty *p);

#endif

/*
 * The wire between the host and a shim: `ctl`, a unix socket (SOCK_SEQPACKET) in the sandbox's
 * directory, which the shim listens on while its box lives.
 *
 * The shim says first 't', with the terminal's master as descriptor: what is typed the host writes
 * there itself, since every process on the way costs an echo its time.  Then 'n' whenever the log has
 * grown; one that finds no room is not said, since then others wait to be read, after which the log is.
 * The host says 'r' and two uint16_t: columns and rows of the terminal.
 *
 * Either side may die at any moment: the host's end closes with the connection, and what the terminal
 * shows is in the log, whoever was told.
 */
#ifndef CHOMP_SANDBOX_CTL_H
#define CHOMP_SANDBOX_CTL_H

#include <stdint.h>

enum { CTL_PEERS = 8 };

/* Non-blocking, close-on-exec; -1 with errno.  dir: descriptor of the sandbox's directory. */
int ctl_listen(int dir);
int ctl_connect(int dir);

/* ---- the shim ---- */
/* 0, or -1: this peer is of no use. */
int ctl_give_terminal(int fd, int master);
void ctl_tell_news(int fd);
/* 1: a size; 0: nothing (more) now; -1: the peer is gone. */
int ctl_take_size(int fd, uint16_t *cols, uint16_t *rows);

/* ---- the host ---- */
/* 1: news, and *master is the terminal when it came with them (the caller's to close), else -1.  0: nothing now.  -1: the
 * shim is gone. */
int ctl_take(int fd, int *master);
/* 0, or -1 with errno. */
int ctl_send_size(int fd, int cols, int rows);

#endif

/*
 * The wire between the host and a shim: `ctl`, a unix socket (SOCK_SEQPACKET) in the sandbox's
 * directory, which the shim listens on while its box lives.  One message is one of
 *
 * - 'i' and 1 to CTL_INPUT_MAX bytes: typed into the terminal
 * - 'r' and two uint16_t: columns and rows of the terminal
 *
 * Nothing comes back: what the terminal shows is in the log.
 */
#ifndef CHOMP_SANDBOX_CTL_H
#define CHOMP_SANDBOX_CTL_H

#include <stddef.h>

enum { CTL_INPUT_MAX = 4096, CTL_PEERS = 8 };

/* Non-blocking, close-on-exec; -1 with errno.  dir: descriptor of the sandbox's directory. */
int ctl_listen(int dir);
int ctl_connect(int dir);

/* 0, or -1 with errno; EAGAIN: the shim has not taken the last ones yet. */
int ctl_send_input(int fd, const char *p, size_t len);
int ctl_send_size(int fd, int cols, int rows);

#endif

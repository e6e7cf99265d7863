/* Carries connections out of a box to what its owner allowed. */
#ifndef CHOMP_SANDBOX_FORWARD_H
#define CHOMP_SANDBOX_FORWARD_H

#include <netinet/in.h>
#include <stddef.h>

/*
 * The whole life of a process of its own: what is accepted on listener[i] is connected with to[i], until the process is
 * killed.  Closes every other descriptor.
 */
_Noreturn void forward_run(const int *listener, const struct sockaddr_in *to, size_t n);

#endif

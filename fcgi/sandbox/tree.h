/* The processes below one process, as /proc tells. */
#ifndef CHOMP_SANDBOX_TREE_H
#define CHOMP_SANDBOX_TREE_H

#include <sys/types.h>

int pidfd_of(pid_t pid);              /* pidfd_open(2), close-on-exec; -1 with errno */
int pidfd_signal(int pidfd, int sig); /* pidfd_send_signal(2) */

/*
 * Send sig to every process below `init`, the first process of a pid namespace, but not to init
 * itself.  A courtesy, not a guarantee: what is born meanwhile is missed, what hides from /proc
 * too.  Processes of other namespaces are never hit.
 */
void tree_signal(pid_t init, int sig);

#endif

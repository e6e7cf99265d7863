/* The system calls that a box may not make.  The only user of libseccomp. */
#ifndef CHOMP_SANDBOX_SECCOMP_H
#define CHOMP_SANDBOX_SECCOMP_H

#include "core/err.h"

/* The filter as bwrap wants it (--seccomp), in a memory file: *fd is the caller's, read it from its start.  ERR_IO. */
enum err seccomp_make(int *fd, struct errinfo *e);

#endif

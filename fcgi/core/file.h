/* Whole files: read, replace atomically, write out.  All relative to a directory descriptor, O_CLOEXEC, O_NOFOLLOW. */
#ifndef CHOMP_CORE_FILE_H
#define CHOMP_CORE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "core/arena.h"
#include "core/err.h"

/*
 * Read a file of at most max bytes into the arena; *out is NUL-terminated, *len (may be NULL) does not count the NUL.
 * ERR_NOT_FOUND when there is none; ERR_TOO_LARGE; ERR_IO.
 */
enum err file_read(int dirfd, const char *name, size_t max, struct arena *a, char **out, size_t *len,
		   struct errinfo *e);

/*
 * Replace `name` by buf: temp file, fsync, rename, fsync of the directory.  On any error but the last the old content
 * stands; ERR_IO with e->sys.  ERR_DISK_FULL when there is no room.  mode is that of the new file.
 */
enum err file_replace(int dirfd, const char *name, const void *buf, size_t len, mode_t mode,
		      struct errinfo *e);

/* Write all of buf; 0, or -1 with errno.  Continues after a short write and EINTR. */
int write_all(int fd, const void *buf, size_t len);

/* mkdir -p of one level: 0 when it is there afterwards (a directory), else -1 with errno. */
int make_dir(int dirfd, const char *name, mode_t mode);

#endif

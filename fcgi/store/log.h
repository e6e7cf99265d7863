/*
 * The task log: one append-only file under the writers' lock, and the index that follows it.
 *
 * Readers need no lock: log_catch_up reads what was appended since, up to the last newline.  Only bytes after the last
 * newline are a torn tail; the next holder of the lock cuts them off.  A bad line with more after it is damage: it is
 * never cut, its offset is reported and the store turns read-only.
 */
#ifndef CHOMP_STORE_LOG_H
#define CHOMP_STORE_LOG_H

#include <sys/types.h>

#include "core/arena.h"
#include "core/err.h"
#include "store/index.h"

struct log {
	int dirfd; /* of state/, borrowed */
	int fd;
	int64_t end;	/* bytes taken into the index */
	int64_t damage; /* offset of the first bad line, -1: none */
	struct index index;
};

/* Opens or creates dirfd/tasks.log and indexes it; dirfd stays the caller's and open as long as the log is.  A damaged log opens (damage is set); reading goes on up to there. */
enum err log_open(struct log *l, int dirfd, struct errinfo *e);
void log_close(struct log *l);

/* In a child: a file description of its own for the same file. */
enum err log_after_fork(struct log *l, struct errinfo *e);

/*
 * Take in what others appended; when the file was replaced by a compacted one, index that one.  ERR_IO, ERR_CORRUPT.
 */
enum err log_catch_up(struct log *l, struct errinfo *e);

/*
 * After a power cut: what was written and not yet synced may have come to the disk in any order, and what did not come
 * reads as NUL, which no record holds.  Nothing at or behind such a hole was acknowledged, for a sync covers all that was
 * written before it.  So a bad line with NUL in it, near the end, is no damage but an unfinished write: everything from it
 * on is kept as tasks.log.torn-<unix time> and cut off.  Other damage stays.  The caller holds the lock.
 */
enum err log_mend(struct log *l, struct errinfo *e);

/*
 * Append whole lines by one write and index them.  The caller holds the lock and has caught up.
 * ERR_DISK_FULL; ERR_IO: the file may now end in a torn line, which the next append removes.
 */
enum err log_append(struct log *l, const char *lines, size_t len, struct errinfo *e);

/* fdatasync.  ERR_IO is final for the caller: what is on disk is unknown. */
enum err log_sync(struct log *l, struct errinfo *e);

/* The JSON text of a line. */
enum err log_line(struct log *l, struct place p, struct arena *a, const char **json, size_t *len,
		  struct errinfo *e);

/* The whole line, newline included; what does not fit its checksum is ERR_CORRUPT. */
enum err log_raw_line(struct log *l, struct place p, struct strbuf *out, struct errinfo *e);

/* Copy bytes from..l->end as they are to fd. */
enum err log_copy_tail(struct log *l, int64_t from, int fd, struct errinfo *e);

#endif

#include "store/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"

/* What can be unsynced at one moment: a change of each process. */
enum { READ_CHUNK = 1 << 20, READ_TRIES = 3, UNSYNCED_MAX = 4 << 20 };

static enum err open_file(struct log *l, int flags, struct errinfo *e)
{
	index_init(&l->index);
	l->end = 0;
	l->damage = -1;
	l->fd = openat(l->dirfd, "tasks.log", O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	return l->fd >= 0 ? ERR_OK : err_set(e, ERR_IO, errno, "open state/tasks.log");
}

enum err log_open(struct log *l, int dirfd, struct errinfo *e)
{
	memset(l, 0, sizeof *l);
	l->dirfd = dirfd;
	enum err rc = open_file(l, O_CREAT, e);
	if (rc != ERR_OK)
		return rc;
	rc = log_catch_up(l, e);
	if (rc == ERR_CORRUPT)
		return ERR_OK; /* readable up to the damage; writers are refused */
	if (rc != ERR_OK)
		log_close(l);
	return rc;
}

enum err log_after_fork(struct log *l, struct errinfo *e)
{
	struct stat inherited, named;
	int fd = openat(l->dirfd, "tasks.log", O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_set(e, ERR_IO, errno, "open state/tasks.log");
	if (fstat(l->fd, &inherited) < 0 || fstat(fd, &named) < 0 || inherited.st_ino != named.st_ino) {
		close(fd); /* compacted meanwhile: log_catch_up opens the new one */
		return ERR_OK;
	}
	close(l->fd);
	l->fd = fd;
	return ERR_OK;
}

void log_close(struct log *l)
{
	close(l->fd);
	l->fd = -1;
	index_release(&l->index);
}

static enum err damaged(struct log *l, struct errinfo *e)
{
	if (l->damage < 0) {
		l->damage = l->end;
		log_event(LOG_ERROR, "store.damaged", LOG_I("offset", l->damage));
	}
	return err_set(e, ERR_CORRUPT, 0, "the task log is damaged at byte %lld", (long long)l->damage);
}

/* Index every whole line of buf, which starts at l->end; moves l->end behind them.  false: the next line is bad. */
static bool take_lines(struct log *l, const char *buf, size_t len)
{
	const char *p = buf, *end = buf + len, *nl;

	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		struct place place = { .off = l->end, .len = (uint32_t)(nl - p) };
		struct record_head h;
		if (!record_read(p, place.len, &h) || !index_apply(&l->index, &h, place))
			return false;
		l->end += nl + 1 - p;
		p = nl + 1;
	}
	return true;
}

static enum err read_at(struct log *l, int64_t off, char *buf, size_t want, size_t *got, struct errinfo *e)
{
	for (*got = 0; *got < want;) {
		ssize_t n = pread(l->fd, buf + *got, want - *got, (off_t)(off + (int64_t)*got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_IO, errno, "read state/tasks.log");
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return ERR_OK;
}

/*
 * After a compaction or a repair another file has the name: index that one.  The names are compared, for a second name
 * (a backup by cp -l) may keep the old file alive.  When the new one cannot be opened the old one stays, to try again.
 */
static enum err follow_name(struct log *l, struct stat *st, struct errinfo *e)
{
	struct log fresh = { .dirfd = l->dirfd };
	struct stat named;
	enum err rc;

	if (fstatat(l->dirfd, "tasks.log", &named, AT_SYMLINK_NOFOLLOW) < 0 || fstat(l->fd, st) < 0)
		return err_set(e, ERR_IO, errno, "stat state/tasks.log");
	if (named.st_ino == st->st_ino)
		return ERR_OK;
	if ((rc = open_file(&fresh, 0, e)) != ERR_OK)
		return rc;
	log_close(l);
	*l = fresh;
	return fstat(l->fd, st) == 0 ? ERR_OK : err_set(e, ERR_IO, errno, "stat state/tasks.log");
}

/*
 * Read and index what lies behind l->end, as far as buf goes.  A reader holds no lock: a torn tail may just be cut and
 * written over while it reads, half of the old and half of the new.  So bad lines are read again; damage stays as it is.
 */
static enum err take_piece(struct log *l, char *buf, size_t size, size_t *got, struct errinfo *e)
{
	enum err rc = ERR_OK;

	for (int tries = 0; tries < READ_TRIES; tries++) {
		if ((rc = read_at(l, l->end, buf, size, got, e)) != ERR_OK || take_lines(l, buf, *got))
			return rc;
	}
	return damaged(l, e);
}

enum err log_catch_up(struct log *l, struct errinfo *e)
{
	struct stat st;
	size_t size = READ_CHUNK;
	enum err rc = ERR_OK;
	char *buf;

	if ((rc = follow_name(l, &st, e)) != ERR_OK)
		return rc;
	if (l->damage >= 0)
		return damaged(l, e);
	if (st.st_size == l->end)
		return ERR_OK;
	if (st.st_size < l->end) /* a torn tail never was in the index: this is somebody else's knife */
		return damaged(l, e);
	if ((int64_t)size > st.st_size - l->end)
		size = (size_t)(st.st_size - l->end);
	buf = xmalloc(size);
	for (;;) {
		size_t got;
		int64_t before = l->end;
		if ((rc = take_piece(l, buf, size, &got, e)) != ERR_OK || got < size)
			break;
		if (l->end == before) { /* one line is longer than the buffer */
			size *= 2;
			buf = xrealloc(buf, size);
		}
		if (l->end >= st.st_size)
			break;
	}
	free(buf);
	return rc;
}

static enum err cut_hole(struct log *l, const char *tail, size_t len, struct errinfo *e)
{
	char aside[64];

	(void)snprintf(aside, sizeof aside, "tasks.log.torn-%lld", (long long)time(NULL));
	enum err rc = file_replace(l->dirfd, aside, tail, len, 0600, e);
	if (rc != ERR_OK)
		return rc;
	if (ftruncate(l->fd, (off_t)l->damage) < 0 || fdatasync(l->fd) < 0)
		return err_set(e, ERR_IO, errno, "cut what a power cut left of state/tasks.log");
	log_event(LOG_WARN, "store.torn_tail", LOG_I("offset", l->damage), LOG_I("bytes", len), LOG_S("kept", aside));
	l->damage = -1;
	return ERR_OK;
}

enum err log_mend(struct log *l, struct errinfo *e)
{
	struct stat st;
	enum err rc;
	size_t got;

	if (fstat(l->fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "stat state/tasks.log");
	if (l->damage < 0 || st.st_size <= l->damage || st.st_size - l->damage > UNSYNCED_MAX)
		return ERR_OK;
	size_t len = (size_t)(st.st_size - l->damage);
	char *tail = xmalloc(len);
	if ((rc = read_at(l, l->damage, tail, len, &got, e)) == ERR_OK && got == len) {
		const char *nl = memchr(tail, '\n', len);
		if (memchr(tail, '\0', nl != NULL ? (size_t)(nl - tail) : len) != NULL)
			rc = cut_hole(l, tail, len, e);
	}
	free(tail);
	return rc;
}

/*
 * A write that was cut short never ends with a whole record and one byte more: that byte was the newline of a record that
 * somebody was promised, and something has damaged it.
 */
static bool lost_newline(struct log *l, int64_t size)
{
	struct record_head h;
	struct errinfo e;
	size_t len = (size_t)(size - l->end), got;
	char *tail = xmalloc(len);
	bool lost = read_at(l, l->end, tail, len, &got, &e) == ERR_OK && got == len && len > 1;

	lost = lost && record_read(tail, len - 1, &h);
	free(tail);
	return lost;
}

static enum err cut_torn_tail(struct log *l, struct errinfo *e)
{
	struct stat st;

	if (fstat(l->fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "stat state/tasks.log");
	if (st.st_size == l->end)
		return ERR_OK;
	if (lost_newline(l, st.st_size))
		return damaged(l, e);
	log_event(LOG_WARN, "store.torn_tail", LOG_I("offset", l->end), LOG_I("bytes", st.st_size - l->end));
	if (ftruncate(l->fd, (off_t)l->end) < 0)
		return err_set(e, ERR_IO, errno, "cut the torn tail of state/tasks.log");
	return ERR_OK;
}

enum err log_append(struct log *l, const char *lines, size_t len, struct errinfo *e)
{
	enum err rc = cut_torn_tail(l, e);
	ssize_t n;

	if (rc != ERR_OK)
		return rc;
	do {
		n = write(l->fd, lines, len); /* O_APPEND: at the end, which is l->end */
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return take_lines(l, lines, len) ? ERR_OK : damaged(l, e);
	/* A short write leaves a torn tail.  It stays for the next holder of the lock: whole lines in it may have been
	 * seen by readers already. */
	int why = n < 0 ? errno : ENOSPC;
	if (why == ENOSPC || why == EDQUOT)
		return err_set(e, ERR_DISK_FULL, 0, "no room for the change; nothing changed: free some disk space");
	return err_set(e, ERR_IO, why, "write state/tasks.log");
}

enum err log_sync(struct log *l, struct errinfo *e)
{
	if (fdatasync(l->fd) < 0)
		return err_set(e, ERR_IO, errno, "sync state/tasks.log");
	return ERR_OK;
}

enum err log_line(struct log *l, struct place p, struct arena *a, const char **json, size_t *len,
		  struct errinfo *e)
{
	char *buf = arena_alloc(a, (size_t)p.len + 1);
	struct record_head h;
	size_t got;
	enum err rc = read_at(l, p.off, buf, p.len, &got, e);

	if (rc != ERR_OK)
		return rc;
	if (got != p.len || !record_read(buf, p.len, &h))
		return err_set(e, ERR_CORRUPT, 0, "the task log is damaged at byte %lld", (long long)p.off);
	*json = buf + RECORD_HEAD;
	*len = p.len - RECORD_HEAD;
	return ERR_OK;
}

enum err log_raw_line(struct log *l, struct place p, struct strbuf *out, struct errinfo *e)
{
	char *to = strbuf_grow(out, (size_t)p.len + 1);
	struct record_head h;
	size_t got;
	enum err rc = read_at(l, p.off, to, p.len, &got, e);

	if (rc != ERR_OK)
		return rc;
	if (got != p.len || !record_read(to, p.len, &h))
		return err_set(e, ERR_CORRUPT, 0, "the task log is damaged at byte %lld", (long long)p.off);
	out->len += p.len;
	out->buf[out->len] = '\0';
	strbuf_putc(out, '\n');
	return ERR_OK;
}

enum err log_copy_tail(struct log *l, int64_t from, int fd, struct errinfo *e)
{
	char *buf = xmalloc(READ_CHUNK);
	enum err rc = ERR_OK;

	while (rc == ERR_OK && from < l->end) {
		size_t want = l->end - from < READ_CHUNK ? (size_t)(l->end - from) : READ_CHUNK, got;
		if ((rc = read_at(l, from, buf, want, &got, e)) != ERR_OK)
			break;
		if (got == 0)
			rc = err_set(e, ERR_IO, 0, "state/tasks.log became shorter");
		else if (write_all(fd, buf, got) < 0)
			rc = err_set(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, errno, "write the compacted log");
		from += (int64_t)got;
	}
	free(buf);
	return rc;
}

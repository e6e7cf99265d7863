/*
 * Compaction and snapshots: work of the dispatcher, beside workers that go on.
 *
 * The live lines are copied without the lock; what was appended meanwhile follows as it is, under the lock, and then
 * the new file takes the old one's name.  Whoever has the old one open sees that it has no name any more (log_catch_up).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "model/codec.h"
#include "store/document.h"
#include "store/inside.h"

enum { COMPACT_MIN = 4 * 1024 * 1024, COMPACT_RATIO = 3, FLUSH = 1 << 20 };
#define COMPACTED "tasks.log.compact"

bool store_compact_due(const struct store *s)
{
	return s->log.damage < 0 && s->log.end > COMPACT_MIN && s->log.end / COMPACT_RATIO > s->log.index.live;
}

static enum err flush(struct strbuf *buf, int fd, size_t keep_below, struct errinfo *e)
{
	if (buf->len < keep_below)
		return ERR_OK;
	if (write_all(fd, buf->buf, buf->len) < 0)
		return err_set(e, errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO, errno, "write " COMPACTED);
	strbuf_reset(buf);
	return ERR_OK;
}

static enum err copy_task(struct log *l, int64_t id, struct strbuf *buf, struct errinfo *e)
{
	int slot = index_slot(&l->index, id);
	enum err rc = ERR_OK;

	if (slot == SLOT_NONE)
		return ERR_OK;
	const struct entry *en = index_entry(&l->index, id);
	if (slot >= SLOT_STATUS)
		rc = log_raw_line(l, en->fixed, buf, e);
	else if (!index_todo(&l->index, id))
		return ERR_OK; /* a tombstone with nothing left to do: its id stays used by next_id */
	return rc == ERR_OK ? log_raw_line(l, en->changing, buf, e) : rc;
}

/* Tombstones come last: a `del` needs ids below next_id. */
enum err log_copy_live(struct log *l, int fd, int64_t next_id, int64_t gen, struct errinfo *e)
{
	struct strbuf buf;
	enum err rc = ERR_OK;

	strbuf_init(&buf);
	record_log(&buf, 1, gen);
	for (int pass = 0; pass < 2 && rc == ERR_OK; pass++) {
		for (int64_t id = 1; id < l->index.next_id && rc == ERR_OK; id++) {
			bool live = index_slot(&l->index, id) >= SLOT_STATUS;
			if (live == (pass == 0) && (rc = copy_task(l, id, &buf, e)) == ERR_OK)
				rc = flush(&buf, fd, FLUSH, e);
		}
		if (pass == 0)
			record_log(&buf, next_id, gen);
	}
	if (rc == ERR_OK)
		rc = flush(&buf, fd, 0, e);
	strbuf_release(&buf);
	return rc;
}

static enum err sync_file(int fd, struct errinfo *e)
{
	return fsync(fd) < 0 ? err_set(e, ERR_IO, errno, "sync " COMPACTED) : ERR_OK;
}

/* A power cut after this may bring back the old log, without what is written to the new one from now on: nothing may be. */
static enum err sync_name(struct store *s, struct errinfo *e)
{
	struct errinfo mine;

	if (fsync(s->dirfd) == 0)
		return ERR_OK;
	err_set(&mine, ERR_IO, errno, "sync state/ for the compacted log");
	store_poison(s, &mine);
	if (e != NULL)
		*e = mine;
	return ERR_IO;
}

static enum err put_in_place(struct store *s, int64_t copied, int fd, ino_t old, struct errinfo *e)
{
	struct stat st;
	enum err rc;

	if (fstat(s->log.fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "stat state/tasks.log");
	if (st.st_ino != old)
		return err_set(e, ERR_BUSY, 0, "the log was replaced meanwhile; nothing changed, try again");
	if ((rc = log_copy_tail(&s->log, copied, fd, e)) != ERR_OK || (rc = sync_file(fd, e)) != ERR_OK)
		return rc;
	if (renameat(s->dirfd, COMPACTED, s->dirfd, "tasks.log") < 0)
		return err_set(e, ERR_IO, errno, "put the compacted log in place");
	return sync_name(s, e);
}

static enum err take_over(struct store *s, int64_t copied, int fd, ino_t old, struct errinfo *e)
{
	enum err rc = store_begin(s, e);

	if (rc != ERR_OK)
		return rc;
	rc = put_in_place(s, copied, fd, old, e);
	lock_drop(&s->lock);
	return rc;
}

/* Refused early: a copy that runs into the end of the disk takes the last room from those who work. */
static enum err room_for_copy(struct store *s, struct errinfo *e)
{
	struct statvfs fs;

	if (fstatvfs(s->dirfd, &fs) == 0 && (int64_t)(fs.f_bavail * fs.f_frsize) < s->log.index.live)
		return err_set(e, ERR_DISK_FULL, 0, "compaction needs %" PRId64 " bytes of disk space", s->log.index.live);
	return ERR_OK;
}

enum err store_compact(struct store *s, struct errinfo *e)
{
	enum err rc = store_catch_up(s, e);
	int64_t before = s->log.end;
	struct stat st;
	int fd;

	if (rc != ERR_OK)
		return rc;
	if (fstat(s->log.fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "stat state/tasks.log");
	if ((rc = room_for_copy(s, e)) != ERR_OK)
		return rc;
	fd = openat(s->dirfd, COMPACTED, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(e, ERR_IO, errno, "open " COMPACTED);
	/* Synced before the lock, so that the sync under it has little left to do. */
	if ((rc = log_copy_live(&s->log, fd, s->log.index.next_id, s->log.index.gen + 1, e)) == ERR_OK && (rc = sync_file(fd, e)) == ERR_OK)
		rc = take_over(s, before, fd, st.st_ino, e);
	close(fd);
	if (rc != ERR_OK) {
		(void)unlinkat(s->dirfd, COMPACTED, 0); /* worthless either way */
		return rc;
	}
	if ((rc = store_catch_up(s, e)) == ERR_OK)
		log_event(LOG_INFO, "store.compacted", LOG_I("before", before), LOG_I("after", s->log.end));
	return rc;
}

/* ---- the whole state as JSON ---- */
static enum err put(struct strbuf *text, int (*write)(void *, const char *, size_t), void *arg, struct errinfo *e)
{
	int rc = write(arg, text->buf, text->len);

	strbuf_reset(text);
	return rc == 0 ? ERR_OK : err_set(e, ERR_IO, 0, "the reader of the state went away");
}

/* Members that an adopted state had at its top. */
static enum err write_adopted(struct store *s, struct jw *w, struct errinfo *e)
{
	struct arena a = { 0 };
	struct json_object *o = NULL;
	char *text;
	size_t len;
	enum err rc = file_read(s->dirfd, "adopted.json", DOCUMENT_MAX, &a, &text, &len, e);

	if (rc == ERR_OK && (rc = json_parse(&a, text, len, &o, e)) == ERR_OK)
		jw_members(w, json_text(&a, o));
	arena_reset(&a);
	return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err store_export(struct store *s, int (*write)(void *arg, const char *p, size_t len), void *arg,
		      struct errinfo *e)
{
	struct strbuf text;
	struct jw w;

	strbuf_init(&text);
	jw_init(&w, &text);
	jw_object(&w, NULL);
	jw_array(&w, "tasks");
	enum err rc = put(&text, write, arg, e);
	for (int64_t id = 0; rc == ERR_OK && (id = store_next_live(s, id)) != 0;) {
		struct arena a = { 0 };
		struct task t;
		rc = store_get(s, &a, id, &t, e);
		if (rc == ERR_OK) {
			task_write_public(&w, NULL, &t);
			rc = put(&text, write, arg, e);
		} else if (rc == ERR_NOT_FOUND) {
			rc = ERR_OK; /* deleted meanwhile */
		}
		arena_reset(&a);
	}
	jw_array_end(&w);
	jw_i64(&w, "next_id", s->log.index.next_id);
	if (rc == ERR_OK)
		rc = write_adopted(s, &w, e);
	jw_object_end(&w);
	if (rc == ERR_OK)
		rc = put(&text, write, arg, e);
	strbuf_release(&text);
	return rc;
}

static int to_file(void *arg, const char *p, size_t len)
{
	return fwrite(p, 1, len, arg) == len ? 0 : -1;
}

enum err store_snapshot(struct store *s, struct errinfo *e)
{
	int fd = openat(s->dirfd, "state.json.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (f == NULL) {
		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_IO, errno, "open state.json.new");
	}
	enum err rc = store_export(s, to_file, f, e);
	if (rc == ERR_OK && (fflush(f) != 0 || fsync(fd) < 0))
		rc = err_set(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, errno, "write state.json.new");
	fclose(f);
	if (rc == ERR_OK && (renameat(s->dirfd, "state.json.new", s->dirfd, "state.json") < 0 || fsync(s->dirfd) < 0))
		rc = err_set(e, ERR_IO, errno, "put state.json in place");
	if (rc != ERR_OK)
		(void)unlinkat(s->dirfd, "state.json.new", 0); /* the old one stands */
	return rc;
}

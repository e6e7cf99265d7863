#include "store/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "core/number.h"
#include "model/codec.h"
#include "store/document.h"
#include "store/inside.h"

enum { FLUSH = 1 << 20, UPLOAD_S = 600 };
#define REPAIRED "tasks.log.repaired"

struct check {
	int dirfd, out; /* state/; the repaired log, -1: none is written */
	bool repair, log_bad;
	void (*say)(const char *line);
	struct findings *found;
	struct arena a; /* of the whole check */
	time_t now;
	struct index index;
	int64_t next_id; /* behind all ids that a line with a good checksum speaks of */
	struct log log;	    /* the file that the index speaks of */
	struct strbuf good; /* lines on their way to `out` */
	const struct task *owner; /* of the artifacts being looked at */
	int64_t owner_id;
};

__attribute__((format(printf, 2, 3))) static void fault(struct check *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->found->faults++;
	c->say(text);
}

/* ---- the log ---- */
static bool readable(const char *json, size_t len)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct task t = { 0 };
	struct errinfo e;
	bool ok = json_parse(&a, json, len, &o, &e) == ERR_OK && task_read(&a, o, &t, &e) == ERR_OK;

	arena_reset(&a);
	return ok;
}

static void log_fault(struct check *c, int64_t off, size_t len, const char *what)
{
	c->log_bad = true;
	fault(c, "tasks.log, byte %" PRId64 ": a line of %zu bytes %s", off, len, what);
}

/* true: the line is good. */
static bool check_line(struct check *c, const char *line, struct place p)
{
	struct record_head h;

	c->found->lines++;
	if (!record_read(line, p.len, &h)) {
		log_fault(c, p.off, p.len, "does not fit its checksum");
		return false;
	}
	if (h.id < TASK_ID_MAX && h.id + (h.kind == RECORD_LOG ? 0 : 1) > c->next_id)
		c->next_id = h.id + (h.kind == RECORD_LOG ? 0 : 1);
	if (!readable(line + RECORD_HEAD, p.len - RECORD_HEAD))
		log_fault(c, p.off, p.len, "cannot be read as a record");
	else if (!index_apply(&c->index, &h, p))
		log_fault(c, p.off, p.len, "contradicts the lines before it");
	else
		return true;
	return false;
}

static enum err keep_line(struct check *c, const char *line, size_t len, struct errinfo *e)
{
	if (c->out < 0)
		return ERR_OK;
	strbuf_add(&c->good, line, len);
	if (c->good.len < FLUSH)
		return ERR_OK;
	if (write_all(c->out, c->good.buf, c->good.len) < 0)
		return err_set(e, errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO, errno, "write " REPAIRED);
	strbuf_reset(&c->good);
	return ERR_OK;
}

/* Line by line; a line longer than the buffer makes the buffer longer. */
static enum err walk_log(struct check *c, FILE *f, struct errinfo *e)
{
	char *line = NULL;
	size_t room = 0;
	int64_t off = 0;
	ssize_t n;
	enum err rc = ERR_OK;

	while (rc == ERR_OK && (n = getline(&line, &room, f)) > 0) {
		struct place p = { .off = off, .len = (uint32_t)(n - 1) };
		if (line[n - 1] != '\n') {
			c->log_bad = true;
			fault(c, "tasks.log, byte %" PRId64 ": %zd bytes behind the last whole line (the next change would cut them off)",
			      off, n);
		} else if (check_line(c, line, p)) {
			rc = keep_line(c, line, (size_t)n, e);
		}
		off += n;
	}
	if (rc == ERR_OK && ferror(f))
		rc = err_set(e, ERR_IO, errno, "read state/tasks.log");
	free(line);
	return rc;
}

/* Of a task whose beginning or newest line is gone: a `new` alone is no task, and one that lost a change is an older one. */
static void say_lost(struct check *c)
{
	for (int64_t id = 1; id < c->index.next_id; id++) {
		if (index_slot(&c->index, id) == SLOT_DELETED && index_entry(&c->index, id)->changing.len == 0)
			fault(c, "task %" PRId64 " has a beginning and nothing more: it is not shown", id);
		c->found->tasks += index_slot(&c->index, id) >= SLOT_STATUS ? 1 : 0;
	}
}

/* The good lines, and last that the ids of the bad ones stay used. */
static enum err finish_log(struct check *c, int64_t next_id, struct errinfo *e)
{
	record_log(&c->good, next_id, c->index.gen + 1);
	if (write_all(c->out, c->good.buf, c->good.len) < 0 || fsync(c->out) < 0)
		return err_set(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, errno, "write " REPAIRED);
	const char *aside = arena_printf(&c->a, "tasks.log.damaged-%lld", (long long)c->now);
	if (linkat(c->dirfd, "tasks.log", c->dirfd, aside, 0) < 0)
		return err_set(e, ERR_IO, errno, "keep the log as %s", aside);
	if (renameat(c->dirfd, REPAIRED, c->dirfd, "tasks.log") < 0 || fsync(c->dirfd) < 0)
		return err_set(e, ERR_IO, errno, "put the repaired log in place");
	c->say(arena_printf(&c->a, "repaired: tasks.log has the good lines; as it was it stays as state/%s", aside));
	return ERR_OK;
}

static enum err pass_log(struct check *c, struct errinfo *e)
{
	int fd = openat(c->dirfd, "tasks.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (f == NULL) {
		int why = errno;
		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_IO, why, "open state/tasks.log");
	}
	c->log.fd = dup(fd);
	enum err rc = c->log.fd >= 0 ? walk_log(c, f, e) : err_set(e, ERR_IO, errno, "open state/tasks.log again");
	fclose(f);
	return rc;
}

static void silent(const char *line)
{
	(void)line;
}

/* A second pass writes what the first one found good: both judge alike, and a sound log is read once. */
static enum err repair_log(struct check *c, struct errinfo *e)
{
	struct findings ignored = { 0 };
	struct check again = { .dirfd = c->dirfd, .say = silent, .found = &ignored, .now = c->now, .log.fd = -1 };
	enum err rc;

	again.out = openat(c->dirfd, REPAIRED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (again.out < 0)
		return err_set(e, ERR_IO, errno, "open " REPAIRED);
	index_init(&again.index);
	strbuf_init(&again.good);
	rc = pass_log(&again, e);
	again.say = c->say;
	if (rc == ERR_OK)
		rc = finish_log(&again, again.next_id, e);
	if (rc != ERR_OK)
		(void)unlinkat(c->dirfd, REPAIRED, 0); /* worthless */
	close(again.out);
	if (again.log.fd >= 0)
		close(again.log.fd);
	strbuf_release(&again.good);
	index_release(&again.index);
	arena_reset(&again.a);
	return rc;
}

static enum err check_log(struct check *c, struct errinfo *e)
{
	enum err rc = pass_log(c, e);

	if (rc == ERR_OK)
		say_lost(c);
	if (rc == ERR_OK && c->repair && c->log_bad)
		rc = repair_log(c, e);
	return rc;
}

/* ---- the other files ---- */
static void put_aside(struct check *c, int dirfd, const char *name, const char *shown)
{
	const char *aside = arena_printf(&c->a, "%s.damaged-%lld", shown, (long long)c->now);

	/* from wherever it is to state/ itself: an artifact's directory may go */
	for (char *p = strchr(aside, '/'); p != NULL; p = strchr(p, '/'))
		*p = '-';
	if (renameat(dirfd, name, c->dirfd, aside) == 0)
		c->say(arena_printf(&c->a, "repaired: it is now state/%s", aside));
	else
		c->say(arena_printf(&c->a, "it cannot be moved: %s", strerror(errno)));
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

static void check_document(struct check *c, const char *name)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	char *text;
	size_t len;

	if (strcmp(name, "state.json") == 0)
		return; /* a copy for other programs */
	if (file_read(c->dirfd, name, DOCUMENT_MAX, &a, &text, &len, &e) != ERR_OK)
		fault(c, "%s cannot be read: %s", name, e.what);
	else if (json_parse(&a, text, len, &o, &e) != ERR_OK || !json_is_object(o)) {
		fault(c, "%s is no JSON object", name);
		if (c->repair)
			put_aside(c, c->dirfd, name, name);
	}
	arena_reset(&a);
}

/* Calls fn for every name in a directory below dirfd that does not begin with a dot; a missing directory has none. */
static enum err each_name(struct check *c, int dirfd, const char *dir, void (*fn)(struct check *, int, const char *),
			  struct errinfo *e)
{
	int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (d == NULL) {
		int why = errno;
		if (fd >= 0)
			close(fd);
		return why == ENOENT ? ERR_OK : err_set(e, ERR_IO, why, "open state/%s", dir);
	}
	while ((entry = readdir(d)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			fn(c, fd, entry->d_name);
	}
	closedir(d);
	return ERR_OK;
}

static void check_name(struct check *c, int dirfd, const char *name)
{
	(void)dirfd;
	if (ends_with(name, ".json"))
		check_document(c, name);
}

/* ---- artifacts ---- */
/* ERR_OK also for a task without any, which is not parsed: most have none. */
static enum err read_artifacts(struct check *c, struct arena *a, int64_t id, struct task *t)
{
	static const char some[] = "\"artifacts\":[{";
	struct json_object *o;
	struct errinfo e;
	const char *text;
	size_t len;
	enum err rc;

	memset(t, 0, sizeof *t);
	if (index_slot(&c->index, id) < SLOT_STATUS)
		return ERR_NOT_FOUND;
	if ((rc = log_line(&c->log, index_entry(&c->index, id)->changing, a, &text, &len, &e)) != ERR_OK ||
	    memmem(text, len, some, sizeof some - 1) == NULL)
		return rc;
	rc = json_parse(a, text, len, &o, &e);
	return rc == ERR_OK ? task_read(a, o, t, &e) : rc;
}

static bool lists(const struct task *t, const char *name)
{
	for (size_t i = 0; i < t->artifact_count; i++) {
		if (strcmp(t->artifacts[i].name, name) == 0)
			return true;
	}
	return false;
}

static void check_artifact(struct check *c, int dirfd, const char *name)
{
	struct stat st;

	c->found->artifacts++;
	if (lists(c->owner, name))
		return;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime > c->now - UPLOAD_S)
		return; /* an upload may be under way */
	fault(c, "artifacts/%" PRId64 "/%s: no task lists it", c->owner_id, name);
	if (c->repair)
		put_aside(c, dirfd, name, arena_printf(&c->a, "artifacts/%" PRId64 "/%s", c->owner_id, name));
}

static void check_artifact_dir(struct check *c, int dirfd, const char *name)
{
	struct arena a = { 0 };
	struct errinfo e;
	struct task t;
	int64_t id;

	if (number_parse(name, 1, TASK_ID_MAX, &id) < 0) {
		fault(c, "artifacts/%s belongs to no task", name);
		return;
	}
	(void)read_artifacts(c, &a, id, &t); /* no such task: it lists nothing */
	c->owner = &t;
	c->owner_id = id;
	if (each_name(c, dirfd, name, check_artifact, &e) != ERR_OK)
		fault(c, "%s", e.what);
	if (c->repair)
		(void)unlinkat(dirfd, name, AT_REMOVEDIR); /* when it is empty now */
	arena_reset(&a);
}

static void check_listed(struct check *c)
{
	for (int64_t id = 1; id < c->index.next_id; id++) {
		struct arena a = { 0 };
		struct task t;
		enum err rc = read_artifacts(c, &a, id, &t);
		for (size_t i = 0; rc == ERR_OK && i < t.artifact_count; i++) {
			const char *path = arena_printf(&a, "artifacts/%" PRId64 "/%s", id, t.artifacts[i].name);
			if (faccessat(c->dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
				fault(c, "%s is missing, though its task lists it", path);
		}
		arena_reset(&a);
	}
}

enum err store_check(const char *var, bool repair, void (*say)(const char *line), struct findings *out, struct errinfo *e)
{
	struct check c = { .repair = repair, .out = -1, .say = say, .found = out, .now = time(NULL), .log.fd = -1 };
	struct lock lock;
	enum err rc;

	*out = (struct findings){ 0 };
	c.dirfd = open(arena_printf(&c.a, "%s/state", var), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.dirfd < 0)
		return err_set(e, ERR_IO, errno, "open %s/state", var);
	index_init(&c.index);
	strbuf_init(&c.good);
	if ((rc = lock_open(&lock, c.dirfd, e)) == ERR_OK) {
		if ((rc = lock_take(&lock, e)) == ERR_OK) {
			if ((rc = check_log(&c, e)) == ERR_OK && (rc = each_name(&c, c.dirfd, ".", check_name, e)) == ERR_OK &&
			    !c.log_bad && (rc = each_name(&c, c.dirfd, "artifacts", check_artifact_dir, e)) == ERR_OK)
				check_listed(&c);
			lock_drop(&lock);
		}
		lock_close(&lock);
	}
	if (c.log.fd >= 0)
		close(c.log.fd);
	strbuf_release(&c.good);
	index_release(&c.index);
	close(c.dirfd);
	arena_reset(&c.a);
	return rc;
}

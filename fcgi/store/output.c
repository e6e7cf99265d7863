#include "store/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

enum { MARKS_MAX = 256 * 1024 };
#include "core/rand.h"

static const char *const suffixes[] = { "log", "film", "marks" };

static char *output_path(struct arena *a, const char *var, int64_t task, const char *sid, enum output_part part)
{
	return arena_printf(a, "%s/log/sessions/%" PRId64 "-%s.%s", var, task, sid, suffixes[part]);
}

/* An adopted session may be called anything: only plain names become part of a path. */
static bool plain_name(const char *sid)
{
	size_t len = strlen(sid);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)sid[i]) && sid[i] != '-' && sid[i] != '_')
			return false;
	}
	return len > 0 && len <= 32;
}

static char *artifact_dir(struct arena *a, const char *var, int64_t task)
{
	return arena_printf(a, "%s/state/artifacts/%" PRId64, var, task);
}

static enum err open_sized(const char *path, int *fd, int64_t *len, struct errinfo *e)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "nothing is kept there");
	if (*fd < 0)
		return err_set(e, ERR_IO, errno, "open %s", path);
	if (fstat(*fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(*fd);
		*fd = -1;
		return err_set(e, ERR_IO, 0, "%s is not a file", path);
	}
	*len = st.st_size;
	return ERR_OK;
}

enum err output_open_part(const char *var, int64_t task, const char *sid, enum output_part part, int *fd, int64_t *len,
			  struct errinfo *e)
{
	struct arena a = { 0 };

	if (!plain_name(sid))
		return err_set(e, ERR_NOT_FOUND, 0, "nothing is kept there");
	enum err rc = open_sized(output_path(&a, var, task, sid, part), fd, len, e);
	arena_reset(&a);
	return rc;
}

enum err output_open(const char *var, int64_t task, const char *sid, int *fd, int64_t *len, struct errinfo *e)
{
	return output_open_part(var, task, sid, OUTPUT_LOG, fd, len, e);
}

int64_t output_size(const char *var, int64_t task, const char *sid, enum output_part part)
{
	struct arena a = { 0 };
	struct stat st;

	if (!plain_name(sid))
		return 0;
	int64_t size = stat(output_path(&a, var, task, sid, part), &st) == 0 ? st.st_size : 0;

	arena_reset(&a);
	return size;
}

static enum err append_at(int fd, int64_t at, const void *buf, size_t len, struct errinfo *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "stat a session's output");
	if (st.st_size != at)
		return err_set(e, ERR_CONFLICT, 0, "the copy has %lld bytes, not %lld", (long long)st.st_size,
			       (long long)at);
	if (write_all(fd, buf, len) == 0)
		return ERR_OK;
	int why = errno;
	if (ftruncate(fd, (off_t)at) < 0)
		why = errno;
	return err_set(e, why == ENOSPC || why == EDQUOT ? ERR_DISK_FULL : ERR_IO, why, "write a session's output");
}

enum err output_append(const char *var, int64_t task, const char *sid, enum output_part part, int64_t at,
		       const void *buf, size_t len, struct errinfo *e)
{
	struct arena a = { 0 };

	if (!plain_name(sid))
		return err_set(e, ERR_BAD_INPUT, 0, "%.20s is no session's name", sid);
	const char *path = output_path(&a, var, task, sid, part);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum err rc;

	if (fd < 0) {
		rc = err_set(e, ERR_IO, errno, "open %s", path);
	} else {
		rc = append_at(fd, at, buf, len, e);
		close(fd);
	}
	arena_reset(&a);
	return rc;
}

void output_mark(const char *var, int64_t task, const char *sid, int64_t now, const char *text)
{
	struct arena a = { 0 };
	struct stat st;
	int fd = plain_name(sid) ? open(output_path(&a, var, task, sid, OUTPUT_MARKS),
					O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600) :
				   -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size < MARKS_MAX) {
		const char *line = arena_printf(&a, "%" PRId64 " %.200s\n", now, text);
		(void)write_all(fd, line, strlen(line));
	}
	if (fd >= 0)
		close(fd);
	arena_reset(&a);
}

void output_remove(const char *var, int64_t task, const char *sid)
{
	struct arena a = { 0 };

	if (!plain_name(sid))
		return;
	for (int part = OUTPUT_LOG; part <= OUTPUT_MARKS; part++) /* may never have been written */
		(void)unlink(output_path(&a, var, task, sid, (enum output_part)part));
	arena_reset(&a);
}

bool artifact_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > ARTIFACT_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c >= 0x80 || (!isalnum(c) && c != '.' && c != '_' && c != '-'))
			return false;
	}
	return len < 4 || strcmp(name + len - 4, ".new") != 0; /* file_replace's own */
}

static int open_artifact_dir(struct arena *a, const char *var, int64_t task, struct errinfo *e)
{
	const char *dir = artifact_dir(a, var, task);
	int dirfd = -1;

	if (make_dir(AT_FDCWD, arena_printf(a, "%s/state/artifacts", var), 0700) < 0 || make_dir(AT_FDCWD, dir, 0700) < 0 ||
	    (dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		err_set(e, errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO, errno, "make %s", dir);
	return dirfd;
}

enum err artifact_stage(const char *var, int64_t task, const void *buf, size_t len, struct staged *out,
			struct errinfo *e)
{
	struct arena a = { 0 };
	int dirfd = open_artifact_dir(&a, var, task, e);
	enum err rc = dirfd < 0 ? e->code : ERR_OK;
	char random[17];

	*out = (struct staged){ .task = task };
	if (rc == ERR_OK) {
		rand_hex(random, 8);
		(void)snprintf(out->name, sizeof out->name, ".%s", random); /* no artifact's name begins with a dot */
		rc = file_replace(dirfd, out->name, buf, len, 0600, e);
		close(dirfd);
	}
	arena_reset(&a);
	return rc;
}

enum err artifact_keep(const char *var, const struct staged *s, const char *name, struct errinfo *e)
{
	struct arena a = { 0 };
	int dirfd = open_artifact_dir(&a, var, s->task, e);
	enum err rc = dirfd < 0 ? e->code : ERR_OK;

	if (rc == ERR_OK && (renameat(dirfd, s->name, dirfd, name) < 0 || fsync(dirfd) < 0))
		rc = err_set(e, ERR_IO, errno, "keep the artifact %s of task %" PRId64, name, s->task);
	if (dirfd >= 0)
		close(dirfd);
	arena_reset(&a);
	return rc;
}

void artifact_drop(const char *var, const struct staged *s)
{
	if (*s->name != '\0')
		artifact_remove(var, s->task, s->name);
}

enum err artifact_open(const char *var, int64_t task, const char *name, int *fd, int64_t *len,
		       struct errinfo *e)
{
	struct arena a = { 0 };
	enum err rc = open_sized(arena_printf(&a, "%s/%s", artifact_dir(&a, var, task), name), fd, len, e);

	arena_reset(&a);
	return rc;
}

void artifact_remove(const char *var, int64_t task, const char *name)
{
	struct arena a = { 0 };
	const char *dir = artifact_dir(&a, var, task);

	(void)unlink(arena_printf(&a, "%s/%s", dir, name));
	(void)rmdir(dir); /* succeeds with the last one */
	arena_reset(&a);
}

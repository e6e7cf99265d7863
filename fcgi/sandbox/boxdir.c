#include "sandbox/boxdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/number.h"

enum { RECORD_MAX = 4096 };

bool sandbox_id_valid(const char *s)
{
	return strlen(s) == SANDBOX_ID - 1 && strspn(s, "0123456789abcdef") == SANDBOX_ID - 1;
}

static enum err io(struct errinfo *e, const char *what)
{
	enum err code = errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO;

	return err_set(e, code, errno, "sandbox directory: %s", what);
}

enum err boxdir_open(int root, const char *id, int *fd, struct errinfo *e)
{
	*fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd >= 0)
		return ERR_OK;
	if (errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "sandbox %s is not known here", id);
	return io(e, "open");
}

enum err boxdir_claim(int root, const char *id, int *fd, int *lock, struct errinfo *e)
{
	enum err rc = ERR_OK;

	*lock = -1;
	if (make_dir(root, id, 0700) < 0)
		return io(e, "create");
	rc = boxdir_open(root, id, fd, e);
	if (rc != ERR_OK)
		return rc;
	*lock = openat(*fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*lock < 0)
		rc = io(e, "lock file");
	else if (flock(*lock, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK ? err_set(e, ERR_BUSY, 0, "the sandbox is being started")
					  : io(e, "lock");
	else if (make_dir(*fd, "workspace", 0700) < 0 || make_dir(*fd, "home", 0700) < 0)
		rc = io(e, "workspace");
	if (rc == ERR_OK)
		return ERR_OK;
	if (*lock >= 0)
		close(*lock);
	close(*fd);
	*fd = *lock = -1;
	return rc;
}

bool boxdir_alive(int fd)
{
	int lock = openat(fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (lock < 0)
		return false;
	bool held = flock(lock, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(lock);
	return held;
}

bool boxdir_begun(int fd, struct begun *out)
{
	struct arena a = { 0 };
	char *text = NULL;
	int64_t ms = 0, pid = 0;
	bool ok = false;

	if (file_read(fd, "begun", 64, &a, &text, NULL, NULL) == ERR_OK) {
		char *space = strchr(text, ' ');
		char *end = strchr(text, '\n');
		if (space != NULL && end != NULL) {
			*space = *end = '\0';
			ok = number_parse(text, 0, NUMBER_MAX, &ms) == 0 &&
			     number_parse(space + 1, 1, INT_MAX, &pid) == 0;
		}
		if (out != NULL) {
			out->started_ms = ms;
			out->shim = ok ? (pid_t)pid : 0;
		}
		ok = true; /* a damaged one is still one: never start twice */
	}
	arena_reset(&a);
	return ok;
}

bool boxdir_killed(int fd)
{
	return faccessat(fd, "killed", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = from != NULL ? strnlen(from, size - 1) : 0;

	if (len > 0)
		memcpy(to, from, len);
	to[len] = '\0';
}

bool boxdir_record(int fd, struct exit_record *out)
{
	struct arena a = { 0 };
	struct json_object *o = NULL;
	const char *reason = NULL, *error = NULL, *ended = NULL;
	char *text = NULL;
	size_t len = 0;

	memset(out, 0, sizeof *out);
	bool ok = file_read(fd, "exit", RECORD_MAX, &a, &text, &len, NULL) == ERR_OK;
	if (ok && json_parse(&a, text, len, &o, NULL) == ERR_OK) {
		out->has_code = jr_has(o, "exitCode") &&
				jr_i64_opt(o, "exitCode", 0, 255, &out->code, NULL) == ERR_OK;
		(void)jr_str_opt(o, "reason", 1, sizeof out->reason - 1, &reason, NULL);
		(void)jr_str_opt(o, "error", 1, sizeof out->error - 1, &error, NULL);
		(void)jr_str_opt(o, "endedAt", 1, sizeof out->ended - 1, &ended, NULL);
	}
	copy_text(out->reason, sizeof out->reason, reason);
	copy_text(out->error, sizeof out->error, error);
	copy_text(out->ended, sizeof out->ended, ended);
	if (ok && reason == NULL) { /* not one of ours: it says no more than that the box ended */
		copy_text(out->reason, sizeof out->reason, "error");
		copy_text(out->error, sizeof out->error, "the exit record is damaged");
	}
	arena_reset(&a);
	return ok;
}

enum err boxdir_mark_killed(int root, int fd, bool sync, struct errinfo *e)
{
	int mark = openat(fd, "killed", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (mark < 0)
		return io(e, "mark as killed");
	close(mark);
	if (sync && (fsync(fd) < 0 || fsync(root) < 0))
		return io(e, "sync the mark");
	return ERR_OK;
}

#include "store/document.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/file.h"
#include "store/lock.h"
#include "store/mark.h"

static int open_state(const char *var, struct arena *a, struct errinfo *e)
{
	int dirfd = open(arena_printf(a, "%s/state", var), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		err_set(e, ERR_IO, errno, "open %s/state", var);
	return dirfd;
}

static enum err read_at(int dirfd, const char *name, struct arena *a, struct json_object **out,
			struct errinfo *e)
{
	char *text;
	size_t len;
	enum err rc = file_read(dirfd, name, DOCUMENT_MAX, a, &text, &len, e);

	*out = NULL;
	if (rc == ERR_NOT_FOUND)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	if (json_parse(a, text, len, out, e) != ERR_OK || !json_is_object(*out))
		return err_set(e, ERR_CORRUPT, 0, "state/%s is not a JSON object", name);
	return ERR_OK;
}

enum err document_read(const char *var, const char *name, struct arena *a, struct json_object **out,
		       struct errinfo *e)
{
	int dirfd = open_state(var, a, e);

	if (dirfd < 0)
		return ERR_IO;
	enum err rc = read_at(dirfd, name, a, out, e);
	close(dirfd);
	return rc;
}

/* What is larger could not be read again. */
static enum err replace_at(int dirfd, const char *name, const struct strbuf *text, struct errinfo *e)
{
	if (text->len > DOCUMENT_MAX)
		return err_set(e, ERR_TOO_LARGE, 0, "%s would be larger than %d bytes; remove something first", name,
			       DOCUMENT_MAX);
	return file_replace(dirfd, name, text->buf, text->len, 0600, e);
}

static bool is_read_only(int dirfd)
{
	int var_fd = openat(dirfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool yes = var_fd >= 0 && mark_is_set(var_fd);

	if (var_fd >= 0)
		close(var_fd);
	return yes;
}

/* The same disk as the log's: what fails here is known to every process. */
static void poison(int dirfd, const struct errinfo *why)
{
	int var_fd = openat(dirfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (var_fd < 0)
		return;
	(void)mark_set(var_fd, why);
	close(var_fd);
}

enum err document_change(const char *var, const char *name, struct arena *a, document_fn *fn, void *arg,
			 struct errinfo *e)
{
	struct json_object *old;
	struct strbuf text;
	struct lock lock;
	struct errinfo mine;
	int dirfd = open_state(var, a, e);
	enum err rc;

	if (dirfd < 0)
		return ERR_IO;
	if (is_read_only(dirfd)) {
		close(dirfd);
		return mark_refuse(e);
	}
	if ((rc = lock_open(&lock, dirfd, e)) != ERR_OK) {
		close(dirfd);
		return rc;
	}
	strbuf_init(&text);
	if ((rc = lock_take(&lock, &mine)) == ERR_OK) {
		if ((rc = read_at(dirfd, name, a, &old, &mine)) == ERR_OK && (rc = fn(old, &text, arg, &mine)) == ERR_OK &&
		    (rc = replace_at(dirfd, name, &text, &mine)) == ERR_IO && mine.sys == EIO)
			poison(dirfd, &mine);
		lock_drop(&lock);
	}
	if (rc != ERR_OK && e != NULL)
		*e = mine;
	strbuf_release(&text);
	lock_close(&lock);
	close(dirfd);
	return rc;
}

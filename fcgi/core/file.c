#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int make_dir(int dirfd, const char *name, mode_t mode)
{
	struct stat st;

	if (mkdirat(dirfd, name, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (fstatat(dirfd, name, &st, 0) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return 0;
	errno = ENOTDIR;
	return -1;
}

static enum err read_fd(int fd, const char *name, size_t max, struct arena *a, char **out, size_t *len,
			struct errinfo *e)
{
	struct stat st;
	size_t got = 0;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_IO, errno, "stat %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_IO, 0, "%s: not a file", name);
	if ((size_t)st.st_size > max)
		return err_set(e, ERR_TOO_LARGE, 0, "%s: larger than %zu bytes", name, max);
	char *buf = arena_alloc(a, (size_t)st.st_size + 1);
	while (got < (size_t)st.st_size) {
		ssize_t n = read(fd, buf + got, (size_t)st.st_size - got);
		if (n < 0)
			return err_set(e, ERR_IO, errno, "read %s", name);
		if (n == 0)
			break;
		got += (size_t)n;
	}
	buf[got] = '\0';
	*out = buf;
	if (len != NULL)
		*len = got;
	return ERR_OK;
}

enum err file_read(int dirfd, const char *name, size_t max, struct arena *a, char **out, size_t *len,
		   struct errinfo *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOT_FOUND, 0, "%s: no such file", name);
	if (fd < 0)
		return err_set(e, ERR_IO, errno, "open %s", name);
	enum err rc = read_fd(fd, name, max, a, out, len, e);
	close(fd);
	return rc;
}

enum err file_replace(int dirfd, const char *name, const void *buf, size_t len, mode_t mode,
		      struct errinfo *e)
{
	char tmp[128];
	const char *step = "name";
	int fd = -1;

	errno = ENAMETOOLONG;
	if ((size_t)snprintf(tmp, sizeof tmp, "%s.new", name) >= sizeof tmp)
		goto fail;
	step = "open";
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		goto fail;
	step = "write";
	if (write_all(fd, buf, len) < 0)
		goto fail;
	step = "fsync";
	if (fsync(fd) < 0)
		goto fail;
	step = "rename";
	if (renameat(dirfd, tmp, dirfd, name) < 0)
		goto fail;
	close(fd);
	if (fsync(dirfd) < 0) /* visible but not durable: the store goes read-only */
		return err_set(e, ERR_IO, errno, "%s: sync directory", name);
	return ERR_OK;
fail:
	err_set(e, errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO, errno, "%s: %s", name, step);
	if (fd >= 0) {
		close(fd);
		unlinkat(dirfd, tmp, 0);
	}
	return e != NULL ? e->code : ERR_IO;
}

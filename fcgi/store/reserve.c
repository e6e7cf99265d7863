#include "store/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"

#define NAME "reserve"

static bool whole(const struct stat *st)
{
	return st->st_size == RESERVE_BYTES && (int64_t)st->st_blocks * 512 >= RESERVE_BYTES;
}

bool reserve_is_whole(int dirfd)
{
	struct stat st;

	return fstatat(dirfd, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && whole(&st);
}

/* Where the file system cannot allocate without writing, zeros do (one that compresses them has no reserve). */
static int fill(int fd)
{
	static const char zeros[64 * 1024];

	if (fallocate(fd, 0, 0, RESERVE_BYTES) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	for (size_t at = 0; at < RESERVE_BYTES; at += sizeof zeros) {
		if (write_all(fd, zeros, sizeof zeros) < 0)
			return -1;
	}
	return 0;
}

enum err reserve_ensure(int dirfd, struct errinfo *e)
{
	if (reserve_is_whole(dirfd))
		return ERR_OK;
	int fd = openat(dirfd, NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd >= 0 ? fill(fd) : -1, why = errno;
	if (fd >= 0)
		close(fd);
	if (rc == 0) {
		log_event(LOG_INFO, "store.reserve_made", LOG_I("bytes", RESERVE_BYTES));
		return ERR_OK;
	}
	if (why == ENOSPC || why == EDQUOT)
		return err_set(e, ERR_DISK_FULL, 0,
			       "the disk is full; nothing changed: running tasks can still end, new ones need some disk space");
	return err_set(e, ERR_IO, why, "make state/" NAME);
}

bool reserve_spend(int dirfd)
{
	struct stat st;
	int fd = openat(dirfd, NAME, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	bool spent = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		int64_t left = st.st_size > RESERVE_STEP ? st.st_size - RESERVE_STEP : 0;
		spent = ftruncate(fd, (off_t)left) == 0;
		log_event(LOG_WARN, "store.reserve_spent", LOG_I("left", left));
	}
	close(fd);
	return spent;
}

bool reserve_can_be_whole(int dirfd)
{
	struct statvfs fs;

	return reserve_is_whole(dirfd) || (fstatvfs(dirfd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= RESERVE_BYTES);
}

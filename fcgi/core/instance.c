#include "core/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 20, STEPS = 100 };

enum err instance_lock(const char *path, int *fd, struct errinfo *e)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (*fd < 0 || fchmod(*fd, 0640) < 0)
		return err_set(e, ERR_IO, errno, "lock file %s", path);
	for (int i = 0; i < STEPS; i++) {
		if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
			return ERR_OK;
		if (errno != EWOULDBLOCK)
			return err_set(e, ERR_IO, errno, "lock %s", path);
		(void)nanosleep(&step, NULL);
	}
	return err_set(e, ERR_BUSY, 0, "another process holds %s", path);
}

bool instance_alive(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return held;
}

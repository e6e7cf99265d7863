#include "store/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

#define MARK "run/worker/read_only"

bool mark_is_set(int var_fd)
{
	return faccessat(var_fd, MARK, F_OK, 0) == 0;
}

bool mark_set(int var_fd, const struct errinfo *why)
{
	int fd = openat(var_fd, MARK, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	log_err(LOG_ERROR, "store.read_only", why);
	if (fd < 0) {
		log_event(LOG_ERROR, "store.read_only_unmarked", LOG_S("why", strerror(errno)));
		return false;
	}
	close(fd);
	return true;
}

bool mark_clear(int var_fd)
{
	return unlinkat(var_fd, MARK, 0) == 0;
}

enum err mark_refuse(struct errinfo *e)
{
	return err_set(e, ERR_READONLY, 0,
		       "a write could not be made durable; changes are refused until chompctl restart");
}

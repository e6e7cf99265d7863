#include "sandbox/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"

enum { RESERVE = 16 * 1024 };

static void reserve_room(int dir)
{
	int fd = openat(dir, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	(void)posix_fallocate(fd, 0, RESERVE); /* without it we may still be lucky at the end */
	close(fd);
}

enum err record_begin(int dir, int64_t now_ms, struct errinfo *e)
{
	char text[64];
	int len = snprintf(text, sizeof text, "%" PRId64 " %d\n", now_ms, (int)getpid());

	int fd = openat(dir, "begun", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(e, ERR_CONFLICT, 0, "this sandbox began before");
	if (fd < 0)
		return err_set(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, errno, "begun");
	int bad = write_all(fd, text, (size_t)len) < 0 || fsync(fd) < 0;
	int up = bad ? -1 : openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The entry of the directory itself was made by chomp-sandbox, which leaves waiting for the
	 * disk to us. */
	if (!bad && (up < 0 || fsync(dir) < 0 || fsync(up) < 0))
		bad = 1;
	int why = errno;
	if (up >= 0)
		close(up);
	close(fd);
	if (bad) {
		unlinkat(dir, "begun", 0);
		return err_set(e, why == ENOSPC ? ERR_DISK_FULL : ERR_IO, why, "begun");
	}
	reserve_room(dir);
	return ERR_OK;
}

/* Text from inside the box goes into JSON written by hand: keep what cannot mean anything there. */
static void harmless(char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			*s = '?';
	}
}

enum err record_end(int dir, const struct ending *end, struct errinfo *e)
{
	char text[1024], code[16] = "null", error[sizeof end->error], when[CLOCK_TEXT],
			 from[CLOCK_TEXT];

	if (end->code >= 0 && snprintf(code, sizeof code, "%d", end->code & 0xFF) < 0)
		return err_set(e, ERR_IO, errno, "exit record");
	memcpy(error, end->error, sizeof error);
	error[sizeof error - 1] = '\0';
	harmless(error);
	int len = snprintf(text, sizeof text,
			   "{\"exitCode\":%s,\"reason\":\"%s\",\"error\":\"%s\",\"startedAt\":\"%"
			   "s\",\"endedAt\":\"%s\","
			   "\"outputBytes\":%" PRId64 ",\"logBytes\":%" PRId64 "}\n",
			   code, end->reason, error, clock_rfc3339(end->started_ms, from),
			   clock_rfc3339(end->ended_ms, when), end->output, end->kept);
	if (len < 0 || (size_t)len >= sizeof text)
		return err_set(e, ERR_IO, 0, "exit record is too long");
	unlinkat(dir, "reserve", 0);
	return file_replace(dir, "exit", text, (size_t)len, 0600, e);
}

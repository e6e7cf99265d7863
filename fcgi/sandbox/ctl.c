#include "sandbox/ctl.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* By descriptor: the directory's own path may be longer than a socket's name can be. */
static void name_of(int dir, struct sockaddr_un *to)
{
	memset(to, 0, sizeof *to);
	to->sun_family = AF_UNIX;
	(void)snprintf(to->sun_path, sizeof to->sun_path, "/proc/self/fd/%d/ctl", dir);
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int ctl_listen(int dir)
{
	struct sockaddr_un at;
	int fd = new_socket();

	if (fd < 0)
		return -1;
	name_of(dir, &at);
	(void)unlinkat(dir, "ctl", 0); /* none, or a dead shim's */
	if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, CTL_PEERS) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

int ctl_connect(int dir)
{
	struct sockaddr_un at;
	int fd = new_socket();

	if (fd < 0)
		return -1;
	name_of(dir, &at);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static int send_all(int fd, const void *p, size_t len)
{
	return send(fd, p, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

int ctl_send_input(int fd, const char *p, size_t len)
{
	char message[1 + CTL_INPUT_MAX];

	if (len > CTL_INPUT_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	message[0] = 'i';
	memcpy(message + 1, p, len);
	return send_all(fd, message, len + 1);
}

int ctl_send_size(int fd, int cols, int rows)
{
	uint16_t size[2] = { (uint16_t)cols, (uint16_t)rows };
	char message[1 + sizeof size];

	message[0] = 'r';
	memcpy(message + 1, size, sizeof size);
	return send_all(fd, message, sizeof message);
}

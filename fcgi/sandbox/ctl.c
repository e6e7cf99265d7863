#include "sandbox/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SIZE_MESSAGE = 1 + 2 * sizeof(uint16_t) };

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

/* ---- the shim ---- */
int ctl_give_terminal(int fd, int master)
{
	char what = 't';
	struct iovec text = { &what, 1 };
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof master);
	return sendmsg(fd, &m, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

void ctl_tell_news(int fd)
{
	(void)send(fd, "n", 1, MSG_NOSIGNAL);
}

int ctl_take_size(int fd, uint16_t *cols, uint16_t *rows)
{
	char message[16];
	ssize_t n = recv(fd, message, sizeof message, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != SIZE_MESSAGE || message[0] != 'r')
		return -1; /* an end, or nobody we know */
	memcpy(cols, message + 1, sizeof *cols);
	memcpy(rows, message + 1 + sizeof *cols, sizeof *rows);
	return 1;
}

/* ---- the host ---- */
static int descriptor_of(struct msghdr *m)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
			memcpy(&fd, CMSG_DATA(c), sizeof fd);
	}
	return fd;
}

int ctl_take(int fd, int *master)
{
	char what;
	struct iovec text = { &what, 1 };
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	struct msghdr m = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

	*master = -1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -1;
	*master = descriptor_of(&m);
	return 1;
}

int ctl_send_size(int fd, int cols, int rows)
{
	uint16_t size[2] = { (uint16_t)cols, (uint16_t)rows };
	char message[SIZE_MESSAGE];

	message[0] = 'r';
	memcpy(message + 1, size, sizeof size);
	return send(fd, message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message ? 0 : -1;
}

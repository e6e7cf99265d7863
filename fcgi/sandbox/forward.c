/*
 * One poll for all.  Each connection is a pair of sockets and a buffer for each direction; a direction is read only
 * while its buffer is empty, so that a slow reader slows down the sender and costs no memory.
 */
#include "sandbox/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/network.h"

enum { PAIRS = 128, BUFFER = 16 * 1024 };

struct way { /* from one socket to the other one of its pair */
	char *buf;
	size_t at, len;
	bool ended; /* nothing more comes */
	bool shut;  /* and the other side was told */
};

struct pair {
	int fd[2]; /* in the box, outside; -1: free */
	bool connected;
	struct way way[2]; /* way[i]: read from fd[i] */
};

static struct pair pairs[PAIRS];

static void drop(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		if (p->fd[i] >= 0)
			close(p->fd[i]);
		free(p->way[i].buf);
	}
	memset(p, 0, sizeof *p);
	p->fd[0] = p->fd[1] = -1;
}

static void take(int listener, const struct sockaddr_in *to)
{
	struct pair *p = pairs;

	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	while (p < pairs + PAIRS && p->fd[0] >= 0)
		p++;
	if (p == pairs + PAIRS) {
		close(fd);
		return;
	}
	p->fd[0] = fd;
	p->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->way[0].buf = malloc(BUFFER);
	p->way[1].buf = malloc(BUFFER);
	int rc = p->fd[1] >= 0 ? connect(p->fd[1], (const struct sockaddr *)to, sizeof *to) : -1;
	p->connected = rc == 0;
	if (p->way[0].buf == NULL || p->way[1].buf == NULL || (rc < 0 && errno != EINPROGRESS))
		drop(p);
}

static bool again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* False: the connection is broken. */
static bool carry(struct way *w, int from, int to, bool may_read)
{
	if (may_read && w->len == 0 && !w->ended) {
		ssize_t n = read(from, w->buf, BUFFER);
		if (n < 0 && !again())
			return false;
		w->ended = n == 0;
		w->at = 0;
		w->len = n > 0 ? (size_t)n : 0;
	}
	if (w->len > 0) {
		ssize_t n = send(to, w->buf + w->at, w->len, MSG_NOSIGNAL);
		if (n < 0 && !again())
			return false;
		w->at += n > 0 ? (size_t)n : 0;
		w->len -= n > 0 ? (size_t)n : 0;
	}
	if (w->ended && w->len == 0 && !w->shut) {
		(void)shutdown(to, SHUT_WR);
		w->shut = true;
	}
	return true;
}

static void step(struct pair *p, short inside, short outside)
{
	if (!p->connected && outside != 0) {
		int why = 0;
		socklen_t len = sizeof why;
		if (getsockopt(p->fd[1], SOL_SOCKET, SO_ERROR, &why, &len) < 0 || why != 0) {
			drop(p);
			return;
		}
		p->connected = true;
	}
	if (!p->connected) {
		if ((inside & (POLLHUP | POLLERR)) != 0)
			drop(p);
		return;
	}
	if (!carry(&p->way[0], p->fd[0], p->fd[1], inside != 0) ||
	    !carry(&p->way[1], p->fd[1], p->fd[0], outside != 0) || (p->way[0].shut && p->way[1].shut))
		drop(p);
}

static short wanted(const struct pair *p, int i)
{
	const struct way *in = &p->way[i], *out = &p->way[1 - i];
	short events = 0;

	if (!p->connected)
		return i == 1 ? POLLOUT : 0;
	if (in->len == 0 && !in->ended)
		events |= POLLIN;
	if (out->len > 0)
		events |= POLLOUT;
	return events;
}

static void keep(const int *listener, int *kept, size_t n)
{
	int high[NETWORK_ALLOW_MAX];

	for (size_t i = 0; i < n; i++)
		high[i] = fcntl(listener[i], F_DUPFD, 3 + NETWORK_ALLOW_MAX);
	for (size_t i = 0; i < n; i++)
		kept[i] = dup2(high[i], 3 + (int)i);
	closefrom(3 + (int)n);
}

_Noreturn void forward_run(const int *listener, const struct sockaddr_in *to, size_t n)
{
	struct pollfd p[NETWORK_ALLOW_MAX + 2 * PAIRS];
	int kept[NETWORK_ALLOW_MAX];

	keep(listener, kept, n);
	for (size_t i = 0; i < PAIRS; i++)
		pairs[i].fd[0] = pairs[i].fd[1] = -1;
	for (;;) {
		for (size_t i = 0; i < n; i++)
			p[i] = (struct pollfd){ .fd = kept[i], .events = POLLIN };
		for (size_t i = 0; i < 2 * PAIRS; i++) {
			const struct pair *pair = &pairs[i / 2];
			short events = pair->fd[0] >= 0 ? wanted(pair, (int)i % 2) : 0;
			/* A socket that hung up is always "readable": look at it only when something can be done. */
			bool idle = pair->fd[0] < 0 || (events == 0 && pair->connected);
			p[n + i] = (struct pollfd){ .fd = idle ? -1 : pair->fd[i % 2], .events = events };
		}
		if (poll(p, n + 2 * (size_t)PAIRS, -1) < 0)
			continue;
		for (size_t i = 0; i < PAIRS; i++) {
			short inside = p[n + 2 * i].revents, outside = p[n + 2 * i + 1].revents;
			if (pairs[i].fd[0] >= 0 && (inside | outside) != 0)
				step(&pairs[i], inside, outside);
		}
		for (size_t i = 0; i < n; i++) {
			if (p[i].revents != 0)
				take(kept[i], &to[i]);
		}
	}
}

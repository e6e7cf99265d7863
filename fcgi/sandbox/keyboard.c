#include "sandbox/keyboard.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void keyboard_open(struct keyboard *k, int dir)
{
	memset(k, 0, sizeof *k);
	for (int i = 0; i < CTL_PEERS; i++)
		k->peers[i] = -1;
	k->listener = ctl_listen(dir);
}

void keyboard_close(struct keyboard *k, int dir)
{
	for (int i = 0; i < CTL_PEERS; i++) {
		if (k->peers[i] >= 0)
			close(k->peers[i]);
	}
	if (k->listener >= 0) {
		close(k->listener);
		(void)unlinkat(dir, "ctl", 0);
	}
	k->listener = -1;
}

short keyboard_poll(const struct keyboard *k, struct pollfd *p)
{
	short busy = k->len > 0 ? 0 : POLLIN;

	p[0] = (struct pollfd){ .fd = k->listener, .events = POLLIN };
	for (int i = 0; i < CTL_PEERS; i++) {
		/* While bytes wait, peers are left alone altogether: even a hang-up can wait. */
		p[1 + i] = (struct pollfd){ .fd = busy != 0 ? k->peers[i] : -1, .events = busy };
	}
	return k->len > 0 ? POLLOUT : 0;
}

static void type(struct keyboard *k, int master)
{
	while (k->len > 0) {
		ssize_t n = write(master, k->pending + k->at, k->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) { /* nobody reads this terminal any more */
			k->len = 0;
			return;
		}
		k->at += (size_t)n;
		k->len -= (size_t)n;
	}
}

static void take_message(struct keyboard *k, int i, int master)
{
	char message[1 + CTL_INPUT_MAX];
	uint16_t size[2];
	ssize_t n = recv(k->peers[i], message, sizeof message, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(k->peers[i]);
		k->peers[i] = -1;
	} else if (message[0] == 'i') {
		memcpy(k->pending, message + 1, (size_t)n - 1);
		k->at = 0;
		k->len = (size_t)n - 1;
		type(k, master);
	} else if (message[0] == 'r' && n == (ssize_t)(1 + sizeof size)) {
		memcpy(size, message + 1, sizeof size);
		struct winsize ws = { .ws_col = size[0], .ws_row = size[1] };
		(void)ioctl(master, TIOCSWINSZ,
			    &ws); /* the kernel tells the foreground job (SIGWINCH) */
	}
}

static void take_peer(struct keyboard *k)
{
	int fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < CTL_PEERS; i++) {
		if (k->peers[i] < 0) {
			k->peers[i] = fd;
			return;
		}
	}
	close(fd); /* the host uses one; whoever needs more than eight is not it */
}

void keyboard_step(struct keyboard *k, const struct pollfd *p, int master)
{
	type(k, master);
	for (int i = 0; i < CTL_PEERS && k->len == 0; i++) {
		if (p[1 + i].revents != 0 && p[1 + i].fd >= 0)
			take_message(k, i, master);
	}
	if (p[0].revents != 0)
		take_peer(k);
}

#include "sandbox/peers.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int peers_open(struct peers *s, int dir)
{
	for (int i = 0; i < CTL_PEERS; i++)
		s->fds[i] = -1;
	s->listener = ctl_listen(dir);
	return s->listener >= 0 ? 0 : -1;
}

void peers_close(struct peers *s, int dir)
{
	for (int i = 0; i < CTL_PEERS; i++) {
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	}
	close(s->listener);
	(void)unlinkat(dir, "ctl", 0);
}

void peers_poll(const struct peers *s, struct pollfd *p)
{
	p[0] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
	for (int i = 0; i < CTL_PEERS; i++)
		p[1 + i] = (struct pollfd){ .fd = s->fds[i], .events = POLLIN };
}

static void take_peer(struct peers *s, int master)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < CTL_PEERS; i++) {
		if (s->fds[i] < 0 && ctl_give_terminal(fd, master) == 0) {
			s->fds[i] = fd;
			return;
		}
	}
	close(fd); /* the host uses one; whoever needs more than eight is not it */
}

static void hear(struct peers *s, int i, int master)
{
	struct winsize size = { 0 };
	int rc;

	while ((rc = ctl_take_size(s->fds[i], &size.ws_col, &size.ws_row)) > 0)
		(void)ioctl(master, TIOCSWINSZ, &size); /* the kernel tells the foreground job (SIGWINCH) */
	if (rc < 0) {
		close(s->fds[i]);
		s->fds[i] = -1;
	}
}

void peers_step(struct peers *s, const struct pollfd *p, int master)
{
	for (int i = 0; i < CTL_PEERS; i++) {
		if (p[1 + i].revents != 0 && s->fds[i] >= 0)
			hear(s, i, master);
	}
	if (p[0].revents != 0)
		take_peer(s, master);
}

void peers_tell(const struct peers *s)
{
	for (int i = 0; i < CTL_PEERS; i++) {
		if (s->fds[i] >= 0)
			ctl_tell_news(s->fds[i]);
	}
}

#include "sandbox/pty.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int pty_open(struct pty *p)
{
	struct winsize size = { .ws_row = PTY_ROWS, .ws_col = PTY_COLS };

	p->slave = -1;
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (p->master < 0 || grantpt(p->master) < 0 || unlockpt(p->master) < 0)
		return -1;
	/* By the master, not by name: /dev/pts need not be the instance the master came from. */
	p->slave = ioctl(p->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->slave < 0)
		return -1;
	return ioctl(p->slave, TIOCSWINSZ, &size);
}

int pty_become(const struct pty *p)
{
	if (setsid() < 0 || ioctl(p->slave, TIOCSCTTY, 0) < 0)
		return -1;
	for (int fd = 0; fd < 3; fd++) {
		if (dup2(p->slave, fd) < 0)
			return -1;
	}
	return 0;
}

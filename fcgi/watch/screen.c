#include "watch/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before; /* the state of the one terminal a process has */
static bool raw, other_screen, modes_used;

int screen_open(void)
{
	struct termios now;
	char name[64];

	if (tcgetattr(STDIN_FILENO, &before) < 0 || ttyname_r(STDIN_FILENO, name, sizeof name) != 0)
		return -1;
	/* An open file of its own: the loop makes it non-blocking, and standard output must not
	 * become so with it. */
	int fd = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -1;
	now = before;
	cfmakeraw(&now);
	raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &now) == 0;
	return fd;
}

void screen_close(void)
{
	static const char calm[] = "\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?1004l\033[?"
				   "2004l\033[?1l\033[?25h\033>\033[0m";

	if (!raw)
		return;
	if (modes_used && isatty(STDOUT_FILENO))
		(void)screen_show(calm, sizeof calm - 1);
	if (other_screen && isatty(STDOUT_FILENO))
		(void)screen_show("\033[?1049l", 8);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	raw = false;
}

void screen_size(int *cols, int *rows)
{
	struct winsize w;

	*cols = 80;
	*rows = 24;
	if ((ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &w) < 0) ||
	    w.ws_col == 0 || w.ws_row == 0)
		return;
	*cols = w.ws_col < 1000 ? w.ws_col : 1000;
	*rows = w.ws_row < 1000 ? w.ws_row : 1000;
}

bool screen_show(const char *p, size_t len)
{
	if (memmem(p, len, "\033[?", 3) != NULL)
		modes_used = true;
	if (memmem(p, len, "\033[?1049", 7) != NULL)
		other_screen = memmem(p, len, "\033[?1049h", 8) != NULL;
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

void screen_say(const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (raw)
		(void)dprintf(STDERR_FILENO, "\r\n\033[2m[chomp: %s]\033[0m\r\n", text);
	else
		(void)dprintf(STDERR_FILENO, "chomp: %s\n", text);
}

/*
 * The least a FastCGI worker can do, to measure the real one against: reduced SOCKET WORKERS LOG.
 *
 *   POST anything   read the body, append a line of 700 bytes to LOG under flock, sync it outside the lock, answer
 *   GET anything    an empty answer
 *
 * WORKERS processes share the non-blocking listener as chomp-worker's do.  Ends with its standard input.
 */
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE = 700, BODY = 4096 };

static int append(int log, int lock)
{
	char line[LINE];

	memset(line, 'x', sizeof line);
	line[LINE - 1] = '\n';
	if (flock(lock, LOCK_EX) < 0)
		return -1;
	ssize_t n = write(log, line, sizeof line);
	flock(lock, LOCK_UN);
	return n == LINE ? fdatasync(log) : -1;
}

static void serve(int listener, const char *path)
{
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), lock = open(path, O_RDONLY | O_CLOEXEC);
	char body[BODY];
	FCGX_Request io;

	FCGX_Init();
	FCGX_InitRequest(&io, listener, FCGI_FAIL_ACCEPT_ON_INTR);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int waiting = epoll_create1(EPOLL_CLOEXEC);
	(void)epoll_ctl(waiting, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		(void)epoll_wait(waiting, &ev, 1, -1);
		if (FCGX_Accept_r(&io) != 0)
			continue;
		const char *method = FCGX_GetParam("REQUEST_METHOD", io.envp);
		bool post = method != NULL && strcmp(method, "POST") == 0;
		bool ok = true;
		if (post) {
			(void)FCGX_GetStr(body, sizeof body, io.in);
			ok = append(log, lock) == 0;
		}
		FCGX_FPrintF(io.out, "Status: %d OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n", ok ? 200 : 500);
		FCGX_Finish_r(&io);
		FCGX_Free(&io, 1);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char c;

	if (argc != 4 || strlen(argv[1]) >= sizeof addr.sun_path)
		return 2;
	memcpy(addr.sun_path, argv[1], strlen(argv[1]) + 1);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(listener, 512) < 0 ||
	    chmod(argv[1], 0777) < 0) {
		perror("reduced");
		return 1;
	}
	for (int i = 0; i < atoi(argv[2]); i++) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(listener, argv[3]);
		}
	}
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

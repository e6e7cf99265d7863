#include "worker/prefork.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/number.h"

enum { YOUNG_MS = 1000, PAUSE_MS = 1000, STOP_MS = 35 * 1000 };

/* How prefork_renew tells its successor, who is the same process, which descriptor the listener is. */
#define INHERITED "CHOMP_WORKER_LISTENER"

static bool inherit(int *fd)
{
	const char *text = getenv(INHERITED);
	int64_t n = -1;
	int listening = 0;
	socklen_t len = sizeof listening;
	bool ours = text != NULL && number_parse(text, 3, INT_MAX, &n) == 0 &&
		    getsockopt((int)n, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening != 0 &&
		    fcntl((int)n, F_SETFD, FD_CLOEXEC) == 0;

	unsetenv(INHERITED);
	*fd = (int)n;
	return ours;
}

enum err prefork_renew(char *const argv[], int fd, struct errinfo *e)
{
	char number[16];

	snprintf(number, sizeof number, "%d", fd);
	if (fcntl(fd, F_SETFD, 0) < 0 || setenv(INHERITED, number, 1) < 0)
		return err_set(e, ERR_IO, errno, "hand over the listener");
	execv(argv[0], argv);
	return err_set(e, ERR_IO, errno, "start %s", argv[0]);
}

enum err prefork_listen(const char *path, int *fd, struct errinfo *e)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (inherit(fd))
		return ERR_OK;
	if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path) >= sizeof addr.sun_path)
		return err_set(e, ERR_IO, ENAMETOOLONG, "socket %s", path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return err_set(e, ERR_IO, errno, "socket");
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(e, ERR_IO, errno, "remove the old %s", path);
	mode_t before = umask(0117); /* 0660 from its first moment */
	int rc = bind(*fd, (struct sockaddr *)&addr, sizeof addr);
	umask(before);
	if (rc < 0)
		return err_set(e, ERR_IO, errno, "bind %s", path);
	if (listen(*fd, BACKLOG) < 0)
		return err_set(e, ERR_IO, errno, "listen on %s", path);
	return ERR_OK;
}

struct pool {
	int count;
	pid_t pids[WORKERS_MAX];
	int64_t born[WORKERS_MAX];
	int64_t due[WORKERS_MAX]; /* when an empty place is filled again */
	bool stopping;
	sigset_t mask; /* as the parent found it */
	void (*before_fork)(void *);
	int (*child)(void *);
	void *arg;
};

static void start(struct pool *p, int i)
{
	pid_t parent = getpid();

	p->before_fork(p->arg);
	pid_t pid = fork();
	if (pid < 0) {
		log_event(LOG_ERROR, "worker.fork_failed", LOG_S("why", strerror(errno)));
		p->due[i] = clock_mono_ms() + PAUSE_MS;
		return;
	}
	if (pid == 0) {
		/* A killed parent takes its children along: the next parent makes a new socket and new ones. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		_exit(p->child(p->arg));
	}
	p->pids[i] = pid;
	p->born[i] = clock_mono_ms();
}

static void bury(struct pool *p, pid_t pid, int status)
{
	int64_t now = clock_mono_ms();

	for (int i = 0; i < p->count; i++) {
		if (p->pids[i] != pid)
			continue;
		p->pids[i] = 0;
		p->due[i] = now - p->born[i] < YOUNG_MS ? now + PAUSE_MS : now;
		if (!p->stopping)
			log_event(LOG_WARN, "worker.replaced", LOG_I("child", pid),
				  LOG_I("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
				  LOG_I("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	}
}

static void reap(struct pool *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		bury(p, pid, status);
}

static int living(const struct pool *p)
{
	int n = 0;

	for (int i = 0; i < p->count; i++)
		n += p->pids[i] > 0 ? 1 : 0;
	return n;
}

static void signal_all(const struct pool *p, int sig)
{
	for (int i = 0; i < p->count; i++) {
		if (p->pids[i] > 0)
			kill(p->pids[i], sig);
	}
}

/* Fill empty places that are due; returns how long until the next one is, -1 when none waits. */
static int fill(struct pool *p)
{
	int64_t now = clock_mono_ms(), wait = -1;

	for (int i = 0; i < p->count; i++) {
		if (p->pids[i] > 0)
			continue;
		if (p->due[i] <= now)
			start(p, i);
		if (p->pids[i] <= 0 && (wait < 0 || p->due[i] - now < wait))
			wait = p->due[i] - now;
	}
	return wait < 0 ? -1 : (int)wait + 1;
}

/* The signal that asks for an end, 0 when none did.  A stop outweighs a renewal. */
static int drain_signals(int sfd)
{
	struct signalfd_siginfo si;
	int end = 0;

	while (read(sfd, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
			end = SIGTERM;
		else if (si.ssi_signo == SIGHUP && end == 0)
			end = SIGHUP;
	}
	return end;
}

/* Returns `end`, or SIGTERM when that came meanwhile. */
static int stop_children(struct pool *p, int sfd, int end)
{
	int64_t until = clock_mono_ms() + STOP_MS;

	p->stopping = true;
	signal_all(p, SIGTERM);
	for (reap(p); living(p) > 0; reap(p)) {
		int64_t left = until - clock_mono_ms();
		struct pollfd pf = { .fd = sfd, .events = POLLIN };
		if (left <= 0) {
			signal_all(p, SIGKILL);
			left = STOP_MS;
			until = clock_mono_ms() + STOP_MS;
		}
		(void)poll(&pf, 1, (int)left);
		if (drain_signals(sfd) == SIGTERM)
			end = SIGTERM;
	}
	return end;
}

enum prefork_end prefork_run(int count, void (*before_fork)(void *), int (*child)(void *), void *arg)
{
	struct pool p = { .count = count, .before_fork = before_fork, .child = child, .arg = arg };
	sigset_t set;
	int end = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, &p.mask);
	int sfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	while (end == 0) {
		struct pollfd pf = { .fd = sfd, .events = POLLIN };
		int wait = fill(&p);
		(void)poll(&pf, 1, wait);
		end = drain_signals(sfd);
		if (end == 0)
			reap(&p);
	}
	end = stop_children(&p, sfd, end);
	close(sfd);
	sigprocmask(SIG_SETMASK, &p.mask, NULL); /* a successor begins as we did */
	return end == SIGHUP ? PREFORK_RENEW : PREFORK_STOP;
}

/*
 * The life of one box: begin, copy its terminal to the log, end it in time, tell how it ended.
 *
 * Everything waits in one poll; signals come through a signalfd, the two delays through one
 * timerfd.  The box has ended when bwrap is reaped *and* the first process of the box's pid
 * namespace is gone (bwrap may be killed from outside, and the kernel ends the rest of the box only
 * after that): from then on no process of the agent is left.
 */
#include "sandbox/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "sandbox/peers.h"
#include "sandbox/pty.h"
#include "sandbox/film.h"
#include "sandbox/record.h"
#include "sandbox/redact.h"
#include "sandbox/tree.h"

enum { LITTLE = 256, SILENT_MS = 10 };
#define BOX_SAYS "box: " /* how what fails before bwrap begins its line */

enum phase { RUNNING, TERMED, KILLED };

struct shim {
	const struct shim_conf *conf;
	struct network network;
	int sync[2]; /* ours, the box's */
	struct pty pty;
	struct peers peers;
	struct redact redact;
	char *secrets; /* what it points into */
	struct film film;
	int log, signals, timer, status;
	pid_t bwrap;
	pid_t init;  /* the box's first process, as seen from here; 0: not told yet */
	int init_fd; /* its pidfd; -1: none, or it is gone */
	enum phase phase;
	bool reaped;
	int wstatus;
	char told[1024]; /* bwrap's status text */
	size_t told_len;
	struct ending end;
};

/* ---- the log ---- */
static void put_log(struct shim *s, const char *p, size_t len)
{
	if (len == 0)
		return;
	static const char marker[] = "\r\n[chomp: the log is full; what follows is not kept]\r\n";

	s->end.output += (int64_t)len;
	if (s->log < 0)
		return;
	film_output(&s->film, s->end.kept);
	/* A full disk or a full log costs output, never the agent: it must not stall on us. */
	bool ok = write_all(s->log, p, len) == 0;
	if (ok)
		s->end.kept += (int64_t)len;
	if (ok && s->end.kept < SHIM_LOG_MAX)
		return;
	if (ok)
		(void)write_all(s->log, marker, sizeof marker - 1);
	else if (errno == ENOSPC || errno == EDQUOT)
		return; /* there may be room again */
	close(s->log);
	s->log = -1;
}

static void film_terminal(struct shim *s)
{
	struct winsize ws;

	if (ioctl(s->pty.master, TIOCGWINSZ, &ws) == 0)
		film_size(&s->film, ws.ws_col, ws.ws_row, s->end.kept);
}

/*
 * Copy what the terminal has; false when it has nothing now (EAGAIN) or nobody is left at its other end (EIO).  It gives
 * 4 KiB at most per read, and a write costs more than a read: several reads for one write.  A read that brought little has
 * most likely emptied it, and an echo is not to wait for the proof.
 */
static bool copy_terminal(struct shim *s)
{
	static char buf[64 * 1024];
	size_t len = 0;
	ssize_t n;

	do {
		n = read(s->pty.master, buf + len, sizeof buf - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > LITTLE && len < sizeof buf);
	if (len > 0) {
		const char *out;
		film_terminal(s); /* after the read: the size is not older than the bytes */
		size_t told = redact_feed(&s->redact, buf, len, &out);
		put_log(s, out, told);
		peers_tell(&s->peers);
	}
	return len > 0;
}

/* The terminal is silent: what looked like the beginning of a secret need not wait any longer. */
static void flush_terminal(struct shim *s)
{
	const char *out;

	if (!redact_waits(&s->redact))
		return;
	size_t n = redact_flush(&s->redact, &out);
	put_log(s, out, n);
	peers_tell(&s->peers);
}

/* ---- how bwrap is doing ---- */
static void read_status(struct shim *s)
{
	while (s->status >= 0) {
		char drop[64];
		bool full = s->told_len == sizeof s->told - 1;
		ssize_t n = full ? read(s->status, drop, sizeof drop)
				 : read(s->status, s->told + s->told_len,
					sizeof s->told - 1 - s->told_len);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			close(s->status);
			s->status = -1;
			break;
		}
		if (!full)
			s->told_len += (size_t)n;
	}
	s->told[s->told_len] = '\0';
	const char *at = s->init == 0 ? strstr(s->told, "\"child-pid\":") : NULL;
	if (at == NULL)
		return;
	long pid = strtol(at + strlen("\"child-pid\":"), NULL, 10);
	if (pid <= 1)
		return;
	s->init = (pid_t)pid;
	s->init_fd = pidfd_of(s->init);
}

static void set_timer(const struct shim *s, int64_t ms)
{
	struct itimerspec t = { .it_value = { .tv_sec = ms / 1000,
					      .tv_nsec = ms % 1000 * 1000000 } };

	(void)timerfd_settime(s->timer, 0, &t, NULL);
}

/* ---- ending ---- */
static void kill_box(struct shim *s)
{
	s->phase = KILLED;
	if (s->init_fd >= 0)
		(void)pidfd_signal(s->init_fd, SIGKILL);
	if (!s->reaped)
		(void)kill(s->bwrap, SIGKILL);
}

static void stop_box(struct shim *s, const char *reason)
{
	if (s->phase != RUNNING)
		return;
	s->end.reason = reason;
	if (s->init == 0) { /* still being built: nobody to be polite to */
		kill_box(s);
		return;
	}
	s->phase = TERMED;
	tree_signal(s->init, SIGTERM);
	set_timer(s, SHIM_TERM_MS);
}

static void on_signal(struct shim *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM)
			stop_box(s, "killed");
		else if (!s->reaped && waitpid(s->bwrap, &s->wstatus, WNOHANG) == s->bwrap)
			s->reaped = true;
	}
}

static void on_timer(struct shim *s)
{
	uint64_t times;

	if (read(s->timer, &times, sizeof times) != (ssize_t)sizeof times)
		return;
	if (s->phase == RUNNING)
		stop_box(s, "timeout");
	else
		kill_box(s);
}

static void watch(struct shim *s)
{
	bool slave_seen_closed = false;

	while (!s->reaped || s->init_fd >= 0) {
		struct pollfd p[5 + PEERS_POLLS] = {
			{ .fd = slave_seen_closed ? -1 : s->pty.master, .events = POLLIN },
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = s->timer, .events = POLLIN },
			{ .fd = s->status, .events = POLLIN },
			{ .fd = s->init_fd, .events = POLLIN },
		};
		peers_poll(&s->peers, p + 5);
		int n = poll(p, sizeof p / sizeof p[0], redact_waits(&s->redact) ? SILENT_MS : -1);
		if (n == 0)
			flush_terminal(s);
		if (n <= 0)
			continue;
		/* All ends are closed: no more output can come, and POLLHUP would make us spin. */
		if (p[0].revents != 0 && !copy_terminal(s))
			slave_seen_closed = (p[0].revents & POLLHUP) != 0;
		peers_step(&s->peers, p + 5, s->pty.master);
		film_terminal(s);
		if (p[3].revents != 0)
			read_status(s);
		if (p[1].revents != 0)
			on_signal(s);
		if (p[2].revents != 0)
			on_timer(s);
		if (p[4].revents != 0) {
			close(s->init_fd);
			s->init_fd = -1;
		}
	}
	while (copy_terminal(s)) {
	}
	flush_terminal(s);
	film_close(&s->film);
	read_status(s);
}

/* ---- what is told at the end ---- */

/* bwrap's own complaint is the last thing on the terminal when the box could not be built. */
static void quote_log(struct shim *s, int dir)
{
	char tail[512], *line;
	int fd = openat(dir, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0) {
		off_t from = st.st_size > (off_t)sizeof tail - 1
				     ? st.st_size - ((off_t)sizeof tail - 1)
				     : 0;
		ssize_t n = pread(fd, tail, sizeof tail - 1, from);
		tail[n > 0 ? n : 0] = '\0';
		line = strstr(tail, BOX_SAYS);
		if (line == NULL)
			line = strstr(tail, "bwrap: ");
		if (line != NULL) {
			line[strcspn(line, "\r\n")] = '\0';
			(void)snprintf(s->end.error, sizeof s->end.error,
				       "the box did not start: %.160s", line);
		}
	}
	close(fd);
}

static void judge(struct shim *s, int dir)
{
	bool ran = strstr(s->told, "\"exit-code\"") !=
		   NULL; /* said by bwrap only if the command was started */

	s->end.ended_ms = clock_wall_ms();
	if (WIFEXITED(s->wstatus))
		s->end.code = WEXITSTATUS(s->wstatus);
	else if (WIFSIGNALED(s->wstatus))
		s->end.code = 128 + WTERMSIG(s->wstatus);
	if (s->end.reason != NULL)
		return; /* killed, timeout */
	s->end.reason = ran ? "exit" : "error";
	if (ran)
		return;
	s->end.code = -1;
	if (WIFSIGNALED(s->wstatus) &&
	    snprintf(s->end.error, sizeof s->end.error, "bwrap was ended by signal %d",
		     WTERMSIG(s->wstatus)) > 0)
		return;
	(void)snprintf(s->end.error, sizeof s->end.error, "the box did not start");
	quote_log(s, dir);
}

/* ---- beginning ---- */
struct env {
	char *text, **list;
	size_t len;
};

static bool read_env(struct env *env)
{
	struct stat st;
	size_t count = 0;

	if (fstat(SHIM_FD_ENV, &st) < 0 || st.st_size <= 0)
		return false;
	env->len = (size_t)st.st_size;
	env->text = malloc(env->len);
	if (env->text == NULL || pread(SHIM_FD_ENV, env->text, env->len, 0) != (ssize_t)env->len ||
	    env->text[env->len - 1] != '\0')
		return false;
	for (size_t i = 0; i < env->len; i++)
		count += env->text[i] == '\0';
	env->list = calloc(count + 1, sizeof *env->list);
	if (env->list == NULL)
		return false;
	char *p = env->text;
	for (size_t i = 0; i < count; i++, p += strlen(p) + 1)
		env->list[i] = p;
	return true;
}

/* Kept as long as the terminal is: they are looked for in all it shows. */
static bool read_secrets(struct shim *s)
{
	struct stat st;

	if (fstat(SHIM_FD_SECRETS, &st) < 0)
		return false;
	size_t len = (size_t)st.st_size;
	s->secrets = malloc(len + 1);
	if (s->secrets == NULL || pread(SHIM_FD_SECRETS, s->secrets, len, 0) != (ssize_t)len)
		return false;
	redact_init(&s->redact, s->secrets, len);
	return true;
}

static void forget_env(struct env *env)
{
	explicit_bzero(env->text, env->len); /* keys: the box has its copy now */
	free(env->text);
	free(env->list);
}

static _Noreturn void box_failed(int terminal, const char *step)
{
	char line[200];
	int len = snprintf(line, sizeof line, BOX_SAYS "%.80s: %.80s\r\n", step, strerror(errno));

	(void)write_all(terminal, line, (size_t)len);
	_exit(127);
}

static _Noreturn void become_box(const struct shim *s, char **env)
{
	const struct shim_conf *c = s->conf;
	const char *step = "terminal";
	sigset_t none;

	if (pty_become(&s->pty) < 0)
		box_failed(s->pty.slave, step);
	/* From within the cgroup itself: everything the box does counts. */
	if (c->cgroup != NULL && limits_cgroup_join(c->cgroup, c->name, &c->limits) < 0)
		box_failed(0, "cgroup");
	if (network_enter(&c->network, s->sync[1], 0, &step) < 0)
		box_failed(0, step);
	if (limits_apply(&c->limits, c->cgroup != NULL) < 0)
		box_failed(0, "limits");
	for (int fd = SHIM_FD_ARGS; fd <= SHIM_FD_SECCOMP; fd++)
		(void)fcntl(fd, F_SETFD, 0);
	(void)fcntl(SHIM_FD_STATUS, F_SETFD, 0);
	(void)umask(022);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* ^C and what a script sends to its own group are the agent's: bwrap is in that group too, and would
	 * die of it with the whole box.  The box undoes this (launch.c). */
	static const int agents[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++)
		(void)signal(agents[i], SIG_IGN);
	execve(c->command[0], c->command, env);
	box_failed(0, c->command[0]);
}

int shim_probe(char **command)
{
	const struct network_conf none = { 0 };
	const char *step = "";
	char *env[] = { NULL };
	int sync[2];

	/* Nobody need answer: what is to be said to us is there before we ask. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0 || send(sync[0], "+", 1, 0) != 1 ||
	    network_enter(&none, sync[1], 2, &step) < 0)
		box_failed(2, step);
	execve(command[0], command, env);
	box_failed(2, command[0]);
}

/* bwrap's status: its end at SHIM_FD_STATUS, ours anywhere else. */
static bool status_pipe(struct shim *s)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	s->status = fcntl(ends[0], F_DUPFD_CLOEXEC, SHIM_FD_STATUS + 1);
	close(ends[0]);
	if (s->status < 0)
		return false;
	if (ends[1] == SHIM_FD_STATUS)
		return true;
	bool ok = dup3(ends[1], SHIM_FD_STATUS, O_CLOEXEC) >= 0;
	close(ends[1]);
	return ok;
}

/* Everything that can fail before the box.  NULL, or the reason. */
static const char *prepare(struct shim *s, struct env *env)
{
	sigset_t set;

	for (int fd = SHIM_FD_LOCK; fd <= SHIM_FD_SECRETS; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return "a descriptor is missing";
	}
	if (!status_pipe(s) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->sync) < 0)
		return "no pipe";
	sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->signals < 0 || s->timer < 0)
		return "no signals or no timer";
	if (pty_open(&s->pty) < 0)
		return "no terminal (/dev/ptmx)";
	s->log = openat(SHIM_FD_DIR, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
			0600);
	if (s->log < 0)
		return "no log file";
	film_open(&s->film, SHIM_FD_DIR, s->end.started_ms, PTY_COLS, PTY_ROWS);
	return read_env(env) && read_secrets(s) ? NULL : "no environment";
}

static void run_box(struct shim *s)
{
	set_timer(s, (int64_t)s->conf->timeout_s * 1000);
	network_serve(&s->network, &s->conf->network, s->bwrap, s->sync[0]);
	close(s->sync[0]);
	watch(s);
	network_end(&s->network);
	if (s->conf->cgroup != NULL)
		limits_cgroup_remove(s->conf->cgroup, s->conf->name);
	peers_close(&s->peers, SHIM_FD_DIR);
	judge(s, SHIM_FD_DIR);
}

int shim_run(const struct shim_conf *conf)
{
	static struct shim s; /* hundreds of KiB, touched as far as output comes */
	struct errinfo e = { 0 };
	struct env env = { 0 };

	s.conf = conf;
	s.init_fd = s.log = s.status = s.film.fd = s.end.code = -1;
	s.end.started_ms = clock_wall_ms();
	const char *why = prepare(&s, &env);
	if (why == NULL && record_begin(SHIM_FD_DIR, s.end.started_ms, &e) != ERR_OK)
		why = e.what;
	if (why != NULL) {
		(void)write_all(SHIM_FD_READY, why, strlen(why));
		return 1;
	}
	bool heard = peers_open(&s.peers, SHIM_FD_DIR) == 0;
	s.bwrap = heard ? fork() : -1;
	if (s.bwrap == 0)
		become_box(&s, env.list);
	int failure = errno;
	for (int fd = SHIM_FD_ENV; fd <= SHIM_FD_STATUS; fd++)
		close(fd);
	forget_env(&env);
	close(s.pty.slave);
	close(s.sync[1]);
	(void)write_all(SHIM_FD_READY, &(char){ SHIM_READY }, 1);
	close(SHIM_FD_READY);
	if (s.bwrap > 0) {
		run_box(&s);
	} else {
		s.end.reason = "error";
		s.end.ended_ms = clock_wall_ms();
		(void)snprintf(s.end.error, sizeof s.end.error, "%s: %s",
			       heard ? "fork" : "ctl", strerror(failure));
	}
	return record_end(SHIM_FD_DIR, &s.end, &e) == ERR_OK ? 0 : 1;
}

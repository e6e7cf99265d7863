#include "sandbox/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "sandbox/shim.h"
#include "sandbox/tree.h"

enum { PROBE_MS = 2000, ABOVE = 32 /* our descriptors, before they go to their fixed places */ };

enum err find_bwrap(char *path, size_t size, struct errinfo *e)
{
	const char *p = getenv("PATH");

	for (p = p != NULL ? p : "/usr/local/bin:/usr/bin:/bin"; *p != '\0';) {
		int len = (int)strcspn(p, ":");
		if (*p == '/' && (size_t)snprintf(path, size, "%.*s/bwrap", len, p) < size &&
		    access(path, X_OK) == 0)
			return ERR_OK;
		p += len;
		p += *p == ':';
	}
	return err_wire(e, ERR_BAD_INPUT, "no_boundary",
			"bubblewrap is not installed on the sandbox host: apt install bubblewrap");
}

/* A memory file with this text, at its start; -1 with errno. */
static int memory_file(const char *name, const char *text, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	int high = write_all(fd, text, len) < 0 || lseek(fd, 0, SEEK_SET) < 0
			   ? -1
			   : fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
	close(fd);
	return high;
}

static int spawn(const char *path, char *const argv[], const posix_spawn_file_actions_t *files,
		 pid_t *pid)
{
	static char *const no_env[] = { NULL };
	posix_spawnattr_t attr;
	sigset_t all;

	/*
	 * Every signal starts blocked (the shim reads them from a descriptor: none can fall into
	 * the gap before it does) and at its default (we ignore SIGPIPE; a child must not).
	 */
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &all);
	posix_spawnattr_setsigdefault(&attr, &all);
	int rc = posix_spawn(pid, path, files, &attr, argv, no_env);
	posix_spawnattr_destroy(&attr);
	return rc;
}

static void actions_init(posix_spawn_file_actions_t *fa)
{
	posix_spawn_file_actions_init(fa);
	posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(fa, 0, 1);
	posix_spawn_file_actions_adddup2(fa, 0, 2);
}

/* ---- probe ---- */
static enum err probe_failed(const char *said, struct errinfo *e)
{
	char line[120] = "";

	(void)snprintf(line, sizeof line, "%.119s", said);
	line[strcspn(line, "\r\n")] = '\0';
	for (char *p = line; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	return err_wire(e, ERR_BAD_INPUT, "no_boundary",
			"this host refuses to build a box (%s); allow it: sysctl "
			"kernel.unprivileged_userns_clone=1, "
			"user.max_user_namespaces=15000",
			line[0] != '\0' ? line : "bwrap failed without a word");
}

static bool wait_for(pid_t pid, int timeout_ms, int *status)
{
	struct pollfd p = { .fd = pidfd_of(pid), .events = POLLIN };

	if (p.fd >= 0) {
		if (poll(&p, 1, timeout_ms) == 0)
			(void)kill(pid, SIGKILL);
		close(p.fd);
	}
	return waitpid(pid, status, 0) == pid;
}

enum err probe_boundary(const char *bwrap, struct errinfo *e)
{
	posix_spawn_file_actions_t fa;
	struct strbuf args;
	char number[16], said[256];
	pid_t pid = 0;
	int status = -1;

	strbuf_init(&args);
	argv_probe(&args);
	int in = memory_file("chomp-probe", args.buf, args.len);
	int err = memory_file("chomp-probe-said", "", 0);
	strbuf_release(&args);
	(void)snprintf(number, sizeof number, "%d", SHIM_FD_ARGS);
	char *argv[] = { (char[]){ "bwrap" }, (char[]){ "--args" }, number,
			 (char[]){ "/usr/bin/true" }, NULL };
	actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, SHIM_FD_ARGS);
	posix_spawn_file_actions_adddup2(&fa, err, 2);
	posix_spawn_file_actions_addclosefrom_np(&fa, SHIM_FD_ARGS + 1);
	int rc = in < 0 || err < 0 ? errno : spawn(bwrap, argv, &fa, &pid);
	posix_spawn_file_actions_destroy(&fa);
	bool ok = rc == 0 && wait_for(pid, PROBE_MS, &status) && WIFEXITED(status) &&
		  WEXITSTATUS(status) == 0;
	ssize_t n = err >= 0 ? pread(err, said, sizeof said - 1, 0) : 0;
	said[n > 0 ? n : 0] = '\0';
	if (in >= 0)
		close(in);
	if (err >= 0)
		close(err);
	if (ok)
		return ERR_OK;
	return probe_failed(rc != 0 ? strerror(rc) : said, e);
}

/* ---- shim ---- */
enum { ENV, ARGS, TOKEN, PROMPT, HISTORY, FILES };

static bool make_files(const struct launch *l, int files[static FILES])
{
	const struct dispatch *d = l->dispatch;
	struct strbuf text;

	strbuf_init(&text);
	argv_env(&text, l->host, d, l->source);
	files[ENV] = memory_file("chomp-env", text.buf, text.len);
	explicit_bzero(text.buf, text.len);
	strbuf_reset(&text);
	argv_box(&text, l->host, d, l->where, l->source);
	files[ARGS] = memory_file("chomp-args", text.buf, text.len);
	strbuf_release(&text);
	files[TOKEN] = memory_file("chomp-token", d->callback_token, strlen(d->callback_token));
	files[PROMPT] = memory_file("chomp-prompt", d->prompt, strlen(d->prompt));
	files[HISTORY] = memory_file("chomp-history", d->history, strlen(d->history));
	for (int i = 0; i < FILES; i++) {
		if (files[i] < 0)
			return false;
	}
	return true;
}

static int spawn_shim(const struct launch *l, const int files[static FILES], int ready, pid_t *pid)
{
	posix_spawn_file_actions_t fa;
	char timeout[32], args[16];

	int dir = fcntl(l->dir, F_DUPFD_CLOEXEC, ABOVE);
	int lock = fcntl(l->lock, F_DUPFD_CLOEXEC, ABOVE);
	int rc = dir < 0 || lock < 0 ? errno : 0;
	(void)snprintf(timeout, sizeof timeout, "%lld", (long long)l->dispatch->timeout_s);
	(void)snprintf(args, sizeof args, "%d", SHIM_FD_ARGS);
	char *argv[] = {
		(char[]){ "chomp-shim" },
		timeout,
		(char *)(uintptr_t)l->bwrap,
		(char[]){ "--args" },
		args,
		(char[]){ "/usr/bin/env" }, /* bash traps no signal that was ignored when it started */
		(char[]){ "--default-signal=HUP,INT,QUIT,TERM" },
		(char[]){ BOX_ENTRY },
		NULL,
	};
	actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, lock, SHIM_FD_LOCK);
	posix_spawn_file_actions_adddup2(&fa, dir, SHIM_FD_DIR);
	posix_spawn_file_actions_adddup2(&fa, ready, SHIM_FD_READY);
	for (int i = 0; i < FILES; i++)
		posix_spawn_file_actions_adddup2(&fa, files[i], SHIM_FD_ENV + i);
	posix_spawn_file_actions_addclosefrom_np(&fa, SHIM_FD_HISTORY + 1);
	if (rc == 0)
		rc = spawn(l->shim, argv, &fa, pid);
	posix_spawn_file_actions_destroy(&fa);
	if (dir >= 0)
		close(dir);
	if (lock >= 0)
		close(lock);
	return rc;
}

enum err launch_shim(const struct launch *l, pid_t *pid, int *ready, struct errinfo *e)
{
	int files[FILES] = { -1, -1, -1, -1, -1 }, ends[2] = { -1, -1 }, high = -1;
	enum err rc = ERR_OK;

	*ready = -1;
	if (!make_files(l, files) || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    (high = fcntl(ends[1], F_DUPFD_CLOEXEC, ABOVE)) < 0)
		rc = err_set(e, ERR_IO, errno, "hand over to the shim");
	int why = rc == ERR_OK ? spawn_shim(l, files, high, pid) : 0;
	if (why != 0)
		rc = err_set(e, ERR_IO, why, "start %s", l->shim);
	for (int i = 0; i < FILES; i++) {
		if (files[i] >= 0)
			close(files[i]);
	}
	if (ends[1] >= 0)
		close(ends[1]);
	if (high >= 0)
		close(high);
	if (rc == ERR_OK)
		*ready = ends[0];
	else if (ends[0] >= 0)
		close(ends[0]);
	return rc;
}

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
#include "core/hostport.h"
#include "core/log.h"
#include "sandbox/shim.h"
#include "sandbox/tree.h"

enum { PROBE_MS = 2000, ABOVE = 32 /* our descriptors, before they go to their fixed places */ };

bool find_program(const char *name, char *path, size_t size)
{
	const char *p = getenv("PATH");

	for (p = p != NULL ? p : "/usr/local/bin:/usr/bin:/bin"; *p != '\0';) {
		int len = (int)strcspn(p, ":");
		if (*p == '/' && (size_t)snprintf(path, size, "%.*s/%s", len, p, name) < size &&
		    access(path, X_OK) == 0)
			return true;
		p += len;
		p += *p == ':';
	}
	*path = '\0';
	return false;
}

enum err find_bwrap(char *path, size_t size, struct errinfo *e)
{
	if (find_program("bwrap", path, size))
		return ERR_OK;
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

static int copy_of(int from)
{
	char buf[16 * 1024]; /* a filter is a few KiB */
	ssize_t n = pread(from, buf, sizeof buf, 0);

	return n > 0 ? memory_file("chomp-seccomp", buf, (size_t)n) : -1;
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

enum err probe_boundary(const char *shim, const char *bwrap, struct errinfo *e)
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
	/* By the shim, which makes the outer namespaces: some systems allow them to bwrap alone. */
	char *argv[] = { (char[]){ "chomp-shim" },
			 (char[]){ "--probe" },
			 (char *)(uintptr_t)bwrap,
			 (char[]){ "--args" },
			 number,
			 (char[]){ "/usr/bin/true" },
			 NULL };
	actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, SHIM_FD_ARGS);
	posix_spawn_file_actions_adddup2(&fa, err, 2);
	posix_spawn_file_actions_addclosefrom_np(&fa, SHIM_FD_ARGS + 1);
	int rc = in < 0 || err < 0 ? errno : spawn(shim, argv, &fa, &pid);
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
enum { ENV, ARGS, TOKEN, PROMPT, HISTORY, SECCOMP, SECRETS, FILES };

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
	strbuf_reset(&text);
	argv_secrets(&text, d);
	files[SECRETS] = memory_file("chomp-secrets", text.buf, text.len);
	explicit_bzero(text.buf, text.len);
	strbuf_release(&text);
	files[TOKEN] = memory_file("chomp-token", d->callback_token, strlen(d->callback_token));
	files[PROMPT] = memory_file("chomp-prompt", d->prompt, strlen(d->prompt));
	files[HISTORY] = memory_file("chomp-history", d->history, strlen(d->history));
	/* A copy that is read on its own: bwrap reads from where the last one stopped. */
	files[SECCOMP] = copy_of(l->seccomp);
	for (int i = 0; i < FILES; i++) {
		if (files[i] < 0)
			return false;
	}
	return true;
}

enum { WORDS_MAX = 36 + 2 * DISPATCH_ALLOW_MAX };

struct words {
	char *list[WORDS_MAX];
	size_t n;
	char timeout[32], args[16], limits[LIMITS_TEXT], callback[HOSTPORT_MAX], repository[HOSTPORT_MAX];
};

static void word(struct words *w, const char *text)
{
	w->list[w->n++] = (char *)(uintptr_t)text; /* posix_spawn wants them so, and leaves them alone */
	w->list[w->n] = NULL;
}

static void option(struct words *w, const char *name, const char *value)
{
	if (value == NULL)
		return;
	word(w, name);
	word(w, value);
}

/*
 * Without the socket the callback goes by network, so that much of it is open.  With the socket the dashboard is no
 * place for an agent, whatever a list says.  The repository's own server is open, because the task names it.
 */
static void add_allowed(struct words *w, const struct launch *l)
{
	const struct dispatch *d = l->dispatch;
	bool known = hostport_of_url(d->callback_url, w->callback);
	const char *wanted[DISPATCH_ALLOW_MAX + 1];
	size_t n = d->allow_len;

	memcpy(wanted, d->allow, n * sizeof wanted[0]);
	if (d->repo_url != NULL && hostport_of_url(d->repo_url, w->repository))
		wanted[n++] = w->repository;
	if (known && l->host->callback == NULL)
		option(w, "--allow", w->callback);
	for (size_t i = 0; i < n; i++) {
		if (!known || !hostport_same(wanted[i], w->callback))
			option(w, "--allow", wanted[i]);
		else if (l->host->callback != NULL)
			log_event(LOG_WARN, "allow.refused", LOG_S("address", wanted[i]),
				  LOG_S("why", "it is chomp itself"));
	}
}

static void shim_words(struct words *w, const struct launch *l)
{
	(void)snprintf(w->timeout, sizeof w->timeout, "%lld", (long long)l->dispatch->timeout_s);
	(void)snprintf(w->args, sizeof w->args, "%d", SHIM_FD_ARGS);
	word(w, "chomp-shim");
	option(w, "--timeout", w->timeout);
	option(w, "--network", network_policy_name(l->dispatch->network));
	option(w, "--limits", limits_text(l->host->limits, w->limits));
	option(w, "--slirp", l->slirp);
	option(w, "--cgroup", l->cgroup);
	option(w, "--name", l->id);
	add_allowed(w, l);
	word(w, l->bwrap);
	option(w, "--args", w->args);
	word(w, "/usr/bin/env"); /* bash traps no signal that was ignored when it started */
	word(w, "--default-signal=HUP,INT,QUIT,TERM");
	word(w, BOX_ENTRY);
}

static int spawn_shim(const struct launch *l, const int files[static FILES], int ready, pid_t *pid)
{
	posix_spawn_file_actions_t fa;
	struct words words = { 0 };

	int dir = fcntl(l->dir, F_DUPFD_CLOEXEC, ABOVE);
	int lock = fcntl(l->lock, F_DUPFD_CLOEXEC, ABOVE);
	int rc = dir < 0 || lock < 0 ? errno : 0;
	shim_words(&words, l);
	actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, lock, SHIM_FD_LOCK);
	posix_spawn_file_actions_adddup2(&fa, dir, SHIM_FD_DIR);
	posix_spawn_file_actions_adddup2(&fa, ready, SHIM_FD_READY);
	for (int i = 0; i < FILES; i++)
		posix_spawn_file_actions_adddup2(&fa, files[i], SHIM_FD_ENV + i);
	posix_spawn_file_actions_addclosefrom_np(&fa, SHIM_FD_ENV + FILES);
	if (rc == 0)
		rc = spawn(l->shim, words.list, &fa, pid);
	posix_spawn_file_actions_destroy(&fa);
	if (dir >= 0)
		close(dir);
	if (lock >= 0)
		close(lock);
	return rc;
}

enum err launch_shim(const struct launch *l, pid_t *pid, int *ready, struct errinfo *e)
{
	int files[FILES] = { -1, -1, -1, -1, -1, -1, -1 }, ends[2] = { -1, -1 }, high = -1;
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

/* chomp-sandbox: the local sandbox host.  Options below; the protocol is in docs/API.md, the life
 * of a box in life.h. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/instance.h"
#include "core/log.h"
#include "core/number.h"
#include "sandbox/address.h"
#include "sandbox/life.h"
#include "sandbox/life_table.h"
#include "sandbox/server.h"

enum { SECRET_MIN = 16, SECRET_MAX = 256 };

struct options {
	const char *dir, *listen, *lock, *secret_file, *scripts, *agents, *callback, *shim, *limits, *cgroup;
	int64_t secret_fd, capacity;
};

static const char usage[] =
	"usage: chomp-sandbox --dir DIR --listen unix:/PATH|127.0.0.1:PORT --scripts DIR [--shim "
	"PATH]\n"
	"         [--lock FILE] [--secret-fd N | --secret-file FILE] [--agents DIR] [--callback "
	"DIR] [--capacity N]\n"
	"         [--limits processes=N,memory=N,file=N,files=N,tmp=N] [--cgroup DIR]\n"
	"SIGTERM stops it and leaves the boxes running; SIGUSR1 ends every box first.\n";

static const struct option long_options[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "listen", required_argument, NULL, 'l' },
	{ "lock", required_argument, NULL, 'k' },
	{ "secret-fd", required_argument, NULL, 'n' },
	{ "secret-file", required_argument, NULL, 'f' },
	{ "scripts", required_argument, NULL, 's' },
	{ "agents", required_argument, NULL, 'a' },
	{ "callback", required_argument, NULL, 'b' },
	{ "shim", required_argument, NULL, 'm' },
	{ "capacity", required_argument, NULL, 'c' },
	{ "limits", required_argument, NULL, 'i' }, /* of each box; bytes with K, M, G */
	{ "cgroup", required_argument, NULL, 'g' }, /* a delegated directory: memory and processes are limited there */
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* 0; 1: help was asked for; 2: wrong. */
static int parse(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		const char **text = NULL;
		switch (c) {
		case 'd':
			text = &o->dir;
			break;
		case 'l':
			text = &o->listen;
			break;
		case 'k':
			text = &o->lock;
			break;
		case 'f':
			text = &o->secret_file;
			break;
		case 's':
			text = &o->scripts;
			break;
		case 'a':
			text = &o->agents;
			break;
		case 'b':
			text = &o->callback;
			break;
		case 'm':
			text = &o->shim;
			break;
		case 'i':
			text = &o->limits;
			break;
		case 'g':
			text = &o->cgroup;
			break;
		case 'n':
			if (number_parse(optarg, 3, INT_MAX, &o->secret_fd) < 0)
				return 2;
			break;
		case 'c':
			if (number_parse(optarg, 1, BOX_MAX, &o->capacity) < 0)
				return 2;
			break;
		case 'h':
			return 1;
		default:
			return 2;
		}
		if (text != NULL)
			*text = optarg;
	}
	return optind == argc && o->dir != NULL && o->listen != NULL && o->scripts != NULL ? 0 : 2;
}

/* Boxes and shims are started from other directories: every path becomes absolute. */
static enum err absolute(struct arena *a, const char *option, const char **path, bool must_exist,
			 struct errinfo *e)
{
	char real[PATH_MAX];

	if (*path == NULL)
		return ERR_OK;
	if (realpath(*path, real) != NULL) {
		*path = arena_strdup(a, real);
		return ERR_OK;
	}
	if (must_exist)
		return err_set(e, ERR_BAD_INPUT, errno, "--%s: %.150s", option, *path);
	if (**path == '/')
		return ERR_OK;
	if (getcwd(real, sizeof real) == NULL)
		return err_set(e, ERR_BAD_INPUT, errno, "--%s: %.100s", option, *path);
	*path = arena_printf(a, "%s/%s", real, *path);
	return ERR_OK;
}

static const char *beside_us(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "chomp-shim");

	if (n <= 0)
		return "chomp-shim";
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	memcpy(slash != NULL ? slash + 1 : path, "chomp-shim", sizeof "chomp-shim");
	return path;
}

static enum err absolute_all(struct arena *a, struct options *o, struct errinfo *e)
{
	enum err rc;

	if ((rc = absolute(a, "dir", &o->dir, false, e)) != ERR_OK ||
	    (rc = absolute(a, "scripts", &o->scripts, true, e)) != ERR_OK ||
	    (rc = absolute(a, "agents", &o->agents, false, e)) != ERR_OK ||
	    (rc = absolute(a, "callback", &o->callback, false, e)) != ERR_OK ||
	    (rc = absolute(a, "shim", &o->shim, true, e)) != ERR_OK)
		return rc;
	if (access(o->shim, X_OK) < 0)
		return err_set(e, ERR_BAD_INPUT, errno, "--shim: %.150s", o->shim);
	return ERR_OK;
}

/* NULL in *out when none is configured. */
static enum err read_secret(const struct options *o, const char **out, struct errinfo *e)
{
	static char secret[SECRET_MAX + 2];
	int fd = (int)o->secret_fd;

	*out = NULL;
	if (o->secret_fd < 0 && o->secret_file == NULL)
		return ERR_OK;
	if (o->secret_file != NULL)
		fd = open(o->secret_file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, secret, sizeof secret - 1) : -1;
	int why = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return err_set(e, ERR_IO, why, "the secret cannot be read");
	secret[n] = '\0';
	secret[strcspn(secret, "\r\n")] = '\0';
	size_t len = strlen(secret);
	if (len < SECRET_MIN || len > SECRET_MAX)
		return err_set(e, ERR_BAD_INPUT, 0, "the secret must have %d to %d characters",
			       SECRET_MIN, SECRET_MAX);
	*out = secret;
	return ERR_OK;
}

/* Held until we end; nobody we start gets a copy. */
static enum err take_lock(const char *path, struct errinfo *e)
{
	int fd;

	return path != NULL ? instance_lock(path, &fd, e) : ERR_OK;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static enum err run(struct arena *a, struct options *o, struct errinfo *e)
{
	struct server_conf server = { .listen = o->listen, .capacity = (int)o->capacity };
	struct life *life = NULL;
	enum err rc;

	if ((rc = absolute_all(a, o, e)) != ERR_OK ||
	    (rc = read_secret(o, &server.secret, e)) != ERR_OK ||
	    (rc = address_check(o->listen, server.secret != NULL, e)) != ERR_OK ||
	    (rc = take_lock(o->lock, e)) != ERR_OK)
		return rc;
	struct life_conf conf = {
		.dir = o->dir,
		.secret = server.secret,
		.shim = o->shim,
		.host = { .scripts = o->scripts, .agents = o->agents, .callback = o->callback },
		.capacity = (int)o->capacity,
	};
	limits_default(&conf.limits);
	if (o->limits != NULL && (rc = limits_parse(&conf.limits, o->limits, e)) != ERR_OK)
		return rc;
	if (o->cgroup != NULL && limits_cgroup_usable(o->cgroup))
		conf.cgroup = o->cgroup;
	else
		log_event(LOG_INFO, "host.limits", LOG_S("why", "no delegated cgroup: memory is limited per process"));
	/* Agents would look like root to whatever asks the kernel who they are. */
	if (geteuid() == 0)
		log_event(LOG_WARN, "host.root", LOG_S("why", "run it as a user of its own"));
	rc = life_open(&conf, &life, e);
	if (rc == ERR_OK)
		rc = server_run(&server, life, e);
	life_free(life);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = { .secret_fd = -1, .capacity = 32, .shim = beside_us() };
	struct errinfo e = { 0 };
	struct arena paths = { 0 };

	block_signals();
	log_init("sandbox");
	umask(077);
	int bad = parse(argc, argv, &o);
	if (bad != 0) {
		(void)fputs(usage, bad == 1 ? stdout : stderr);
		return bad == 1 ? 0 : 2;
	}
	bool ok = run(&paths, &o, &e) == ERR_OK;
	if (ok)
		log_event(LOG_INFO, "host.stopped", LOG_S("dir", o.dir));
	else
		log_err(LOG_ERROR, "host.failed", &e);
	arena_reset(&paths);
	return ok ? 0 : 1;
}

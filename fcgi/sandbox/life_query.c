/* Opening and closing a `struct life`, and the questions that change nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/cast.h"
#include "core/file.h"
#include "core/log.h"
#include "core/rand.h"
#include "sandbox/ctl.h"
#include "sandbox/launch.h"
#include "sandbox/life_table.h"
#include "sandbox/network.h"
#include "sandbox/seccomp.h"

/* Making it holds up everybody else: as much as takes some hundredths of a second. */
enum { RECORDED = 8 * 1024 * 1024 };

/* ids must survive a restart also where no secret is configured */
static enum err own_key(struct life *l, struct errinfo *e)
{
	struct arena a = { 0 };
	char *text = NULL;
	size_t len = 0;
	enum err rc = file_read(l->root, ".key", sizeof l->key - 1, &a, &text, &len, e);

	if (rc == ERR_OK && len > 0) {
		memcpy(l->key, text, len + 1);
	} else if (rc == ERR_NOT_FOUND || rc == ERR_OK) {
		rand_hex(l->key, 32);
		rc = file_replace(l->root, ".key", l->key, strlen(l->key), 0600, e);
	}
	arena_reset(&a);
	return rc;
}

/* The names that uid and gid 1000 have in every box. */
static enum err write_etc(struct life *l, struct errinfo *e)
{
	static const char passwd[] = "root:x:0:0:root:/root:/usr/sbin/nologin\n"
				     "agent:x:1000:1000:agent:/home/agent:/bin/bash\n"
				     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
	static const char group[] = "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n";
	static const char resolv[] = "nameserver " NETWORK_DNS "\noptions timeout:2\n";

	if (make_dir(l->root, ".etc", 0700) < 0)
		return err_set(e, ERR_IO, errno, "create .etc");
	int fd = openat(l->root, ".etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(e, ERR_IO, errno, "open .etc");
	enum err rc = file_replace(fd, "passwd", passwd, sizeof passwd - 1, 0600, e);
	if (rc == ERR_OK)
		rc = file_replace(fd, "group", group, sizeof group - 1, 0600, e);
	if (rc == ERR_OK)
		rc = file_replace(fd, "resolv.conf", resolv, sizeof resolv - 1, 0600, e);
	close(fd);
	return rc;
}

static enum err open_loop(struct life *l, struct errinfo *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = WATCH_TIMER };

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll < 0 || l->timer < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &ev) < 0)
		return err_set(e, ERR_IO, errno, "event loop");
	return ERR_OK;
}

enum err life_open(const struct life_conf *conf, struct life **out, struct errinfo *e)
{
	struct life *l = memset(xmalloc(sizeof *l), 0, sizeof *l);
	struct errinfo why = { 0 };
	enum err rc;

	l->conf = *conf;
	l->root = l->epoll = l->timer = l->sweeper = l->seccomp = -1;
	*out = l;
	if ((size_t)snprintf(l->etc, sizeof l->etc, "%s/.etc", conf->dir) >= sizeof l->etc)
		return err_set(e, ERR_BAD_INPUT, 0, "--dir is too long");
	if (make_dir(AT_FDCWD, conf->dir, 0700) < 0)
		return err_set(e, ERR_IO, errno, "create %.150s", conf->dir);
	l->root = open(conf->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->root < 0)
		return err_set(e, ERR_IO, errno, "open %.150s", conf->dir);
	if ((rc = open_loop(l, e)) != ERR_OK || (rc = own_key(l, e)) != ERR_OK ||
	    (rc = write_etc(l, e)) != ERR_OK || (rc = seccomp_make(&l->seccomp, e)) != ERR_OK)
		return rc;
	table_adopt_all(l);
	table_sweep(l);
	/* Ask once now, so that the log says it at once; every dispatch asks again while the answer
	 * is no. */
	l->boundary_known = find_bwrap(l->bwrap, sizeof l->bwrap, &why) == ERR_OK &&
			    probe_boundary(l->conf.shim, l->bwrap, &why) == ERR_OK;
	if (!l->boundary_known)
		log_err(LOG_ERROR, "boundary.missing", &why);
	const char *missing = table_find_slirp(l);
	if (missing != NULL)
		log_event(LOG_WARN, "network.missing", LOG_S("why", missing));
	return ERR_OK;
}

void life_free(struct life *l)
{
	if (l == NULL)
		return;
	while (l->len > 0)
		table_remove(l, l->box[l->len - 1]);
	int fds[] = { l->root, l->epoll, l->timer, l->sweeper, l->seccomp };
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(l);
}

int life_fd(const struct life *l)
{
	return l->epoll;
}

int life_count(const struct life *l)
{
	return l->len;
}

bool life_drained(const struct life *l)
{
	return l->draining && l->len == 0 && l->sweeper < 0;
}

enum err life_status(struct life *l, struct arena *a, const char *id, struct status *out,
		     struct errinfo *e)
{
	struct begun begun = { 0 };
	struct exit_record rec = { 0 };
	int fd = -1;

	*out = (struct status){ .id = id };
	enum err rc = boxdir_open(l->root, id, &fd, e);
	if (rc == ERR_NOT_FOUND)
		return ERR_OK; /* unknown is an answer: not alive */
	if (rc != ERR_OK)
		return rc;
	const struct box *b = table_find(l, id);
	bool began = boxdir_begun(fd, &begun);
	bool ended = boxdir_record(fd, &rec);
	out->alive = b != NULL || boxdir_alive(fd);
	out->running = out->alive && began && !ended;
	out->started_ms = begun.started_ms;
	out->has_code = rec.has_code;
	out->exit_code = rec.code;
	out->reason = arena_strdup(a, rec.reason);
	out->error = arena_strdup(a, rec.error);
	out->ended = arena_strdup(a, rec.ended);
	/* Before it began; or so hard that nobody was left to write it down. */
	if (!out->alive && !ended && boxdir_killed(fd))
		out->reason = "killed";
	close(fd);
	return ERR_OK;
}

static enum err open_file(struct life *l, const char *id, const char *name, int *fd, off_t *size, struct errinfo *e)
{
	struct stat st;
	int dir = -1;

	*fd = -1;
	*size = 0;
	enum err rc = boxdir_open(l->root, id, &dir, e);
	if (rc != ERR_OK)
		return rc;
	*fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0 && errno != ENOENT)
		rc = err_set(e, ERR_IO, errno, "open the sandbox's %s", name);
	close(dir);
	if (*fd >= 0 && fstat(*fd, &st) == 0)
		*size = st.st_size;
	return rc;
}

enum err life_log(struct life *l, const char *id, int *fd, off_t *size, struct errinfo *e)
{
	return open_file(l, id, "log", fd, size, e);
}

enum err life_film(struct life *l, const char *id, int *fd, off_t *size, struct errinfo *e)
{
	return open_file(l, id, "film", fd, size, e);
}

static int put_file(void *arg, const char *p, size_t len)
{
	return write_all(*(const int *)arg, p, len);
}

enum err life_recording(struct life *l, const char *id, int *fd, off_t *size, struct errinfo *e)
{
	struct cast c = { .log = -1, .film = -1, .marks = -1, .newest = RECORDED };
	int to = -1;

	*fd = -1;
	enum err rc = life_log(l, id, &c.log, size, e);
	if (rc == ERR_OK)
		rc = life_film(l, id, &c.film, size, e);
	if (rc == ERR_OK && (to = openat(l->root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0)
		rc = err_set(e, ERR_IO, errno, "a file for the recording");
	if (rc == ERR_OK)
		rc = cast_write(&c, put_file, &to, e);
	*size = rc == ERR_OK ? lseek(to, 0, SEEK_END) : 0;
	if (c.log >= 0)
		close(c.log);
	if (c.film >= 0)
		close(c.film);
	if (rc != ERR_OK && to >= 0)
		close(to);
	else
		*fd = to;
	return rc;
}

int life_ctl(struct life *l, const char *id)
{
	struct errinfo e;
	int dir = -1;

	if (boxdir_open(l->root, id, &dir, &e) != ERR_OK) {
		errno = ENOENT;
		return -1;
	}
	int fd = ctl_connect(dir), why = errno;
	close(dir);
	errno = why;
	return fd;
}

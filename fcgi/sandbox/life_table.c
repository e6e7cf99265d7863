#include "sandbox/life_table.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mac.h"
#include "sandbox/launch.h"
#include "sandbox/shim.h"
#include "sandbox/sweep.h"
#include "sandbox/tree.h"

void table_id_of(const struct life *l, const char *dispatch_id, char id[static SANDBOX_ID])
{
	const char *secret = l->conf.secret != NULL ? l->conf.secret : l->key;
	uint8_t mac[MAC_LEN];

	hmac_sha256(secret, strlen(secret), dispatch_id, strlen(dispatch_id), mac);
	hex_encode(id, mac, (SANDBOX_ID - 1) / 2);
}

/* ---- descriptors ---- */
static enum err watch(const struct life *l, int fd, uint64_t number, enum watched what,
		      struct errinfo *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = number << 2 | (uint64_t)what };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return ERR_OK;
	return err_set(e, ERR_IO, errno, "watch a descriptor");
}

void table_set_timer(struct life *l)
{
	struct itimerspec t = { 0 };
	int64_t nearest = 0;

	for (int i = 0; i < l->len; i++) {
		int64_t at = l->box[i]->deadline_ms;
		if (at != 0 && (nearest == 0 || at < nearest))
			nearest = at;
	}
	if (nearest != 0) {
		t.it_value.tv_sec = nearest / 1000;
		t.it_value.tv_nsec = nearest % 1000 * 1000000;
	}
	/* Setting it also clears its readiness. */
	(void)timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

bool table_read_said(struct box *b)
{
	while (b->ready >= 0 && b->said_len < SAID_MAX - 1) {
		ssize_t n = read(b->ready, b->said + b->said_len, SAID_MAX - 1 - b->said_len);
		if (n < 0 && errno == EAGAIN)
			return b->said[0] == SHIM_READY;
		if (n <= 0)
			break;
		b->said_len += (size_t)n;
	}
	return true;
}

void table_close_ready(struct life *l, struct box *b)
{
	(void)l;
	if (b->ready >= 0)
		close(b->ready); /* the only copy: epoll forgets it by itself */
	b->ready = -1;
}

/* ---- the table ---- */
struct box *table_by_number(struct life *l, uint64_t number)
{
	for (int i = 0; i < l->len; i++) {
		if (l->box[i]->number == number)
			return l->box[i];
	}
	return NULL;
}

enum err table_add(struct life *l, const char *id, pid_t shim, int ready, enum state state,
		   struct errinfo *e)
{
	enum err rc = ERR_OK;
	int pidfd = pidfd_of(shim);

	if (l->len == BOX_MAX)
		rc = err_set(e, ERR_LIMIT, 0, "more than %d sandboxes", BOX_MAX);
	else if (pidfd < 0)
		rc = err_set(e, ERR_IO, errno, "watch the shim");
	uint64_t number = ++l->last_number;
	if (rc == ERR_OK)
		rc = watch(l, pidfd, number, WATCH_SHIM, e);
	if (rc == ERR_OK && ready >= 0)
		rc = watch(l, ready, number, WATCH_READY, e);
	if (rc != ERR_OK) {
		if (ready >= 0)
			close(ready);
		if (pidfd >= 0)
			close(pidfd);
		return rc;
	}
	struct box *b = memset(xmalloc(sizeof *b), 0, sizeof *b);
	memcpy(b->id, id, SANDBOX_ID);
	b->number = number;
	b->state = state;
	b->shim = shim;
	b->pidfd = pidfd;
	b->ready = ready;
	b->born_ms = clock_mono_ms();
	l->box[l->len++] = b;
	return ERR_OK;
}

void table_remove(struct life *l, struct box *b)
{
	int i = 0;

	while (i < l->len && l->box[i] != b)
		i++;
	assert(i < l->len);
	l->box[i] = l->box[--l->len];
	table_close_ready(l, b);
	close(b->pidfd);
	free(b);
	table_set_timer(l);
}

/* ---- adoption ---- */

/*
 * A held lock says that a shim lives, `begun` says its number.  The number may have gone to another
 * process by the time we open it; if the lock is still held *after* that, it was the shim.
 */
static struct box *adopt(struct life *l, const char *id)
{
	struct errinfo e = { 0 };
	struct begun begun = { 0 };
	struct box *b = NULL;
	int fd = -1;

	if (boxdir_open(l->root, id, &fd, NULL) != ERR_OK)
		return NULL;
	if (boxdir_alive(fd) && boxdir_begun(fd, &begun) && begun.shim > 0 &&
	    table_add(l, id, begun.shim, -1, RUNNING, &e) == ERR_OK) {
		b = l->box[l->len - 1];
		b->started_ms = begun.started_ms;
		if (!boxdir_alive(fd)) {
			table_remove(l, b);
			b = NULL;
		}
	}
	close(fd);
	if (b != NULL)
		log_event(LOG_INFO, "box.adopted", LOG_S("id", id), LOG_I("shim", b->shim));
	return b;
}

struct box *table_find(struct life *l, const char *id)
{
	for (int i = 0; i < l->len; i++) {
		if (strcmp(l->box[i]->id, id) == 0)
			return l->box[i];
	}
	return adopt(l, id);
}

static bool is_old(int fd, const struct stat *st)
{
	struct begun begun = { 0 };
	int64_t limit = clock_wall_ms() - (int64_t)KEEP_DAYS * 24 * 3600 * 1000;

	if (boxdir_begun(fd, &begun))
		return begun.started_ms < limit;
	return (int64_t)st->st_mtim.tv_sec * 1000 < limit;
}

void table_adopt_all(struct life *l)
{
	struct dirent *d;
	struct stat st;
	int up = openat(l->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = up >= 0 ? fdopendir(up) : NULL;

	if (dir == NULL)
		return;
	l->looked_ms = clock_mono_ms();
	while ((d = readdir(dir)) != NULL) {
		int fd = -1;
		if (!sandbox_id_valid(d->d_name) || table_find(l, d->d_name) != NULL ||
		    boxdir_open(l->root, d->d_name, &fd, NULL) != ERR_OK)
			continue;
		if (fstat(fd, &st) == 0 && is_old(fd, &st) && !boxdir_alive(fd) &&
		    sweep_move(l->root, l->root, d->d_name))
			log_event(LOG_INFO, "box.removed", LOG_S("id", d->d_name));
		close(fd);
	}
	closedir(dir);
}

/* ---- what is left ---- */
enum err table_bury(struct life *l, const char *id, struct errinfo *e)
{
	int fd = -1;
	enum err rc;

	if (make_dir(l->root, id, 0700) < 0)
		return err_set(e, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, errno,
			       "mark as killed");
	if ((rc = boxdir_open(l->root, id, &fd, e)) != ERR_OK)
		return rc;
	if (boxdir_alive(fd) && table_find(l, id) == NULL)
		rc = err_set(e, ERR_BUSY, 0, "the sandbox is being started");
	else if (!boxdir_killed(fd) || !boxdir_begun(fd, NULL))
		/* One that began is safe from a second start anyway: no need to wait for the disk.
		 */
		rc = boxdir_mark_killed(l->root, fd, !boxdir_begun(fd, NULL), e);
	if (rc == ERR_OK &&
	    (!sweep_move(l->root, fd, "workspace") || !sweep_move(l->root, fd, "home")))
		log_event(LOG_WARN, "box.sweep", LOG_S("id", id), LOG_S("why", strerror(errno)));
	close(fd);
	if (rc == ERR_OK)
		table_sweep(l);
	return rc;
}

void table_sweep(struct life *l)
{
	if (l->sweeper >= 0) {
		l->sweep_again = true;
		return;
	}
	l->sweep_again = false;
	pid_t pid = sweep_start(l->root);
	if (pid < 0)
		return; /* the next one, or the next start, removes it */
	l->sweeper = pidfd_of(pid);
	if (l->sweeper >= 0 && watch(l, l->sweeper, 0, WATCH_SWEEP, NULL) == ERR_OK)
		return;
	if (l->sweeper >= 0)
		close(l->sweeper);
	l->sweeper = -1;
}

void table_sweep_done(struct life *l)
{
	siginfo_t info = { 0 };

	if (l->sweeper < 0)
		return;
	(void)waitid(P_PIDFD, (id_t)l->sweeper, &info, WEXITED | WNOHANG);
	close(l->sweeper);
	l->sweeper = -1;
	if (info.si_status != 0)
		log_event(LOG_WARN, "sweep.failed", LOG_S("dir", l->conf.dir));
	if (l->sweep_again)
		table_sweep(l);
}

/* ---- small files ---- */
enum err table_write_about(int dir, const struct dispatch *d, struct errinfo *e)
{
	struct strbuf text;
	struct jw w;

	strbuf_init(&text);
	jw_init(&w, &text);
	jw_object(&w, NULL);
	jw_str(&w, "dispatchId", d->id);
	jw_str(&w, "taskId", d->task);
	jw_str(&w, "sessionId", d->session);
	jw_str(&w, "agent", d->agent);
	jw_object_end(&w);
	strbuf_putc(&text, '\n');
	int fd = openat(dir, "about.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);
	bool ok = fd >= 0 && write_all(fd, text.buf, text.len) == 0;
	int why = errno;
	if (fd >= 0)
		close(fd);
	strbuf_release(&text);
	return ok ? ERR_OK : err_set(e, why == ENOSPC ? ERR_DISK_FULL : ERR_IO, why, "about.json");
}

struct box_host table_host(const struct life *l)
{
	struct box_host h = l->conf.host;

	h.etc = l->etc;
	h.limits = &l->conf.limits;
	if (h.agents != NULL && access(h.agents, R_OK | X_OK) < 0)
		h.agents = NULL; /* nothing installed yet */
	if (h.callback != NULL && access(h.callback, X_OK) < 0) {
		log_event(LOG_WARN, "callback.missing", LOG_S("dir", h.callback));
		h.callback = NULL;
	}
	return h;
}

const char *table_find_slirp(struct life *l)
{
	return network_missing(find_program("slirp4netns", l->slirp, sizeof l->slirp) ? l->slirp : NULL);
}

void table_boundary(struct life *l, const struct dispatch *d, char *out, size_t size)
{
	bool want = d->network == NETWORK_INTERNET, have = want && table_find_slirp(l) == NULL;
	const char *network = d->network == NETWORK_HOST ? "the host's network (unsafe)" :
			      have			 ? "internet without private addresses" :
			      want			 ? "no network (this host cannot give internet)" :
							   "no network";

	(void)snprintf(out, size, "bubblewrap and seccomp; %s; memory limited %s", network,
		       l->conf.cgroup != NULL ? "per box" : "per process");
}

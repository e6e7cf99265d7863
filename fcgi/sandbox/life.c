/*
 * States of a living sandbox, and what moves it on.  The shim is the one that acts inside its box;
 * we ask it (SIGTERM), see it end (its pidfd), and end it ourselves only when it does not answer.
 */
#include "sandbox/life.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mac.h"
#include "sandbox/launch.h"
#include "sandbox/life_table.h"
#include "sandbox/shim.h"
#include "sandbox/sweep.h"
#include "sandbox/tree.h"

enum {
	KILL_GRACE_MS = SHIM_TERM_MS + 2000 /* the shim's own grace, and time to reap a fork bomb */
};

/* ---- waiting callers ---- */
static void join(struct life_wait **list, struct life_wait *w)
{
	w->next = *list;
	*list = w;
}

static void answer_all(struct life_wait **list, enum err rc, const struct errinfo *e)
{
	while (*list != NULL) {
		struct life_wait *w = *list;
		*list = w->next;
		w->done(w, rc, e);
	}
}

static void drop(struct life_wait **list, const struct life_wait *w)
{
	for (; *list != NULL; list = &(*list)->next) {
		if (*list == w) {
			*list = w->next;
			return;
		}
	}
}

void life_forget(struct life *l, struct life_wait *w)
{
	for (int i = 0; i < l->len; i++) {
		drop(&l->box[i]->starting, w);
		drop(&l->box[i]->killing, w);
	}
}

/* ---- moves ---- */
static void ask_shim(struct life *l, struct box *b)
{
	/* Marked first: should we die now, a repeated dispatch must still find it. */
	int fd = -1;
	struct errinfo e = { 0 };

	if (boxdir_open(l->root, b->id, &fd, &e) != ERR_OK ||
	    boxdir_mark_killed(l->root, fd, false, &e) != ERR_OK)
		log_err(LOG_ERROR, "box.mark", &e);
	if (fd >= 0)
		close(fd);
	log_event(LOG_INFO, "box.kill", LOG_S("id", b->id));
	(void)pidfd_signal(b->pidfd, SIGTERM);
	b->deadline_ms = clock_mono_ms() + KILL_GRACE_MS;
	table_set_timer(l);
}

static void end_shim(struct life *l, struct box *b)
{
	log_event(LOG_WARN, "shim.stuck", LOG_S("id", b->id), LOG_I("shim", b->shim));
	(void)pidfd_signal(b->pidfd, SIGKILL); /* bwrap dies with it, and the box with bwrap */
	b->deadline_ms = 0;
	table_set_timer(l);
}

static void tell_started(struct life *l, struct box *b)
{
	(void)l;
	log_event(LOG_INFO, "box.started", LOG_S("id", b->id), LOG_I("shim", b->shim),
		  LOG_I("ms", clock_mono_ms() - b->born_ms));
	answer_all(&b->starting, ERR_OK, NULL);
}

static void tell_not_started(struct life *l, struct box *b)
{
	struct errinfo e = { 0 };

	(void)l;
	err_set(&e, ERR_IO, 0, "the shim ended before the box began: %.150s",
		b->said[0] != '\0' ? b->said : "it said nothing");
	log_event(LOG_ERROR, "box.not_started", LOG_S("id", b->id), LOG_S("why", e.what));
	answer_all(&b->starting, ERR_IO, &e);
}

static void refuse_started(struct life *l, struct box *b)
{
	struct errinfo e = { 0 };

	(void)l;
	err_wire(&e, ERR_CONFLICT, "killed", "this dispatch was killed; use a new dispatchId");
	answer_all(&b->starting, ERR_CONFLICT, &e);
}

static void tell_killed(struct life *l, struct box *b)
{
	struct errinfo e = { 0 };

	if (b->starting != NULL)
		refuse_started(l, b);
	enum err rc = table_bury(l, b->id, &e);
	answer_all(&b->killing, rc, &e);
}

static void note(struct life *l, struct box *b)
{
	(void)l;
	(void)b;
}

static const struct move {
	enum state from;
	enum event on;
	void (*act)(struct life *, struct box *);
	enum state to;
} moves[] = {
	{ STARTING, EV_READY, tell_started, RUNNING },
	{ STARTING, EV_KILL, ask_shim, STOPPING },
	{ STARTING, EV_EXIT, tell_not_started, GONE },
	{ RUNNING, EV_KILL, ask_shim, STOPPING },
	{ RUNNING, EV_EXIT, note, GONE },
	{ STOPPING, EV_READY, refuse_started, STOPPING },
	{ STOPPING, EV_KILL, note, STOPPING },
	{ STOPPING, EV_TIMEOUT, end_shim, STOPPING },
	{ STOPPING, EV_EXIT, tell_killed, GONE },
};

static void happen(struct life *l, struct box *b, enum event on)
{
	for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
		if (moves[i].from != b->state || moves[i].on != on)
			continue;
		/* The state first: what act calls may come back here. */
		b->state = moves[i].to;
		moves[i].act(l, b);
		return;
	}
}

/* ---- events ---- */
/* Old directories go while the host runs, too: hosts run for months. */
static void look_for_old(struct life *l)
{
	if (clock_mono_ms() - l->looked_ms < LOOK_EVERY_MS)
		return;
	table_adopt_all(l);
	table_sweep(l);
}

static void log_end(struct life *l, const struct box *b)
{
	struct exit_record rec = { 0 };
	int fd = -1;
	bool told = boxdir_open(l->root, b->id, &fd, NULL) == ERR_OK && boxdir_record(fd, &rec);

	if (fd >= 0)
		close(fd);
	if (!told)
		log_event(LOG_WARN, "box.lost", LOG_S("id", b->id), LOG_I("shim", b->shim));
	else
		log_event(LOG_INFO, "box.ended", LOG_S("id", b->id), LOG_S("reason", rec.reason),
			  LOG_I("exit_code", rec.has_code ? rec.code : -1),
			  LOG_S("error", rec.error));
	/* Perhaps the machine changed: look again before the next one. */
	if (told && strcmp(rec.reason, "error") == 0)
		l->boundary_known = false;
}

static void on_gone(struct life *l, struct box *b)
{
	siginfo_t info;
	bool began = b->state != STARTING;

	/* Not our child when it was adopted; and its last word may have come together with its end.
	 */
	(void)waitid(P_PIDFD, (id_t)b->pidfd, &info, WEXITED | WNOHANG);
	table_read_said(b);
	if (!began && b->said[0] == SHIM_READY)
		happen(l, b, EV_READY);
	if (b->state != STARTING)
		log_end(l, b);
	happen(l, b, EV_EXIT);
	table_remove(l, b);
	look_for_old(l);
}

static void on_said(struct life *l, struct box *b)
{
	if (!table_read_said(b))
		return;
	table_close_ready(l, b);
	if (b->said[0] == SHIM_READY)
		happen(l, b, EV_READY);
	/* else its end comes through the pidfd in a moment, and tells with these words */
}

static void on_timer(struct life *l)
{
	int64_t now = clock_mono_ms();

	for (int i = 0; i < l->len; i++) {
		if (l->box[i]->deadline_ms != 0 && l->box[i]->deadline_ms <= now)
			happen(l, l->box[i], EV_TIMEOUT);
	}
	table_set_timer(l);
}

void life_step(struct life *l)
{
	struct epoll_event ev[64];
	int n = epoll_wait(l->epoll, ev, 64, 0);

	/* An event may outlive its box within one batch: look the box up by number, never by
	 * pointer. */
	for (int i = 0; i < n; i++) {
		enum watched what = (enum watched)(ev[i].data.u64 & 3);
		struct box *b = table_by_number(l, ev[i].data.u64 >> 2);
		if (what == WATCH_TIMER)
			on_timer(l);
		else if (what == WATCH_SWEEP)
			table_sweep_done(l);
		else if (b != NULL && what == WATCH_READY)
			on_said(l, b);
		else if (b != NULL)
			on_gone(l, b);
	}
}

/* ---- dispatch ---- */
static void finish(struct life_wait *w, enum err rc, const struct errinfo *e)
{
	w->done(w, rc, e);
}

static enum err killed_before(struct errinfo *e)
{
	return err_wire(e, ERR_CONFLICT, "killed",
			"this dispatch was killed; use a new dispatchId");
}

/* What a directory that is there already says.  ERR_NOT_FOUND: go on and start it. */
static enum err look_back(struct life *l, const char *id, struct errinfo *e)
{
	int fd = -1;
	enum err rc = boxdir_open(l->root, id, &fd, e);

	if (rc != ERR_OK)
		return rc;
	if (boxdir_killed(fd))
		rc = killed_before(e);
	else if (!boxdir_begun(fd, NULL)) /* left by a crash; or a shim is just at it */
		rc = boxdir_alive(fd) ? err_set(e, ERR_BUSY, 0, "the sandbox is being started")
				      : ERR_NOT_FOUND;
	close(fd);
	return rc;
}

static enum err check_boundary(struct life *l, struct errinfo *e)
{
	if (l->boundary_known && access(l->bwrap, X_OK) == 0)
		return ERR_OK;
	enum err rc = find_bwrap(l->bwrap, sizeof l->bwrap, e);
	if (rc == ERR_OK)
		rc = probe_boundary(l->conf.shim, l->bwrap, e);
	l->boundary_known = rc == ERR_OK;
	if (rc != ERR_OK)
		log_err(LOG_ERROR, "boundary.missing", e);
	return rc;
}

static enum err start(struct life *l, struct arena *a, const struct dispatch *d,
		      struct life_wait *w, struct errinfo *e)
{
	struct source source = { 0 };
	bool has_source = d->dir != NULL && d->repo_url == NULL;
	int dir = -1, lock = -1, ready = -1;
	pid_t pid = 0;
	enum err rc;

	if (l->len >= l->conf.capacity || l->len >= BOX_MAX)
		return err_set(e, ERR_LIMIT, 0, "all %d sandboxes of this host are in use",
			       l->conf.capacity);
	if ((has_source && (rc = source_check(a, d->dir, &source, e)) != ERR_OK) ||
	    (rc = check_boundary(l, e)) != ERR_OK ||
	    (rc = boxdir_claim(l->root, w->id, &dir, &lock, e)) != ERR_OK)
		return rc;
	struct box_host host = table_host(l);
	const struct launch launch = {
		.shim = l->conf.shim,
		.bwrap = l->bwrap,
		.slirp = l->slirp[0] != '\0' ? l->slirp : NULL,
		.cgroup = l->conf.cgroup,
		.id = w->id,
		.seccomp = l->seccomp,
		.dir = dir,
		.lock = lock,
		.where = arena_printf(a, "%s/%s", l->conf.dir, w->id),
		.host = &host,
		.dispatch = d,
		.source = has_source ? &source : NULL,
	};
	rc = table_write_about(dir, d, e);
	if (rc == ERR_OK)
		rc = launch_shim(&launch, &pid, &ready, e);
	if (rc == ERR_OK)
		rc = table_add(l, w->id, pid, ready, STARTING, e);
	close(lock); /* the shim holds it now */
	close(dir);
	return rc;
}

void life_dispatch(struct life *l, struct arena *a, const struct dispatch *d, struct life_wait *w)
{
	struct errinfo e = { 0 };

	table_id_of(l, d->id, w->id);
	table_boundary(l, d, w->boundary, sizeof w->boundary);
	struct box *b = table_find(l, w->id);
	enum err rc = b == NULL ? look_back(l, w->id, &e) : ERR_OK;
	if (b != NULL && b->state == STOPPING)
		rc = killed_before(&e);
	if (rc == ERR_NOT_FOUND && l->draining)
		rc = err_set(&e, ERR_BUSY, 0, "this host is being emptied");
	if (rc == ERR_NOT_FOUND) {
		rc = start(l, a, d, w, &e);
		b = table_find(l, w->id);
	}
	if (rc == ERR_OK && b != NULL && b->state == STARTING)
		join(&b->starting, w);
	else
		finish(w, rc, &e);
}

/* ---- kill ---- */
static bool known(struct life *l, const char *id)
{
	int fd = -1;

	if (boxdir_open(l->root, id, &fd, NULL) != ERR_OK)
		return false;
	close(fd);
	return true;
}

void life_kill(struct life *l, const char *id, struct life_wait *w)
{
	struct errinfo e = { 0 };

	if (known(l, id))
		memcpy(w->id, id, SANDBOX_ID);
	else
		table_id_of(l, id, w->id);
	struct box *b = table_find(l, w->id);
	if (b == NULL) {
		finish(w, table_bury(l, w->id, &e), &e);
		return;
	}
	join(&b->killing, w);
	happen(l, b, EV_KILL);
}

void life_drain(struct life *l)
{
	l->draining = true;
	for (int i = 0; i < l->len; i++)
		happen(l, l->box[i], EV_KILL);
}

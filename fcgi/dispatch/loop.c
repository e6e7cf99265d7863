#include "dispatch/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/log.h"
#include "dispatch/upkeep.h"
#include "store/platforms.h"

/* The first news after a while is taken in at once, a storm of them a hundred times a second. */
enum { REFRESH_RETRY_MS = 5000, REFRESH_GAP_MS = 10 };

struct loop {
	struct dispatcher *d;
	struct httpc *h;
	const char *state, *log_path, *asked;
	int signals, events, log_watch, asked_watch;
	int64_t stop_at;    /* monotonic, 0: goes on */
	int64_t refresh_at; /* monotonic, 0: when there is news */
	int64_t rest_until; /* monotonic: the log is not listened to before */
};

/* ---- what wakes us ---- */
static enum err open_signals(struct loop *l, struct errinfo *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD); /* of upkeep: the next turn takes notice */
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals >= 0 ? ERR_OK : err_set(e, ERR_IO, errno, "signalfd");
}

/* The directory too: the log may be replaced by another file of its name. */
static enum err open_events(struct loop *l, struct errinfo *e)
{
	l->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (l->events < 0)
		return err_set(e, ERR_IO, errno, "inotify");
	l->log_watch = inotify_add_watch(l->events, l->log_path, IN_MODIFY);
	if (l->log_watch < 0 ||
	    inotify_add_watch(l->events, l->state, IN_MOVED_TO | IN_CREATE | IN_ONLYDIR) < 0)
		return err_set(e, ERR_IO, errno, "watch %s", l->log_path);
	/* Without it nobody is told how the platforms are, and all else works. */
	l->asked_watch =
		inotify_add_watch(l->events, l->asked, IN_CREATE | IN_ATTRIB | IN_ONLYDIR);
	return ERR_OK;
}

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo si;

	while (read(l->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo == SIGUSR1) {
			l->d->draining = true;
			log_event(LOG_INFO, "dispatch.draining");
		} else if (si.ssi_signo != SIGCHLD && l->stop_at == 0) {
			l->stop_at = l->d->mono_ms() + LOOP_STOP_MS;
		}
	}
}

static void take_event(struct loop *l, const struct inotify_event *ev)
{
	bool log_file = ev->len > 0 && strcmp(ev->name, "tasks.log") == 0;

	if (ev->wd == l->asked_watch && ev->wd >= 0) {
		if (ev->len > 0 && strcmp(ev->name, PLATFORMS_WANTED) == 0)
			platforms_asked(l->d);
		return;
	}
	if (ev->len > 0 && strcmp(ev->name, "keys.json") == 0)
		platforms_keys_changed(l->d);
	if (log_file) { /* another file: follow that one */
		(void)inotify_rm_watch(l->events, l->log_watch);
		l->log_watch = inotify_add_watch(l->events, l->log_path, IN_MODIFY);
	}
	if (log_file || ev->wd == l->log_watch || (ev->mask & IN_Q_OVERFLOW) != 0)
		l->d->changed = true;
	if ((ev->len > 0 && strcmp(ev->name, "settings.json") == 0) ||
	    (ev->mask & IN_Q_OVERFLOW) != 0)
		l->d->autorun.known = false;
}

static void read_events(struct loop *l)
{
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n;

	while ((n = read(l->events, buf, sizeof buf)) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ev =
				(const struct inotify_event *)(const void *)p;
			take_event(l, ev);
			p += sizeof *ev + ev->len;
		}
	}
}

/* ---- one turn ---- */
static void refresh(struct loop *l)
{
	struct errinfo e = { 0 };

	l->refresh_at = 0;
	if (dispatcher_refresh(l->d, &e) == ERR_OK)
		return;
	log_err(LOG_ERROR, "dispatch.store", &e);
	l->refresh_at = l->d->mono_ms() + REFRESH_RETRY_MS;
}

/* Answers that are worth a moment at the end: without them the same calls are made again at the
 * next start. */
static bool finished(const struct loop *l)
{
	return l->stop_at != 0 &&
	       (l->d->mono_ms() >= l->stop_at ||
		httpc_open_calls(l->h, CALL_DISPATCH) + httpc_open_calls(l->h, CALL_KILL) == 0);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Do what there is to do; returns how long there is nothing more, ms, -1: until something wakes us.
 */
static int64_t turn(struct loop *l)
{
	int64_t next = NEVER, mono = l->d->mono_ms();

	if (l->stop_at != 0) /* no new calls, only answers */
		return l->stop_at - mono > 0 ? l->stop_at - mono : 0;
	if (l->d->changed || (l->refresh_at != 0 && l->refresh_at <= mono))
		refresh(l);
	next = dispatcher_round(l->d);
	if (!l->d->changed && next > l->d->mono_ms())
		upkeep(l->d);
	if (l->d->changed)
		return 0;
	if (l->refresh_at != 0)
		next = earlier(next, l->refresh_at);
	mono = l->d->mono_ms();
	if (next == NEVER)
		return -1;
	return next > mono ? next - mono : 0;
}

static void wait_and_read(struct loop *l, int64_t timeout_ms)
{
	struct httpc_fd fds[] = { { .fd = l->signals }, { .fd = l->events } };
	int64_t rest = l->rest_until - l->d->mono_ms();

	if (rest > 0 && (timeout_ms < 0 || timeout_ms > rest))
		timeout_ms = rest;
	httpc_wait(l->h, fds, rest > 0 ? 1 : 2, timeout_ms);
	if (fds[0].readable)
		read_signals(l);
	if (fds[1].readable) {
		read_events(l);
		l->rest_until = l->d->mono_ms() + REFRESH_GAP_MS;
	}
}

static void run(struct loop *l)
{
	for (;;) {
		httpc_work(l->h);
		int64_t wait = turn(l);
		if (finished(l))
			return;
		wait_and_read(l, wait);
	}
}

enum err loop_run(struct dispatcher *d, struct httpc *h, struct errinfo *e)
{
	struct arena a = { 0 };
	struct loop l = { .d = d, .h = h, .signals = -1, .events = -1, .asked_watch = -1 };
	enum err rc;

	l.state = arena_printf(&a, "%s/state", d->var);
	l.log_path = arena_printf(&a, "%s/tasks.log", l.state);
	l.asked = arena_printf(&a, "%s/run/worker", d->var);
	d->changed = true;
	if ((rc = open_signals(&l, e)) == ERR_OK && (rc = open_events(&l, e)) == ERR_OK)
		run(&l);
	if (l.signals >= 0)
		close(l.signals);
	if (l.events >= 0)
		close(l.events);
	arena_reset(&a);
	return rc;
}

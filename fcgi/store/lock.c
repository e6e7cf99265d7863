#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

static void wake(int sig)
{
	(void)sig; /* its arrival makes flock return EINTR */
}

enum err lock_open(struct lock *l, int dirfd, struct errinfo *e)
{
	struct sigaction sa = { .sa_handler = wake }; /* no SA_RESTART */

	memset(l, 0, sizeof *l);
	l->fd = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->fd < 0)
		return err_set(e, ERR_IO, errno, "open state/lock");
	sigaction(SIGRTMIN, &sa, NULL);
	return ERR_OK;
}

void lock_close(struct lock *l)
{
	if (l->owner == getpid())
		timer_delete((timer_t)l->timer);
	close(l->fd);
	l->fd = -1;
}

/*
 * Only a contended lock pays for the timer.  It fires again every 100 ms, so that an alarm which comes just before
 * flock starts to wait is not the last one.
 */
static int arm(struct lock *l, int on)
{
	struct itimerspec when = { .it_interval.tv_nsec = on ? 100000000 : 0, .it_value.tv_nsec = on ? 100000000 : 0 };

	if (l->owner != getpid()) {
		struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
		timer_t timer;
		if (timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0)
			return -1;
		l->timer = timer;
		l->owner = getpid();
	}
	return timer_settime((timer_t)l->timer, 0, &when, NULL);
}

enum err lock_take(struct lock *l, struct errinfo *e)
{
	int64_t give_up;
	int rc;

	if (flock(l->fd, LOCK_EX | LOCK_NB) == 0)
		return ERR_OK;
	if (errno != EWOULDBLOCK)
		return err_set(e, ERR_IO, errno, "lock the state");
	if (arm(l, 1) < 0)
		return err_set(e, ERR_IO, errno, "timer for the lock");
	give_up = clock_mono_ms() + LOCK_WAIT_MS;
	do {
		rc = flock(l->fd, LOCK_EX);
	} while (rc < 0 && errno == EINTR && clock_mono_ms() < give_up);
	int why = rc < 0 ? errno : 0;
	arm(l, 0);
	if (rc == 0)
		return ERR_OK;
	if (why != EINTR)
		return err_set(e, ERR_IO, why, "lock the state");
	return err_set(e, ERR_BUSY, 0, "the state was locked for %d s; nothing changed, try again",
		       LOCK_WAIT_MS / 1000);
}

void lock_drop(struct lock *l)
{
	flock(l->fd, LOCK_UN);
}

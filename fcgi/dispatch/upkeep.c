/*
 * Compaction and the snapshot are done by a child: copying a long log takes seconds, in which sandboxes want to be
 * started and ended.  The child has its own lock and file, and the loop sees the new log as it would anybody's.
 */
#include "dispatch/upkeep.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/log.h"

/* At the end there are seconds, not minutes: a snapshot of more is left as the last compaction wrote it. */
enum { LAST_SNAPSHOT_BYTES = 16 << 20 };

static enum err work(struct store *s, struct errinfo *e)
{
	enum err rc = store_after_fork(s, e);

	if (rc == ERR_OK)
		rc = store_compact(s, e);
	return rc == ERR_OK ? store_snapshot(s, e) : rc;
}

static _Noreturn void child(struct store *s, pid_t parent)
{
	struct errinfo e = { 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* what it leaves behind is worthless and harmless */
	if (getppid() != parent)
		_exit(1);
	if (work(s, &e) == ERR_OK)
		_exit(0);
	log_err(LOG_WARN, "store.not_compacted", &e);
	_exit(1);
}

/* After a failure (no room, read-only) the log goes on growing as it is, which harms nobody for a while. */
static bool at_work(struct dispatcher *d)
{
	int status;

	if (d->upkeep_pid <= 0)
		return false;
	pid_t pid = waitpid(d->upkeep_pid, &status, WNOHANG);
	if (pid == 0 || (pid < 0 && errno == EINTR))
		return true;
	d->upkeep_pid = 0;
	d->changed = true; /* every place in the log may be another now */
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		d->upkeep_at = d->mono_ms() + UPKEEP_RETRY_MS;
	return true; /* of a moment ago: the index is not caught up yet */
}

void upkeep(struct dispatcher *d)
{
	if (at_work(d) || !store_compact_due(d->store) || d->mono_ms() < d->upkeep_at)
		return;
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		child(d->store, parent);
	if (pid > 0)
		d->upkeep_pid = pid;
	else
		d->upkeep_at = d->mono_ms() + UPKEEP_RETRY_MS;
}

void upkeep_end(struct dispatcher *d)
{
	struct errinfo e = { 0 };

	if (d->upkeep_pid > 0) {
		(void)kill(d->upkeep_pid, SIGKILL);
		(void)waitpid(d->upkeep_pid, NULL, 0);
	}
	if (store_catch_up(d->store, &e) != ERR_OK || store_counts(d->store).bytes > LAST_SNAPSHOT_BYTES)
		return;
	if (store_snapshot(d->store, &e) != ERR_OK)
		log_err(LOG_WARN, "store.no_snapshot", &e);
}

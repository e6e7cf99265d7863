#include "dispatch/upkeep.h"

#include "core/log.h"

/* After a failure (no room, read-only) the log goes on growing as it is, which harms nobody for a
 * while. */
static void failed(struct dispatcher *d, const char *ev, const struct errinfo *e)
{
	log_err(LOG_WARN, ev, e);
	d->upkeep_at = d->mono_ms() + UPKEEP_RETRY_MS;
}

void upkeep(struct dispatcher *d)
{
	struct errinfo e = { 0 };

	if (!store_compact_due(d->store) || d->mono_ms() < d->upkeep_at)
		return;
	if (store_compact(d->store, &e) != ERR_OK)
		failed(d, "store.not_compacted", &e);
	else if (store_snapshot(d->store, &e) != ERR_OK)
		failed(d, "store.no_snapshot", &e);
	d->changed = true; /* every place in the log is another now */
}

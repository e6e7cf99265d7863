/*
 * GET /metrics: Prometheus text format 0.0.4.  Counters of the index and locks, and a bounded look
 * at the tasks that the dispatcher has work for; never the log as a whole.
 */
#include <inttypes.h>

#include "api/alive.h"
#include "api/api.h"
#include "store/store.h"

enum { WORK_LOOKS = 256 };

static void family(struct strbuf *out, const char *name, const char *help)
{
	strbuf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void single(struct strbuf *out, const char *name, const char *help, int64_t value)
{
	family(out, name, help);
	strbuf_printf(out, "%s %" PRId64 "\n", name, value);
}

/* Sessions whose start the sandbox host has not confirmed.  false: more tasks have work than a
 * request may read. */
static bool dispatch_pending(struct store *store, int64_t *out)
{
	struct arena a = { 0 };
	struct errinfo e;
	int looks = 0;

	*out = 0;
	for (int64_t id = 0; (id = store_next_todo(store, id)) != 0;) {
		struct task t;
		if (store_is_deleted(store, id))
			continue;
		if (looks++ == WORK_LOOKS)
			return false;
		if (store_peek(store, &a, id, &t, &e) == ERR_OK) {
			const struct session *s = task_open_session(&t);
			*out += s != NULL && s->dispatch.state == STEP_PENDING ? 1 : 0;
		}
		arena_reset(&a);
	}
	return true;
}

/* Ids grow with time, so the oldest is the one with the lowest. */
static int64_t oldest_queued_s(struct app *app, struct request *rq)
{
	int64_t id = store_next_queued(app->store, 0);
	struct errinfo e;
	struct task t;

	if (id == 0 || store_get(app->store, &rq->arena, id, &t, &e) != ERR_OK ||
	    t.created > app->now())
		return 0;
	return (app->now() - t.created) / 1000;
}

static void write_store(struct app *app, struct request *rq, struct strbuf *out, bool writable)
{
	struct store_counts c = store_counts(app->store);
	int64_t pending;

	family(out, "chomp_tasks", "Tasks by status.");
	for (int i = 0; i < STATUS_COUNT; i++)
		strbuf_printf(out, "chomp_tasks{status=\"%s\"} %" PRId64 "\n",
			      status_name((enum status)i), c.by_status[i]);
	single(out, "chomp_tokens", "Tokens reported for all tasks that are there.", c.tokens);
	single(out, "chomp_next_id", "The id that the next task gets.", c.next_id);
	single(out, "chomp_log_bytes", "Size of the task log.", c.bytes);
	single(out, "chomp_store_writable", "1 while changes are taken.", writable ? 1 : 0);
	single(out, "chomp_oldest_queued_seconds",
	       "Age of the oldest queued task, 0 when there is none.", oldest_queued_s(app, rq));
	family(out, "chomp_dispatch_pending",
	       "Sessions whose start the sandbox host has not confirmed; absent while more than "
	       "256 tasks have work.");
	if (dispatch_pending(app->store, &pending))
		strbuf_printf(out, "chomp_dispatch_pending %" PRId64 "\n", pending);
}

static void write_process(struct strbuf *out, const char *name, bool up)
{
	strbuf_printf(out, "chomp_process_up{process=\"%s\"} %d\n", name, up ? 1 : 0);
}

enum err api_metrics(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct strbuf *out = &rs->body;
	struct errinfo why;
	/* A damaged store is what a monitor must see, so it is no error here. */
	bool writable = store_catch_up(app->store, &why) == ERR_OK &&
			store_writable(app->store, &why) == ERR_OK;

	(void)e;
	rs->type = "text/plain; version=0.0.4; charset=utf-8";
	family(out, "chomp_build_info", "The version that runs.");
	strbuf_puts(out, "chomp_build_info{version=\"" CHOMP_VERSION "\"} 1\n");
	write_store(app, rq, out, writable);
	family(out, "chomp_process_up", "1 while the process lives.");
	write_process(out, "worker", true);
	write_process(out, "dispatch", process_alive(app, rq, "dispatch"));
	if (sandbox_host_is_ours(app, rq))
		write_process(out, "sandbox", process_alive(app, rq, "sandbox"));
	return ERR_OK;
}

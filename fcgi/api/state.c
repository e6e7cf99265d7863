/* Everything at once, and how it is. */
#include <string.h>

#include "api/alive.h"
#include "api/api.h"
#include "core/json.h"
#include "core/log.h"
#include "store/store.h"

/* ---- GET /api/state: oldest first, task by task, never all in memory ---- */
static int to_sink(void *arg, const char *p, size_t len)
{
	struct sink *out = arg;

	return out->write(out, p, len);
}

/* Cut short on an error: a client sees broken JSON rather than a state with a hole. */
static int write_state(struct sink *out, void *arg)
{
	struct app *app = arg;
	struct errinfo e;

	if (store_export(app->store, to_sink, out, &e) == ERR_OK)
		return 0;
	log_err(LOG_WARN, "state.cut_short", &e);
	return -1;
}

enum err api_state(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	enum err rc = store_catch_up(app->store, e);

	(void)rq;
	if (rc != ERR_OK && rc != ERR_CORRUPT)
		return rc;
	rs->stream = write_state;
	rs->stream_arg = app;
	return ERR_OK;
}

/* ---- GET /api/health ---- */
enum err api_health(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct errinfo why = { 0 };
	bool store = store_catch_up(app->store, &why) == ERR_OK && store_writable(app->store, &why) == ERR_OK;
	bool room = store_has_room(app->store);
	bool dispatch = process_alive(app, rq, "dispatch");
	bool ours = sandbox_host_is_ours(app, rq), sandbox = !ours || process_alive(app, rq, "sandbox");
	bool ok = store && room && dispatch && sandbox;
	struct jw w;

	(void)e;
	if (store && !room)
		(void)err_set(&why, ERR_DISK_FULL, 0, "the disk is full: tasks can end, but none can be created");
	rs->status = ok ? 200 : 503;
	jw_init(&w, &rs->body);
	jw_object(&w, NULL);
	jw_str(&w, "status", ok ? "ok" : "degraded");
	if (rq->who == WHO_OWNER) {
		struct store_counts c = store_counts(app->store);
		jw_str(&w, "version", CHOMP_VERSION);
		jw_object(&w, "store");
		jw_bool(&w, "writable", store);
		jw_str(&w, "error", store && room ? NULL : err_code(&why));
		jw_str(&w, "message", store && room ? NULL : why.what);
		jw_i64(&w, "bytes", c.bytes);
		for (int i = 0; i < STATUS_COUNT; i++)
			jw_i64(&w, status_name((enum status)i), c.by_status[i]);
		jw_object_end(&w);
		jw_object(&w, "processes");
		jw_bool(&w, "worker", true);
		jw_bool(&w, "dispatch", dispatch);
		if (ours)
			jw_bool(&w, "sandbox", sandbox);
		jw_object_end(&w);
	}
	jw_object_end(&w);
	return ERR_OK;
}

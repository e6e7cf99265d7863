/* The counters: LIVE, TASKS, BURNED. */
#include <inttypes.h>

#include "partials/parts.h"
#include "partials/partials.h"
#include "partials/text.h"
#include "store/store.h"

const char *balance_title(struct app *app, struct request *rq)
{
	int64_t live = store_counts(app->store).by_status[STATUS_ACTIVE];

	return live > 0 ? arena_printf(&rq->arena, "(%" PRId64 ") chomp", live) : "chomp";
}

void balance_fill(struct app *app, struct request *rq, struct view *v)
{
	struct store_counts c = store_counts(app->store);
	int64_t all = 0;

	for (int i = 0; i < STATUS_COUNT; i++)
		all += c.by_status[i];
	view_flag(v, "is_live", c.by_status[STATUS_ACTIVE] > 0);
	view_num(v, "live", c.by_status[STATUS_ACTIVE]);
	view_num(v, "total", all);
	view_text(v, "burned", text_count(&rq->arena, c.tokens));
}

enum err partial_balance(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	if (!rq->htmx)
		return page_index(app, rq, rs, e);
	enum err rc = store_catch_up(app->store, e);
	if (rc != ERR_OK && rc != ERR_CORRUPT)
		return rc;
	if (page_unchanged(rq, rs, arena_printf(&rq->arena, "b%" PRId64, store_version(app->store))))
		return ERR_OK;
	struct view *v = view_new(app, &rq->arena);
	view_flag(v, "brings_title", true);
	view_text(v, "title", balance_title(app, rq));
	balance_fill(app, rq, v);
	return page_send(v, "partials/balance.cs", rs, e);
}

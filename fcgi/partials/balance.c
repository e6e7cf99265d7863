/* The card on top: how the platforms are, and the counters LIVE, TASKS, BURNED. */
#include <inttypes.h>

#include "core/log.h"
#include "partials/parts.h"
#include "partials/partials.h"
#include "partials/text.h"
#include "store/platforms.h"
#include "store/store.h"

const char *balance_title(struct app *app, struct request *rq)
{
	int64_t live = store_counts(app->store).by_status[STATUS_ACTIVE];

	return live > 0 ? arena_printf(&rq->arena, "(%" PRId64 ") chomp", live) : "chomp";
}

/* ---- platforms ---- */
struct standing {
	const char *word, *dot, *text; /* classes of the dot and of the word */
};

static struct standing standing_of(enum platform_status s)
{
	switch (s) {
	case PLATFORM_LIVE:
		return (struct standing){ "live", "dot dot-green", "platform-live" };
	case PLATFORM_LIMITED:
		return (struct standing){ "rate limited", "dot dot-orange", "platform-limited" };
	case PLATFORM_DOWN:
		return (struct standing){ "down", "dot dot-red", "platform-down" };
	case PLATFORM_UNKNOWN:
		return (struct standing){ "not checked yet", "dot dot-grey", "platform-none" };
	case PLATFORM_UNCONFIGURED:
		break;
	}
	return (struct standing){ "not configured", "dot dot-grey", "platform-none" };
}

static const char *platform_class(enum platform_id id)
{
	static const char *const classes[] = {
		[PLATFORM_SHELLEY] = "brand-shelley",
		[PLATFORM_CLOUDFLARE] = "brand-cloudflare",
		[PLATFORM_OPENROUTER] = "brand-openrouter",
		[PLATFORM_ZEN] = "brand-zen",
	};

	return classes[id];
}

static bool platforms_known(struct app *app, struct request *rq, struct platform_state *states)
{
	struct errinfo e;

	if (platforms_read(app->var, &rq->arena, states, &e) == ERR_OK)
		return true;
	log_err(LOG_ERROR, "page.platforms_unreadable", &e);
	return false;
}

static void fill_platforms(struct app *app, struct request *rq, const struct platform_state *states, struct view *v)
{
	int64_t checked = 0;

	for (int i = 0; i < PLATFORM_COUNT; i++) {
		const struct platform_state *s = &states[i];
		struct standing as = standing_of(s->status);
		struct view *item = view_item(v, "platforms");
		view_text(item, "label", platforms[i].name);
		view_text(item, "class", platform_class((enum platform_id)i));
		view_text(item, "dot", as.dot);
		view_text(item, "word", as.word);
		view_text(item, "word_class", as.text);
		view_flag(item, "unchecked", s->status == PLATFORM_UNKNOWN);
		view_text(item, "reason", s->status == PLATFORM_UNCONFIGURED ? NULL : text_shown(&rq->arena, s->reason));
		/* Less than a tenth of a cent is no money; more than nothing is told to the cent. */
		if (s->has_credits && s->credits > 0)
			view_text(item, "credits", platform_dollars(&rq->arena, s->credits));
		if (s->status != PLATFORM_UNCONFIGURED && s->checked_at > checked)
			checked = s->checked_at;
	}
	if (checked > 0) {
		view_text(v, "checked", text_age(&rq->arena, app->now() - checked));
		view_num(v, "checked_s", app->now() > checked ? (app->now() - checked) / 1000 : 0);
	}
}

/* ---- the card ---- */
static void fill_counters(struct app *app, struct request *rq, struct view *v)
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

void balance_fill(struct app *app, struct request *rq, struct view *v)
{
	struct platform_state states[PLATFORM_COUNT];

	platforms_want(app->var, &rq->arena, app->now());
	if (platforms_known(app, rq, states))
		fill_platforms(app, rq, states, v);
	fill_counters(app, rq, v);
}

static const char *balance_etag(struct app *app, struct request *rq)
{
	struct platform_state states[PLATFORM_COUNT];
	const char *tag = arena_printf(&rq->arena, "b%" PRId64, store_version(app->store));

	if (platforms_known(app, rq, states)) {
		for (int i = 0; i < PLATFORM_COUNT; i++)
			tag = arena_printf(&rq->arena, "%s.%d%" PRId64, tag, (int)states[i].status, states[i].checked_at);
	}
	return tag;
}

enum err partial_balance(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	if (!rq->htmx)
		return page_index(app, rq, rs, e);
	enum err rc = store_catch_up(app->store, e);
	if (rc != ERR_OK && rc != ERR_CORRUPT)
		return rc;
	if (page_unchanged(rq, rs, balance_etag(app, rq))) {
		platforms_want(app->var, &rq->arena, app->now());
		return ERR_OK;
	}
	struct view *v = view_new(app, &rq->arena);
	view_flag(v, "brings_title", true);
	view_text(v, "title", balance_title(app, rq));
	balance_fill(app, rq, v);
	return page_send(v, "partials/balance.cs", rs, e);
}

/* GET /api/platforms: what the dispatcher found; it looks again because somebody asked. */
#include "store/platforms.h"

#include <string.h>

#include "api/api.h"
#include "core/json.h"

static void write_one(struct jw *w, struct arena *a, const struct platform *p,
		      const struct platform_state *s)
{
	jw_object(w, NULL);
	jw_str(w, "id", p->id);
	jw_str(w, "name", p->name);
	jw_str(w, "color", p->color);
	jw_str(w, "status", platform_status_name(s->status));
	jw_str(w, "reason", s->reason);
	if (s->has_credits) {
		const char *dollars = platform_dollars(a, s->credits);
		jw_raw(w, "credits", dollars, strlen(dollars));
	} else {
		jw_null(w, "credits");
	}
	jw_time(w, "checked_at", s->checked_at);
	jw_object_end(w);
}

enum err api_platforms(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct platform_state states[PLATFORM_COUNT];
	struct jw w;
	enum err rc = platforms_read(app->var, &rq->arena, states, e);

	if (rc != ERR_OK)
		return rc;
	platforms_want(app->var, &rq->arena, app->now());
	jw_init(&w, &rs->body);
	jw_array(&w, NULL);
	for (int i = 0; i < PLATFORM_COUNT; i++)
		write_one(&w, &rq->arena, &platforms[i], &states[i]);
	jw_array_end(&w);
	return ERR_OK;
}

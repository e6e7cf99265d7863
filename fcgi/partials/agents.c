/* Facts about agents and tokens that cards, sheets and forms show alike. */
#include <stdlib.h>
#include <string.h>

#include "model/agent.h"
#include "partials/parts.h"
#include "partials/text.h"

/* ---- agents ---- */
static const char *builtin_class(const char *id)
{
	static const char *const classes[][2] = {
		{ "shell", "agent-shell" },   { "pi", "agent-pi" },	  { "opencode", "agent-opencode" },
		{ "shelley", "agent-shelley" }, { "claude", "agent-claude" }, { "codex", "agent-codex" },
		{ "gemini", "agent-gemini" },
	};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		if (strcmp(classes[i][0], id) == 0)
			return classes[i][1];
	}
	return "agent-other";
}

static int hex_pair(const char *p, bool twice)
{
	char digits[3] = { p[0], twice ? p[0] : p[1], '\0' };

	return (int)strtol(digits, NULL, 16);
}

/* Degrees on the colour wheel; -1: a grey. */
static int hue_of(int r, int g, int b)
{
	int max = r > g ? (r > b ? r : b) : (g > b ? g : b), min = r < g ? (r < b ? r : b) : (g < b ? g : b);
	int d = max - min;

	if (d < 40)
		return -1;
	if (max == r)
		return (60 * (g - b) / d + 360) % 360;
	return max == g ? 60 * (b - r) / d + 120 : 60 * (r - g) / d + 240;
}

const char *agent_color_class(const char *color)
{
	/* One readable colour stands for a sector of the wheel, up to this hue. */
	static const struct {
		int below;
		const char *class;
	} hues[] = {
		{ 15, "hue-red" },    { 42, "hue-orange" },  { 70, "hue-amber" },   { 160, "hue-green" }, { 185, "hue-teal" },
		{ 230, "hue-sky" },   { 265, "hue-indigo" }, { 310, "hue-purple" }, { 345, "hue-pink" },  { 360, "hue-red" },
	};
	size_t len = color != NULL ? strlen(color) : 0;
	bool brief = len == 4;

	if ((len != 4 && len != 7) || *color != '#' || strspn(color + 1, "0123456789abcdefABCDEF") != len - 1)
		return "agent-other";
	int step = brief ? 1 : 2;
	int hue = hue_of(hex_pair(color + 1, brief), hex_pair(color + 1 + step, brief),
			 hex_pair(color + 1 + 2 * step, brief));
	for (size_t i = 0; hue >= 0 && i < sizeof hues / sizeof hues[0]; i++) {
		if (hue < hues[i].below)
			return hues[i].class;
	}
	return "agent-other";
}

static void read_roster(struct roster *r)
{
	struct errinfo e;
	size_t all = 0;

	r->read = true;
	if (agents_read(r->app->var, r->arena, &r->own, &all, &e) != ERR_OK)
		return; /* the API tells the trouble */
	for (size_t i = 0; i < all; i++) {
		if (agent_id_valid(r->own[i].id) && agent_find(r->own[i].id) == NULL)
			r->own[r->count++] = r->own[i];
	}
}

const struct own_agent *roster_find(struct roster *r, const char *id)
{
	if (!r->read)
		read_roster(r);
	for (size_t i = 0; id != NULL && i < r->count; i++) {
		if (strcmp(r->own[i].id, id) == 0)
			return &r->own[i];
	}
	return NULL;
}

struct face agent_face(struct roster *r, const char *id)
{
	const struct agent *known = agent_find(id);

	if (id == NULL)
		return (struct face){ NULL, "agent-other" };
	if (known != NULL)
		return (struct face){ known->name, builtin_class(id) };
	const struct own_agent *own = roster_find(r, id);
	if (own == NULL)
		return (struct face){ text_shown(r->arena, id), "agent-other" };
	return (struct face){ text_shown(r->arena, own->name != NULL ? own->name : id), agent_color_class(own->color) };
}

/* ---- life and tokens ---- */
bool session_stale(const struct session *s, int64_t now)
{
	return session_open(s) && s->active_at > 0 && now - s->active_at >= STALE_MS;
}

int64_t session_stale_in(const struct session *s, int64_t now)
{
	if (!session_open(s) || s->active_at <= 0 || session_stale(s, now))
		return 0;
	return (s->active_at + STALE_MS - now) / 1000 + 1;
}

bool tokens_reported(const struct task *t)
{
	for (size_t i = 0; i < t->session_count; i++) {
		if (t->sessions[i].reported)
			return true;
	}
	return t->tokens > 0; /* adopted from an old state, which kept no reports */
}

void tokens_fill(struct arena *a, const struct task *t, struct view *v)
{
	bool reported = tokens_reported(t);

	view_flag(v, "reported", reported);
	view_flag(v, "over", t->budget_exceeded);
	if (!reported)
		return;
	view_text(v, "tokens", text_count(a, t->tokens));
	if (t->token_budget <= 0)
		return;
	double share = (double)t->tokens / (double)t->token_budget;
	view_text(v, "budget", text_count(a, t->token_budget));
	view_flag(v, "has_bar", true);
	view_num(v, "percent", share >= 1.0 ? 100 : (int64_t)(share * 100.0));
}

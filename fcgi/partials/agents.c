/* Facts about a task that a card and the detail page show alike. */
#include <string.h>

#include "model/agent.h"
#include "partials/parts.h"
#include "partials/text.h"

const char *agent_label(const char *id)
{
	const struct agent *known = agent_find(id);

	return known != NULL ? known->name : id;
}

const char *agent_class(const char *id)
{
	static const char *const classes[][2] = {
		{ "shell", "agent-shell" },   { "pi", "agent-pi" },	  { "opencode", "agent-opencode" },
		{ "shelley", "agent-shelley" }, { "claude", "agent-claude" }, { "codex", "agent-codex" },
		{ "gemini", "agent-gemini" },
	};

	for (size_t i = 0; id != NULL && i < sizeof classes / sizeof classes[0]; i++) {
		if (strcmp(classes[i][0], id) == 0)
			return classes[i][1];
	}
	return "agent-other";
}

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

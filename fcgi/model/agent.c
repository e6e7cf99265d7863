#include "model/agent.h"

#include <string.h>

#define COMMON_MODELS "claude-sonnet-4 claude-opus-4 gpt-4.1 gemini-2.5-pro"

const struct agent builtin_agents[] = {
	{ "shell", "Shell", "#52525b", "bash", "bash" },
	{ "pi", "Pi", "#E05D44", "claude-sonnet-4", COMMON_MODELS },
	{ "opencode", "OpenCode", "#4F6EC5", "claude-sonnet-4", COMMON_MODELS " o3 o4-mini" },
	{ "shelley", "Shelley", "#C8A630", "claude-sonnet-4", "claude-sonnet-4 claude-opus-4" },
	{ "claude", "Claude Code", "#D97757", "claude-sonnet-4", "claude-sonnet-4 claude-opus-4" },
	{ "codex", "Codex", "#10A37F", "gpt-4.1", "gpt-4.1 o3 o4-mini" },
	{ "gemini", "Gemini", "#4285F4", "gemini-2.5-pro", "gemini-2.5-pro" },
};
const size_t builtin_agent_count = sizeof builtin_agents / sizeof builtin_agents[0];

const struct agent *agent_find(const char *id)
{
	for (size_t i = 0; id != NULL && i < builtin_agent_count; i++) {
		if (strcmp(builtin_agents[i].id, id) == 0)
			return &builtin_agents[i];
	}
	return NULL;
}

// The agents that have an adapter in the image (scripts/adapters/; a test compares). Any other needs a command of its own; without
// one the sandbox would start only to say so.

export const AGENTS: readonly string[] = ['claude', 'codex', 'custom', 'gemini', 'opencode', 'pi', 'shell', 'shelley'];

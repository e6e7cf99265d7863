// Claude Code, Codex and Gemini CLI: 1.1 GB from npm, so this is `make test-agents` and no part of `make test`.
// CHOMP_TEST_AGENTS: where they are installed (build/agents).

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../lib/build.mjs';
import { chompctl, shared } from '../lib/instance.mjs';
import { startModelServer } from '../lib/model-server.mjs';
import { prove } from '../lib/proof.mjs';
import { tempDir } from '../lib/repo.mjs';

const agents = process.env.CHOMP_TEST_AGENTS || path.join(repoRoot, 'build/agents');
const KEY = 'sk-test-0123456789abcdef';
const APIS = { claude: 'anthropic', codex: 'openai', gemini: 'openai' };

const chomp = await shared({ after }, { env: { CHOMP_AGENTS: agents } });
const dir = tempDir('chomp-agents');
let model;
before(async () => {
	const said = await chompctl(['agent', 'install', ...Object.keys(APIS)], { env: { CHOMP_AGENTS: agents }, timeoutMs: 30 * 60_000 });
	assert.equal(said.code, 0, said.text);
	model = await startModelServer({ key: KEY });
	await chomp.api.post('/api/config/keys', { key: 'CUSTOM_API_KEY', value: KEY });
});
after(async () => {
	await model?.close();
	fs.rmSync(dir, { recursive: true, force: true });
});

for (const [agent, api] of Object.entries(APIS))
	test(`${agent} edits a repository: the gate fails once and passes, tokens, patch and trailer are right`, async () => {
		const set = await chomp.api.post('/api/config/settings', { custom_base_url: `${model.url}/v1`, custom_api: api });
		assert.equal(set.status, 200, set.text);
		await prove(chomp, model, { agent, dir, key: KEY });
	});

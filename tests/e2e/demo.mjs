// A dashboard with something on it: the tasks of the design's pictures, run by stand-ins for the agents (small scripts in the
// place where the real ones are installed), everything else real.
//
//   const chomp = await demo({ after })     an instance with that on it; chomp.id names the tasks

import fs from 'node:fs';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { tempDir } from '../lib/repo.mjs';

const LINES = ['[chomp] Starting agent=pi model=claude-sonnet-4', '[chomp] Working dir=/workspace/repo', '---', 'reading src/auth/session.ts',
	'edit src/auth/refresh.ts (+48 -12)', 'running npm test -- auth', '  37 passing (4s)', '  1 failing', 'edit src/auth/refresh.ts (+3 -1)'];

export const PATCH = `diff --git a/src/auth/refresh.ts b/src/auth/refresh.ts
index 3b18e51..a042389 100644
--- a/src/auth/refresh.ts
+++ b/src/auth/refresh.ts
@@ -1,5 +1,6 @@
 import { store } from './store';
-export function refresh(token) {
-  return store.get(token);
+export async function refresh(token) {
+  const next = await store.rotate(token);
+  return next;
 }
-- an old comment
+-- a new comment
diff --git a/docs/auth.md b/docs/auth.md
new file mode 100644
index 0000000..e69de29
--- /dev/null
+++ b/docs/auth.md
@@ -0,0 +1,2 @@
+# Signing in
+Tokens are rotated.
`;

// Says its lines as the agent's JSON events would, and then works for as long as it is let.
function standIn(dir, id, lines) {
	const events = lines.map((text) => JSON.stringify(id === 'pi'
		? { type: 'message_update', assistantMessageEvent: { type: 'text_delta', delta: `${text}\n` } }
		: { type: 'text', part: { text } })).join('\n');
	for (const place of ['bin', 'node_modules/.bin']) {
		const file = path.join(dir, id, place, id);
		fs.mkdirSync(path.dirname(file), { recursive: true });
		fs.writeFileSync(file, `#!/bin/bash\ncat >/dev/null\ncat <<'EVENTS'\n${events}\nEVENTS\nexec sleep 36000\n`, { mode: 0o755 });
	}
}

export async function demo({ after }) {
	const agents = path.join(tempDir('agents'), 'agents');
	fs.chmodSync(path.dirname(agents), 0o755);
	for (const id of ['pi', 'opencode']) standIn(agents, id, LINES);
	after(() => fs.rmSync(path.dirname(agents), { recursive: true, force: true }));
	const chomp = await shared({ after }, { env: { CHOMP_AGENTS: agents } });
	const must = async (route, body) => {
		const said = await chomp.api.post(route, body);
		if (said.status !== 200) throw new Error(`${route}: ${said.status} ${said.text}`);
	};
	await must('/api/config/settings', { custom_base_url: 'http://127.0.0.1:9', custom_api: 'openai' });
	await must('/api/config/keys', { key: 'CUSTOM_API_KEY', value: 'a-key-for-the-demo' });
	await must('/api/config/keys', { key: 'CLOUDFLARE_API_TOKEN', value: 'cfat-not-a-real-token-demo' });
	await must('/api/config/keys', { key: 'CLOUDFLARE_ACCOUNT_ID', value: 'demo-account-id-of-nobody' });
	await must('/api/config/agents', { id: 'aider', name: 'Aider', command: 'aider --message {prompt}', models: 'gpt-4.1', color: '#0ea5e9' });

	const run = async (prompt, agent, model, more = {}) => {
		const { id } = await chomp.create({ prompt, agent, model, router: agent === 'shell' ? '' : 'custom', run: true, ...more });
		return id;
	};
	const started = (id) => chomp.until(id, (t) => t.status === 'active' && t.sessions.at(-1).dispatch.state === 'started');
	const id = {};
	for (const [prompt, tokens] of [['Add pagination to the audit log', 64000], ['Fix flaky websocket reconnect test', 38000]]) {
		const done = await run(prompt, 'opencode', 'gpt-4.1');
		await chomp.post('update', { id: done, tokens });
		await chomp.post('done', { id: done, summary: 'All 37 tests pass' });
		id.done = done;
	}
	id.failed = await run('Migrate image uploads to object storage', 'pi', 'claude-sonnet-4');
	await chomp.post('update', { id: id.failed, tokens: 212000 });
	await chomp.post('fail', { id: id.failed, reason: 'the bucket does not exist' });
	id.changed = await run(`# Rotate the refresh tokens\ncat >/tmp/changes.patch <<'PATCH'\n${PATCH}PATCH\nchomp artifact /tmp/changes.patch changes.patch; chomp update --tokens 91000; chomp done --summary 'Rotates tokens'`, 'shell', 'bash');
	await chomp.until(id.changed, 'done');

	id.running = await run('Refactor auth module for OAuth2 support', 'opencode', 'gpt-4.1', { token_budget: 200000 });
	await started(id.running);
	await chomp.post('update', { id: id.running, tokens: 113000 });
	await chomp.post('handoff', { id: id.running, summary: 'PKCE done, refresh rotation left' });
	await chomp.run(id.running, { agent: 'pi', model: 'claude-sonnet-4', router: 'custom' });
	id.second = await run('Add rate limiting to the public API', 'opencode', 'gpt-4.1', { token_budget: 200000 });
	await started(id.running);
	await started(id.second);
	await chomp.post('update', { id: id.running, tokens: 35000 });
	await chomp.post('update', { id: id.second, tokens: 21000 });
	for (const prompt of ['Write integration tests for billing API', 'Upgrade the Postgres driver and clear deprecation warnings', 'Document the webhook retry policy'])
		id.waiting = (await chomp.create({ prompt })).id;
	return Object.assign(chomp, { id });
}

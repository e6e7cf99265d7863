// The real thing: pi and opencode, from npm, edit a clone of a repository of this machine in its box, against a scripted model
// server; a gate judges, and the work comes back as changes.patch. What an agent of its own does at its provider's worst.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { waitFor } from '../lib/wait.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../lib/build.mjs';
import { chompctl, shared } from '../lib/instance.mjs';
import { startModelServer } from '../lib/model-server.mjs';
import { prove } from '../lib/proof.mjs';
import { tempDir } from '../lib/repo.mjs';

const agents = process.env.CHOMP_TEST_AGENTS || path.join(repoRoot, 'build/agents');
const KEY = 'sk-test-0123456789abcdef';

const chomp = await shared({ after }, { env: { CHOMP_AGENTS: agents } });
let model;
let dir;
before(async () => {
	// cached: installing 200 MB for every run would be a test of the registry
	const said = await chompctl(['agent', 'install', 'pi', 'opencode'], { env: { CHOMP_AGENTS: agents }, timeoutMs: 15 * 60_000 });
	assert.equal(said.code, 0, `they are installed:\n${said.text}`);
	model = await startModelServer({ key: KEY });
	dir = tempDir('chomp-agent');
	for (const [route, body] of [
		['/api/config/settings', { custom_base_url: `${model.url}/v1`, custom_api: 'openai' }],
		['/api/config/keys', { key: 'CUSTOM_API_KEY', value: KEY }],
	]) {
		const set = await chomp.api.post(route, body);
		assert.equal(set.status, 200, `${route}: ${set.text}`);
	}
});
after(async () => {
	await model?.close();
	if (dir) fs.rmSync(dir, { recursive: true, force: true });
});

const usage = (input, output, cache_read = 0) => ({ input, output, cache_read });

for (const agent of ['pi', 'opencode'])
	test(`${agent} edits a repository: the gate fails once and passes, tokens, patch and trailer are right`, async () => {
		const done = await prove(chomp, model, { agent, dir, key: KEY });
		await waitFor('what it said is kept', async () => /It is mended/.test(await chomp.output(done.id)));
	});

describe('pi', () => {
	test("with a wrong key fails with the server's reason, although pi itself exits 0", async () => {
		model.setScript({
			turns: [
				{ fault: { status: 401, message: 'this key is wrong' } },
				{ fault: { status: 401, message: 'this key is wrong' } },
			],
		});
		const task = await chomp.create({ prompt: 'anything', agent: 'pi', model: 'mock-model', router: 'custom' });
		await chomp.run(task.id);
		const failed = await chomp.until(task.id, 'failed', { deadlineMs: 180_000 });
		assert.match(failed.error, /401|key is wrong/);
		assert.equal(failed.sessions[0].result, 'failed');
	});

	test('against an overloaded server tries again and gets through', async () => {
		const before = model.ledger.totals().total;
		model.setScript({
			turns: [{ fault: { status: 429, retryAfter: 1 } }, { text: 'Through.', usage: usage(50, 5) }],
		});
		const task = await chomp.create({ prompt: 'patience', agent: 'pi', model: 'mock-model', router: 'custom' });
		await chomp.run(task.id);
		const done = await chomp.until(task.id, 'done', { deadlineMs: 180_000 });
		assert.equal(done.tokens, model.ledger.totals().total - before);
	});

	test('whose provider says when its limit is over is parked, and goes on by itself', async () => {
		const limit = { fault: { status: 429, message: 'Rate limit reached for mock-model. Please try again in 4s.' } };
		let refuse = true;
		model.setScript({ turns: Array.from({ length: 12 }, () => () => (refuse ? limit : { text: 'Back.', usage: usage(50, 5) })) });
		const task = await chomp.create({ prompt: 'a limit', agent: 'pi', model: 'mock-model', router: 'custom', run: true });
		const parked = await chomp.until(task.id, (t) => t.sessions[0].result !== null, { deadlineMs: 180_000 });
		refuse = false;
		assert.equal(parked.sessions[0].result, 'handoff', parked.error);
		assert.ok(parked.sessions[0].parked_until);
		assert.match(parked.sessions[0].summary, /429|[Rr]ate limit/);
		const done = await chomp.until(task.id, 'done', { deadlineMs: 180_000 });
		assert.equal(done.sessions.at(-1).result, 'done');
	});

	const faults = [
		['answers 500', { status: 500, message: 'out of order' }],
		['breaks off its answers', { cut: 1 }],
		['answers with a web page', { garbage: 'html' }],
		['says nothing', { hang: 0 }],
	];
	test('ends in a shown state whatever the model server does', async () => {
		model.setScript({ lanes: faults.map(([what, fault]) => ({ prompt: what, turns: Array.from({ length: 30 }, () => ({ fault })) })) });
		await chomp.api.post('/api/config/settings', { session_timeout: '30s' });
		const tasks = await Promise.all(faults.map(([what]) => chomp.create({ prompt: what, agent: 'pi', model: 'mock-model', router: 'custom', run: true })));
		await chomp.api.post('/api/config/settings', { session_timeout: '4h' });
		for (const [i, { id }] of tasks.entries()) {
			const t = await chomp.until(id, 'failed', { deadlineMs: 180_000 });
			assert.equal(t.sessions[0].result, 'failed', faults[i][0]);
			assert.ok(t.error.length > 5, `${faults[i][0]}: ${t.error}`);
			assert.equal(t.sessions[0].tokens, null, 'not reported, never 0');
		}
	});

	test('whose key is nowhere in what the task shows, nor in what is kept', async () => {
		const state = await chomp.state();
		assert.ok(!state.includes(KEY));
		for (const t of JSON.parse(state).tasks) assert.ok(!(await chomp.output(String(t.id))).includes(KEY));
		// everything below CHOMP_VAR but the file that keeps the keys: logs, recordings, artifacts, sandboxes, sockets' neighbours
		const hits = spawnSync('grep', ['-rlaF', '--devices=skip', KEY, chomp.var], { encoding: 'utf8' }).stdout.trim().split('\n').filter(Boolean);
		assert.deepEqual(hits.map((f) => path.relative(chomp.var, f)), ['state/keys.json']);
	});
});

describe('an agent that is not installed', () => {
	test('fails its task in the box with a reason that names it', async () => {
		const task = await chomp.create({ prompt: 'x', agent: 'codex', model: 'gpt-4.1' });
		await chomp.run(task.id);
		const failed = await chomp.until(task.id, 'failed');
		assert.match(failed.error, /codex/i);
		assert.match(failed.error, /install|not found|available/i);
	});
});

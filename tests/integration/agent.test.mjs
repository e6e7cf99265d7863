// The real thing: pi, from npm, edits a clone of a repository of this machine in its box, against a scripted model server, and
// the work comes back as changes.patch.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { waitFor } from '../lib/wait.mjs';
import fs from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../lib/build.mjs';
import { chompctl, shared } from '../lib/instance.mjs';
import { startModelServer } from '../lib/model-server.mjs';
import { git, makeRepo, tempDir, treeHash } from '../lib/repo.mjs';

const agents = process.env.CHOMP_TEST_AGENTS || path.join(repoRoot, 'build/agents');
const KEY = 'sk-test-0123456789abcdef';

const chomp = await shared({ after }, { env: { CHOMP_AGENTS: agents } });
let model;
let dir;
before(async () => {
	// cached: installing 200 MB for every run would be a test of the registry
	const said = await chompctl(['agent', 'install', 'pi'], { env: { CHOMP_AGENTS: agents }, timeoutMs: 15 * 60_000 });
	assert.equal(said.code, 0, `pi is installed:\n${said.text}`);
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

describe('pi', () => {
	test("edits a clone of the directory; the patch applies to a clean clone, the tokens are the server's, the original is untouched", async () => {
		const repo = makeRepo(path.join(dir, 'project'), { 'README.md': 'old line\n', 'src/keep.txt': 'keep\n' });
		const before = treeHash(repo);
		model.setScript({
			turns: [
				{ text: 'I look around.', do: [{ run: 'ls && cat README.md' }], usage: usage(1100, 60, 300) },
				{
					text: 'I write.',
					do: [
						{ write: { path: 'README.md', content: 'new line\nsecond "line" é\n' } },
						{ write: { path: 'src/new file.txt', content: 'born here\n' } },
					],
					usage: usage(1500, 120, 1400),
				},
				{ text: 'Both files are written.', usage: usage(200, 30, 2900) },
			],
		});
		const task = await chomp.create({
			prompt: 'Change the README.\nAnd say "hello" to $(nobody).',
			agent: 'pi',
			model: 'mock-model',
			router: 'custom',
			dir: repo,
		});
		await chomp.run(task.id);
		const done = await chomp.until(task.id, 'done', { deadlineMs: 180_000 });

		const asked = model.requests.filter((r) => r.api);
		assert.equal(asked.length, 3);
		assert.ok(asked.every((r) => r.key === KEY));
		assert.ok(
			asked[0].prompt.includes('Change the README.\nAnd say "hello" to $(nobody).'),
			asked[0].prompt.slice(0, 300),
		);

		const totals = model.ledger.totals();
		assert.ok(totals.total > 0);
		assert.equal(done.tokens, totals.total);
		assert.equal(done.sessions[0].tokens, totals.total);
		assert.equal(done.usage.input, totals.input);
		assert.equal(done.usage.output, totals.output);
		assert.equal(done.usage.cache_read, totals.cache_read);

		assert.ok(
			done.artifacts.some((a) => (a.name ?? a) === 'changes.patch'),
			JSON.stringify(done.artifacts),
		);
		const patch = await chomp.api.get(`/api/tasks/${task.id}/artifacts/changes.patch`);
		assert.equal(patch.status, 200);
		const clean = path.join(dir, 'clean');
		git(dir, 'clone', '-q', repo, clean);
		fs.writeFileSync(path.join(dir, 'changes.patch'), patch.body);
		git(clean, 'apply', '--index', path.join(dir, 'changes.patch'));
		assert.equal(fs.readFileSync(path.join(clean, 'README.md'), 'utf8'), 'new line\nsecond "line" é\n');
		assert.equal(fs.readFileSync(path.join(clean, 'src/new file.txt'), 'utf8'), 'born here\n');
		assert.equal(git(clean, 'diff', '--cached', '--name-only').trim().split('\n').length, 2, 'and nothing else');

		assert.equal(treeHash(repo), before, 'the original is untouched');
		await waitFor('what it said is kept', async () => /Both files are written/.test(await chomp.output(task.id)));
	});

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

	test('whose key is nowhere in what the task shows', async () => {
		const state = await chomp.state();
		assert.ok(!state.includes(KEY));
		for (const t of JSON.parse(state).tasks) assert.ok(!(await chomp.output(String(t.id))).includes(KEY));
	});
});

describe('an agent that is not installed', () => {
	test('fails its task in the box with a reason that names it', async () => {
		const task = await chomp.create({ prompt: 'x', agent: 'codex', model: 'gpt' });
		await chomp.run(task.id);
		const failed = await chomp.until(task.id, 'failed');
		assert.match(failed.error, /codex/i);
		assert.match(failed.error, /install|not found|available/i);
	});
});

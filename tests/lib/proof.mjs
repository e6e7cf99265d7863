// The proof of an agent: the real program edits a real git repository in a real sandbox, asked by a scripted model server; the
// gate fails once and passes the second time; tokens, patch and trailer are what they must be.
//
//   await prove(chomp, model, { agent: 'pi', dir, key });      chomp with router "custom" set to the model server

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { git, makeRepo, treeHash } from './repo.mjs';

const usage = (input, output, cache_read = 0, reasoning = 0) => ({ input, output, cache_read, reasoning });

const turns = [
	{ text: 'I write a first version.', do: [{ write: { path: '/workspace/repo/answer.txt', content: 'wrong\n' } }], usage: usage(1100, 210, 300, 32) },
	{ text: 'The first version is there.', usage: usage(1113, 215, 329) },
	{ text: 'I mend it.', do: [{ write: { path: '/workspace/repo/answer.txt', content: 'right\nsecond "line" é\n' } }, { run: 'printf "\\0\\1\\377" >/workspace/repo/bin.dat' }], usage: usage(1500, 120, 1400) },
	{ text: 'It is mended.', usage: usage(200, 30, 2900) },
];

export async function prove(chomp, model, { agent, dir, key, name = 'mock-model' }) {
	const repo = makeRepo(path.join(dir, `${agent}-project`), {
		'README.md': 'hello\n', 'bin.dat': Buffer.from([7, 8, 9]),
		'gates/health.sh': 'head -n 1 answer.txt | grep -qx right || { echo "answer.txt is not right"; exit 4; }\n',
	});
	const was = treeHash(repo);
	const before = model.ledger.totals();
	const seen = model.requests.length;
	model.setScript({ turns });
	const task = await chomp.create({ prompt: 'Write the answer.\nAnd say "hello" to $(nobody).', agent, model: name, router: 'custom', dir: repo, run: true });
	const done = await chomp.until(task.id, (t) => t.status === 'done' || t.status === 'failed', { deadlineMs: 300_000 });
	assert.equal(done.status, 'done', `${done.error}\n${await chomp.output(task.id)}`);
	assert.deepEqual(done.sessions.map((s) => [s.result, s.gate.passed, s.gate.exit_code]), [['gate_failed', false, 4], ['done', true, 0]]);
	assert.equal(done.verified, true);
	assert.match(done.result, /It is mended\./);

	// what the model was asked
	const asked = model.requests.slice(seen).filter((r) => r.api);
	assert.equal(asked.length, 4);
	assert.ok(asked.every((r) => !key || r.key === key), 'every request has the key');
	assert.ok(asked[0].prompt.includes('Write the answer.\nAnd say "hello" to $(nobody).'), asked[0].prompt.slice(0, 300));
	assert.ok(JSON.stringify(asked[2].body).includes('answer.txt is not right'), "the gate's words are the next prompt");

	// tokens: the task's are the ledger's, and so are each session's
	const now = model.ledger.totals();
	for (const k of ['input', 'output', 'cache_read', 'cache_write']) assert.equal(done.usage[k], now[k] - before[k], `${k}: ${JSON.stringify(done.usage)}`);
	assert.equal(done.tokens, now.total - before.total);
	assert.equal(done.sessions[0].tokens + done.sessions[1].tokens, done.tokens);
	assert.ok(done.sessions[0].tokens > 0 && done.sessions[1].tokens > 0);

	// the patch: it applies to a clean clone, and says who made it
	const patch = await chomp.api.get(`/api/tasks/${task.id}/artifacts/changes.patch`);
	const clean = path.join(dir, `${agent}-clean`);
	git(dir, 'clone', '-q', repo, clean);
	fs.writeFileSync(`${clean}.patch`, patch.body);
	git(clean, 'am', '-q', '--3way', `${clean}.patch`);
	assert.equal(fs.readFileSync(path.join(clean, 'answer.txt'), 'utf8'), 'right\nsecond "line" é\n');
	assert.deepEqual([...fs.readFileSync(path.join(clean, 'bin.dat'))], [0, 1, 255]);
	assert.equal(git(clean, 'rev-parse', 'HEAD^{tree}').trim(), done.sessions[1].gate.tree);
	assert.equal(git(clean, 'log', '-1', '--format=%(trailers:key=Agent,valueonly)').trim(), `${agent}/${name}`);
	assert.equal(git(clean, 'diff', '--name-only', 'HEAD~1').trim(), 'answer.txt\nbin.dat');
	assert.equal(treeHash(repo), was, 'the original is untouched');
	return done;
}

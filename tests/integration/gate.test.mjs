// Gates in the box, the work that comes back, reviews and parks, with the shell as the agent: nothing here needs a model.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { git, makeRepo, tempDir, treeHash } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const dir = tempDir('chomp-gate');
after(() => fs.rmSync(dir, { recursive: true, force: true }));

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const GATE = '#!/bin/bash\n. "${0%/*}/words.sh"\necho "looking at $(cat answer.txt 2>/dev/null)"\nif [[ $(cat answer.txt) == right ]]; then say good; else say "not right"; exit 3; fi\n';
let made = 0;
function repoWith(files = {}) {
	const repo = makeRepo(path.join(dir, `repo${++made}`), { 'README.md': 'x\n', 'gates/words.sh': 'say() { echo "the gate says: $*"; }\n', ...files });
	return repo;
}
const withGate = (files = {}) => {
	const repo = repoWith({ 'gates/health.sh': GATE, ...files });
	fs.chmodSync(path.join(repo, 'gates/health.sh'), 0o755);
	git(repo, 'commit', '-qam', 'executable');
	return repo;
};
async function ran(fields, wanted) {
	const task = await chomp.create({ agent: 'shell', run: true, ...fields });
	return chomp.until(task.id, wanted);
}
const artifact = async (id, name) => (await chomp.api.get(`/api/tasks/${id}/artifacts/${name}`)).text;

describe('a gate', () => {
	test('fails once and passes the second time, in the same sandbox', async () => {
		const repo = withGate();
		// the script learns from the gate's words: the first try is wrong
		const t = await ran({ dir: repo, prompt: 'if [[ ${GATE_OUTPUT_FILE:-} ]]; then grep -q "not right" "$GATE_OUTPUT_FILE" && echo right >answer.txt; else echo wrong >answer.txt; fi' }, 'done');
		assert.deepEqual(t.sessions.map((s) => s.result), ['gate_failed', 'done']);
		const [first, second] = t.sessions;
		assert.equal(second.sandbox_id, first.sandbox_id);
		assert.equal(t.verified, true);
		assert.deepEqual([first.gate.passed, first.gate.exit_code, first.gate.attempt, first.gate.name], [false, 3, 1, 'gates/health.sh']);
		assert.match(first.gate.output, /looking at wrong\nthe gate says: not right/);
		assert.deepEqual([second.gate.passed, second.gate.exit_code, second.gate.attempt, second.gate.changed], [true, 0, 2, false]);
		// the record is the truth: tree, script and log
		assert.equal(second.gate.gate_hash, sha256(GATE));
		assert.equal(second.gate.log_hash, sha256(await artifact(t.id, 'gate-2.log')));
		const clean = path.join(dir, `clean${made}`);
		git(dir, 'clone', '-q', repo, clean);
		fs.writeFileSync(`${clean}.patch`, await artifact(t.id, 'changes.patch'));
		git(clean, 'am', '-q', '--3way', `${clean}.patch`);
		assert.equal(git(clean, 'rev-parse', 'HEAD^{tree}').trim(), second.gate.tree);
		assert.match(git(clean, 'log', '-1', '--format=%B'), new RegExp(`\nTask: ${t.id}\nAgent: shell/bash\n`));
		assert.equal(git(clean, 'log', '-1', '--format=%an').trim(), 'shell');
		assert.deepEqual(t.artifacts.find((a) => a.name === 'changes.patch').patch, { files: 1, added: 1, removed: 0 });
		await chomp.settled(t.id);
		assert.match(await chomp.output(t.id), /gate failed, exit code 3[\s\S]*another try[\s\S]*gate passed/);
		await waitFor('the first session has its own output', async () => /gate failed/.test(await chomp.output(t.id, 's1')));
	});

	test('that never passes fails the task after its loops, with its last words', async () => {
		const repo = withGate();
		const t = await ran({ dir: repo, gate_loops: 2, prompt: 'echo "wrong $SESSION_ID" >answer.txt' }, 'failed');
		assert.deepEqual(t.sessions.map((s) => s.result), ['gate_failed', 'gate_failed']);
		assert.match(t.error, /gates\/health\.sh failed, attempt 2 of 2, exit code 3:\n[\s\S]*looking at wrong s2/);
		assert.match(await artifact(t.id, 'changes.patch'), /^\+wrong s2$/m, 'the work is not lost');
		assert.equal(t.verified, false);
		await chomp.until(t.id, (now) => now.sessions[1].exit_code === 1);
	});

	test('cannot be passed by editing it, nor the files beside it; that it was edited is shown', async () => {
		const repo = withGate();
		const was = treeHash(repo);
		const t = await ran({
			dir: repo, gate_loops: 1,
			prompt: `echo wrong >answer.txt; printf 'exit 0\\n' >gates/health.sh; printf 'exit 0\\n' >gates/words.sh
			git commit -qam mine; git update-ref refs/chomp/base HEAD; git replace HEAD~1 HEAD; rm -rf "$HOME/.chomp/gate"*`,
		}, 'failed');
		assert.equal(t.sessions[0].gate.changed, true);
		assert.equal(t.sessions[0].gate.exit_code, 3);
		assert.equal(t.sessions[0].gate.gate_hash, sha256(GATE));
		await chomp.settled(t.id);
		assert.match(await chomp.output(t.id), /the agent changed gates\/health\.sh; the version of the base commit judged/);
		assert.match(await artifact(t.id, 'changes.patch'), /^\+exit 0$/m, "the agent's version is part of its work");
		assert.equal(treeHash(repo), was);
	});

	test('may be edited where the task says so', async () => {
		const t = await ran({ dir: withGate(), gate_edits: true, prompt: `printf 'echo mine\\n' >gates/health.sh` }, 'done');
		assert.equal(t.verified, true);
		assert.equal(t.sessions[0].gate.changed, true);
		assert.equal(t.sessions[0].gate.gate_hash, sha256('echo mine\n'));
	});

	test('of another name', async () => {
		const t = await ran({ dir: repoWith({ 'scripts/check.sh': 'test -f made\n' }), gate: 'scripts/check.sh', prompt: 'echo x >made' }, 'done');
		assert.equal(t.sessions[0].gate.name, 'scripts/check.sh');
		assert.equal(t.verified, true);
	});

	test('that the repository has not is said before the agent starts', async () => {
		const t = await ran({ dir: repoWith(), gate: 'gates/none.sh', prompt: 'echo started' }, 'failed');
		assert.match(t.error, /the repository has no gates\/none\.sh/);
		await chomp.settled(t.id);
		assert.doesNotMatch(await chomp.output(t.id), /^started/m);
	});

	test('that is not there is no tick', async () => {
		const t = await ran({ dir: repoWith(), prompt: 'echo x >y' }, 'done');
		assert.deepEqual([t.verified, t.sessions[0].gate], [false, null]);
		await waitFor('it is said', async () => /no gate: not verified/.test(await chomp.output(t.id)));
		const none = await ran({ dir: withGate(), gate: 'none', prompt: 'echo x >y' }, 'done');
		assert.deepEqual([none.verified, none.sessions[0].gate], [false, null]);
	});

	test('has the last word: `chomp done` of the agent is kept for after it', async () => {
		const t = await ran({ dir: withGate(), gate_loops: 1, prompt: 'echo wrong >answer.txt; chomp done "finished, honestly"; curl -s --unix-socket "$CHOMP_API_SOCKET" -X POST -H "Content-Type: application/json" -H @<(printf "Authorization: Bearer %s" "$(cat "$CHOMP_TOKEN_FILE")") -d "{\\"id\\":$TASK_ID}" "$CHOMP_API/api/tasks/nothing"' }, 'failed');
		assert.equal(t.sessions[0].result, 'gate_failed');
		const good = await ran({ dir: withGate(), prompt: 'echo right >answer.txt; chomp done "finished, honestly"' }, 'done');
		assert.equal(good.result, 'finished, honestly');
		assert.equal(good.verified, true);
	});

	test('that forks and prints 100 MB ends; what it left does not run on', async () => {
		const hostile = 'echo begin\n(trap "" TERM; exec -a chomp-gate-left sleep 600) &\nyes 0123456789012345678901234567890123456789 | head -c 100000000\necho; echo the end\nexit 9\n';
		const t = await ran({ dir: repoWith({ 'gates/health.sh': hostile }), gate_loops: 2, prompt: 'pgrep -f chomp-gate-left && exit 7; echo $SESSION_ID >>tries; exit 0' }, 'failed');
		assert.deepEqual(t.sessions.map((s) => [s.result, s.gate?.exit_code]), [['gate_failed', 9], ['gate_failed', 9]], t.error);
		assert.match(t.sessions[1].gate.output, /the end\n?$/);
		const log = await artifact(t.id, 'gate-1.log');
		assert.ok(log.startsWith('begin\n') && /the end\n$/.test(log) && /bytes are not kept/.test(log));
		assert.ok(log.length < 1_200_000, String(log.length));
		await chomp.settled(t.id);
		assert.ok((await chomp.output(t.id)).length < 400_000);
		assert.match(await artifact(t.id, 'changes.patch'), /^\+s1\n\+s2$/m);
	});
});

describe('the work under test', () => {
	test('cannot write the verdict into the gate while it runs', async () => {
		const repo = repoWith({ 'gates/health.sh': 'bash ./work.sh\necho not right\nexit 3\n' });
		const t = await ran({ dir: repo, gate_loops: 1, prompt: `printf '%s\\n' 'printf "true\\n\\n\\nexit 0\\n\\n\\n\\n\\nexit 0\\n" >gates/health.sh' >work.sh` }, 'failed');
		assert.equal(t.sessions[0].gate.passed, false);
		assert.match(t.error, /changed while it ran/);
	});
});

describe('the work of a session', () => {
	test('is there for the next one after a handoff, and the patch is the whole of it', async () => {
		const repo = repoWith({ 'bin.dat': Buffer.from([0, 1, 2, 255]) });
		const task = await chomp.create({ agent: 'shell', dir: repo, prompt: 'if [[ -f half ]]; then cat half; echo two >other; else echo one >half; printf "\\0\\1" >bin.dat; chomp handoff "half done"; fi', run: true });
		await chomp.until(task.id, 'queued');
		await chomp.run(task.id);
		const t = await chomp.until(task.id, 'done');
		const patch = await artifact(t.id, 'changes.patch');
		assert.match(patch, /^\+one$/m);
		assert.match(patch, /^\+two$/m);
		assert.match(patch, /GIT binary patch/);
		assert.deepEqual(t.artifacts.find((a) => a.name === 'changes.patch').patch.files, 3);
	});
});

describe('a review', () => {
	test('waits, is sent back with a comment that is the next prompt, and approved', async () => {
		const task = await chomp.create({ agent: 'shell', prompt: 'echo the first', review: true, run: true });
		const waiting = await chomp.until(task.id, 'done');
		assert.equal(waiting.review.state, 'waiting');
		await chomp.post('sendback', { id: task.id, comment: 'echo "more of $((6*7))"' });
		await chomp.run(task.id);
		await chomp.until(task.id, (t) => t.status === 'done' && t.sessions.length === 2);
		await waitFor('the comment was its prompt', async () => /more of 42/.test(await chomp.output(task.id)));
		assert.equal((await chomp.post('approve', { id: task.id })).review.state, 'approved');
	});
});

describe('a park', () => {
	test('ends by itself when its time has come', async () => {
		const task = await chomp.create({ agent: 'shell', prompt: 'if [[ $SESSION_ID == s1 ]]; then chomp handoff --parked-until "$(date -u -d "+3 seconds" +%FT%TZ)" "rate limited"; else echo back; fi', run: true });
		const parked = await chomp.until(task.id, (t) => t.sessions[0]?.result === 'handoff');
		assert.equal(parked.sessions[0].summary, 'rate limited');
		const t = await chomp.until(task.id, 'done');
		assert.equal(t.sessions.length, 2);
		assert.equal(t.parked_until, null);
	});
});

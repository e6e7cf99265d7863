// The queue under many hands: parallel creates and runs, a random history of the state machine through several workers, kill -9
// of everything in a write storm, and a backup that is made meanwhile.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { shared, startInstance, chompctl } from '../lib/instance.mjs';
import { freePort } from '../lib/port.mjs';
import { kill } from '../lib/processes.mjs';
import { tempDir } from '../lib/repo.mjs';
import { sleep, waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after }, { env: { CHOMP_WORKERS: '4' } });
const many = (n, fn) => Promise.all(Array.from({ length: n }, (_, i) => fn(i)));

// Nothing is sent to the sandbox host any more: a task changes by the requests of these tests alone.
async function drain() {
	for (const pid of chomp.pids('dispatcher')) process.kill(pid, 'SIGUSR1');
	await waitFor('the dispatcher drains', () => chomp.logTail(200).includes('ev=dispatch.draining'), { context: chomp.logTail });
}
await drain();

describe('many hands', () => {
	test('200 creates by 20 clients are 200 tasks with 200 ids', async () => {
		const ids = (
			await many(20, async (client) => {
				const mine = [];
				for (let i = 0; i < 10; i++) mine.push((await chomp.create({ prompt: `of client ${client}, number ${i}` })).id);
				return mine;
			})
		).flat();
		assert.equal(new Set(ids).size, 200);
		const all = JSON.parse(await chomp.state()).tasks;
		for (let client = 0; client < 20; client++)
			for (let i = 0; i < 10; i++)
				assert.equal(all.filter((t) => t.prompt === `of client ${client}, number ${i}`).length, 1);
	});

	test('20 runs of one task are one session', async () => {
		const { id } = await chomp.create({ prompt: 'run me', agent: 'shell' });
		const said = await many(20, () => chomp.api.post('/api/tasks/run', { id }));
		assert.equal(said.filter((r) => r.status === 200).length, 1);
		assert.equal(said.filter((r) => r.status === 409 && r.json().error.code === 'not_queued').length, 19);
		const task = await chomp.task(id);
		assert.equal(task.sessions.length, 1);
		await chomp.post('cancel', { id });
	});

	test('one Idempotency-Key at once is one task', async () => {
		const key = randomBytes(8).toString('hex');
		const said = await many(20, () => chomp.api.post('/api/tasks', { prompt: 'once' }, { headers: { 'Idempotency-Key': key } }));
		assert.deepEqual([...new Set(said.map((r) => r.status))], [200]);
		assert.equal(new Set(said.map((r) => r.json().id)).size, 1);
	});
});

// ---- a random history, and whether one order of its steps explains every answer ----
const verbs = {
	run: { from: ['queued'], to: 'active', code: 'not_queued', opens: 1 },
	update: { from: ['active'], to: 'active', code: 'not_active', body: { tokens: 1 } },
	done: { from: ['active'], to: 'done', code: 'not_active' },
	fail: { from: ['active'], to: 'failed', code: 'not_active', body: { reason: 'no' } },
	handoff: { from: ['active'], to: 'queued', code: 'not_active', body: { summary: 'go on' } },
	cancel: { from: ['active'], to: 'queued', code: 'not_active' },
	retry: { from: ['done', 'failed'], to: 'queued', code: 'not_finished' },
};

// What the reference model says: the state after, and the answer.
function step(state, verb) {
	const v = verbs[verb];
	if (!v.from.includes(state.status)) return { state, answer: v.code };
	const after = { status: v.to, sessions: state.sessions + (v.opens ?? 0) };
	return { state: after, answer: `${after.status} ${after.sessions}` };
}

// Wing and Gong: an operation may come next when none that is left had ended before it began. Seen states are not tried again.
function explained(ops) {
	const failed = new Set();
	const left = new Set(ops.keys());
	function go(state) {
		if (left.size === 0) return true;
		const key = `${[...left].join()} ${state.status} ${state.sessions}`;
		if (failed.has(key)) return false;
		const firstEnd = Math.min(...[...left].map((i) => ops[i].end));
		for (const i of [...left]) {
			if (ops[i].begin > firstEnd) continue;
			const next = step(state, ops[i].verb);
			if (next.answer !== ops[i].answer) continue;
			left.delete(i);
			if (go(next.state)) return true;
			left.add(i);
		}
		failed.add(key);
		return false;
	}
	return go({ status: 'queued', sessions: 0 });
}

test('the checker finds what no order explains', () => {
	const op = (verb, begin, end, answer) => ({ verb, begin, end, answer });
	assert.ok(explained([op('run', 0, 3, 'active 1'), op('run', 1, 2, 'not_queued')]));
	assert.ok(!explained([op('run', 0, 1, 'not_queued'), op('run', 2, 3, 'active 1')]));
	assert.ok(!explained([op('run', 0, 3, 'active 1'), op('run', 1, 2, 'active 1')]));
	assert.ok(!explained([op('run', 0, 1, 'active 1'), op('done', 2, 3, 'not_active')]));
	assert.ok(explained([op('run', 0, 1, 'active 1'), op('done', 2, 5, 'done 1'), op('fail', 2, 5, 'not_active')]));
});

test('every answer of a random history is explained by one order', async () => {
	const tasks = await many(6, (i) => chomp.create({ prompt: `history ${i}`, agent: 'shell' }));
	const history = new Map(tasks.map((t) => [t.id, []]));
	const names = Object.keys(verbs);
	await many(8, async () => {
		for (let i = 0; i < 40; i++) {
			const { id } = tasks[Math.floor(Math.random() * tasks.length)];
			const verb = names[Math.floor(Math.random() * names.length)];
			const begin = process.hrtime.bigint();
			const said = await chomp.api.post(`/api/tasks/${verb}`, { id, ...verbs[verb].body });
			const body = said.json();
			const answer = said.status === 200 ? `${body.status} ${body.sessions.length}` : body.error.code;
			history.get(id).push({ verb, answer, begin: Number(begin), end: Number(process.hrtime.bigint()) });
		}
	});
	for (const [id, ops] of history) {
		ops.sort((a, b) => a.begin - b.begin);
		assert.ok(explained(ops), `task ${id}: no order explains ${JSON.stringify(ops)}`);
		const task = await chomp.task(id);
		const open = task.sessions.filter((s) => s.ended_at === null);
		assert.equal(open.length, task.status === 'active' ? 1 : 0);
		assert.equal(task.tokens, task.sessions.reduce((n, s) => n + (s.tokens ?? 0), 0));
		if (task.status === 'active') await chomp.post('cancel', { id });
	}
});

// ---- a backup while others write ----
test('a backup made while others write holds all that was acknowledged before it', async () => {
	const dir = tempDir('backup');
	const file = path.join(dir, 'chomp.tar.gz');
	let on = true;
	const writing = many(4, async (n) => {
		for (let i = 0; on; i++) await chomp.create({ prompt: `meanwhile ${n} ${i}` });
	});
	const before = JSON.parse(await chomp.state());
	const said = await chomp.ctl(['backup', file]);
	on = false;
	await writing;
	assert.equal(said.code, 0, said.text);
	assert.equal(fs.statSync(file).mode & 0o777, 0o600);
	const checked = await chomp.ctl(['fsck']);
	assert.equal(checked.code, 0, checked.text);
	// It comes back in another place; what runs refuses it.
	const refused = await chomp.ctl(['restore', file]);
	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /running/);
	const home = path.join(dir, 'var');
	const port = await freePort();
	const env = { CHOMP_VAR: home, CHOMP_PORT: String(port) };
	const restored = await chompctl(['restore', file], { env });
	assert.equal(restored.code, 0, restored.text);
	const other = await startInstance({ varDir: home, port });
	try {
		const now = JSON.parse(await other.state());
		const byId = new Map(now.tasks.map((t) => [t.id, t]));
		for (const t of before.tasks) assert.deepEqual({ ...byId.get(t.id), sessions: 0 }, { ...t, sessions: 0 });
		assert.ok(now.next_id >= before.next_id);
		assert.equal(Number((await other.create({ prompt: 'new' })).id), now.next_id);
	} finally {
		await other.stop();
		fs.rmSync(dir, { recursive: true, force: true });
	}
});

// ---- kill -9 of anything, a hundred times ----
test('a hundred kills in a write storm lose nothing and double nothing', async () => {
	const kills = 100;
	const acked = new Map(); // prompt → id
	const errors = [];
	let on = true;

	// The same key until it is answered: a lost answer is not a lost task, and must not become two.
	async function create(prompt) {
		const key = randomBytes(8).toString('hex');
		return waitFor(
			`${prompt} is answered`,
			async () => {
				const said = await chomp.api.post('/api/tasks', { prompt }, { headers: { 'Idempotency-Key': key }, timeoutMs: 20_000 });
				return said.status === 200 && said.json().id;
			},
			{ everyMs: 20, context: chomp.logTail },
		);
	}
	const writing = many(4, async (n) => {
		for (let i = 0; on; i++) {
			const prompt = `storm ${n} ${i} ${randomBytes(4).toString('hex')}`;
			acked.set(prompt, await create(prompt));
		}
	}).catch((e) => errors.push(e));

	const victims = ['worker', 'worker', 'worker', 'worker parent', 'dispatcher', 'nginx worker', 'nginx worker', 'nginx master'];
	for (let n = 0; n < kills; ) {
		const role = victims[Math.floor(Math.random() * victims.length)];
		const pids = chomp.pids(role);
		if (pids.length) {
			kill(pids[Math.floor(Math.random() * pids.length)]);
			n++;
		}
		await sleep(40 + Math.random() * 120); // no condition: the moment is what is random
	}
	const atLeast = acked.size + 20; // and it goes on
	await waitFor('the storm goes on', () => errors.length > 0 || acked.size >= atLeast, { context: chomp.logTail });
	on = false;
	await writing;
	assert.deepEqual(errors, []);

	const all = JSON.parse(await chomp.state()).tasks.filter((t) => t.prompt.startsWith('storm '));
	assert.equal(new Set(all.map((t) => t.prompt)).size, all.length, 'a task came twice');
	const byPrompt = new Map(all.map((t) => [t.prompt, t.id]));
	for (const [prompt, id] of acked) assert.equal(byPrompt.get(prompt), id, `${prompt} was acknowledged`);
	assert.ok(acked.size > 50, `${acked.size} acknowledged`);
	const checked = await chomp.ctl(['fsck']);
	assert.equal(checked.code, 0, checked.text);
});

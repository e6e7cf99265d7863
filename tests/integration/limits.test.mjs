// The edges of the main job: more tasks than room, orders that cross each other, an agent that does not end, and a machine
// that loses everything but its disk.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { shared } from '../lib/instance.mjs';
import { startStepper } from '../lib/box-scripts.mjs';
import { kill } from '../lib/processes.mjs';
import { waitFor, waitForSilence } from '../lib/wait.mjs';

const HOST_ROOM = 32; // the local host's default

const chomp = await shared({ after });
const box = await startStepper();
after(() => box.close());

const name = (what) => `${what}-${randomBytes(6).toString('hex')}`;
const shell = (script) => chomp.create({ prompt: box.script(script), agent: 'shell' });
const noBoxes = () => waitFor('no box is left', () => chomp.pids('shim').length === 0, { context: chomp.logTail });

describe('at the edges', () => {
	test('more tasks than the host has room for all get their turn, once each', async () => {
		const mark = name('crowd');
		const made = await Promise.all(
			Array.from({ length: HOST_ROOM + 6 }, () => shell(`put ${mark}-$TASK_ID <<<x; wait_for ${mark}`)),
		);
		await Promise.all(made.map((t) => chomp.run(t.id)));
		const started = () => made.filter((t) => box.puts(`${mark}-${t.id}`).length > 0).length;
		await waitFor('the host is full', () => started() >= HOST_ROOM, {
			deadlineMs: 120_000,
			context: chomp.logTail,
		});
		assert.equal(started(), HOST_ROOM);
		const waiting = made.filter((t) => box.puts(`${mark}-${t.id}`).length === 0);
		for (const t of waiting) {
			const now = await chomp.task(t.id);
			assert.equal(now.status, 'active', 'it is not given up');
			assert.equal(now.sessions[0].dispatch.state, 'pending');
		}
		box.release(mark);
		for (const t of made) {
			const done = await chomp.until(t.id, 'done', { deadlineMs: 180_000 });
			assert.equal(done.sessions.length, 1);
			assert.equal(box.puts(`${mark}-${t.id}`).length, 1);
		}
		await noBoxes();
	});

	test('run and cancel at once, again and again, leave no box and no agent', async () => {
		const mark = name('crossing');
		for (let i = 0; i < 10; i++) {
			const made = await shell(`while :; do put ${mark} <<<x; sleep 0.2; done`);
			await chomp.run(made.id);
			if (i % 2) await chomp.until(made.id, (t) => t.sessions[0].dispatch.state === 'started');
			await chomp.post(i % 3 ? 'cancel' : 'delete', { id: made.id });
		}
		await noBoxes();
		await waitForSilence('no agent beats', () => box.puts(mark).length);
	});

	test('an agent that says done and does not end is ended, and the task stays done', async () => {
		const mark = name('lingering');
		const made = await shell(`chomp done --result early; while :; do put ${mark} <<<x; sleep 0.2; done`);
		await chomp.run(made.id);
		await chomp.until(made.id, 'done');
		await noBoxes();
		await waitForSilence('it is silent', () => box.puts(mark).length);
		const done = await chomp.task(made.id);
		assert.equal(done.status, 'done');
		assert.equal(done.result, 'early');
		assert.equal(done.sessions.length, 1);
	});

	test('a script that ends at once is done, however the callback and the dispatch answer cross', async () => {
		const made = await Promise.all(
			Array.from({ length: 10 }, (_, i) => shell(i % 2 ? 'exit 0' : 'chomp done --result quick')),
		);
		await Promise.all(made.map((t) => chomp.run(t.id)));
		for (const t of made) {
			const done = await chomp.until(t.id, 'done');
			assert.equal(done.sessions.length, 1);
			assert.equal(done.sessions[0].result, 'done');
		}
		await noBoxes();
	});

	test('everything but the disk and the boxes is lost at once, and `up` finds all that was acknowledged', async () => {
		const mark = name('crash');
		const made = await shell(`put ${mark}-up <<<x; wait_for ${mark}; echo survived; exit 7`);
		await chomp.run(made.id);
		await box.put(`${mark}-up`);
		const acked = await Promise.all(
			Array.from({ length: 20 }, (_, i) => chomp.create({ prompt: `before the crash ${i}` })),
		);
		const boxes = new Set(chomp.pids('shim'));
		const inBoxes = (p, list) => boxes.has(p.pid) || list.some((q) => q.pid === p.ppid && inBoxes(q, list));
		const list = chomp.processes();
		for (const p of list.filter((p) => !inBoxes(p, list))) kill(p.pid);
		await waitFor('only the boxes are left', () => {
			const left = chomp.processes();
			return left.every((p) => inBoxes(p, left));
		});
		const up = await chomp.ctl(['up']);
		assert.equal(up.code, 0, up.text);
		for (const t of acked) assert.equal((await chomp.task(t.id)).prompt, t.prompt);
		assert.equal((await chomp.task(made.id)).status, 'active');
		box.release(mark);
		const failed = await chomp.until(made.id, 'failed');
		assert.equal(failed.sessions[0].exit_code, 7);
		assert.equal(failed.sessions.length, 1);
		await waitFor('its output', async () => (await chomp.output(made.id)).includes('survived'));
	});

	test('`chompctl down` ends the boxes as well, and the task is told lost after the next `up`', async () => {
		const mark = name('down');
		const made = await shell(`while :; do put ${mark} <<<x; sleep 0.2; done`);
		await chomp.run(made.id);
		await box.put(mark);
		const down = await chomp.ctl(['down']);
		assert.equal(down.code, 0, down.text);
		assert.deepEqual(
			chomp.processes().map((p) => p.cmdline),
			[],
		);
		await waitForSilence('the agent is dead', () => box.puts(mark).length);
		assert.equal((await chomp.ctl(['up'])).code, 0);
		const failed = await chomp.until(made.id, 'failed');
		assert.ok(['lost', 'failed'].includes(failed.sessions[0].result));
		assert.ok(failed.error.length > 5);
	});
});

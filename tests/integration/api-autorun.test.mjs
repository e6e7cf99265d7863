// Auto-run against real processes: order, limit, pause, a dispatcher that is killed again and again.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const settings = async (body) => {
	const said = await chomp.api.post('/api/config/settings', body);
	assert.equal(said.status, 200, said.text);
};
const queue = (more = {}) => chomp.create({ prompt: 'true', agent: 'shell', ...more });
const count = async (status) => (await chomp.api.get('/api/health')).json().store[status];
const drained = () => waitFor('the queue is empty', async () => (await count('queued')) + (await count('active')) === 0, {
	context: chomp.logTail,
});

describe('auto-run', () => {
	test('starts nothing while it is off, and all there is, by priority, then age, when it is turned on', async () => {
		const priorities = [0, 5, -3, 5, 0];
		const made = [];
		for (const priority of priorities) made.push((await queue({ priority })).id);
		const held = (await queue({ priority: 9 })).id;
		await chomp.run(held);
		await chomp.post('cancel', { id: held });
		assert.equal(await count('queued'), 6);
		await settings({ auto_run: true, max_active: 1 });
		for (const id of made) await chomp.until(id, 'done');
		const started = await Promise.all(made.map(async (id) => [(await chomp.task(id)).sessions[0].started_at, id]));
		const order = started.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, id]) => made.indexOf(id));
		assert.deepEqual(order, [1, 3, 0, 4, 2]);
		assert.equal((await chomp.task(held)).status, 'queued', 'a cancelled task stays held');
		await chomp.post('delete', { id: held });
	});

	test('keeps to max_active, whoever takes the places', async () => {
		await settings({ auto_run: true, max_active: 2 });
		const ids = [];
		for (let i = 0; i < 6; i++) ids.push((await queue({ prompt: 'sleep 0.3' })).id);
		let most = 0;
		await waitFor(
			'all are done',
			async () => {
				most = Math.max(most, await count('active'));
				return (await count('done')) === 11;
			},
			{ everyMs: 5, context: chomp.logTail },
		);
		assert.equal(most, 2);
		for (const id of ids) assert.equal((await chomp.task(id)).sessions.length, 1);
	});

	test('once paused, starts nothing any more, from the moment that is answered', async () => {
		await settings({ max_active: 0 });
		for (let i = 0; i < 20; i++) await queue();
		await settings({ max_active: 3 });
		await settings({ paused: true });
		const then = await count('queued');
		assert.ok(then > 0, 'some wait yet');
		await waitFor('those that run have ended', async () => (await count('active')) === 0);
		await new Promise((r) => setTimeout(r, 300));
		assert.equal(await count('queued'), then);
		await settings({ paused: false });
		await drained();
	});

	test('runs each task once, whatever happens to the dispatcher', async () => {
		await settings({ auto_run: true, paused: false, max_active: 4 });
		const ids = [];
		for (let i = 0; i < 24; i++) {
			ids.push((await queue({ prompt: `echo run ${i}` })).id);
			if (i % 6 === 5) for (const pid of chomp.pids('dispatcher')) process.kill(pid, 'SIGKILL');
		}
		await drained();
		for (const [i, id] of ids.entries()) {
			const t = await chomp.task(id);
			assert.equal(t.status, 'done', t.error);
			assert.equal(t.sessions.length, 1);
			await waitFor('its output is there', async () => new RegExp(`^run ${i}$`, 'm').test(await chomp.output(id)));
		}
	});

	test('holds a task that cannot be run, says why, and goes on', async () => {
		await settings({ auto_run: false });
		await chomp.api.post('/api/config/agents', { id: 'gone', name: 'Gone', command: 'true' });
		const bad = (await queue({ agent: 'gone', priority: 9 })).id;
		await chomp.api.post('/api/config/agents', { id: 'gone', delete: true });
		const good = (await queue()).id;
		await settings({ auto_run: true, max_active: 1 });
		await chomp.until(good, 'done');
		const t = await chomp.task(bad);
		assert.equal(t.status, 'queued');
		assert.equal(t.held, true);
		assert.match(t.error, /agent gone is not known/);
	});
});

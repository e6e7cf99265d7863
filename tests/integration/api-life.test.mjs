// What holds over a task's whole life: which verb may come when, what the next agent is told, what a budget does, and that a
// restart in between changes none of it.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startStepper } from '../lib/box-scripts.mjs';
import { shared } from '../lib/instance.mjs';
import { waitFor, waitForSilence } from '../lib/wait.mjs';

const chomp = await shared({ after });
const box = await startStepper();
after(() => box.close());
const shell = (script, more = {}) => chomp.create({ prompt: box.script(script), agent: 'shell', ...more });
const settings = async (body) => assert.equal((await chomp.api.post('/api/config/settings', body)).status, 200);
const code = async (verb, body) => {
	const said = await chomp.api.post(`/api/tasks/${verb}`, body);
	return said.status === 200 ? '200' : `${said.status} ${said.json().error.code}`;
};

describe('the state machine', () => {
	// what each verb says to a task of each status; what is not 200 changes nothing
	const verbs = {
		run: { queued: '200', active: '409 not_queued', done: '409 not_queued', failed: '409 not_queued' },
		update: { queued: '409 not_active', active: '200', done: '409 not_active', failed: '409 not_active' },
		done: { queued: '409 not_active', active: '200', done: '409 not_active', failed: '409 not_active' },
		fail: { queued: '409 not_active', active: '200', done: '409 not_active', failed: '409 not_active' },
		handoff: { queued: '409 not_active', active: '200', done: '409 not_active', failed: '409 not_active' },
		cancel: { queued: '409 not_active', active: '200', done: '409 not_active', failed: '409 not_active' },
		retry: { queued: '409 not_finished', active: '409 not_finished', done: '200', failed: '200' },
		approve: { queued: '409 not_waiting', active: '409 not_waiting', done: '409 not_waiting', failed: '409 not_waiting' },
		sendback: { queued: '409 not_waiting', active: '409 not_waiting', done: '409 not_waiting', failed: '409 not_waiting' },
		delete: { queued: '200', active: '200', done: '200', failed: '200' },
	};
	const after_ = { run: 'active', update: 'active', done: 'done', fail: 'failed', handoff: 'queued', cancel: 'queued', retry: 'queued' };
	const body = { update: { tokens: 1 }, fail: { reason: 'r' }, handoff: { summary: 's' }, sendback: { comment: 'c' } };

	async function made(status) {
		const { id } = await chomp.create({ prompt: 'sleep 1000', agent: 'shell', run: status !== 'queued' });
		if (status === 'done') await chomp.post('done', { id });
		if (status === 'failed') await chomp.post('fail', { id, reason: 'wanted' });
		return id;
	}
	for (const [verb, wanted] of Object.entries(verbs))
		test(verb, async () => {
			for (const [status, answer] of Object.entries(wanted)) {
				const id = await made(status);
				const before = await chomp.task(id);
				assert.equal(await code(verb, { id, ...body[verb] }), answer, `a ${status} task`);
				const now = await chomp.api.get(`/api/tasks/${id}`);
				if (verb === 'delete') assert.equal(now.status, 404);
				else if (answer === '200') assert.equal(now.json().status, after_[verb]);
				else assert.deepEqual([now.json().status, now.json().sessions.length, now.json().tokens], [before.status, before.sessions.length, before.tokens]);
				if (verb !== 'delete') await chomp.post('delete', { id });
			}
		});
	test('in the end no sandbox is left', () => waitFor('none is left', () => chomp.pids('shim').length === 0, { context: chomp.logTail }));
});

describe('what the next agent is told', () => {
	test('every earlier summary, the oldest first, and the prompt as it always was', async () => {
		const made = await shell(`put prompt-$SESSION_ID <"$TASK_PROMPT_FILE"; put history-$SESSION_ID <"$CHOMP_HISTORY_FILE"
case $SESSION_ID in
s1) chomp handoff "first: parsed"; ;;
s2) chomp handoff --summary-file <(printf 'second:\\n"half"\\n'); ;;
s3) chomp fail "third: broke" ;;
s4) chomp done fine ;;
esac`);
		for (const status of ['queued', 'queued', 'failed', 'done']) {
			await chomp.run(made.id);
			const at = await chomp.until(made.id, status);
			if (status === 'failed') await chomp.post('retry', { id: made.id });
			assert.equal(at.prompt, made.prompt);
		}
		for (const sid of ['s1', 's2', 's3', 's4']) assert.equal((await box.put(`prompt-${sid}`)).toString(), made.prompt);
		const history = async (sid) => JSON.parse(await box.put(`history-${sid}`)).map((h) => [h.sessionId, h.agent, h.model, h.result, h.summary]);
		assert.deepEqual(await history('s1'), []);
		assert.deepEqual(await history('s2'), [['s1', 'shell', 'bash', 'handoff', 'first: parsed']]);
		assert.deepEqual(await history('s4'), [
			['s1', 'shell', 'bash', 'handoff', 'first: parsed'],
			['s2', 'shell', 'bash', 'handoff', 'second:\n"half"'],
			['s3', 'shell', 'bash', 'failed', 'third: broke'],
		]);
	});
});

describe('a token budget', () => {
	test('that is used up is flagged, and no more', async () => {
		const made = await shell('chomp update --tokens 100; chomp update --tokens 99; put flagged <<<x; wait_for flag', { token_budget: 100 });
		await chomp.run(made.id);
		await box.put('flagged');
		const at = await chomp.task(made.id);
		assert.deepEqual([at.status, at.budget_exceeded, at.tokens], ['active', true, 100]);
		box.release('flag');
		await chomp.until(made.id, 'done');
	});
	test('that stops ends the sandbox, and a retry wants a higher one', async () => {
		const made = await shell('put up <<<x; wait_for spend; chomp update --tokens 100; while :; do put beat <<<x; sleep 0.2; done', { token_budget: 100, on_budget: 'stop' });
		await chomp.run(made.id);
		await box.put('up');
		box.release('spend');
		const failed = await chomp.until(made.id, 'failed');
		assert.equal(failed.sessions[0].result, 'budget');
		assert.match(failed.error, /budget/);
		await waitFor('the sandbox is gone', async () => (await chomp.task(made.id)).sessions[0].kill?.state === 'done' && chomp.pids('shim').length === 0, { context: chomp.logTail });
		await waitForSilence('the agent is dead', () => box.puts('beat').length);
		assert.equal(await code('retry', { id: made.id }), '409 budget');
		assert.equal(await code('retry', { id: made.id, token_budget: 100 }), '409 budget');
		assert.equal(await code('retry', { id: made.id, token_budget: 1000 }), '200');
		assert.deepEqual([(await chomp.task(made.id)).token_budget, (await chomp.task(made.id)).budget_exceeded], [1000, false]);
		await chomp.post('delete', { id: made.id });
	});
});

describe('over a restart', () => {
	test('auto-run goes on where it was: by priority, then age, one at a time, each once', async () => {
		const first = await shell('put first <<<x; wait_for first');
		await chomp.run(first.id);
		await box.put('first');
		const ids = [];
		for (const priority of [0, 7, 0, 7]) ids.push((await shell('put ran-$TASK_ID <<<x', { priority })).id);
		await settings({ auto_run: true, max_active: 1 });
		assert.equal((await chomp.ctl(['restart'])).code, 0);
		assert.deepEqual(await Promise.all(ids.map(async (id) => (await chomp.task(id)).status)), Array(4).fill('queued'), 'no room yet');
		box.release('first');
		for (const id of ids) await chomp.until(id, 'done');
		const started = await Promise.all(ids.map(async (id) => (await chomp.task(id)).sessions));
		assert.deepEqual(started.map((s) => s.length), [1, 1, 1, 1]);
		const order = started.map(([s], i) => [s.started_at, i]).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, i]) => i);
		assert.deepEqual(order, [1, 3, 0, 2]);
		for (const id of ids) assert.equal(box.puts(`ran-${id}`).length, 1);
		await settings({ auto_run: false });
	});
	test('an Idempotency-Key still answers its task, and ids go on', async () => {
		const headers = { 'Idempotency-Key': 'over-a-restart' };
		const one = (await chomp.api.post('/api/tasks', { prompt: 'once' }, { headers })).json();
		await chomp.post('delete', { id: (await chomp.create({ prompt: 'gone' })).id });
		assert.equal((await chomp.ctl(['restart'])).code, 0);
		assert.equal((await chomp.api.post('/api/tasks', { prompt: 'once' }, { headers })).json().id, one.id);
		assert.equal((await chomp.create({ prompt: 'next' })).id, String(Number(one.id) + 2));
	});
});

// The main job, from the first request to the last: create a task, run it, follow it, see how it ended.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { shared } from '../lib/instance.mjs';
import { startStepper } from '../lib/box-scripts.mjs';
import { waitFor, waitForSilence } from '../lib/wait.mjs';

const chomp = await shared({ after });
const box = await startStepper();
after(() => box.close());

const name = (what) => `${what}-${randomBytes(6).toString('hex')}`;
const shell = (script, more = {}) => chomp.create({ prompt: box.script(script), agent: 'shell', ...more });
const isTime = (t) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(t);

describe('a task', () => {
	test('is created, run, active, followed as it grows, and done with its exit code, session and output kept', async () => {
		const go = name('go');
		const made = await shell(`echo first words; wait_for ${go}; echo last words`);
		assert.match(made.id, /^[1-9]\d*$/);
		assert.equal(made.status, 'queued');
		assert.deepEqual(made.sessions, []);
		assert.ok(isTime(made.created));
		assert.equal(await chomp.output(made.id), '', 'no session, no output');

		const run = await chomp.run(made.id);
		assert.equal(run.status, 'active');
		assert.equal(run.sessions.length, 1);
		assert.equal(run.sessions[0].id, 's1');
		assert.equal(run.sessions[0].agent, 'shell');
		assert.equal(run.sessions[0].model, 'bash');

		const started = await chomp.until(made.id, (t) => t.sessions[0].dispatch?.state === 'started');
		assert.ok(started.sessions[0].sandbox_id);
		assert.ok(isTime(started.sessions[0].started_at));
		await waitFor(
			'the first words are shown while it runs',
			async () => (await chomp.output(made.id)).includes('first words'),
			{ context: chomp.logTail },
		);
		assert.equal((await chomp.task(made.id)).status, 'active');
		assert.doesNotMatch(await chomp.output(made.id), /last words/);
		box.release(go);

		const done = await chomp.until(made.id, 'done');
		assert.equal(done.sessions.length, 1);
		assert.equal(done.sessions[0].result, 'done');
		assert.equal(done.sessions[0].exit_code, 0);
		assert.ok(isTime(done.sessions[0].ended_at));
		assert.equal(done.prompt, made.prompt);
		const output = await waitFor('all of the output is kept', async () => {
			const text = await chomp.output(made.id);
			return /first words[^]*last words/.test(text) && text;
		});
		assert.doesNotMatch(output, /\u001b/, 'without escape codes');
		assert.match(await chomp.output(made.id, 's1'), /first words[^]*last words/);
	});

	test('whose script fails is failed, with the exit code and the reason', async () => {
		const made = await shell('echo about to break; exit 3');
		await chomp.run(made.id);
		const failed = await chomp.until(made.id, 'failed');
		assert.equal(failed.sessions[0].result, 'failed');
		assert.equal(failed.sessions[0].exit_code, 3);
		assert.match(failed.error, /3/);
		assert.equal(failed.sessions[0].summary, failed.error);
		await waitFor('its output is kept', async () => (await chomp.output(made.id)).includes('about to break'));
	});

	test('that calls `chomp fail` is failed with that reason, byte for byte', async () => {
		const made = await shell('chomp fail "no \\"disk\\" left: \\$(rm) é€ <b>"');
		await chomp.run(made.id);
		const failed = await chomp.until(made.id, 'failed');
		assert.equal(failed.error, 'no "disk" left: $(rm) é€ <b>');
	});

	test('that calls `chomp done` with a result is done with that result', async () => {
		const made = await shell('chomp done --result "it works"');
		await chomp.run(made.id);
		const done = await chomp.until(made.id, 'done');
		assert.equal(done.result, 'it works');
		assert.equal(done.sessions[0].result, 'done');
	});

	test('that hands off is queued again, and the next session gets the summary', async () => {
		const made = await shell(
			`if [ "$SESSION_ID" = s1 ]; then chomp handoff "half is done"; else jq -r '.[0].summary' "$CHOMP_HISTORY_FILE" | put handoff-seen-$TASK_ID; fi`,
		);
		await chomp.run(made.id);
		const queued = await chomp.until(made.id, 'queued');
		assert.equal(queued.sessions[0].result, 'handoff');
		assert.equal(queued.sessions[0].summary, 'half is done');
		assert.ok(!queued.held);
		await chomp.run(made.id);
		const done = await chomp.until(made.id, 'done');
		assert.equal(done.sessions.length, 2);
		assert.equal(done.sessions[1].id, 's2');
		assert.equal((await box.put(`handoff-seen-${made.id}`)).toString().trim(), 'half is done');
	});

	test('shows the tokens its agent reports while it runs, and they never fall', async () => {
		const go = name('tokens');
		const made = await shell(
			`chomp update --tokens 500; wait_for ${go}; chomp update --tokens 200; chomp update --tokens 700`,
		);
		await chomp.run(made.id);
		await chomp.until(made.id, (t) => t.status === 'active' && t.tokens === 500);
		box.release(go);
		const done = await chomp.until(made.id, 'done');
		assert.equal(done.tokens, 700);
		assert.equal(done.sessions[0].tokens, 700);
	});

	test('that has failed can be retried, and a second session starts', async () => {
		const made = await shell('[ "$SESSION_ID" = s2 ]');
		await chomp.run(made.id);
		await chomp.until(made.id, 'failed');
		const queued = await chomp.post('retry', { id: made.id });
		assert.equal(queued.status, 'queued');
		await chomp.run(made.id);
		const done = await chomp.until(made.id, 'done');
		assert.deepEqual(
			done.sessions.map((s) => s.result),
			['failed', 'done'],
		);
	});

	test('keeps 10 MB of output whole, to its last line', async () => {
		const made = await shell('seq -f "row %08g of a long story" 300000; echo the very end');
		await chomp.run(made.id);
		await chomp.until(made.id, 'done');
		const text = await waitFor(
			'the last line is kept',
			async () => {
				const o = await chomp.output(made.id);
				return o.includes('the very end') && o;
			},
			{
				deadlineMs: 30_000,
				everyMs: 1000,
				context: async () => `it ends: ${(await chomp.output(made.id)).slice(-100)}`,
			},
		);
		const rows = text.split(/\r?\n/).filter((l) => l.startsWith('row '));
		assert.equal(rows.length, 300000);
		assert.ok(rows.every((r, i) => Number(r.slice(4, 12)) === i + 1));
	});

	test('whose output is full of escape codes and broken bytes shows as text', async () => {
		const nasty = String.raw`\033]0;title\007\033[31mred\033[0m \033Pdcs\033\\ \2331mc1 \377\376 \033]8;;http://evil/\033\\link\033]8;;\033\\ \033]52;c;aGk=\007 tab\there nul\000nul bs\010bs del\177del \303\251 \033`;
		const made = await shell(`printf '${nasty.replaceAll('\\\\', '\\')}'; echo; echo "safe end"`);
		await chomp.run(made.id);
		await chomp.until(made.id, 'done');
		const said = await waitFor('the output', async () => {
			const o = await chomp.api.get(`/api/sandbox/output/${made.id}`);
			return o.text.includes('safe end') && o;
		});
		assert.match(said.headers['content-type'], /^text\/plain; ?charset=utf-8/i);
		assert.ok(Buffer.from(said.text, 'utf8').equals(said.body), 'it is UTF-8');
		assert.doesNotMatch(said.text, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/);
		assert.doesNotMatch(said.text, /title|aGk=|\[31m/);
		assert.match(said.text, /red[^]*link[^]*é/);
	});

	test('has a prompt of 200 KiB that reaches its agent byte for byte', async () => {
		const head = box.script(`sha256sum <"$TASK_PROMPT_FILE" | put big-prompt-hash; exit 0`);
		const prompt =
			head + '"\'`$(touch /tmp/pwned)${HOME}\\ %s\t|&;<>()*?[]#~=!{}\r\n\u{1f600}é€ --help\n'.repeat(2800);
		const { createHash } = await import('node:crypto');
		const made = await chomp.create({ prompt, agent: 'shell' });
		assert.equal(made.prompt, prompt);
		await chomp.run(made.id);
		await chomp.until(made.id, 'done');
		assert.equal(
			(await box.put('big-prompt-hash')).toString().slice(0, 64),
			createHash('sha256').update(prompt).digest('hex'),
		);
	});
});

describe('run', () => {
	test('twenty runs at once open one session and start one box', async () => {
		const mark = name('twenty');
		const made = await shell(`put ${mark} <<<x; wait_for ${mark}`);
		const said = await Promise.all(
			Array.from({ length: 20 }, () => chomp.api.post('/api/tasks/run', { id: made.id })),
		);
		assert.equal(said.filter((s) => s.status === 200).length, 1);
		for (const s of said.filter((s) => s.status !== 200)) {
			assert.equal(s.status, 409, s.text);
			assert.equal(s.json().error.code, 'not_queued');
		}
		await box.put(mark);
		box.release(mark);
		const done = await chomp.until(made.id, 'done');
		assert.equal(done.sessions.length, 1);
		assert.equal(box.puts(mark).length, 1);
	});

	test('several tasks run side by side', async () => {
		const mark = name('side');
		const made = await Promise.all(
			Array.from({ length: 4 }, (_, i) => shell(`put ${mark}-${i} <<<x; wait_for ${mark}`)),
		);
		await Promise.all(made.map((t) => chomp.run(t.id)));
		for (let i = 0; i < 4; i++) await box.put(`${mark}-${i}`);
		box.release(mark);
		for (const t of made) assert.equal((await chomp.until(t.id, 'done')).sessions[0].exit_code, 0);
	});

	test('the agent and model named at the run are taken for that session', async () => {
		const made = await chomp.create({ prompt: 'echo "$AGENT/$MODEL"' });
		await chomp.run(made.id, { agent: 'shell', model: 'bash' });
		const done = await chomp.until(made.id, 'done');
		assert.equal(done.sessions[0].agent, 'shell');
		await waitFor('the output', async () => (await chomp.output(made.id)).includes('shell/bash'));
	});
});

describe('create', () => {
	test('the same Idempotency-Key answers the first task again, also twenty times at once', async () => {
		const headers = { 'Idempotency-Key': name('key') };
		const said = await Promise.all(
			Array.from({ length: 20 }, (_, i) => chomp.api.post('/api/tasks', { prompt: `number ${i}` }, { headers })),
		);
		assert.deepEqual([...new Set(said.map((s) => s.status))], [200]);
		assert.equal(new Set(said.map((s) => s.json().id)).size, 1);
		const other = await chomp.api.post(
			'/api/tasks',
			{ prompt: 'x' },
			{ headers: { 'Idempotency-Key': name('key') } },
		);
		assert.notEqual(other.json().id, said[0].json().id);
	});

	test('a form makes the same task as JSON', async () => {
		const said = await chomp.api.post('/api/tasks', 'prompt=echo+caf%C3%A9+%26+more&agent=shell&priority=2', {
			headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
		});
		assert.equal(said.status, 200, said.text);
		assert.equal(said.json().prompt, 'echo café & more');
		assert.equal(said.headers['hx-trigger'], 'refreshTasks');
	});

	test('ids are never used again after a deletion', async () => {
		const a = await chomp.create({ prompt: 'a' });
		await chomp.post('delete', { id: a.id });
		assert.equal((await chomp.api.get(`/api/tasks/${a.id}`)).status, 404);
		const b = await chomp.create({ prompt: 'b' });
		assert.ok(BigInt(b.id) > BigInt(a.id));
	});

	test('the list and the whole state show what was created', async () => {
		const a = await chomp.create({ prompt: 'look for me in the list' });
		const list = (await chomp.api.get('/api/tasks?limit=5')).json();
		assert.equal(list.tasks[0].id, a.id);
		const state = JSON.parse(await chomp.state());
		assert.equal(String(state.tasks.at(-1).id), a.id);
		assert.ok(Number(state.next_id) > Number(a.id));
	});
});

describe('ending a task early', () => {
	async function hearts() {
		const mark = name('heart');
		const made = await shell(
			`(trap '' TERM HUP INT; setsid bash -c 'while :; do put ${mark} <<<x; sleep 0.2; done' </dev/null >/dev/null 2>&1 &); trap '' TERM HUP; while :; do sleep 0.2; done`,
		);
		await chomp.run(made.id);
		await box.put(mark);
		return { id: made.id, beats: () => box.puts(mark).length };
	}

	test('cancel kills the sandbox, queues the task again and holds it', async () => {
		const { id, beats } = await hearts();
		const said = await chomp.post('cancel', { id });
		assert.equal(said.status, 'queued');
		assert.equal(said.held, true);
		assert.equal(said.sessions[0].result, 'cancelled');
		await waitForSilence('the box is dead', beats);
		await chomp.until(id, (t) => t.sessions[0].kill?.state === 'done');
	});

	test('delete of an active task kills its sandbox', async () => {
		const { id, beats } = await hearts();
		assert.equal((await chomp.api.post('/api/tasks/delete', { id })).status, 200);
		assert.equal((await chomp.api.get(`/api/tasks/${id}`)).status, 404);
		await waitForSilence('the box is dead', beats);
	});

	test('fail by the owner ends the session with the reason, and kills the sandbox', async () => {
		const { id, beats } = await hearts();
		await chomp.post('fail', { id, reason: 'the owner has seen enough' });
		const failed = await chomp.task(id);
		assert.equal(failed.status, 'failed');
		assert.equal(failed.error, 'the owner has seen enough');
		await waitForSilence('the box is dead', beats);
	});

	test('a task that was cancelled can be run again at once, and the old kill does not hit the new box', async () => {
		const { id } = await hearts();
		await chomp.post('cancel', { id });
		await chomp.run(id);
		const again = await chomp.until(id, (t) => t.sessions[1]?.dispatch?.state === 'started');
		assert.notEqual(again.sessions[0].sandbox_id, again.sessions[1].sandbox_id);
		await chomp.until(id, (t) => t.sessions[0].kill?.state === 'done');
		assert.equal((await chomp.task(id)).status, 'active');
		await chomp.post('cancel', { id });
	});

	test('done, update and handoff of a task that is not active are refused with 409', async () => {
		const made = await chomp.create({ prompt: 'x', agent: 'shell' });
		const before = await chomp.state();
		for (const [verb, more] of [
			['done', {}],
			['update', { tokens: 1 }],
			['handoff', { summary: 'x' }],
			['fail', { reason: 'x' }],
			['cancel', {}],
		]) {
			const said = await chomp.api.post(`/api/tasks/${verb}`, { id: made.id, ...more });
			assert.equal(said.status, 409, `${verb}: ${said.text}`);
			assert.equal(said.json().error.code, 'not_active');
		}
		assert.equal((await chomp.api.post('/api/tasks/retry', { id: made.id })).json().error.code, 'not_finished');
		assert.equal(await chomp.state(), before);
	});
});

// A dispatch runs, is told of, and is idempotent.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { waitFor, waitForSilence } from '../../lib/wait.mjs';
import {
	assertError,
	box,
	call,
	dispatch,
	dispatchBody,
	ended,
	kill,
	logs,
	onlyLocal,
	running,
	shown,
	start,
	status,
	unknownId,
} from '../kit.mjs';

describe('dispatch, status and logs', () => {
	test('a dispatched script runs, its terminal can be read, and exit code 0 is told', async (t) => {
		const { sandboxId, status: said, body } = await start(t, 'echo "hello from $((40 + 2))"');
		assert.equal(said, 'started');
		assert.match(sandboxId, /^[a-z0-9][a-z0-9-]{6,61}[a-z0-9]$/);
		assert.ok(
			!sandboxId.includes(body.dispatchId) && !body.dispatchId.includes(sandboxId),
			'the id tells nothing of the dispatchId',
		);
		const end = await ended(sandboxId);
		assert.equal(end.exitCode, 0);
		assert.equal(end.sandboxId, sandboxId);
		const l = await logs(sandboxId);
		assert.match(l.type, /^text\/plain/);
		assert.match(l.text, /hello from 42/);
	});

	for (const code of [1, 3, 77]) {
		test(`exit code ${code} of the script is the exit code of the box`, async (t) => {
			const { sandboxId } = await start(t, `echo before; exit ${code}`);
			assert.equal((await ended(sandboxId)).exitCode, code);
		});
	}

	test('a script that dies of a signal has an exit code that is not 0', async (t) => {
		const { sandboxId } = await start(t, 'kill -9 $$');
		assert.notEqual((await ended(sandboxId)).exitCode, 0);
	});

	test('a running agent is alive and running, and has no exit code yet', async (t) => {
		const from = Date.now();
		const { sandboxId } = await start(t, 'echo up; wait_for status-go');
		await shown(sandboxId, 'up');
		const s = await status(sandboxId);
		assert.equal(s.alive, true);
		assert.equal(s.running, true);
		assert.equal(s.exitCode ?? null, null);
		assert.match(s.startedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
		assert.ok(Math.abs(Date.parse(s.startedAt) - from) < 600_000);
		box.release('status-go');
		assert.equal((await ended(sandboxId)).exitCode, 0);
	});

	test('an unknown sandbox is not alive and not running', async () => {
		const id = unknownId();
		const s = await status(id);
		assert.equal(s.sandboxId, id);
		assert.equal(s.alive, false);
		assert.ok(!s.running);
		assert.equal(s.exitCode ?? null, null);
	});

	test('the logs of an unknown sandbox are 404', async () => {
		assertError(await call('GET', `/logs/${unknownId()}`), 404);
		assertError(await call('GET', `/recording/${unknownId()}`), 404);
	});

	test('logs grow while the agent works, and an offset gives only what is new', async (t) => {
		const { sandboxId } = await start(
			t,
			'echo first-line; wait_for grow; echo second-line; wait_for grow-more; echo third-line',
		);
		await shown(sandboxId, 'first-line');
		const one = await logs(sandboxId);
		assert.equal(one.start, 0);
		assert.equal(one.end, one.body.length);
		assert.doesNotMatch(one.text, /second-line/);
		box.release('grow');
		await shown(sandboxId, 'second-line');
		const two = await logs(sandboxId, one.end);
		assert.equal(two.start, one.end);
		assert.equal(two.end - two.start, two.body.length);
		assert.match(two.text, /second-line/);
		assert.doesNotMatch(two.text, /first-line/);
		box.release('grow-more');
		await ended(sandboxId);
		const all = await logs(sandboxId);
		const rest = await logs(sandboxId, two.end);
		assert.deepEqual(Buffer.concat([one.body, two.body, rest.body]), all.body);
	});

	test('any offset gives exactly the rest, and one past the end gives nothing', async (t) => {
		const { sandboxId } = await start(t, 'for i in $(seq 200); do echo "line number $i, ünïcödé €"; done');
		await ended(sandboxId);
		const all = await logs(sandboxId);
		for (const offset of [0, 1, 17, 1000, all.body.length - 1, all.body.length]) {
			const part = await logs(sandboxId, offset);
			assert.equal(part.status, 200);
			assert.equal(part.start, offset);
			assert.equal(part.end, all.end);
			assert.deepEqual(part.body, all.body.subarray(offset), `from ${offset}`);
		}
		const past = await logs(sandboxId, all.body.length + 1_000_000);
		assert.equal(past.status, 200);
		assert.equal(past.body.length, 0);
		assert.equal(past.end, all.end);
	});

	test('an offset that is no number is refused', async (t) => {
		const { sandboxId } = await start(t, 'exit 0');
		await ended(sandboxId);
		for (const offset of ['-1', 'abc', '1e3', '0x10', '1.5', '99999999999999999999', '%20', '0x', '0%20'])
			assertError(await call('GET', `/logs/${sandboxId}?offset=${offset}`), 400, `offset=${offset}:`);
	});

	test('a terminal of several megabytes is kept whole and in order', { skip: onlyLocal }, async (t) => {
		const { sandboxId } = await start(t, 'seq -f "row %07g of the long story" 100000');
		await ended(sandboxId);
		let text = '';
		for (let at = 0; ;) {
			const part = await logs(sandboxId, at);
			assert.equal(part.start, at);
			if (part.body.length === 0) break;
			text += part.body.toString('latin1');
			at = part.end - (part.end - part.start - part.body.length);
		}
		const rows = text.split('\r\n').filter((l) => l.startsWith('row '));
		assert.equal(rows.length, 100000);
		assert.equal(rows[0], 'row 0000001 of the long story');
		assert.equal(rows.at(-1), 'row 0100000 of the long story');
		assert.ok(rows.every((r, i) => Number(r.slice(4, 11)) === i + 1));
	});

	test('the agent sits at a terminal', async (t) => {
		const { sandboxId } = await start(
			t,
			'if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then echo "a terminal of $(stty size)"; fi; echo "TERM=$TERM"',
		);
		await ended(sandboxId);
		const { text } = await logs(sandboxId);
		assert.match(text, /a terminal of [1-9]\d* [1-9]\d*/);
		assert.match(text, /TERM=\S+/);
	});

	test('a script that signals its own process group hits its own processes, not the box', async (t) => {
		const { sandboxId } = await start(
			t,
			`trap 'echo caught' INT; kill -INT 0; sleep 0.3; echo "and went on"; exit 6`,
		);
		assert.equal((await ended(sandboxId)).exitCode, 6);
		assert.match((await logs(sandboxId)).text, /caught[^]*and went on/);
	});

	test("a script that ends with the usual trap 'kill 0' EXIT has an exit code, and its callback is made", async (t) => {
		const { sandboxId } = await start(t, `trap 'kill 0' EXIT; sleep 1000 & echo work; exit 3`, { taskId: '4400' });
		const end = await ended(sandboxId);
		assert.ok(end.exitCode > 0, `exit code ${end.exitCode}`);
		await waitFor('the fail callback', () =>
			box.calls('fail').find((c) => JSON.parse(c.body).id?.toString() === '4400'),
		);
	});

	test('a time-out ends the agent and everything it started', async (t) => {
		const name = `late-${unknownId()}`;
		const { sandboxId } = await start(
			t,
			`(trap '' TERM HUP INT; while :; do put ${name} <<<x; sleep 0.2; done) & trap '' TERM HUP INT; while :; do sleep 0.2; done`,
			{ timeoutSeconds: 3 },
		);
		const end = await waitFor('the time-out ends it', async () => {
			const s = await status(sandboxId);
			return s.running === false && s;
		});
		assert.notEqual(end.exitCode, 0);
		assert.ok(box.puts(name).length > 0, 'it did run');
		await waitForSilence('its child is silent', () => box.puts(name).length);
	});
});

describe('idempotence', () => {
	test('the same dispatch again answers the same sandbox and starts no second one', async (t) => {
		const first = await start(t, 'put once <<<x; wait_for once-go');
		await running(first.sandboxId);
		for (let i = 0; i < 3; i++) {
			const again = await dispatch(first.body);
			assert.equal(again.status, 200);
			assert.equal(again.json().sandboxId, first.sandboxId);
		}
		await box.put('once');
		box.release('once-go');
		await ended(first.sandboxId);
		const late = await dispatch(first.body);
		assert.equal(late.json().sandboxId, first.sandboxId, 'also when it has ended');
		assert.equal((await ended(first.sandboxId)).exitCode, 0);
		assert.equal(box.puts('once').length, 1);
	});

	test('twenty equal dispatches at once start one sandbox', async (t) => {
		const body = dispatchBody('put twenty <<<x; wait_for twenty-go');
		t.after(() => kill(body.dispatchId));
		const said = await Promise.all(Array.from({ length: 20 }, () => dispatch(body)));
		const good = said.filter((s) => s.status === 200);
		assert.ok(good.length > 0);
		for (const s of said) assert.ok([200, 409, 429, 503].includes(s.status), `${s.status} ${s.text}`);
		assert.equal(new Set(good.map((s) => s.json().sandboxId)).size, 1);
		const [{ sandboxId }] = good.map((s) => s.json());
		await box.put('twenty');
		box.release('twenty-go');
		assert.equal((await ended(sandboxId)).exitCode, 0);
		assert.equal(box.puts('twenty').length, 1);
	});

	test('different dispatches get different sandboxes which cannot see each other', async (t) => {
		const [a, b] = await Promise.all([
			start(t, 'echo secret-of-a >/tmp/x; echo secret-of-a >/workspace/x; put a-up <<<x; wait_for ab'),
			start(t, 'wait_for b-look; cat /tmp/x /workspace/x; echo looked'),
		]);
		assert.notEqual(a.sandboxId, b.sandboxId);
		await box.put('a-up');
		box.release('b-look');
		await ended(b.sandboxId);
		const { text } = await logs(b.sandboxId);
		assert.match(text, /looked/);
		assert.doesNotMatch(text, /secret-of-a/);
		box.release('ab');
		await ended(a.sandboxId);
	});
});

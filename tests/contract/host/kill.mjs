// A kill ends everything, for good.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { all as allProcesses } from '../../lib/processes.mjs';
import { waitForSilence } from '../../lib/wait.mjs';
import {
	assertError,
	box,
	dispatch,
	dispatchBody,
	ended,
	gone,
	kill,
	kind,
	onlyLocal,
	shown,
	start,
	status,
	unknownId,
} from '../kit.mjs';

describe('kill', () => {
	for (const by of ['sandboxId', 'dispatchId']) {
		test(`kill by ${by} ends the box, as often as asked`, async (t) => {
			const s = await start(t, 'echo up; wait_for never');
			await shown(s.sandboxId, 'up');
			const id = by === 'sandboxId' ? s.sandboxId : s.body.dispatchId;
			for (let i = 0; i < 3; i++) {
				const said = await kill(id);
				assert.equal(said.status, 200);
				assert.equal(said.json().status, 'destroyed');
			}
			await gone(s.sandboxId);
		});
	}

	test('kill of an id that nobody knows is answered destroyed', async () => {
		const said = await kill(unknownId());
		assert.equal(said.status, 200);
		assert.equal(said.json().status, 'destroyed');
	});

	test('kill of a box that has ended is answered destroyed', async (t) => {
		const { sandboxId } = await start(t, 'exit 0');
		await ended(sandboxId);
		assert.equal((await kill(sandboxId)).json().status, 'destroyed');
		await gone(sandboxId);
	});

	async function assertNeverStarts(body, name) {
		for (let i = 0; i < 2; i++) {
			const said = await dispatch(body);
			if (said.status === 200) assert.equal(said.json().status, 'destroyed', 'a killed dispatch is not started');
			else assertError(said, 409);
		}
		return () => assert.equal(box.puts(name).length, 0, 'its script did not run');
	}

	test('a dispatchId that was killed before it was dispatched never starts', async (t) => {
		const body = dispatchBody('put killed-before <<<x');
		assert.equal((await kill(body.dispatchId)).status, 200);
		const check = await assertNeverStarts(body, 'killed-before');
		const other = await start(t, 'exit 0');
		await ended(other.sandboxId);
		check();
	});

	test('a dispatchId that was killed while it ran never starts again', async (t) => {
		const s = await start(t, 'put killed-running <<<x; wait_for never');
		await box.put('killed-running');
		await kill(s.sandboxId);
		const before = box.puts('killed-running').length;
		const said = await dispatch(s.body);
		assert.ok(said.status === 409 || said.json().status === 'destroyed', `${said.status} ${said.text}`);
		const other = await start(t, 'exit 0');
		await ended(other.sandboxId);
		assert.equal(box.puts('killed-running').length, before);
		assert.equal((await status(s.sandboxId)).running, false);
	});

	test('a kill that crosses its dispatch wins', async (t) => {
		for (let i = 0; i < 6; i++) {
			const name = `crossing-${unknownId()}`;
			const body = dispatchBody(`while :; do put ${name} <<<x; sleep 0.1; done`);
			t.after(() => kill(body.dispatchId));
			const [started, killed] = await Promise.all([dispatch(body), kill(body.dispatchId)]);
			assert.equal(killed.status, 200);
			if (started.status === 200 && started.json().status !== 'destroyed') await gone(started.json().sandboxId);
			else if (started.status !== 200) assertError(started, 409);
			const again = await dispatch(body);
			assert.ok(again.status === 409 || again.json().status === 'destroyed', `${again.status} ${again.text}`);
			await waitForSilence('nothing runs', () => box.puts(name).length, { quietMs: 700 });
		}
	});

	test('after a kill nothing that the agent started is left, however it hid', async (t) => {
		const mark = `beat-${unknownId()}`;
		const beat = (who) => `while :; do put ${mark}-${who} <<<x; sleep 0.2; done`;
		const exported = 'export -f put _chomp_test_curl';
		const s = await start(
			t,
			`
			${exported}
			( trap '' HUP TERM INT; ${beat('ignores')} ) &
			setsid bash -c '${beat('session')}' </dev/null >/dev/null 2>&1 &
			nohup bash -c '( setsid bash -c "${beat('daemon')}" </dev/null >/dev/null 2>&1 & ) &' >/dev/null 2>&1 &
			bash -c 'trap "" HUP TERM INT QUIT; setsid bash -c "trap \\"\\" HUP TERM INT QUIT; ${beat('stubborn')}" & disown -a; exit' &
			${beat('plain')}`,
		);
		const who = ['ignores', 'session', 'daemon', 'stubborn', 'plain'];
		for (const w of who) await box.put(`${mark}-${w}`);
		const said = await kill(s.sandboxId);
		assert.equal(said.status, 200);
		const beats = () => who.map((w) => `${w}=${box.puts(`${mark}-${w}`).length}`).join(' ');
		await waitForSilence(`all hearts stop (${beats()})`, beats);
		if (kind === 'local')
			assert.deepEqual(
				allProcesses()
					.filter((p) => p.cmdline.includes(mark) && p.pid !== process.pid)
					.map((p) => p.cmdline),
				[],
			);
	});

	test('when the agent ends, what it left behind ends too', { skip: onlyLocal }, async (t) => {
		const mark = `orphan-${unknownId()}`;
		const s = await start(
			t,
			`export -f put _chomp_test_curl; setsid bash -c 'while :; do put ${mark} <<<x; sleep 0.2; done' </dev/null >/dev/null 2>&1 & wait_for ${mark}-go; exit 0`,
		);
		await box.put(mark);
		box.release(`${mark}-go`);
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
		await waitForSilence('the orphan is silent', () => box.puts(mark).length);
	});
});

// What only the local host promises, beyond the protocol: boxes outlive it, a killed dispatch stays killed, one host per
// directory, no host without a boundary. Every test has a host of its own, because it is restarted or broken.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { prelude, startCallbackServer } from '../lib/callback-server.mjs';
import { request } from '../lib/http.mjs';
import { startLocalHost } from '../lib/local-host.mjs';
import { all, belongingTo, kill as killPid } from '../lib/processes.mjs';
import { tempDir } from '../lib/repo.mjs';
import { waitFor, waitForSilence } from '../lib/wait.mjs';

const foreign =
	process.env.CHOMP_HOST_URL && (process.env.CHOMP_HOST_KIND || 'local') !== 'local' && 'another host is under test';

async function stage(t, options) {
	const box = await startCallbackServer();
	const host = await startLocalHost(options);
	t.after(async () => {
		await host.stop();
		await box.close();
	});
	const call = (method, route, body) =>
		request(host.url, {
			method,
			path: route,
			body: body && JSON.stringify(body),
			headers: {
				Authorization: `Bearer ${host.secret}`,
				...(body ? { 'Content-Type': 'application/json' } : {}),
			},
		});
	const body = (script, more) => ({
		dispatchId: randomBytes(16).toString('hex'),
		taskId: '1',
		sessionId: 's1',
		prompt: prelude + script,
		history: [],
		agent: 'shell',
		model: 'bash',
		callback: { url: box.url, token: randomBytes(24).toString('base64url') },
		timeoutSeconds: 600,
		...more,
	});
	const start = async (script, more) => {
		const b = body(script, more);
		const said = await call('POST', '/dispatch', b);
		assert.equal(said.status, 200, `${said.text}\n${host.log()}`);
		return { ...said.json(), body: b };
	};
	const status = async (id) => (await call('GET', `/status/${id}`)).json();
	const ended = (id) =>
		waitFor(
			'the agent has ended',
			async () => {
				const s = await status(id);
				return s.running === false && Number.isInteger(s.exitCode) && s;
			},
			{ context: host.log },
		);
	return { box, host, call, body, start, status, ended };
}

describe('the local host', { skip: foreign }, () => {
	for (const signal of ['SIGTERM', 'SIGKILL']) {
		test(`a box runs on when its host gets ${signal}, and the next host finds it, its output and its end`, async (t) => {
			const { box, host, start, call, status, ended } = await stage(t);
			const s = await start('echo before; wait_for outlive; echo after; exit 5');
			await waitFor('it waits', () => box.waits('outlive').length);
			const code = await host.end(signal);
			assert.equal(code, signal === 'SIGTERM' ? 0 : 'SIGKILL');
			await host.start();
			assert.equal((await status(s.sandboxId)).running, true);
			const again = await call('POST', '/dispatch', s.body);
			assert.equal(again.json().sandboxId, s.sandboxId);
			box.release('outlive');
			assert.equal((await ended(s.sandboxId)).exitCode, 5);
			const { text } = await call('GET', `/logs/${s.sandboxId}`);
			assert.match(text, /before[^]*after/);
		});
	}

	test('a box that ends while there is no host is told right by the next one', async (t) => {
		const { box, host, start, ended } = await stage(t);
		const s = await start('wait_for alone; put alone-end <<<x; exit 6');
		await waitFor('it waits', () => box.waits('alone').length);
		await host.end('SIGKILL');
		box.release('alone');
		await box.put('alone-end');
		await waitFor('its callback', () => box.calls('fail').length);
		await host.start();
		assert.equal((await ended(s.sandboxId)).exitCode, 6);
	});

	test('a dispatchId that was killed stays killed after a restart', async (t) => {
		const { box, host, start, call, body } = await stage(t);
		const ran = await start('put ran <<<x; wait_for never');
		await box.put('ran');
		const never = body('put never-ran <<<x');
		for (const id of [ran.body.dispatchId, never.dispatchId])
			assert.equal((await call('POST', `/kill/${id}`)).json().status, 'destroyed');
		await host.end('SIGKILL');
		await host.start();
		for (const b of [ran.body, never]) {
			const said = await call('POST', '/dispatch', b);
			assert.ok(said.status === 409 || said.json().status === 'destroyed', said.text);
		}
		const other = await start('put other <<<x');
		await box.put('other');
		assert.ok(other.sandboxId);
		assert.equal(box.puts('never-ran').length, 0);
		assert.equal(box.puts('ran').length, 1);
	});

	test('a kill reaches a box that an earlier host started', async (t) => {
		const { box, host, start, call, status } = await stage(t);
		const s = await start('while :; do put heart <<<x; sleep 0.2; done');
		await box.put('heart');
		await host.end('SIGKILL');
		await host.start();
		assert.equal((await call('POST', `/kill/${s.sandboxId}`)).json().status, 'destroyed');
		await waitForSilence('its heart stops', () => box.puts('heart').length);
		assert.equal((await status(s.sandboxId)).alive, false);
	});

	test('a kill ends an agent that floods its terminal', async (t) => {
		const { start, call, status } = await stage(t);
		const s = await start(
			'trap "" TERM HUP; while :; do echo "flood flood flood flood flood flood flood flood"; done',
		);
		await waitFor(
			'it floods',
			async () => (await call('GET', `/logs/${s.sandboxId}?offset=100000`)).body.length > 0,
		);
		assert.equal((await call('POST', `/kill/${s.sandboxId}`)).json().status, 'destroyed');
		await waitFor('it is gone', async () => (await status(s.sandboxId)).alive === false);
	});

	test('a shim that is killed takes its agent with it, and the box is told dead', async (t) => {
		const { box, host, start, status } = await stage(t);
		const s = await start('while :; do put shim-heart <<<x; sleep 0.2; done');
		await box.put('shim-heart');
		const shim = belongingTo(host.dir).find((p) => p.comm === 'chomp-shim');
		assert.ok(shim, 'there is a shim');
		killPid(shim.pid);
		await waitFor(
			'the box is told dead',
			async () => {
				const st = await status(s.sandboxId);
				return st.alive === false && !st.running;
			},
			{ context: host.log },
		);
		await waitForSilence('its heart stops', () => box.puts('shim-heart').length);
	});

	test('SIGUSR1 drains: every box is ended, then the host', async (t) => {
		const { box, host, start } = await stage(t);
		await start('while :; do put drain-a <<<x; sleep 0.2; done');
		await start('trap "" TERM HUP; while :; do put drain-b <<<x; sleep 0.2; done');
		await box.put('drain-a');
		await box.put('drain-b');
		assert.equal(await host.end('SIGUSR1'), 0);
		await waitForSilence('both hearts stop', () => box.requests.length);
		assert.deepEqual(
			belongingTo(host.dir).map((p) => p.cmdline),
			[],
		);
	});

	test('a second host on the same directory gives up with a reason and disturbs nothing', async (t) => {
		const { host, start, ended } = await stage(t);
		const s = await start('echo fine');
		const second = spawn(host.argv && path.join(host.opt, 'chomp-sandbox'), host.argv, {
			stdio: ['ignore', 'ignore', 'pipe'],
			...(process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {}),
		});
		t.after(() => second.kill('SIGKILL'));
		let said = '';
		second.stderr.on('data', (d) => (said += d));
		const code = await new Promise((resolve) => second.on('close', resolve));
		assert.notEqual(code, 0);
		assert.match(said, /lock|already|another/i);
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
		assert.equal((await request(host.url, { path: '/health' })).status, 200);
	});

	test('without bwrap a dispatch is refused for good, with the code no_boundary and the mend', async (t) => {
		const empty = tempDir('chomp-nobwrap');
		t.after(() => fs.rmSync(empty, { recursive: true, force: true }));
		const { call, body, box } = await stage(t, { env: { PATH: empty } });
		const said = await call('POST', '/dispatch', body('put no-wall <<<x'));
		assert.equal(said.status, 400, said.text);
		assert.equal(said.json().error.code, 'no_boundary');
		assert.match(said.json().error.message, /bwrap|bubblewrap/);
		assert.match(said.json().error.message, /install/);
		assert.equal(box.puts('no-wall').length, 0);
	});

	test('an address that is not loopback is refused when there is no secret', async () => {
		await assert.rejects(
			startLocalHost({ listen: 'tcp', withSecret: false, args: ['--listen', '0.0.0.0:28999'] }),
			/ended with|secret|loopback/,
		);
	});

	test('on loopback it may run without a secret', async (t) => {
		const host = await startLocalHost({ listen: 'unix', withSecret: false });
		t.after(() => host.stop());
		assert.equal((await request(host.url, { path: `/status/${'0'.repeat(32)}` })).status, 200);
	});

	test('no secret, token or key is in its log or in what it keeps on disk readable by others', async (t) => {
		const { host, start, ended } = await stage(t);
		const key = `key-${randomBytes(16).toString('hex')}`;
		const s = await start('printenv CUSTOM_API_KEY; cat "$CHOMP_TOKEN_FILE"; chomp done', {
			env: { CUSTOM_API_KEY: key },
		});
		await ended(s.sandboxId);
		assert.ok(!host.log().includes(host.secret));
		assert.ok(!host.log().includes(s.body.callback.token));
		assert.ok(!host.log().includes(key));
		const mode = fs.statSync(host.boxes).mode & 0o077;
		assert.equal(mode, 0, 'the sandboxes directory is closed to others');
	});

	test('the idle host uses no processor time', async (t) => {
		const { host, start, ended } = await stage(t);
		await ended((await start('exit 0')).sandboxId);
		const ticks = () => all().find((p) => p.pid === host.pid).ticks;
		await waitForSilence('its clock stands still', ticks, { quietMs: 2000 });
	});
});

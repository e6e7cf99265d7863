// The operator's command: up, down, status, url, token, logs, doctor; two instances beside each other; a port that is taken.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { chompctl, startInstance } from '../lib/instance.mjs';
import { request } from '../lib/http.mjs';
import { freePort } from '../lib/port.mjs';
import { belongingTo, describe as tell, isAlive } from '../lib/processes.mjs';
import { tempDir } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

describe('an instance', () => {
	let chomp;
	before(async () => (chomp = await startInstance()));
	after(() => chomp?.stop());

	test('answers through nginx as soon as `up` has returned', async () => {
		assert.equal((await chomp.api.get('/api/state')).status, 200);
		assert.match(
			chomp.up.text,
			new RegExp(`http://(127\\.0\\.0\\.1|localhost):${chomp.port}`),
			'`up` prints where',
		);
	});

	test('`up` a second time says that it runs and changes nothing', async () => {
		const before = chomp.pids('nginx master');
		const said = await chomp.ctl(['up']);
		assert.equal(said.code, 0, said.text);
		assert.deepEqual(chomp.pids('nginx master'), before);
	});

	test('`status` names every process and exits 0', async () => {
		const said = await chomp.ctl(['status']);
		assert.equal(said.code, 0, said.text);
		for (const name of ['nginx', 'worker', 'dispatch', 'sandbox']) assert.match(said.text, new RegExp(name));
	});

	test("`token` prints the owner's token and nothing else", async () => {
		const said = await chomp.ctl(['token']);
		assert.equal(said.stdout, `${chomp.token}\n`);
	});

	test('`url` prints a login link of this instance', async () => {
		assert.match(
			(await chomp.ctl(['url'])).stdout,
			new RegExp(`^http://[^\\s]*:${chomp.port}/login\\?code=\\S+\\s*$`),
		);
	});

	test("`logs` shows every service's lines", async () => {
		const said = await chomp.ctl(['logs'], { timeoutMs: 20_000 });
		assert.match(said.text, /prog=worker|ev=/);
	});

	test('`doctor` is content where tasks run', async () => {
		const said = await chomp.ctl(['doctor']);
		assert.equal(said.code, 0, said.text);
	});

	test('an unknown command is refused with the list of those there are', async () => {
		const said = await chomp.ctl(['dance']);
		assert.notEqual(said.code, 0);
		assert.match(said.text, /\bup\b[^]*\bdown\b/);
	});

	test('listens on loopback only', async () => {
		const listening = fs
			.readFileSync('/proc/net/tcp', 'utf8')
			.split('\n')
			.map((l) => l.trim().split(/\s+/))
			.filter((f) => f[3] === '0A')
			.map((f) => f[1]);
		const port = chomp.port.toString(16).toUpperCase().padStart(4, '0');
		assert.deepEqual(
			listening.filter((a) => a.endsWith(`:${port}`)),
			[`0100007F:${port}`],
		);
	});

	test('state survives `down` and `up`', async () => {
		const task = await chomp.create({ prompt: 'remember me' });
		const down = await chomp.ctl(['down']);
		assert.equal(down.code, 0, down.text);
		assert.deepEqual(tell(chomp.processes()), '');
		await assert.rejects(request(chomp.url, { path: '/api/health' }));
		assert.equal((await chomp.ctl(['down'])).code, 0, 'down again is no error');
		const status = await chomp.ctl(['status']);
		assert.notEqual(status.code, 0);
		const up = await chomp.ctl(['up']);
		assert.equal(up.code, 0, up.text);
		assert.equal((await chomp.task(task.id)).prompt, 'remember me');
	});
});

describe('an instance in an odd place', () => {
	const root = process.getuid() === 0;
	for (const [what, name, mode, skip] of [
		['whose name holds spaces, quotes and a dollar', 'a b\'c"d$HOME%s', 0o755, false],
		['that only its owner may enter', 'closed', 0o700, false],
		[
			'whose path is longer than a socket may have',
			'l'.repeat(90),
			0o755,
			!root && 'a normal user is told to take another directory',
		],
	]) {
		test(`${what} works: up, a task, down`, { skip }, async (t) => {
			const dir = tempDir('chomp-odd');
			const home = path.join(dir, name, 'var');
			fs.mkdirSync(path.join(dir, name), { mode });
			t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
			const odd = await startInstance({ varDir: home });
			t.after(() => odd.stop());
			const task = await odd.create({ prompt: 'echo from an odd place', agent: 'shell' });
			await odd.run(task.id);
			await odd.until(task.id, 'done');
			await waitFor('its output', async () => (await odd.output(task.id)).includes('from an odd place'));
			const down = await odd.ctl(['down']);
			assert.equal(down.code, 0, down.text);
			assert.equal(tell(odd.processes()), '');
		});
	}

	test(
		'whose path is too long for an ordinary user is refused with the length that is possible',
		{ skip: root && 'root mounts it elsewhere' },
		async (t) => {
			const dir = tempDir('chomp-odd');
			t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
			const said = await chompctl(['up'], {
				env: { CHOMP_VAR: path.join(dir, 'l'.repeat(90), 'var'), CHOMP_PORT: String(await freePort()) },
			});
			assert.notEqual(said.code, 0);
			assert.match(said.text, /too long/);
			assert.equal(tell(belongingTo(dir)), '');
		},
	);
});

describe('two instances', () => {
	test('run side by side with their own tasks, tokens and boxes, and one goes down without the other', async (t) => {
		const [a, b] = await Promise.all([startInstance(), startInstance()]);
		t.after(async () => {
			await a.stop();
			await b.stop();
		});
		assert.notEqual(a.token, b.token);
		const ta = await a.create({ prompt: 'echo "I am of A"', agent: 'shell' });
		const tb = await b.create({ prompt: 'echo "I am of B"', agent: 'shell' });
		await Promise.all([a.run(ta.id), b.run(tb.id)]);
		await Promise.all([a.until(ta.id, 'done'), b.until(tb.id, 'done')]);
		await waitFor(
			'both outputs',
			async () => (await a.output(ta.id)).includes('of A') && (await b.output(tb.id)).includes('of B'),
		);
		assert.doesNotMatch(await a.state(), /of B/);
		assert.equal((await a.api.get('/api/state', { bearer: b.token })).status, 401);
		const down = await a.ctl(['down']);
		assert.equal(down.code, 0, down.text);
		assert.equal(tell(a.processes()), '');
		const again = await b.create({ prompt: 'echo still', agent: 'shell' });
		await b.run(again.id);
		await b.until(again.id, 'done');
	});
});

describe('`up` that cannot', () => {
	test('because the port is taken fails with the reason and leaves nothing running', async (t) => {
		const port = await freePort();
		const squatter = net.createServer();
		await new Promise((resolve) => squatter.listen(port, '127.0.0.1', resolve));
		const dir = tempDir('chomp-taken');
		t.after(() => {
			squatter.close();
			fs.rmSync(dir, { recursive: true, force: true });
		});
		const said = await chompctl(['up'], { env: { CHOMP_VAR: path.join(dir, 'var'), CHOMP_PORT: String(port) } });
		assert.notEqual(said.code, 0);
		assert.match(said.text, new RegExp(String(port)));
		assert.match(said.text, /in use|taken|listens|another/i);
		assert.equal(tell(belongingTo(dir)), '');
		assert.ok(said.ms < 60_000);
	});

	test("because the port is another instance's fails with the reason and leaves the other alone", async (t) => {
		const first = await startInstance();
		const dir = tempDir('chomp-second');
		t.after(async () => {
			await first.stop();
			fs.rmSync(dir, { recursive: true, force: true });
		});
		const before = first.pids('nginx master');
		const said = await chompctl(['up'], {
			env: { CHOMP_VAR: path.join(dir, 'var'), CHOMP_PORT: String(first.port) },
		});
		assert.notEqual(said.code, 0);
		assert.match(said.text, new RegExp(String(first.port)));
		assert.equal(tell(belongingTo(dir)), '');
		assert.deepEqual(first.pids('nginx master'), before);
		assert.equal((await first.api.get('/api/state')).status, 200);
	});

	for (const [what, env, words] of [
		['the port is no number', { CHOMP_PORT: 'eighty' }, /CHOMP_PORT/],
		['the number of workers is none', { CHOMP_WORKERS: '0' }, /CHOMP_WORKERS/],
		['the address is open and no origin is named', { CHOMP_BIND: '0.0.0.0' }, /CHOMP_PUBLIC_ORIGINS/],
		[
			'the sandbox host is elsewhere without a secret',
			{ CHOMP_SANDBOX_URL: 'https://boxes.invalid' },
			/CHOMP_SANDBOX_SECRET_FILE/,
		],
	]) {
		test(`because ${what} says so, and nothing runs`, async (t) => {
			const dir = tempDir('chomp-wrong');
			t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
			const said = await chompctl(['up'], {
				env: { CHOMP_VAR: path.join(dir, 'var'), CHOMP_PORT: String(await freePort()), ...env },
			});
			assert.notEqual(said.code, 0);
			assert.match(said.text, words);
			assert.equal(tell(belongingTo(dir)), '');
		});
	}

	test('because a program dies at once names it and why, and leaves nothing running', async (t) => {
		const dir = tempDir('chomp-broken');
		t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
		// a state that cannot be used: a directory where the log should be
		fs.mkdirSync(path.join(dir, 'var/state/tasks.log'), { recursive: true });
		const said = await chompctl(['up'], {
			env: { CHOMP_VAR: path.join(dir, 'var'), CHOMP_PORT: String(await freePort()) },
		});
		assert.notEqual(said.code, 0, said.text);
		assert.match(said.text, /worker|tasks\.log/);
		assert.equal(tell(belongingTo(dir)), '');
	});
});

describe('`up --foreground`', () => {
	test('stays, and ends everything on SIGTERM', async (t) => {
		const { spawn } = await import('node:child_process');
		const { repoRoot } = await import('../lib/build.mjs');
		const dir = tempDir('chomp-fg');
		const port = await freePort();
		const child = spawn(path.join(repoRoot, 'scripts/chompctl'), ['up', '--foreground'], {
			env: { ...process.env, CHOMP_VAR: path.join(dir, 'var'), CHOMP_PORT: String(port) },
			stdio: 'ignore',
		});
		t.after(async () => {
			await chompctl(['down'], { env: { CHOMP_VAR: path.join(dir, 'var'), CHOMP_PORT: String(port) } });
			fs.rmSync(dir, { recursive: true, force: true });
		});
		await waitFor(
			'it answers',
			async () => (await request(`http://127.0.0.1:${port}`, { path: '/api/health' })).status === 200,
		);
		assert.ok(isAlive(child.pid));
		child.kill('SIGTERM');
		await new Promise((resolve) => (child.exitCode !== null ? resolve() : child.on('exit', resolve)));
		await waitFor('nothing is left', () => belongingTo(dir).length === 0, {
			context: () => tell(belongingTo(dir)),
		});
	});
});

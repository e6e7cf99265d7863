// Every error code of the contract, produced for real; and after each the state is byte for byte what it was.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { startStepper } from '../lib/box-scripts.mjs';
import { repoRoot } from '../lib/build.mjs';
import { theContract } from '../lib/contract.mjs';
import { raw, request } from '../lib/http.mjs';
import { shared, startInstance } from '../lib/instance.mjs';
import { makeRepo, tempDir } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

const errors = theContract().document.components.schemas.Error.properties.error.properties;
const many = Array.from({ length: 1000 }, (_, i) => ({ id: `s${i + 1}`, agent: 'shell', model: 'bash', started_at: '2026-01-01T00:00:00Z', ended_at: '2026-01-01T00:00:01Z', result: 'failed' }));
const old = { next_id: 3, tasks: [
	{ id: '1', prompt: 'has been tried often', status: 'queued', sessions: many, created: '2026-01-01T00:00:00Z' },
	{ id: '2', prompt: 'echo hello', status: 'done', created: '2026-01-01T00:00:00Z' },
] };
const chomp = await shared({ after }, { files: { 'state/state.json': JSON.stringify(old) } });
const box = await startStepper();
after(() => box.close());
await chomp.create({ prompt: 'the first task also opens the boxes to the stepper' });
const produced = new Set();

// Every file of the state, and what is served of it.
const files = (of) => fs.readdirSync(path.join(of.var, 'state'), { recursive: true }).filter((f) => !['lock', 'reserve'].includes(f) && fs.statSync(path.join(of.var, 'state', f)).isFile()).sort();
// What follows the last newline of the log is no state: a write that did not fit, which the next one cuts off (docs/STATE.md).
const bytes = (f) => (f.endsWith('tasks.log') ? ((all) => all.subarray(0, all.lastIndexOf('\n') + 1))(fs.readFileSync(f)) : fs.readFileSync(f));
const snapshot = (of) => files(of).map((f) => `${f} ${createHash('sha256').update(bytes(path.join(of.var, 'state', f))).digest('hex')}`);

// Produces `code` with that status; what it takes to get there (`given`) is undone by what `given` returns.
function code(name, status, ask, { given = () => () => {}, of = () => chomp, skip } = {}) {
	test(`${status} ${name}`, { skip }, async () => {
		const undo = await given();
		try {
			const before = snapshot(of());
			const said = await ask();
			assert.equal(`${said.status} ${said.json().error.code}`, `${status} ${name}`, said.text);
			assert.ok(said.json().error.message.length > 5);
			assert.deepEqual(snapshot(of()), before, 'the state is what it was');
		} finally {
			await undo();
		}
		produced.add(name);
	});
	if (skip) produced.add(name);
}
const post = (route, body, options) => () => chomp.api.post(route, body, options);
const get = (route, options) => () => chomp.api.get(route, options);
const rawly = (text) => async () => {
	const said = await raw(chomp.url, text);
	const [, status, body] = /^HTTP\/1\.[01] (\d+) [^]*?\r\n\r\n([^]*)$/.exec(said);
	return { status: Number(status), text: body, json: () => JSON.parse(body) };
};
const well = (of = chomp) => waitFor('it serves again', async () => (await of.api.get('/api/tasks')).status === 200 && (await of.api.get('/api/health')).status === 200, { context: of.logTail });

describe('what a request can be wrong in', () => {
	code('bad_json', 400, post('/api/tasks', '{'));
	code('bad_field', 400, post('/api/tasks', { prompt: 7 }));
	code('bad_id', 400, get('/api/tasks/x'));
	code('bad_request', 400, rawly('NO REQUEST\r\n\r\n'));
	code('bad_request', 501, rawly(`POST /api/tasks HTTP/1.1\r\nHost: 127.0.0.1:${chomp.port}\r\nTransfer-Encoding: gzip\r\n\r\n`));
	code('bad_request', 505, rawly(`GET /api/tasks HTTP/7.0\r\nHost: 127.0.0.1:${chomp.port}\r\n\r\n`));
	code('unknown_key', 400, post('/api/config/keys', { key: 'PATH', value: 'x' }));
	code('unknown_agent', 400, post('/api/tasks', { prompt: 'x', agent: 'nobody' }));
	code('builtin_agent', 400, () => chomp.api.call('DELETE', '/api/config/agents?id=pi'));
	code('dir_needs_local', 400, post('/api/tasks', { prompt: 'x', host: 'cloudflare', dir: '/srv' }));
	code('no_token', 401, get('/api/state', { bearer: '' }));
	code('forbidden', 403, post('/api/tasks/2/artifacts/x', 'x'));
	code('not_found', 404, post('/api/tasks/run', { id: '999' }));
	code('method', 405, get('/api/tasks/run'));
	code('too_large', 413, post('/api/tasks', { prompt: 'x', more: 'y'.repeat(2 << 20) }));
	code('uri_too_long', 414, get(`/api/tasks?q=${'x'.repeat(20_000)}`));
	code('too_large', 431, get('/api/tasks', { headers: { 'X-Long': 'x'.repeat(20_000) } }));
	code('unsupported_media', 415, post('/api/tasks', 'x', { headers: { 'Content-Type': 'text/plain' } }));
	code('unknown_host', 421, post('/api/tasks', { prompt: 'x' }, { headers: { Host: 'evil.example' } }));
});

describe('what a task can be wrong for', () => {
	code('conflict', 409, post('/api/tasks/run', { id: '1' })); // it has had as many sessions as a task can have
	code('not_queued', 409, post('/api/tasks/run', { id: '2' }));
	code('not_active', 409, post('/api/tasks/done', { id: '2' }));
	code('not_finished', 409, post('/api/tasks/retry', { id: '1' }));
	code('not_waiting', 409, post('/api/tasks/approve', { id: '2' }));

	let spent;
	code('budget', 409, () => chomp.api.post('/api/tasks/retry', { id: spent }), {
		given: async () => {
			spent = (await chomp.create({ prompt: 'sleep 1000', agent: 'shell', token_budget: 10, on_budget: 'stop', run: true })).id;
			await chomp.until(spent, (t) => t.sessions[0].dispatch.state === 'started');
			await chomp.post('update', { id: spent, tokens: 10 });
			await chomp.until(spent, (t) => t.status === 'failed' && t.sessions[0].kill?.state === 'done');
			return () => {};
		},
	});

	let token, gated;
	code('gate_due', 409, () => chomp.api.post('/api/tasks/done', { id: gated }, { bearer: token }), {
		given: async () => {
			const repo = path.join(tempDir('chomp-gated'), 'repo');
			makeRepo(repo, { 'check.sh': 'exit 0\n' });
			gated = (await chomp.create({ prompt: box.script('put token <"$CHOMP_TOKEN_FILE"; wait_for end'), agent: 'shell', dir: repo, gate: 'check.sh' })).id;
			await chomp.run(gated);
			token = (await box.put('token')).toString().trim();
			await chomp.until(gated, (t) => t.sessions[0].dispatch.state === 'started');
			return async () => {
				box.release('end');
				await chomp.until(gated, (t) => t.status !== 'active' && t.sessions[0].kill?.state === 'done');
			};
		},
	});
});

describe('what chomp itself can be in trouble with', () => {
	const worker = () => path.join(chomp.var, 'run/s6/worker');

	code('busy', 503, post('/api/tasks', { prompt: 'x' }), {
		given: async () => {
			const holder = spawn('flock', ['-x', path.join(chomp.var, 'state/lock'), 'sh', '-c', 'echo held; exec sleep 1000'], { detached: true });
			await new Promise((r) => holder.stdout.once('data', r));
			return () => new Promise((r) => holder.once('close', r) && process.kill(-holder.pid, 'SIGKILL')); // the lock is its child's as well
		},
	});
	code('io', 500, post('/api/tasks', { prompt: 'x' }), {
		given: () => {
			const key = path.join(chomp.var, 'secrets/cookie_key');
			fs.chmodSync(key, 0);
			return () => fs.chmodSync(key, 0o600);
		},
	});
	code('unavailable', 502, post('/api/tasks', { prompt: 'x' }), {
		given: () => {
			execFileSync('s6-svc', ['-wD', '-T60000', '-d', worker()]);
			return async () => {
				execFileSync('s6-svc', ['-wu', '-T60000', '-u', worker()]);
				await well();
			};
		},
	});
	code('timeout', 504, post('/api/tasks', { prompt: 'x' }), {
		// nginx waits a minute: here a second
		given: async () => {
			const conf = path.join(chomp.var, 'run/nginx/nginx.conf');
			const text = fs.readFileSync(conf, 'utf8');
			assert.match(text, /fastcgi_read_timeout 60s/);
			const [master] = chomp.pids('nginx master');
			const reload = async (t) => {
				const old = chomp.pids('nginx worker');
				fs.writeFileSync(conf, t);
				process.kill(master, 'SIGHUP');
				await waitFor('nginx has read it', () => !chomp.pids('nginx worker').some((p) => old.includes(p)) && chomp.pids('nginx worker').length > 0);
			};
			await reload(text.replaceAll('fastcgi_read_timeout 60s', 'fastcgi_read_timeout 1s'));
			const stopped = [...chomp.pids('worker'), ...chomp.pids('worker parent')];
			for (const pid of stopped) process.kill(pid, 'SIGSTOP');
			return async () => {
				await reload(text);
				for (const pid of stopped) process.kill(pid, 'SIGKILL'); // the request that was given up must not come to pass
				await well();
			};
		},
	});
	code('limit', 429, () => request(chomp.url, { path: '/api/tasks', headers: { Authorization: 'Bearer wrong' } }), {
		given: async () => {
			for (let i = 0; i < 20; i++) await request(chomp.url, { path: '/api/tasks', headers: { Authorization: 'Bearer wrong' } });
			return () => {};
		},
	});
});

// A small disk is a mount, for which one has to be root.
const disk = tempDir('chomp-disk');
const mounted = process.getuid() === 0 && (() => {
	fs.mkdirSync(path.join(disk, 'var/state'), { recursive: true });
	try {
		execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path.join(disk, 'var/state')], { stdio: 'ignore' });
		return true;
	} catch {
		return false;
	}
})();
const poor = await startInstance({ varDir: path.join(disk, 'var') });
await poor.create({ prompt: 'first' });
after(async () => {
	await poor.stop();
	if (mounted) execFileSync('umount', [path.join(disk, 'var/state')]);
	fs.rmSync(disk, { recursive: true });
});

describe('what a disk can be in trouble with', () => {
	const create = () => poor.api.post('/api/tasks', { prompt: 'x'.repeat(200_000) }); // more than fits into the block that the log ends in
	const filler = path.join(disk, 'var/state/filler');
	const restart = async () => {
		assert.equal((await poor.ctl(['restart'])).code, 0);
		await well(poor);
	};

	code('disk_full', 507, create, {
		of: () => poor,
		skip: !mounted && 'no small disk here; tests/unit/test_store_disk.c',
		given: () => {
			const fd = fs.openSync(filler, 'w');
			try {
				for (;;) fs.writeSync(fd, Buffer.alloc(4096, 1));
			} catch (e) {
				assert.equal(e.code, 'ENOSPC');
			}
			fs.closeSync(fd);
			return () => fs.rmSync(filler);
		},
	});
	code('read_only', 503, create, {
		of: () => poor,
		given: () => {
			fs.writeFileSync(path.join(poor.var, 'run/worker/read_only'), '');
			return restart;
		},
	});
	code('corrupt', 500, create, {
		of: () => poor,
		given: async () => {
			for (let i = 0; i < 3; i++) await poor.create({ prompt: `before ${i}` });
			const log = path.join(poor.var, 'state/tasks.log');
			assert.equal((await poor.ctl(['down'])).code, 0);
			const text = fs.readFileSync(log);
			const at = text.indexOf('before 1');
			fs.writeFileSync(log, Buffer.concat([text.subarray(0, at), Buffer.from('B'), text.subarray(at + 1)]));
			await poor.ctl(['up']);
			return async () => {
				await poor.ctl(['down']);
				fs.writeFileSync(log, text);
				assert.equal((await poor.ctl(['up'])).code, 0);
			};
		},
	});
});

describe('the codes', () => {
	test('of the contract are produced here, every one', () => {
		assert.deepEqual(errors.code.enum.filter((c) => !produced.has(c)), []);
	});
	test('of the contract are those that docs/API.md lists', () => {
		const [list] = /\n {2}400 `bad_json`[^\n]*\n/.exec(fs.readFileSync(path.join(repoRoot, 'docs/API.md'), 'utf8'));
		assert.deepEqual([...new Set([...list.matchAll(/`([a-z_]+)`/g)].map((m) => m[1]))].sort(), [...errors.code.enum].sort());
	});
});

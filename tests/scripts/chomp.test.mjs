// The agent's verbs, scripts/chomp, against a server that only listens.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startCallbackServer } from '../lib/callback-server.mjs';
import { freePort } from '../lib/port.mjs';
import { tempDir } from '../lib/repo.mjs';
import { TOKEN, boxDir, boxEnv, scripts } from './box.mjs';

let api;
let dir;

before(async () => {
	dir = boxDir();
	api = await startCallbackServer();
});
after(() => api.close());

function chomp(args, { input = '', env = {}, at = api } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(path.join(scripts, 'chomp'), args, { cwd: dir, env: { ...boxEnv(dir, { api: at }), ...env } });
		let out = '';
		let err = '';
		child.stdout.on('data', (d) => (out += d));
		child.stderr.on('data', (d) => (err += d));
		child.stdin.on('error', () => {});
		child.stdin.end(input);
		child.on('error', reject);
		child.on('close', (code) => resolve({ code, out, err }));
	});
}

async function sent(args, options) {
	const from = api.requests.length;
	const said = await chomp(args, options);
	const requests = api.requests.slice(from);
	return { ...said, requests, path: requests.at(-1)?.path, json: requests.at(-1) && JSON.parse(requests.at(-1).body) };
}

const USAGE = '{"input":1,"output":2,"cache_read":3,"cache_write":4}';

describe('each verb is one call', () => {
	const rows = [
		['update --tokens', ['update', '--tokens', '1234'], 'update', { id: '7', tokens: 1234 }],
		['update --usage', ['update', '--usage', USAGE], 'update', { id: '7', usage: { input: 1, output: 2, cache_read: 3, cache_write: 4 } }],
		['usage lacks a part', ['update', '--usage', '{"input":5,"total":9}'], 'update', { id: '7', usage: { input: 5, output: 0, cache_read: 0, cache_write: 0 } }],
		['done', ['done'], 'done', { id: '7' }],
		['done with everything', ['done', '--exit-code', '0', '--result', 'r', '--summary', 's', '--tokens', '5'], 'done', { id: '7', exit_code: 0, result: 'r', summary: 's', tokens: 5 }],
		['done with plain words', ['done', 'all', 'is well'], 'done', { id: '7', result: 'all is well' }],
		['fail', ['fail', '--exit-code', '3', 'it broke'], 'fail', { id: '7', exit_code: 3, reason: 'it broke' }],
		['fail with a dash', ['fail', '--', '-x was refused'], 'fail', { id: '7', reason: '-x was refused' }],
		['handoff', ['handoff', 'half done'], 'handoff', { id: '7', summary: 'half done' }],
		['gate', ['gate', '--attempt', '2', '--failed', '--exit-code', '1', '--gate', 'g.sh', '--changed', '--tree', 'abc', '--gate-hash', 'def', '--log-hash', '123', '--usage', '{"input":1}', '--result', 'r'], 'gate',
			{ id: '7', attempt: 2, passed: false, exit_code: 1, output: '', gate: 'g.sh', changed: true, tree: 'abc', gate_hash: 'def', log_hash: '123', result: 'r',
				usage: { input: 1, output: 0, cache_read: 0, cache_write: 0 } }],
		['handoff until a time', ['handoff', '--parked-until', '2026-02-11T11:00:00Z', 'rate limited'], 'handoff', { id: '7', summary: 'rate limited', parked_until: '2026-02-11T11:00:00Z' }],
	];
	for (const [name, args, verb, want] of rows)
		test(name, async () => {
			const said = await sent(args);
			assert.equal(said.code, 0, said.err);
			assert.equal(said.requests.length, 1);
			assert.equal(said.path, `/api/tasks/${verb}`);
			assert.deepEqual(said.json, want);
			assert.equal(said.requests[0].method, 'POST');
			assert.equal(said.requests[0].headers.authorization, `Bearer ${TOKEN}`);
			assert.equal(said.requests[0].headers['content-type'], 'application/json');
		});
});

test('gate prints the answer, the others nothing', async () => {
	assert.match((await chomp(['gate', '--attempt', '1', '--passed'])).out, /"next":"done"/);
	assert.equal((await chomp(['done'])).out, '');
});

test('a text full of quotes, dollars, newlines and unicode arrives as it is', async () => {
	const text = '-x "a" \'b\' $(touch /tmp/pwned) `id` \\n \\ é 😀\n\ttab {"json":1}\n';
	assert.equal((await sent(['done', '--result', text])).json.result, text);
	assert.equal((await sent(['fail', '--', text])).json.reason, text);
	assert.equal((await sent(['handoff', '--', text])).json.summary, text);
});

test('a text from a file or from stdin, cut at what the API takes', async () => {
	const file = path.join(tempDir(), 'text');
	fs.writeFileSync(file, `a\0b${'é'.repeat(50_000)}`);
	const { json } = await sent(['done', '--result-file', file, '--summary', '-'], { input: 'from stdin' });
	assert.equal(json.summary, 'from stdin');
	assert.ok(json.result.startsWith('abéé'));
	assert.ok(Buffer.byteLength(json.result) > 59_000 && Buffer.byteLength(json.result) <= 65_536);
});

describe('wrong usage is refused with 2, before anything is sent', () => {
	const rows = [
		['no verb', []], ['unknown verb', ['frobnicate']], ['update with nothing', ['update']], ['tokens that are no number', ['update', '--tokens', '1e3']],
		['usage that is no JSON', ['update', '--usage', '{']], ['fail without a reason', ['fail']], ['fail with white space', ['fail', ' \n']],
		['handoff without a summary', ['handoff']], ['unknown option', ['done', '--frob', '1']], ['option without value', ['done', '--result']],
		['gate without verdict', ['gate', '--attempt', '1']], ['gate without attempt', ['gate', '--passed']], ['artifact without a file', ['artifact']],
		['artifact that is not there', ['artifact', '/nonexistent']], ['artifact with a path as name', ['artifact', '/etc/hostname', '../x']],
		['artifact with a query as name', ['artifact', '/etc/hostname', 'a?b']], ['result file that is not there', ['done', '--result-file', '/nonexistent']],
	];
	for (const [name, args] of rows)
		test(name, async () => {
			const said = await sent(args);
			assert.equal(said.code, 2, said.err);
			assert.notEqual(said.err, '');
			assert.equal(said.requests.length, 0);
		});
	test('outside a sandbox', async () => {
		const said = await sent(['done'], { env: { TASK_ID: '' } });
		assert.equal(said.code, 2);
		assert.match(said.err, /sandbox/);
	});
});

test('--help says every verb', async () => {
	const said = await chomp(['--help']);
	assert.equal(said.code, 0);
	for (const verb of ['update', 'done', 'fail', 'handoff', 'gate', 'artifact'])
		assert.match(said.out, new RegExp(`^  ${verb} `, 'm'));
	assert.equal((await sent(['done', '--help'])).requests.length, 0);
});

describe('what the server says', () => {
	const answer = (...list) => {
		const left = [...list];
		api.onRequest(() => (left.length > 1 ? left.shift() : left[0]));
	};
	const error = (status, code, message) => ({ status, body: { error: { code, message } } });
	after(() => api.onRequest(() => undefined));

	test('503, 502, 500 and 429 are tried again until it takes effect', async () => {
		answer(error(503, 'busy', 'x'), error(502, 'bad_gateway', 'x'), error(500, 'io', 'x'), error(429, 'limit', 'x'), { status: 200 });
		const said = await sent(['done']);
		assert.equal(said.code, 0, said.err);
		assert.equal(said.requests.length, 5);
		assert.equal(new Set(said.requests.map((r) => String(r.body))).size, 1);
	});
	test('409 is 3, at once, with the message', async () => {
		answer(error(409, 'not_active', 'task 7 is done'));
		const said = await sent(['fail', 'x']);
		assert.equal(said.code, 3);
		assert.equal(said.requests.length, 1);
		assert.match(said.err, /409: task 7 is done/);
	});
	for (const status of [400, 401, 403, 404, 413, 415])
		test(`${status} is 1, at once`, async () => {
			answer(error(status, 'x', 'the message'));
			const said = await sent(['update', '--tokens', '1']);
			assert.equal(said.code, 1);
			assert.equal(said.requests.length, 1);
			assert.match(said.err, /the message/);
		});
	test('an answer that is no JSON is told, without its control bytes', async () => {
		answer({ status: 400, body: '\u001b[31mred' });
		assert.doesNotMatch((await sent(['done'])).err, /\u001b/);
	});
	test('503 until the time is up is 4', async () => {
		answer(error(503, 'busy', 'busy'));
		const said = await sent(['done'], { env: { CHOMP_RETRY_SECONDS: '1' } });
		assert.equal(said.code, 4);
		assert.ok(said.requests.length >= 1);
	});
	test('CHOMP_RETRY_SECONDS=0 tries once', async () => {
		answer(error(503, 'busy', 'busy'));
		assert.equal((await sent(['done'], { env: { CHOMP_RETRY_SECONDS: '0' } })).requests.length, 1);
	});
});

test('a server that is away is 4; one that comes back in time is 0', async () => {
	const port = await freePort();
	const at = { url: `http://127.0.0.1:${port}` };
	const away = await chomp(['done'], { at, env: { CHOMP_RETRY_SECONDS: '1' } });
	assert.equal(away.code, 4);
	assert.match(away.err, /connect/i);
	const running = chomp(['done'], { at, env: { CHOMP_RETRY_SECONDS: '60' } });
	const late = await startCallbackServer({ port });
	assert.equal((await running).code, 0);
	assert.equal(late.calls('done').length, 1);
	await late.close();
});

test('by unix socket, with no proxy and no curlrc in between', async () => {
	const socketPath = path.join(dir, 'api/api.sock');
	const server = await startCallbackServer({ socketPath });
	fs.writeFileSync(path.join(dir, 'home/.curlrc'), 'proxy = "http://127.0.0.1:1"\n');
	const said = await chomp(['done'], { at: { url: server.url, socket: true }, env: { http_proxy: 'http://127.0.0.1:1', ALL_PROXY: 'http://127.0.0.1:1' } });
	fs.rmSync(path.join(dir, 'home/.curlrc'));
	assert.equal(said.code, 0, said.err);
	assert.equal(server.calls('done').length, 1);
	await server.close();
});

test('the token is never an argument of a process', async () => {
	const bin = path.join(tempDir(), 'bin');
	fs.mkdirSync(bin);
	for (const name of ['curl', 'jq'])
		fs.writeFileSync(path.join(bin, name), `#!/bin/sh\nprintf '%s\\n' "$@" >>"${bin}/argv"\nexec /usr/bin/${name} "$@"\n`, { mode: 0o755 });
	const said = await sent(['done', '--result', 'x'], { env: { PATH: `${bin}:/usr/bin:/bin` } });
	assert.equal(said.code, 0, said.err);
	const argv = fs.readFileSync(path.join(bin, 'argv'), 'utf8');
	assert.match(argv, /api\/tasks\/done/);
	assert.doesNotMatch(argv, new RegExp(TOKEN));
});

describe('artifact', () => {
	test('arrives byte for byte, under its own or a given name', async () => {
		const file = path.join(tempDir(), 'a b.bin');
		const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) & 255));
		fs.writeFileSync(file, bytes);
		const from = api.requests.length;
		assert.equal((await chomp(['artifact', file, 'log.bin'])).code, 0);
		const [rq] = api.requests.slice(from);
		assert.equal(rq.path, '/api/tasks/7/artifacts/log.bin');
		assert.equal(rq.headers.authorization, `Bearer ${TOKEN}`);
		assert.ok(rq.body.equals(bytes));
		assert.equal((await chomp(['artifact', file])).code, 2); // "a b.bin" is no name for an address
	});
	test('an empty one too', async () => {
		const file = path.join(tempDir(), 'empty');
		fs.writeFileSync(file, '');
		assert.equal((await chomp(['artifact', file])).code, 0);
		assert.equal(api.requests.at(-1).body.length, 0);
	});
	test('32 MiB is the limit', async () => {
		const file = path.join(tempDir(), 'big');
		fs.writeFileSync(file, '');
		fs.truncateSync(file, 32 * 1024 * 1024 + 1);
		const said = await chomp(['artifact', file]);
		assert.equal(said.code, 2);
		assert.match(said.err, /32 MiB/);
	});
});

// Bad input: a clear error each, and the state afterwards is byte for byte the state before.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import fs from 'node:fs';
import path from 'node:path';
import { shared, startInstance } from '../lib/instance.mjs';
import { tempDir } from '../lib/repo.mjs';

const MIB = 1024 * 1024;
const chomp = await shared({ after });
const { id } = await chomp.create({ prompt: 'stay as you are', agent: 'shell' });

// Sends, and holds the answer against status, code and words; the state must be the same.
async function refused(send, status, code, words) {
	const before = await chomp.state();
	const said = await send();
	assert.equal(said.status, status, `${said.status} ${said.text.slice(0, 300)}`);
	assert.match(said.headers['content-type'], /^application\/json/);
	const { error } = said.json();
	if (code) assert.ok([code].flat().includes(error.code), `code ${error.code}: ${error.message}`);
	if (words) assert.match(error.message, words);
	assert.ok(error.message.length > 5);
	assert.equal(await chomp.state(), before, 'the state is unchanged');
	return said;
}

const create = (body, options) => () => chomp.api.post('/api/tasks', body, options);

describe('bad input', () => {
	for (const [what, body] of Object.entries({
		'an empty prompt': { prompt: '' },
		'a prompt of white space': { prompt: ' \n\t\u00a0'.slice(0, 3) },
		'no prompt': {},
		'a prompt that is a number': { prompt: 7 },
		'a prompt that is null': { prompt: null },
		'a prompt with a NUL': { prompt: 'a\u0000b' },
		'a prompt over 256 KiB': { prompt: 'x'.repeat(256 * 1024 + 1) },
	})) {
		test(`create with ${what} is 400`, async () => {
			await refused(create(body), 400, 'bad_field', /prompt/);
		});
	}

	for (const [what, text] of Object.entries({
		'a torn object': '{"prompt":"x"',
		'text behind': '{"prompt":"x"} y',
		'single quotes': "{'prompt':'x'}",
		'a comment': '{"prompt":"x"/**/}',
		NaN: '{"prompt":"x","priority":NaN}',
		'a raw control character': '{"prompt":"a\u0001b"}',
		'a key twice': '{"prompt":"x","prompt":"y"}',
		'an array': '[]',
		nothing: '',
		'no UTF-8': Buffer.from([0x7b, 0x22, 0x70, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]),
	})) {
		test(`create with broken JSON, ${what}, is 400 and says JSON`, async () => {
			await refused(create(text), 400, 'bad_json', /JSON/);
		});
	}

	test('create with numbers that are none is 400 and names the field', async () => {
		for (const body of [
			{ priority: 'high' },
			{ priority: 1.5 },
			{ token_budget: -1 },
			{ token_budget: 2 ** 53 + 2 },
			{ token_budget: {} },
		])
			await refused(create({ prompt: 'x', ...body }), 400, 'bad_field', new RegExp(Object.keys(body)[0]));
	});

	test('a body of 2 MiB is 413', async () => {
		await refused(create(JSON.stringify({ prompt: 'x'.repeat(2 * MIB) })), 413, 'too_large');
		await refused(
			() => chomp.api.post('/api/tasks/run', JSON.stringify({ id, junk: 'x'.repeat(2 * MIB) })),
			413,
			'too_large',
		);
	});

	// Says a length and sends what it is given; resolves with the first bytes of the answer.
	function announce(length, first = '') {
		const socket = net.connect(chomp.port, '127.0.0.1');
		socket.write(
			`POST /api/tasks HTTP/1.1\r\nHost: 127.0.0.1:${chomp.port}\r\nAuthorization: Bearer ${chomp.token}\r\n` +
				`Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${first}`,
		);
		const answer = new Promise((resolve, reject) => {
			socket.once('data', (d) => resolve(d.toString('latin1')));
			socket.once('error', reject);
			socket.once('close', () => resolve(''));
		});
		return { socket, answer };
	}

	test('a Content-Length of 1 GiB is 413 before a byte of it has come', async () => {
		for (const length of [2 ** 30, 2 ** 40]) {
			const { socket, answer } = announce(length);
			assert.match(await answer, /^HTTP\/1\.1 413 /);
			socket.destroy();
		}
	});

	test('slow bodies hold no worker: others are served meanwhile, and a slow one in the end', async () => {
		const text = JSON.stringify({ prompt: 'slow' });
		const slow = Array.from({ length: 100 }, () => announce(text.length, text.slice(0, 1)));
		for (let i = 1; i < text.length; i++) {
			for (const { socket } of slow) socket.write(text[i]);
			assert.equal((await chomp.api.get('/api/tasks?limit=1', { timeoutMs: 10_000 })).status, 200);
		}
		for (const { socket, answer } of slow) {
			assert.match(await answer, /^HTTP\/1\.1 200 /);
			socket.destroy();
		}
	});

	test('a body of another media type is 415', async () => {
		for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', ''])
			await refused(create('{"prompt":"x"}', { headers: { 'Content-Type': type } }), 415, 'unsupported_media');
	});

	test('an unknown agent is refused at create and at run, and is named', async () => {
		await refused(create({ prompt: 'x', agent: 'nobody-knows-me' }), 400, 'unknown_agent', /nobody-knows-me/);
		await refused(
			() => chomp.api.post('/api/tasks/run', { id, agent: 'nobody-knows-me' }),
			400,
			'unknown_agent',
			/nobody-knows-me/,
		);
	});

	test('an agent of a wrong grammar is refused', async () => {
		for (const agent of ['../x', 'a b', '-x', 'A', 'a;b', '$(id)', 'a\nb'])
			await refused(() => chomp.api.post('/api/tasks/run', { id, agent }), 400);
	});

	test('an unknown id is 404, whatever its length; other text is 400', async () => {
		for (const verb of ['run', 'done', 'fail', 'update', 'handoff', 'cancel', 'retry', 'delete']) {
			const more = { reason: 'x', summary: 'x', tokens: 1 };
			await refused(() => chomp.api.post(`/api/tasks/${verb}`, { id: '999999', ...more }), 404, 'not_found');
			await refused(
				() => chomp.api.post(`/api/tasks/${verb}`, { id: '9'.repeat(60), ...more }),
				404,
				'not_found',
			);
			for (const bad of ['abc', '-1', '1.0', '0x1', '', ' 1', null, true, {}, 1.5])
				await refused(() => chomp.api.post(`/api/tasks/${verb}`, { id: bad, ...more }), 400, [
					'bad_id',
					'bad_field',
				]);
			await refused(() => chomp.api.post(`/api/tasks/${verb}`, more), 400, ['bad_id', 'bad_field']);
		}
		for (const route of [
			'/api/tasks/999999',
			'/api/sandbox/output/999999',
			'/api/tasks/999999/sessions/s1/output',
			`/api/tasks/${id}/sessions/s77/output`,
		])
			await refused(() => chomp.api.get(route), 404, 'not_found');
		await refused(() => chomp.api.get('/api/tasks/abc'), 400, 'bad_id');
	});

	test('a wrong method is 405 with Allow', async () => {
		for (const [method, route, allow] of [
			['GET', '/api/tasks/run', 'POST'],
			['PUT', '/api/tasks', 'POST'],
			['DELETE', '/api/tasks', 'POST'],
			['POST', '/api/state', 'GET'],
			['GET', '/api/tasks/delete', 'POST'],
			['GET', '/api/tasks/done', 'POST'],
			['POST', '/api/health', 'GET'],
			['PATCH', `/api/tasks/${id}`, 'GET'],
		]) {
			const said = await refused(
				() => chomp.api.call(method, route, method === 'GET' ? undefined : { id }),
				405,
				'method',
			);
			assert.ok((said.headers.allow || '').includes(allow), `${method} ${route}: Allow: ${said.headers.allow}`);
		}
	});

	test('an unknown route is 404', async () => {
		for (const route of ['/api/nope', '/api/tasks/run/x', '/api/', '/api/tasks/1/nope'])
			await refused(() => chomp.api.get(route), 404);
	});

	test('control characters and options in repo_url, branch and model are refused', async () => {
		for (const body of [
			{ repo_url: '--upload-pack=x' },
			{ repo_url: 'https://x/\ny' },
			{ branch: '-b', repo_url: 'https://x.invalid/y' },
			{ branch: 'a\nb' },
			{ model: 'a\u0007b' },
		])
			await refused(create({ prompt: 'x', ...body }), 400, 'bad_field', new RegExp(Object.keys(body)[0]));
	});

	test('a valid request after all this still works', async () => {
		assert.equal((await chomp.create({ prompt: 'fine' })).status, 'queued');
	});
});

describe('a directory that cannot be', () => {
	let dir;
	before(() => {
		dir = tempDir('chomp-dirs');
		fs.mkdirSync(path.join(dir, 'plain'));
		fs.writeFileSync(path.join(dir, 'file'), '');
	});
	after(() => fs.rmSync(dir, { recursive: true, force: true }));

	for (const [what, name] of [
		['does not exist', 'nowhere'],
		['is no repository', 'plain'],
		['is a file', 'file'],
	]) {
		test(`that ${what} fails the task at once, with the directory in the reason, and no agent runs`, async () => {
			const where = path.join(dir, name);
			const task = await chomp.create({ prompt: 'echo this must not run', agent: 'shell', dir: where });
			const other = await chomp.task(id);
			await chomp.run(task.id);
			const failed = await chomp.until(task.id, 'failed');
			assert.ok(failed.error.includes(where), failed.error);
			assert.equal(failed.sessions.length, 1);
			assert.equal(failed.sessions[0].result, 'failed');
			assert.equal(failed.sessions[0].dispatch.state, 'failed');
			assert.equal(failed.sessions[0].dispatch.attempts, 1, 'it is permanent: one attempt');
			await chomp.settled(task.id);
			assert.doesNotMatch(await chomp.output(task.id), /must not run/);
			assert.deepEqual(await chomp.task(id), other, 'no other task was touched');
		});
	}
});

// The services get a PATH of their own from chompctl, so bubblewrap is made to vanish in a mount namespace of this instance.
const root = process.getuid() === 0;
describe('without bubblewrap', { skip: !root && 'only root can hide /usr/bin/bwrap in a mount namespace' }, () => {
	test('a task fails with the reason and the command that mends it, and doctor says so too', async (t) => {
		const dir = tempDir('chomp-nobwrap');
		fs.writeFileSync(
			path.join(dir, 'wrap'),
			`#!/bin/sh -e
mount -t tmpfs none ${dir}/over 2>/dev/null || { mkdir -p ${dir}/over; mount -t tmpfs none ${dir}/over; }
mkdir ${dir}/over/up ${dir}/over/work
mount -t overlay overlay -o "lowerdir=/usr/bin,upperdir=${dir}/over/up,workdir=${dir}/over/work" /usr/bin
rm -f /usr/bin/bwrap
exec "$@"
`,
			{ mode: 0o755 },
		);
		t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
		const wrap = ['unshare', '--mount', '--propagation', 'private', path.join(dir, 'wrap')];
		let bare;
		try {
			bare = await startInstance({ wrap });
		} catch (e) {
			if (!e.up) throw e;
			// refusing to start is as clear an answer, if it says what is missing
			assert.match(e.up.text, /bwrap|bubblewrap/);
			return;
		}
		t.after(() => bare.stop());
		const task = await bare.create({ prompt: 'echo without walls', agent: 'shell' });
		await bare.run(task.id);
		const failed = await bare.until(task.id, 'failed');
		assert.match(failed.error, /bwrap|bubblewrap/);
		assert.match(failed.error, /install/);
		assert.doesNotMatch(await bare.output(task.id), /without walls/);
		const doctor = await bare.ctl(['doctor']);
		assert.match(doctor.text, /bwrap|bubblewrap/);
		assert.match(doctor.text, /apt.* install .*bubblewrap/);
		assert.notEqual(doctor.code, 0);
	});
});

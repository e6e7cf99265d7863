// Odd HTTP, many clients, a full host.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { raw, rawConnect } from '../../lib/http.mjs';
import { waitFor } from '../../lib/wait.mjs';
import {
	assertError,
	box,
	call,
	dispatch,
	dispatchBody,
	ended,
	host,
	kill,
	onlyLocal,
	running,
	start,
	unknownId,
} from '../kit.mjs';

const MIB = 1024 * 1024;

describe('the HTTP of a local host', { skip: onlyLocal }, () => {
	const auth = () => (host.secret ? `Authorization: Bearer ${host.secret}\r\n` : '');

	test('a body whose announced length is over 2 MiB is refused before it is sent', async () => {
		const said = await raw(
			host.url,
			`POST /dispatch HTTP/1.1\r\nHost: x\r\n${auth()}Content-Type: application/json\r\nContent-Length: ${3 * MIB}\r\n\r\n{`,
		);
		assert.match(said, /^HTTP\/1\.[01] 413 /);
	});

	for (const [what, head] of Object.entries({
		'no HTTP': 'hello there\r\n\r\n',
		'a negative length': 'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
		'a length that is no number': 'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n',
		'two lengths': 'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}',
		'a length and chunks':
			'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
		'a header of 100 KiB': `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100 * 1024)}\r\n\r\n`,
		'a NUL in the path': 'GET /health\0 HTTP/1.1\r\nHost: x\r\n\r\n',
		'a header without a colon': 'GET /health HTTP/1.1\r\nHost x\r\n\r\n',
	})) {
		test(`a request with ${what} is refused, and the host lives on`, async () => {
			const said = await raw(host.url, head);
			assert.match(said, /^(HTTP\/1\.[01] (400|411|413|414|431|501) |$)/, said.slice(0, 100));
			assert.equal((await call('GET', '/health')).status, 200);
		});
	}

	test('a client that sends its request byte by byte or not at all holds up nobody', async (t) => {
		const idle = Array.from({ length: 20 }, () => rawConnect(host.url));
		idle.forEach((s) => s.on('error', () => {}));
		t.after(() => idle.forEach((s) => s.destroy()));
		idle.slice(0, 10).forEach((s) => s.write('POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n'));
		const s = await start(t, 'echo ok');
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
	});

	test('a request in small pieces is put together', async () => {
		const s = rawConnect(host.url);
		s.on('error', () => {});
		const parts = [];
		s.on('data', (p) => parts.push(p));
		for (const c of 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
			s.write(c);
			await new Promise((resolve) => setImmediate(resolve));
		}
		await waitFor('the answer', () => Buffer.concat(parts).toString().includes('"status"'));
		s.destroy();
		assert.match(Buffer.concat(parts).toString(), /^HTTP\/1\.1 200 /);
	});

	test('a client that waits for 100 Continue gets on', async (t) => {
		const body = JSON.stringify(dispatchBody('exit 0'));
		t.after(() => kill(JSON.parse(body).dispatchId));
		const s = rawConnect(host.url);
		s.on('error', () => {});
		t.after(() => s.destroy());
		const parts = [];
		s.on('data', (p) => parts.push(p));
		s.write(
			`POST /dispatch HTTP/1.1\r\nHost: x\r\n${auth()}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
		);
		// curl waits a second for the 100 and then sends anyway
		await waitFor('100 Continue', () => Buffer.concat(parts).toString().includes('100 '), {
			deadlineMs: 1000,
		}).catch(() => {});
		s.write(body);
		await waitFor('the answer', () => /HTTP\/1\.1 200 [^]*sandboxId/.test(Buffer.concat(parts).toString()), {
			context: () => Buffer.concat(parts).toString(),
		});
	});

	test('a hundred requests at once are all answered', async () => {
		const said = await Promise.all(
			Array.from({ length: 100 }, (_, i) => call('GET', i % 2 ? '/health' : `/status/${unknownId()}`)),
		);
		assert.deepEqual(
			said.map((s) => s.status).filter((s) => s !== 200),
			[],
		);
	});
});

describe('capacity', { skip: !host.capacity && 'CHOMP_HOST_CAPACITY is not given' }, () => {
	test('a full host says so with Retry-After, and takes the same dispatch when there is room again', async (t) => {
		const boxes = [];
		for (let i = (await call('GET', '/health')).json().active; i < host.capacity; i++)
			boxes.push(await start(t, 'echo up; wait_for never'));
		for (const b of boxes) await running(b.sandboxId);
		const body = dispatchBody('put room-again <<<x');
		t.after(() => kill(body.dispatchId));
		const full = await dispatch(body);
		assertError(full, [429, 503]);
		assert.match(full.headers['retry-after'], /^\d+$/);
		assert.equal(box.puts('room-again').length, 0);
		const same = await dispatch(boxes[0].body);
		assert.equal(same.status, 200, 'one that has its box is answered also when it is full');
		await kill(boxes[0].sandboxId);
		const said = await waitFor('there is room', async () => {
			const s = await dispatch(body);
			return s.status === 200 && s.json();
		});
		assert.equal((await ended(said.sandboxId)).exitCode, 0);
		await box.put('room-again');
	});
});

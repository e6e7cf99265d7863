// The terminal when things go wrong: processes that die, and clients that mean harm.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { pssKiB } from '../lib/processes.mjs';
import { BINARY, CLOSE, PING, TEXT, connect, frame, handshake, rawSocket } from '../lib/raw-ws.mjs';
import { viewer } from '../lib/viewer.mjs';
import { sleep, waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });

async function shell(prompt) {
	const t = await chomp.create({ prompt, agent: 'shell', run: true });
	await chomp.until(t.id, (now) => now.sessions[0].dispatch?.state === 'started');
	return t.id;
}
const memory = () => [...chomp.pids('relay'), ...chomp.pids('sandbox host')].reduce((n, pid) => n + pssKiB(pid), 0);

// The same bytes as the dispatcher has kept; it may still be copying.
async function assertKept(id, bytes, hash) {
	await waitFor(`the copy of ${id} is whole`, async () => {
		const kept = fs.readFileSync(path.join(chomp.var, `log/sessions/${id}-s1.log`));
		return kept.length === bytes && createHash('sha256').update(kept).digest('hex') === hash;
	});
}

describe('kill -9 at random while 20 sessions stream', () => {
	const SESSIONS = 20;
	const VIEWERS = 2; // of each
	const LINES = 1500;
	const KILLS = 12;
	const SEED = Number(process.env.CHOMP_TEST_SEED || 20260317);

	// The same victims and pauses for the same seed (mulberry32).
	let drawn = SEED;
	function random() {
		drawn = (drawn + 0x6d2b79f5) | 0;
		let t = Math.imul(drawn ^ (drawn >>> 15), 1 | drawn);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	}

	// One who comes back as often as it takes: all bytes, from the first to the exit.
	async function follow(id) {
		const parts = [];
		let from = 0;
		for (let tries = 0; ; tries++) {
			const v = viewer(chomp, id, { offset: from });
			await waitFor('an exit, or the end of the connection', async () => v.end || v.note('exit'), {
				deadlineMs: 240_000,
				context: () => JSON.stringify(v.notes),
			});
			if (v.note('exit')) await v.closed().catch(() => {});
			parts.push(v.bytes);
			if (v.note('exit')) return { bytes: Buffer.concat(parts), tries, code: v.note('exit').code };
			from = v.at === undefined ? from : v.offset;
			await sleep(100);
		}
	}

	test('no agent notices, and every viewer has every byte', async (t) => {
		t.diagnostic(`CHOMP_TEST_SEED=${SEED}`);
		const ids = await Promise.all(
			Array.from({ length: SESSIONS }, () =>
				shell(`for i in $(seq 1 ${LINES}); do echo "line $i of this session $RANDOM"; read -rt 0.01 _ || :; done; exit 7`),
			),
		);
		const all = ids.map((id) => Promise.all(Array.from({ length: VIEWERS }, () => follow(id))));
		let over = false;
		const done = Promise.all(all).finally(() => (over = true));
		const killed = {};
		for (let i = 0; i < KILLS && !over; i++) {
			// each of them at least once, whatever the seed says of the rest
			const roles = ['relay', 'nginx worker', 'sandbox host', 'nginx master'];
			const role = i < roles.length ? roles[i] : roles[Math.floor(random() * roles.length)];
			await sleep(500 + random() * 1500);
			const pids = chomp.pids(role);
			const pid = pids[Math.floor(random() * pids.length)];
			if (pid === undefined) continue;
			process.kill(pid, 'SIGKILL');
			killed[role] = (killed[role] ?? 0) + 1;
		}
		const seen = await done;
		t.diagnostic(`killed ${JSON.stringify(killed)}; connections ${seen.flat().reduce((n, s) => n + s.tries + 1, 0)}`);
		for (const [i, id] of ids.entries()) {
			const { sessions } = await chomp.until(id, 'failed');
			assert.equal(sessions.length, 1);
			assert.equal(sessions[0].exit_code, 7, `the agent of ${id} ended by itself`);
			for (const v of seen[i]) {
				assert.equal(v.code, 7);
				const lines = v.bytes.toString().match(/line \d+ of/g);
				assert.deepEqual(lines, Array.from({ length: LINES }, (_, n) => `line ${n + 1} of`));
				await assertKept(id, v.bytes.length, createHash('sha256').update(v.bytes).digest('hex'));
			}
		}
	});
});

describe('clients that mean harm', async () => {
	const id = await shell('echo here; while read -r line; do echo "got <$line>"; done');
	const where = `/ws/terminal/${id}`;
	const boxId = await waitFor('the box is told', async () => (await chomp.task(id)).sessions[0].sandbox_id);
	const relay = path.join(chomp.var, 'run/relay/relay.sock');
	const secret = fs.readFileSync(path.join(chomp.var, 'secrets/sandbox_secret'), 'utf8').trim();
	const host = path.join(chomp.var, 'run/sandbox/sandbox.sock');
	const doors = [
		['through nginx', {}, where],
		['at the relay', { socket: relay }, where],
		['at the host', { socket: host, token: secret }, `/ws/terminal/${boxId}`],
	];
	// a reset instead of a farewell, where the kernel knows resets
	const cut = (s, hard) => (hard && s.remoteAddress ? s.resetAndDestroy() : s.destroy());
	const running = () => JSON.stringify([chomp.pids('relay'), chomp.pids('sandbox host')]);

	// What is sent after the handshake, and whether the connection must end.
	const frames = [
		['an unmasked frame', [frame(BINARY, 'x', { mask: false })]],
		['a reserved bit', [frame(BINARY, 'x', { rsv: 4 })], true],
		['an unknown opcode', [frame(3, 'x')], true],
		['an unknown control opcode', [frame(11, 'x')], true],
		['a ping that is too long', [frame(PING, 'x'.repeat(200))], true],
		['a ping in parts', [frame(PING, 'x', { fin: false })], true],
		['a continuation of nothing', [frame(0, 'x')], true],
		['a message inside a message', [frame(BINARY, 'x', { fin: false }), frame(BINARY, 'y')], true],
		['a text message without end', [frame(TEXT, 'x'.repeat(1000), { fin: false }), ...Array(50).fill(frame(0, 'x'.repeat(1000), { fin: false }))], true],
		['typing without end', [frame(BINARY, 'x', { fin: false }), ...Array(200).fill(frame(0, 'x'.repeat(1000), { fin: false }))], true],
		['a length of 2^63', [frame(BINARY, 'x', { length: 2n ** 63n })]],
		['a length of 2^62', [frame(TEXT, 'x', { length: 2n ** 62n })]],
		['text that is no UTF-8', [frame(TEXT, Buffer.from([0xff, 0xfe, 0x22]))]],
		['text cut in the middle of a character', [frame(TEXT, Buffer.from([0x22, 0xc3]), { fin: false }), frame(0, Buffer.from([0x28]))]],
		['10,000 tiny frames', [Buffer.concat(Array(10_000).fill(frame(TEXT, '{}')))]],
		['10,000 empty frames', [Buffer.concat([frame(TEXT, '', { fin: false }), ...Array(10_000).fill(frame(0, '', { fin: false }))])]],
		['a flood of pings', [Buffer.concat(Array(20_000).fill(frame(PING, 'x'.repeat(100))))]],
		['a close with a code of no meaning', [frame(CLOSE, Buffer.from([0, 1]))], true],
		['a close of one byte', [frame(CLOSE, Buffer.from([3]))], true],
		['frames after a close', [frame(CLOSE, Buffer.from([3, 232])), frame(BINARY, 'x'), frame(TEXT, '{}')], true],
		['half a frame, then nothing', [frame(BINARY, 'xxxx').subarray(0, 7)]],
		['noise', [Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255))]],
	];
	// Instead of a handshake; the answer may be anything but an upgrade.
	const greetings = [
		['no WebSocket key', (p, o) => handshake(chomp, p, o).replace(/Sec-WebSocket-Key.*\r\n/, '')],
		['version 7', (p, o) => handshake(chomp, p, o).replace('Version: 13', 'Version: 7')],
		['a head of 100 KB', (p, o) => handshake(chomp, p, { ...o, headers: [`X: ${'x'.repeat(100_000)}`] })],
		['a thousand headers', (p, o) => handshake(chomp, p, { ...o, headers: Array(1000).fill('X-A: b') })],
		['a path of 20 KB', (p, o) => handshake(chomp, `${p}?${'a'.repeat(20_000)}`, o)],
		['a NUL in the path', (p, o) => handshake(chomp, `${p}\0`, o)],
		['POST', (p, o) => handshake(chomp, p, o).replace('GET', 'POST')],
		['no HTTP', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.repeat(100)],
		['frames before the answer', (p, o) => Buffer.concat([Buffer.from(handshake(chomp, p, o)), ...Array(100).fill(frame(PING, 'x'))])],
	];

	let good;
	let before;
	let pids;
	test('somebody watches', async () => {
		pids = running();
		good = viewer(chomp, id);
		await good.shows('here');
		before = memory();
	});
	for (const [where_, options, route] of doors) {
		for (const [name, sent, ends] of frames) {
			test(`${name}, ${where_}`, async () => {
				const s = await rawSocket(chomp, route, options);
				assert.equal(s.status, 101);
				for (const f of sent) s.send(f);
				// nginx reads no frames; a peer that closed has been told, one that did not is let be
				if (ends) await waitFor('the connection ends', async () => s.closed, { deadlineMs: 20_000 });
				else await sleep(50);
				s.destroy();
				assert.equal(running(), pids);
			});
		}
		for (const [name, greeting] of greetings) {
			test(`${name}, ${where_}`, async () => {
				const s = connect(chomp, options);
				s.resume();
				s.write(greeting(route, options));
				await sleep(100);
				s.destroy();
				assert.equal(running(), pids);
			});
		}
	}
	test('hundreds of half-open and slow connections', async () => {
		const slow = [];
		for (const [, options, route] of doors) {
			for (let i = 0; i < 150; i++) {
				const s = connect(chomp, options);
				slow.push({ s, text: handshake(chomp, route, options), n: 0 });
			}
		}
		for (let round = 0; round < 20; round++) {
			for (const c of slow) if (!c.s.destroyed) c.s.write(c.text.slice(c.n, (c.n += 3)));
			await sleep(50);
		}
		const quick = viewer(chomp, id);
		await quick.shows('here');
		quick.close();
		for (const c of slow) cut(c.s, Math.random() < 0.5);
	});
	test('connections that are cut in the midst of everything', async () => {
		for (const [, options, route] of doors) {
			await Promise.all(
				Array.from({ length: 100 }, async (_, i) => {
					const s = connect(chomp, options);
					s.write(handshake(chomp, route, options).slice(0, 20 + i * 3));
					s.write(frame(BINARY, 'x'));
					await sleep(i);
					cut(s, i % 2);
				}),
			);
		}
		assert.equal(running(), pids);
	});
	test('after all that the one who watches is still there, types, and memory is as it was', async () => {
		assert.equal(good.end, undefined);
		good.control({ type: 'pen', take: true });
		await good.tells('the pen', (n) => n.type === 'pen' && n.mine);
		good.type('\nstill here\n');
		await good.shows('got <still here>');
		assert.ok(memory() - before < 8192, `${before} KiB before, ${memory()} KiB after`);
		assert.equal(running(), pids);
		good.close();
		await chomp.post('cancel', { id });
	});
});

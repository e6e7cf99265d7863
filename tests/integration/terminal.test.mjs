// The live terminal, through nginx, relay and local host: watch, type, resume, share, and who is kept out.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { request } from '../lib/http.mjs';
import { viewer } from '../lib/viewer.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });

const shell = async (script) => {
	const t = await chomp.create({ prompt: script, agent: 'shell', run: true });
	await chomp.until(t.id, (now) => now.sessions[0].dispatch?.state === 'started');
	return t.id;
};
const stdinEcho = 'echo ready-to-read; while read -r line; do echo "got <$line>"; [ "$line" = end ] && exit 3; done';

async function login() {
	const said = await request(chomp.url, {
		method: 'POST',
		path: '/login',
		body: new URLSearchParams({ token: chomp.token }).toString(),
		headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: chomp.url },
	});
	return String(said.headers['set-cookie']).split(';')[0];
}

describe('watching', () => {
	test('a viewer sees what was shown before, then what is shown, then the exit', async () => {
		const id = await shell(stdinEcho);
		const v = viewer(chomp, id);
		await v.shows('ready-to-read');
		assert.equal(v.at, 0);
		assert.ok(v.note('ready'));
		assert.equal(v.pen, true, 'the first one may type');
		v.type('hello\n');
		await v.shows('got <hello>');
		v.type('end\n');
		await v.tells('the exit', (n) => n.type === 'exit');
		assert.equal(v.note('exit').code, 3);
		assert.equal((await v.closed()).code, 1000);
		assert.equal((await chomp.until(id, 'failed')).sessions[0].exit_code, 3);
	});

	test('Ctrl-C and the size of the window reach the agent', async () => {
		const id = await shell(
			"trap 'echo interrupted; exit 0' INT; trap 'stty size' WINCH; echo armed; while :; do read -rt 0.1 _ || :; done",
		);
		const v = viewer(chomp, id, { cols: 100, rows: 30 });
		await v.shows('armed');
		v.control({ type: 'resize', cols: 91, rows: 17 });
		await v.shows('17 91');
		v.type('\x03');
		await v.shows('interrupted');
		await v.closed();
	});

	test('a viewer that comes back with its offset misses nothing and gets nothing twice', async () => {
		const id = await shell(
			'for i in $(seq 1 3000); do echo "line $i of many"; done; echo halfway; read -r _; echo over',
		);
		const one = viewer(chomp, id, { offset: 0 });
		await one.shows('line 1000 of many');
		one.close();
		await one.closed();
		const two = viewer(chomp, id, { offset: one.offset });
		await waitFor('both together have seen the middle', async () => (one.text + two.text).includes('halfway'));
		await two.tells('ready', (n) => n.type === 'ready');
		assert.equal(two.at, one.offset);
		two.type('\n');
		await two.closed();
		const all = viewer(chomp, id, { offset: 0 });
		await all.closed();
		const once = Buffer.concat([one.bytes, two.bytes]);
		if (all.bytes.length > 0) assert.deepEqual(once, all.bytes);
		const lines = once.toString().match(/line \d+ of many/g);
		assert.equal(lines.length, 3000);
		assert.deepEqual(
			lines,
			Array.from({ length: 3000 }, (_, i) => `line ${i + 1} of many`),
		);
	});

	test('terminal queries in the scrollback are not replayed', async () => {
		const id = await shell("printf 'before\\033[6nmiddle\\033]11;?\\007after\\033[c end'; read -r _");
		await waitFor('the output is there', async () => (await chomp.output(id)).includes('end'));
		const v = viewer(chomp, id);
		await v.shows('end');
		await v.tells('ready', (n) => n.type === 'ready');
		assert.ok(!v.text.includes('\x1b[6n'));
		assert.ok(!v.text.includes('\x1b]11;?'));
		assert.ok(!v.text.includes('\x1b[c'));
		assert.match(v.text.replaceAll(/\x1b\\|\0/g, ''), /beforemiddleafter end/);
		v.type('\n');
		await v.closed();
	});
});

describe('sharing', () => {
	test('all viewers see the same bytes; one types, and another can take the pen', async () => {
		const id = await shell(stdinEcho);
		const one = viewer(chomp, id, { offset: 0 });
		await one.shows('ready-to-read');
		const two = viewer(chomp, id, { offset: 0 });
		await two.shows('ready-to-read');
		assert.equal(one.pen, true);
		assert.equal(two.pen, false);
		two.type('from the watcher\n');
		two.control({ type: 'pen', take: true });
		await two.tells('the pen', (n) => n.type === 'pen' && n.mine);
		await one.tells('the loss of it', (n) => n.type === 'pen' && !n.mine);
		two.type('from the new owner\n');
		await one.shows('got <from the new owner>');
		one.type('too late\n');
		two.type('end\n');
		await Promise.all([one.closed(), two.closed()]);
		assert.deepEqual(one.bytes, two.bytes);
		assert.ok(!one.text.includes('from the watcher'));
		assert.ok(!one.text.includes('too late'));
	});

	test('the terminal has the size of who types: watchers are told it, and change nothing by coming', async () => {
		const id = await shell(
			'echo ready-to-read; while read -r line; do echo "<$line> $(stty size)"; [ "$line" = end ] && exit; done',
		);
		const size = (cols, rows) => (n) => n.type === 'size' && n.cols === cols && n.rows === rows;
		const one = viewer(chomp, id, { cols: 91, rows: 17 });
		await one.shows('ready-to-read');
		const two = viewer(chomp, id, { cols: 40, rows: 50 });
		await two.tells('the size of the first', size(91, 17));
		await two.shows('ready-to-read'); // its host connection is there, and with it whatever that does
		one.type('before\n');
		await one.shows('<before> 17 91');
		one.control({ type: 'resize', cols: 100, rows: 30 });
		two.control({ type: 'resize', cols: 41, rows: 51 });
		await two.tells('the new size', size(100, 30));
		one.type('between\n');
		await two.shows('<between> 30 100');
		two.control({ type: 'pen', take: true });
		await one.tells('the size of the second', size(41, 51));
		two.type('after\n');
		await one.shows('<after> 51 41');
		two.type('end\n');
		await Promise.all([one.closed(), two.closed()]);
		assert.equal(one.notes.filter((n) => n.type === 'size').length, 1, 'who types is not told its own size');
	});

	test('the pen is free again when its holder leaves', async () => {
		const id = await shell(stdinEcho);
		const one = viewer(chomp, id);
		await one.shows('ready-to-read');
		one.close();
		await one.closed();
		const two = viewer(chomp, id);
		await two.tells('the pen', (n) => n.type === 'pen' && n.mine);
		await two.shows('ready-to-read');
		two.type('end\n');
		await two.closed();
	});

	test('a frozen viewer slows neither the agent nor the others', async () => {
		const id = await shell(
			'head -c 30000000 /dev/zero | tr "\\0" x | fold -w 79; echo; echo flood-over; read -r _',
		);
		const frozen = viewer(chomp, id, { offset: 0 });
		await frozen.opened();
		// a client that does not read: its socket is paused below the library
		const raw = Object.getOwnPropertySymbols(frozen.ws)
			.map((s) => frozen.ws[s])
			.find((x) => x?.socket ?? x?.kResponse);
		(raw?.socket ?? raw)?.pause?.();
		const live = viewer(chomp, id, { offset: 0 });
		await live.shows('flood-over');
		live.type('\n');
		live.control({ type: 'pen', take: true });
		await live.tells('the pen', (n) => n.type === 'pen' && n.mine);
		live.type('\n');
		await live.closed();
		await chomp.until(id, 'done');
		frozen.close();
	});
});

describe('staying', () => {
	for (const [role, what] of [
		['relay', 'the relay'],
		['sandbox host', 'the sandbox host'],
	]) {
		test(`after kill -9 of ${what} a viewer resumes byte for byte, and the agent has not noticed`, async () => {
			const id = await shell(
				'for i in $(seq 1 400); do echo "tick $i"; read -rt 0.01 _ || :; done; echo ready-to-read; read -r _; echo bye',
			);
			let v = viewer(chomp, id, { offset: 0 });
			await v.shows('tick 20');
			for (const pid of chomp.pids(role)) process.kill(pid, 'SIGKILL');
			const parts = [];
			let from = 0;
			for (;;) {
				const ended = await waitFor(
					'the last tick, or the end of the connection',
					async () => (v.text.includes('ready-to-read') ? 'shown' : v.end ? 'closed' : false),
					{ context: () => `${JSON.stringify(v.notes)}\n${v.text.slice(-500)}` },
				);
				parts.push(v.bytes);
				if (ended === 'shown') break;
				from = v.at === undefined ? from : v.offset;
				v = viewer(chomp, id, { offset: from });
			}
			v.control({ type: 'pen', take: true });
			await v.tells('the pen', (n) => n.type === 'pen' && n.mine);
			const ticks = Buffer.concat(parts)
				.toString()
				.match(/tick \d+\r/g);
			assert.deepEqual(
				ticks,
				Array.from({ length: 400 }, (_, i) => `tick ${i + 1}\r`),
			);
			v.type('\n');
			await chomp.until(id, 'done');
			v.close();
		});
	}
});

describe('who is kept out of the terminal', async () => {
	const id = await shell('echo secret-terminal; read -r _');
	const cookie = await login();
	const refused = [
		['nobody', { bearer: false }],
		['a wrong token', { bearer: 'x'.repeat(43) }],
		['a cookie without an Origin', { bearer: false, headers: { Cookie: cookie } }],
		[
			'a cookie with a foreign Origin',
			{ bearer: false, headers: { Cookie: cookie, Origin: 'http://evil.example' } },
		],
		['a cookie with the Origin null', { bearer: false, headers: { Cookie: cookie, Origin: 'null' } }],
		[
			'a cookie with the right name on another port',
			{ bearer: false, headers: { Cookie: cookie, Origin: 'http://127.0.0.1:1' } },
		],
		['a bearer with a foreign Origin', { headers: { Origin: 'http://evil.example' } }],
		[
			'a forged cookie',
			{
				bearer: false,
				headers: { Cookie: cookie.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A')), Origin: chomp.url },
			},
		],
		['a path that names no task', { path: '/ws/terminal/999999' }],
		['a path that is no task', { path: '/ws/terminal/../../etc/passwd' }],
	];
	for (const [who, options] of refused) {
		test(`${who} is refused`, async () => {
			const v = viewer(chomp, id, options);
			await v.refused();
			assert.equal(v.bytes.length, 0);
			assert.deepEqual(v.notes, []);
		});
	}
	test('a wrong Host is refused', async () => {
		const said = await request(chomp.url, {
			path: `/ws/terminal/${id}`,
			headers: {
				Host: 'evil.example',
				Upgrade: 'websocket',
				Connection: 'Upgrade',
				'Sec-WebSocket-Version': '13',
				'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
				Authorization: `Bearer ${chomp.token}`,
			},
		});
		assert.equal(said.status, 421);
	});
	test("an agent's own token is refused", async () => {
		const t = await chomp.create({
			prompt: 'echo "token=$(cat "$CHOMP_TOKEN_FILE")"; read -r _',
			agent: 'shell',
			run: true,
		});
		const token = await waitFor(
			'the token is shown',
			async () => /token=(\S+)/.exec(await chomp.output(t.id))?.[1],
		);
		const v = viewer(chomp, t.id, { bearer: token });
		await v.refused();
		await chomp.post('cancel', { id: t.id });
	});
	test('the cookie with our own Origin is let in, and signing out ends the connection within a second or so', async () => {
		const mine = await login();
		const v = viewer(chomp, id, { bearer: false, headers: { Cookie: mine, Origin: chomp.url } });
		await v.shows('secret-terminal');
		const began = Date.now();
		await request(chomp.url, { method: 'POST', path: '/logout', headers: { Cookie: mine, Origin: chomp.url } });
		await v.closed();
		assert.ok(Date.now() - began < 10_000);
		const again = viewer(chomp, id, { bearer: false, headers: { Cookie: mine, Origin: chomp.url } });
		await again.refused();
	});
	test('messages that are too large or too wild end the connection, and only that one', async () => {
		const good = viewer(chomp, id);
		await good.shows('secret-terminal');
		const large = viewer(chomp, id);
		await large.opened();
		large.ws.send(Buffer.alloc(200_000, 'a'));
		// nobody reads the rest of it, so the word why may be lost with the connection (1006)
		assert.ok([1009, 1006].includes((await large.closed()).code));
		const long = viewer(chomp, id);
		await long.opened();
		long.ws.send('x'.repeat(10_000));
		assert.equal((await long.closed()).code, 1009);
		const odd = viewer(chomp, id);
		await odd.opened();
		odd.ws.send('not json');
		odd.control({ type: 'resize', cols: -1, rows: 5 });
		odd.control({ type: 'unheard of' });
		await odd.tells('both complaints', () => odd.notes.filter((n) => n.type === 'error').length >= 2);
		odd.close();
		assert.equal(good.end, undefined);
		good.close();
	});
});

describe('events', () => {
	// One line of the stream at a time, as a browser would read it.
	async function* lines(headers) {
		const said = await fetch(`${chomp.url}/events`, { headers });
		assert.equal(said.status, 200);
		assert.match(said.headers.get('content-type'), /^text\/event-stream/);
		let rest = '';
		for await (const piece of said.body.pipeThrough(new TextDecoderStream())) {
			const all = (rest + piece).split('\n');
			rest = all.pop();
			yield* all;
		}
	}
	const owner = { Authorization: `Bearer ${chomp.token}` };

	test('a change is announced to everyone who listens', async () => {
		const listeners = [lines(owner), lines(owner)];
		for (const l of listeners) assert.match((await l.next()).value, /^:/, 'a comment at once');
		await chomp.create({ prompt: 'news', agent: 'shell' });
		for (const l of listeners) {
			let line;
			do line = (await l.next()).value;
			while (!line.startsWith('event:'));
			assert.equal(line, 'event: refreshTasks');
			await l.return();
		}
	});

	test('who comes back with an old event id is told at once', async () => {
		const l = lines({ ...owner, 'Last-Event-ID': '1' });
		let line;
		do line = (await l.next()).value;
		while (!line.startsWith('event:'));
		assert.equal(line, 'event: refreshTasks');
		await l.return();
	});

	test('nobody listens without identity', async () => {
		assert.equal((await fetch(`${chomp.url}/events`)).status, 401);
		assert.equal(
			(await fetch(`${chomp.url}/events`, { headers: { Cookie: await login(), Origin: 'http://evil.example' } }))
				.status,
			403,
		);
	});
});

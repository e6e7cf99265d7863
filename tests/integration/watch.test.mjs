// `chomp watch` in a terminal of its own (a pty made by script(1)): watch, type, share the pen, resume, leave, the exit code.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../lib/build.mjs';
import { shared } from '../lib/instance.mjs';
import { viewer } from '../lib/viewer.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const tokenFile = path.join(chomp.base, 'token');
fs.writeFileSync(tokenFile, chomp.token, { mode: 0o600 });
const clean = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('CHOMP_')));
const echo = 'echo ready-to-read; while read -r line; do echo "got <$line>"; [ "$line" = end ] && exit 3; done';
const start = async (script) => (await chomp.create({ prompt: script, agent: 'shell', run: true })).id;

function run(argv, env = {}) {
	const child = spawn(argv[0], argv.slice(1), {
		cwd: repoRoot,
		env: { ...clean, CHOMP_URL: chomp.url, CHOMP_TOKEN_FILE: tokenFile, ...env },
	});
	const w = { child, text: '', code: undefined };
	for (const stream of [child.stdout, child.stderr]) stream.on('data', (d) => (w.text += d));
	child.on('exit', (code, signal) => (w.code = code ?? signal));
	after(() => child.kill('SIGKILL'));
	return Object.assign(w, {
		type: (text) => child.stdin.write(text),
		shows: (what) => waitFor(`it shows ${what}`, () => w.text.includes(what), { context: () => `${w.code} ${w.text.slice(-1500)}` }),
		ends: () => waitFor('it ends', () => w.code !== undefined, { context: () => w.text.slice(-1500) }),
	});
}
const watch = (id, { cols = 91, rows = 17, args = '', ...env } = {}) =>
	run(['script', '-qefc', `stty cols ${cols} rows ${rows}; scripts/chomp watch ${args} ${id}`, '/dev/null'], env);

test('it shows, types, and ends with the exit code of the agent', async () => {
	const id = await start(`stty size; ${echo}`);
	const w = watch(id);
	await w.shows('ready-to-read');
	w.type('hello\r');
	await w.shows('got <hello>');
	w.type('end\r');
	await w.ends();
	assert.equal(w.code, 3);
	assert.match(w.text, /ended with exit code 3/);
	assert.ok(!w.text.includes(chomp.token));
});

test('the pen: watchers type nothing, Ctrl-] p takes it, with the size of the window; Ctrl-] q leaves', async () => {
	const id = await start(`trap 'stty size' WINCH; echo ready-to-read
		while :; do read -rt 0.2 line || continue; echo "got <$line>"; [ "$line" = end ] && exit 3; done`);
	const v = viewer(chomp, id);
	await v.shows('ready-to-read');
	v.control({ type: 'resize', cols: 120, rows: 40 });
	const w = watch(id);
	await w.shows('ready-to-read');
	await w.shows('drawn for 120 columns and 40 rows, here are 91 and 17');
	w.type('lost\r');
	await w.shows('you are watching');
	w.type('\x1dp');
	await w.shows('you may type');
	await v.shows('17 91');
	w.type('from here\r');
	await v.shows('got <from here>');
	assert.ok(!v.text.includes('lost'));
	v.control({ type: 'pen', take: true });
	await w.shows('somebody else types now');
	w.type('\x1dq');
	await w.ends();
	assert.equal(w.code, 0);
	assert.equal((await chomp.task(id)).status, 'active', 'the agent goes on');
	v.type('end\n');
	await chomp.until(id, 'failed');
});

test('after kill -9 of the relay it goes on where it was', async () => {
	const id = await start('for i in $(seq 1 300); do echo "tick $i"; read -rt 0.01 _ || :; done; echo ready-to-read; read -r _; echo over');
	const w = watch(id);
	await w.shows('tick 20\r');
	for (const pid of chomp.pids('relay')) process.kill(pid, 'SIGKILL');
	await w.shows('connection lost');
	await w.shows('ready-to-read'); // not the last tick: the loop's own read would still take the line
	w.type('\r');
	await w.ends();
	assert.equal(w.code, 0);
	assert.deepEqual(
		w.text.replace(/\r\n\x1b\[2m\[chomp: .*?\]\x1b\[0m\r\n/g, '').match(/tick \d+\r/g),
		Array.from({ length: 300 }, (_, i) => `tick ${i + 1}\r`),
	);
});

test('without a terminal it only shows; the token may come from chompctl', async () => {
	const id = await start('echo for a pipe; sleep 0.5; exit 7');
	const w = run(['scripts/chomp', 'watch', '--url', chomp.url, String(id)], { CHOMP_TOKEN_FILE: '', ...chomp.env });
	await w.ends();
	assert.equal(w.code, 7);
	assert.match(w.text, /for a pipe/);
});

test('a wrong token, an unknown task and wrong usage are told', async () => {
	const wrong = path.join(chomp.base, 'wrong');
	fs.writeFileSync(wrong, 'x'.repeat(43));
	const id = await start('read -r _');
	for (const [argv, code, text] of [
		[[String(id), '--token-file', wrong], 1, /refused/],
		[['999999'], 1, /no such task/],
		[['abc'], 2, /number of a task/],
		[[], 2, /number of a task/],
		[['--url', 'gopher://x', String(id)], 2, /http:/],
		[['--help'], 0, /Ctrl-\] q/],
	]) {
		const w = run(['scripts/chomp', 'watch', ...argv]);
		await w.ends();
		assert.equal(w.code, code, w.text);
		assert.match(w.text, text);
	}
	await chomp.post('cancel', { id });
});

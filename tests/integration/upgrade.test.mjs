// New programs under load: `chompctl reload` refuses no request, loses no byte of a terminal, and every program is the new one.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { buildDir } from '../lib/build.mjs';
import { startInstance } from '../lib/instance.mjs';
import { tempDir } from '../lib/repo.mjs';
import { viewer } from '../lib/viewer.mjs';
import { waitFor } from '../lib/wait.mjs';

const LINES = 400;
const dir = tempDir('chomp-upgrade');
fs.chmodSync(dir, 0o755);
const bin = path.join(dir, 'bin');
fs.cpSync(path.join(buildDir, 'bin'), bin, { recursive: true });
const chomp = await startInstance({ env: { CHOMP_BIN: bin } });
after(async () => {
	await chomp.stop();
	fs.rmSync(dir, { recursive: true, force: true });
});

// As a package does it: each new program takes the place of the old one by its name.
function upgrade() {
	for (const name of fs.readdirSync(bin)) {
		fs.copyFileSync(path.join(bin, name), path.join(bin, `.${name}`));
		fs.chmodSync(path.join(bin, `.${name}`), 0o755);
		fs.renameSync(path.join(bin, `.${name}`), path.join(bin, name));
	}
}
// A program whose file is gone is one of before.
const runsOld = (role) => chomp.pids(role).some((pid) => fs.readlinkSync(`/proc/${pid}/exe`).includes('(deleted)'));

// Writes and reads, as fast as four clients can, until told to stop.
function load() {
	const seen = { answers: 0, made: [], wrong: [] };
	let over = false;
	const client = async () => {
		while (!over) {
			const said = await chomp.api.post('/api/tasks', { prompt: 'x', agent: 'shell' }).catch((e) => ({ text: e.message }));
			if (said.status === 200) seen.made.push(said.json().id);
			else seen.wrong.push(`${said.status} ${said.text}`);
			const list = await chomp.api.get('/api/tasks?limit=5').catch((e) => ({ text: e.message }));
			if (list.status !== 200) seen.wrong.push(`${list.status} ${list.text}`);
			seen.answers += 2;
		}
	};
	const all = Promise.all(Array.from({ length: 4 }, client));
	seen.stop = async () => {
		over = true;
		await all;
	};
	return seen;
}

// Every byte from the first, over as many connections as it takes.
async function follow(id) {
	const parts = [];
	let from = 0;
	for (;;) {
		const v = viewer(chomp, id, { offset: from });
		await waitFor('the terminal closes', () => v.end);
		parts.push(v.bytes);
		if (v.note('exit')) return Buffer.concat(parts).toString();
		from = v.at === undefined ? from : v.offset;
	}
}

test('three reloads under load', async () => {
	const task = await chomp.create({
		agent: 'shell',
		run: true,
		prompt: `for i in $(seq 1 ${LINES}); do echo "line $i"; sleep 0.02; done`,
	});
	const parent = chomp.pids('worker parent');
	const text = follow(task.id);
	const seen = load();
	for (let i = 0; i < 3; i++) {
		upgrade();
		const before = seen.answers;
		const said = await chomp.ctl(['reload']);
		assert.equal(said.code, 0, said.text);
		await waitFor('every program is the new one', () =>
			['worker parent', 'worker', 'relay', 'dispatcher', 'sandbox host'].every((role) => !runsOld(role)),
		);
		await waitFor('it goes on', () => seen.answers > before + 20);
	}
	await seen.stop();
	assert.deepEqual(seen.wrong, []);
	assert.deepEqual(chomp.pids('worker parent'), parent, 'the pool kept its process, and with it its socket');
	const ids = new Set((await chomp.api.get('/api/state')).json().tasks.map((t) => t.id));
	assert.deepEqual(seen.made.filter((id) => !ids.has(id)), []);
	assert.equal(new Set(seen.made).size, seen.made.length);
	const lines = (await text).match(/line \d+\r/g);
	assert.deepEqual(lines, Array.from({ length: LINES }, (_, i) => `line ${i + 1}\r`));
	assert.equal((await chomp.until(task.id, 'done')).sessions.length, 1, 'the agent has not noticed');
});

test('a new version that does not start is told, and the requests go on', async () => {
	fs.writeFileSync(path.join(bin, '.broken'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
	fs.renameSync(path.join(bin, '.broken'), path.join(bin, 'chomp-relay'));
	const said = await chomp.ctl(['reload']);
	assert.equal(said.code, 1);
	assert.match(said.text, /chomp-relay has not come through its start/);
	assert.equal((await chomp.api.get('/api/tasks')).status, 200);
});

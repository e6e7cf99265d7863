// `make install`: what it lays out runs without the clone, has a unit that systemd accepts, and goes away again.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { buildDir, repoRoot } from '../lib/build.mjs';
import { request } from '../lib/http.mjs';
import { freePort } from '../lib/port.mjs';
import { belongingTo, describe as tell } from '../lib/processes.mjs';
import { tempDir } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

const dest = tempDir('chomp-install');
fs.chmodSync(dest, 0o755); // as /usr is; from a closed place the programs would be copied first
const lib = path.join(dest, 'usr/lib/chomp');
const chompctl = path.join(dest, 'usr/bin/chompctl');
const make = (target) =>
	spawnSync('make', [target, `DESTDIR=${dest}`, 'PREFIX=/usr', `VARIANT=${path.basename(buildDir)}`], {
		cwd: repoRoot,
		encoding: 'utf8',
	});
const files = () =>
	fs
		.readdirSync(dest, { recursive: true, withFileTypes: true })
		.filter((e) => !e.isDirectory())
		.map((e) => path.join(e.parentPath, e.name));

describe('make install', () => {
	before(() => {
		const r = make('install');
		assert.equal(r.status, 0, r.stdout + r.stderr);
	});
	after(() => fs.rmSync(dest, { recursive: true, force: true }));

	test('nothing of it points back to the clone', () => {
		for (const file of files()) {
			if (fs.lstatSync(file).isSymbolicLink()) assert.ok(fs.realpathSync(file).startsWith(dest), file);
			else assert.ok(!fs.readFileSync(file).includes(`${repoRoot}/scripts`), file);
		}
	});

	test('it starts, stays with its supervisor through a restart, and ends on SIGTERM', async (t) => {
		const port = await freePort();
		const CHOMP_VAR = path.join(dest, 'var');
		const env = { PATH: process.env.PATH, HOME: dest, CHOMP_VAR, CHOMP_PORT: String(port) };
		const up = spawn(chompctl, ['up', '--foreground'], { env, stdio: 'ignore' });
		t.after(() => spawnSync(chompctl, ['down'], { env }));
		const answers = async () =>
			(await request(`http://127.0.0.1:${port}`, { path: '/api/health' }).catch(() => ({}))).status === 200;
		await waitFor('it answers', answers);
		assert.ok(belongingTo(dest).some((p) => p.cmdline.startsWith(`${lib}/bin/chomp-worker`)), tell(belongingTo(dest)));
		const again = spawnSync(chompctl, ['restart'], { env, encoding: 'utf8' });
		assert.equal(again.status, 0, again.stderr);
		await waitFor('it answers again', answers);
		assert.equal(up.exitCode, null, 'whoever holds it in the foreground stays');
		up.kill('SIGTERM');
		await waitFor('it has ended', () => up.exitCode !== null);
		assert.equal(up.exitCode, 0);
		await waitFor('nothing is left', () => belongingTo(dest).length === 0, { context: () => tell(belongingTo(dest)) });
	});

	test('systemd takes the unit', { skip: spawnSync('systemd-analyze', ['--version']).error && 'no systemd here' }, () => {
		const text = fs.readFileSync(path.join(dest, 'usr/lib/systemd/system/chomp.service'), 'utf8');
		const unit = path.join(dest, 'chomp.service');
		fs.writeFileSync(unit, text.replaceAll('/usr/lib/chomp', lib));
		const r = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
		assert.equal(r.stdout + r.stderr, '');
		assert.equal(r.status, 0);
		fs.rmSync(unit);
	});

	test('make uninstall leaves no file', () => {
		fs.rmSync(path.join(dest, 'var'), { recursive: true, force: true });
		const r = make('uninstall');
		assert.equal(r.status, 0, r.stderr);
		assert.deepEqual(files(), []);
	});
});

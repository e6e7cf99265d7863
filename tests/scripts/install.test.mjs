// scripts/agent-install with an npm of the test's own: what is there when it fails, and what is there when it works.
// (The real one is run by agents.test.mjs.)

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, test } from 'node:test';
import { tempDir } from '../lib/repo.mjs';
import { scripts } from './box.mjs';

const opencode = 'node_modules/opencode-linux-x64-baseline/bin/opencode';
const pinned = JSON.parse(fs.readFileSync(path.join(scripts, 'agents/opencode/package.json'), 'utf8')).optionalDependencies['opencode-linux-x64-baseline'];
let dir;
let agents;

beforeEach(() => {
	dir = tempDir();
	agents = path.join(dir, 'agents');
	fs.mkdirSync(path.join(dir, 'bin'));
});

// npm, played by a script that runs in the directory to install into
function npm(script) {
	fs.writeFileSync(path.join(dir, 'bin/npm'), `#!/bin/bash\nprintf '%s\\n' "$*" >>"${dir}/npm-was-called"\n${script}\n`, { mode: 0o755 });
}

const program = (version) => `mkdir -p ${path.dirname(opencode)} && printf '#!/bin/sh\\necho "${version}"\\n' >${opencode} && chmod 700 ${opencode}`;

function install(...args) {
	const said = spawnSync(path.join(scripts, 'agent-install'), args, {
		encoding: 'utf8', env: { PATH: `${dir}/bin:/usr/bin:/bin`, HOME: dir, CHOMP_AGENTS: agents, SECRET_CANARY: 'x' },
	});
	return { code: said.status, out: said.stdout, err: said.stderr };
}

const leftovers = () => fs.readdirSync(agents).filter((f) => f !== '.lock');

test('installs by npm ci without install scripts; others can read and run it; again is nothing to do', () => {
	npm(`${program(pinned)}; test -f package-lock.json`);
	assert.match(install('list').out, /^opencode \S+ missing$/m);
	const first = install('install', 'opencode');
	assert.equal(first.code, 0, first.err);
	assert.match(fs.readFileSync(path.join(dir, 'npm-was-called'), 'utf8'), /^ci .*--ignore-scripts/);
	assert.deepEqual(leftovers(), ['opencode']);
	assert.equal(fs.statSync(path.join(agents, 'opencode', opencode)).mode & 0o777, 0o755);
	assert.equal(fs.statSync(path.join(agents, 'opencode')).mode & 0o777, 0o755);
	for (const launcher of ['bin/opencode', 'node_modules/.bin/opencode'])
		assert.equal(spawnSync(path.join(agents, 'opencode', launcher), [], { encoding: 'utf8' }).stdout, `${pinned}\n`);
	assert.match(install('list').out, /^opencode \S+ installed$/m);
	assert.match(install('install', 'opencode').out, /is installed/);
	assert.equal(fs.readFileSync(path.join(dir, 'npm-was-called'), 'utf8').split('\n').length, 2);
});

test('works from wherever the directory is bound', () => {
	npm(program(pinned));
	install('install', 'opencode');
	fs.renameSync(agents, path.join(dir, 'elsewhere'));
	assert.equal(spawnSync(path.join(dir, 'elsewhere/opencode/bin/opencode'), [], { encoding: 'utf8' }).stdout, `${pinned}\n`);
});

const broken = [
	['npm fails', 'echo "network is down" >&2; exit 1', /network is down[^]*npm could not install it/],
	['there is no build for this machine', 'true', /no build for this machine/],
	['it is another version', program('0.0.1'), /--version says: 0\.0\.1/],
	['it does not start', `${program(pinned)}; printf '#!/bin/sh\\nexit 3\\n' >${opencode}`, /--version says: nothing/],
];
for (const [name, script, message] of broken)
	test(`when ${name}, nothing is installed and what was there stays`, () => {
		npm(script);
		const said = install('install', 'opencode');
		assert.equal(said.code, 1);
		assert.match(said.err, message);
		assert.deepEqual(leftovers(), []);

		npm(program(pinned));
		assert.equal(install('install', 'opencode').code, 0);
		fs.appendFileSync(path.join(agents, 'opencode/package-lock.json'), ' '); // as if other pins had been installed
		assert.match(install('list').out, /^opencode \S+ other-version$/m);
		npm(script);
		assert.equal(install('install', 'opencode').code, 1);
		assert.deepEqual(leftovers(), ['opencode']);
		assert.equal(spawnSync(path.join(agents, 'opencode/bin/opencode'), [], { encoding: 'utf8' }).stdout, `${pinned}\n`);

		npm(program(pinned));
		assert.equal(install('install', 'opencode').code, 0);
		assert.match(install('list').out, /^opencode \S+ installed$/m);
		assert.deepEqual(leftovers(), ['opencode']);
	});

test('a broken installation is mended', () => {
	npm(program(pinned));
	install('install', 'opencode');
	fs.writeFileSync(path.join(agents, 'opencode', opencode), '#!/bin/sh\nexit 1\n');
	assert.equal(install('install', 'opencode').code, 0);
	assert.equal(spawnSync(path.join(agents, 'opencode/bin/opencode'), [], { encoding: 'utf8' }).stdout, `${pinned}\n`);
});

test('what an interrupted run left is cleared away', () => {
	npm(program(pinned));
	fs.mkdirSync(path.join(agents, '.opencode.new.abc123/node_modules'), { recursive: true });
	fs.mkdirSync(path.join(agents, '.pi.old.77'), { recursive: true });
	assert.equal(install('install', 'opencode').code, 0);
	assert.deepEqual(leftovers(), ['opencode']);
});

test('the agent is asked for its version without our environment', () => {
	npm(`${program(pinned)}; printf '#!/bin/sh\\necho "%s$SECRET_CANARY"\\n' ${pinned} >${opencode}`);
	assert.equal(install('install', 'opencode').code, 0);
});

test('remove, and remove what is not there', () => {
	npm(program(pinned));
	install('install', 'opencode');
	assert.match(install('remove', 'opencode').out, /is removed/);
	assert.deepEqual(leftovers(), []);
	assert.match(install('remove', 'opencode').out, /not installed/);
});

test('no npm: says how to get it', () => {
	const said = spawnSync(path.join(scripts, 'agent-install'), ['install', 'opencode'], { encoding: 'utf8', env: { PATH: barePath(), HOME: dir, CHOMP_AGENTS: agents } });
	assert.equal(said.status, 1);
	assert.match(said.stderr, /apt-get install npm/);
});

// a PATH with everything but npm
function barePath() {
	const bare = path.join(dir, 'bare');
	fs.mkdirSync(bare);
	for (const tool of ['bash', 'env', 'sed', 'mkdir', 'flock', 'rm', 'mktemp', 'grep', 'cmp', 'tail', 'timeout', 'cp'])
		fs.symlinkSync(`/usr/bin/${tool}`, path.join(bare, tool));
	return bare;
}

for (const [name, args, code] of [['no verb', [], 2], ['unknown verb', ['frob'], 2], ['no agent', ['install'], 1], ['unknown agent', ['install', 'frob'], 1],
	['a path', ['remove', '../../etc'], 1], ['an agent that cannot be installed', ['install', 'shelley'], 1]])
	test(`refused: ${name}`, () => {
		const said = install(...args);
		assert.equal(said.code, code);
		assert.notEqual(said.err, '');
	});

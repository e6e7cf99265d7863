// One container of the engine: a bubblewrap box that looks like the image (worker-ts/container), made from the very files that the
// image is made from. What it cannot show: the base image's own server, and, where the tests do not run as root, the change of user.

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Real root can have two users in the box, as the image has; everybody else gets a user namespace with one.
const asRoot =
	process.getuid() === 0 &&
	spawnSync('bwrap', ['--unshare-pid', '--ro-bind', '/', '/', '--proc', '/proc', 'true']).status === 0;
const AGENT = 1000;

const etc = ['alternatives', 'ca-certificates', 'hosts', 'ld.so.cache', 'localtime', 'nsswitch.conf', 'resolv.conf', 'ssl', 'terminfo'];

function writeUsers(dir) {
	const agent = asRoot ? `agent:x:${AGENT}:${AGENT}::/home/agent:/bin/bash\n` : '';
	fs.writeFileSync(path.join(dir, 'passwd'), `root:x:0:0::/root:/bin/bash\n${agent}`);
	fs.writeFileSync(path.join(dir, 'group'), `root:x:0:\n${asRoot ? `agent:x:${AGENT}:\n` : ''}`);
}

const binds = (stage, dir) => [
	['--ro-bind', '/usr', '/usr'],
	...['bin', 'sbin', 'lib', 'lib64'].map((d) => ['--symlink', `usr/${d}`, `/${d}`]),
	['--ro-bind', path.join(stage, 'bin'), '/usr/local/bin'],
	['--ro-bind', path.join(stage, 'share'), '/usr/local/share'],
	['--proc', '/proc'],
	['--dev', '/dev'],
	...etc.map((f) => ['--ro-bind-try', `/etc/${f}`, `/etc/${f}`]),
	...['passwd', 'group'].map((f) => ['--ro-bind', path.join(dir, f), `/etc/${f}`]),
	...['/opt', '/opt/agents', '/var', '/var/lib', '/home', '/run', '/root'].map((d) => ['--dir', d]),
	['--ro-bind', path.join(stage, 'opt/chomp'), '/opt/chomp'],
	...['workspace', 'home', 'lib', 'tmp'].map((d, i) => [
		'--bind',
		path.join(dir, d),
		['/workspace', '/home/agent', '/var/lib/chomp', '/tmp'][i],
	]),
	['--ro-bind', path.join(import.meta.dirname, 'pty.pl'), '/run/pty.pl'],
];

export async function startContainer(stage, dir) {
	for (const d of ['workspace', 'home', 'lib/in', 'lib/box', 'tmp']) fs.mkdirSync(path.join(dir, d), { recursive: true });
	fs.chmodSync(path.join(dir, 'tmp'), 0o1777);
	fs.chmodSync(path.join(dir, 'lib/box'), 0o700);
	if (asRoot) for (const d of ['workspace', 'home']) fs.chownSync(path.join(dir, d), AGENT, AGENT);
	writeUsers(dir);
	const child = spawn(
		'bwrap',
		[
			...(asRoot ? [] : ['--unshare-user', '--uid', '0', '--gid', '0']),
			'--unshare-pid',
			'--unshare-ipc',
			'--die-with-parent',
			'--json-status-fd',
			'3',
			...binds(stage, dir).flat(),
			'--chdir',
			'/workspace',
			'bash',
			'-c',
			': >/tmp/.up; exec sleep infinity',
		],
		{ stdio: ['ignore', 'ignore', 'inherit', 'pipe'], env: { PATH: '/usr/bin:/bin' } },
	);
	const gone = new Promise((resolve) => child.on('close', resolve));
	const pid = await new Promise((resolve, reject) => {
		let text = '';
		child.on('error', reject);
		child.on('close', (code) => reject(new Error(`bwrap ended with ${code}`)));
		child.stdio[3].on('data', (d) => {
			text += d;
			const [, found] = /"child-pid": *(\d+)/.exec(text) ?? [];
			if (found) resolve(Number(found));
		});
	});
	const up = path.join(dir, 'tmp/.up');
	// its number is told before its files are in place
	while (!fs.existsSync(up)) await sleep(2);
	fs.rmSync(up);
	const enter = ['-t', String(pid), ...(asRoot ? [] : ['-U', '--preserve-credentials']), '-m', '-p', '-i'];
	return {
		gone,
		// a process in it; argv is run by nsenter, which waits for it and ends as it did
		run: (argv, { env = {}, cwd = '/workspace', stdio = ['ignore', 'pipe', 'pipe'] } = {}) =>
			spawn('nsenter', [...enter, '--', 'bash', '-c', 'cd -- "$0" && exec "$@"', cwd, ...argv], {
				stdio,
				env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', HOME: '/root', ...env },
			}),
		async end() {
			child.kill('SIGKILL');
			await gone;
		},
	};
}

// Starts a real chomp-sandbox for itself: own directory, own secret, own address, as another user when the tests run as root.
//
// startLocalHost({ listen: 'unix' | 'tcp', callback: 'network' | 'socket', capacity, env, args })
//   -> { url, secretFile, secret, dir, callbackSocket, capacity, pid, log(), restart(), stop() }

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { program, repoRoot } from './build.mjs';
import { request } from './http.mjs';
import { freePort } from './port.mjs';
import { describe, endAll, isAlive, kill } from './processes.mjs';
import { tempDir } from './repo.mjs';
import { waitFor } from './wait.mjs';

const NOBODY = 65534;
const asRoot = process.getuid() === 0;

function own(file) {
	if (asRoot) fs.chownSync(file, NOBODY, NOBODY);
	return file;
}

export async function startLocalHost({
	listen = 'unix',
	callback = 'network',
	capacity = 8,
	env = {},
	args = [],
	withSecret = true,
} = {}) {
	const dir = tempDir('chomp-host');
	// Staged: the clone may lie where the other user cannot go.
	const opt = path.join(dir, 'opt');
	fs.mkdirSync(opt);
	for (const name of ['chomp-sandbox', 'chomp-shim']) fs.copyFileSync(program(name), path.join(opt, name));
	fs.cpSync(path.join(repoRoot, 'scripts'), path.join(opt, 'scripts'), { recursive: true });
	const boxes = own(fs.mkdirSync(path.join(dir, 'sandboxes'), { recursive: true, mode: 0o700 }));
	const run = own(fs.mkdirSync(path.join(dir, 'run'), { recursive: true }));
	const secret = randomBytes(32).toString('base64url');
	const secretFile = path.join(dir, 'secret');
	fs.writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
	own(secretFile);
	let callbackSocket;
	if (callback === 'socket') {
		fs.mkdirSync(path.join(dir, 'callback'));
		callbackSocket = path.join(dir, 'callback', 'api.sock');
	}
	const port = listen === 'tcp' ? await freePort() : 0;
	const url = listen === 'tcp' ? `http://127.0.0.1:${port}` : `unix:${path.join(run, 'sandbox.sock')}`;
	const argv = [
		'--dir',
		boxes,
		'--listen',
		listen === 'tcp' ? `127.0.0.1:${port}` : url,
		'--lock',
		path.join(run, 'lock'),
		...(withSecret ? ['--secret-file', secretFile] : []),
		'--scripts',
		path.join(opt, 'scripts'),
		'--agents',
		path.join(dir, 'agents'),
		...(callbackSocket ? ['--callback', path.dirname(callbackSocket)] : []),
		'--shim',
		path.join(opt, 'chomp-shim'),
		'--capacity',
		String(capacity),
		...args,
	];
	const logFile = path.join(dir, 'host.log');
	let child;
	const log = () => fs.readFileSync(logFile, 'utf8');

	async function start(extra = {}) {
		const out = fs.openSync(logFile, 'a');
		child = spawn(path.join(opt, 'chomp-sandbox'), argv, {
			cwd: '/',
			stdio: ['ignore', out, out],
			...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
			env: {
				PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
				LANG: 'C.UTF-8',
				CHOMP_TEST_CANARY: 'canary-of-the-host',
				...env,
				...extra,
			},
		});
		fs.closeSync(out);
		child.on('error', () => {});
		await waitFor(
			'the sandbox host answers /health',
			async () => {
				if (child.exitCode !== null || child.signalCode !== null) return true;
				return (await request(url, { path: '/health', timeoutMs: 5000 })).status === 200;
			},
			{ context: log },
		);
		if (child.exitCode !== null || child.signalCode !== null)
			throw new Error(`chomp-sandbox ended with ${child.exitCode ?? child.signalCode}:\n${log()}`);
	}

	async function end(signal) {
		if (child.exitCode === null && child.signalCode === null) kill(child.pid, signal);
		await waitFor(`chomp-sandbox ends on ${signal}`, () => child.exitCode !== null || child.signalCode !== null, {
			context: log,
		});
		return child.exitCode ?? child.signalCode;
	}

	try {
		await start();
	} catch (e) {
		await endAll(dir);
		fs.rmSync(dir, { recursive: true, force: true });
		throw e;
	}
	return {
		url,
		secret,
		secretFile: withSecret ? secretFile : undefined,
		dir,
		boxes,
		callbackSocket,
		capacity,
		log,
		end,
		start,
		argv,
		opt,
		get pid() {
			return child.pid;
		},
		// drained, then everything that is left is ended by pid; `left` tells a test what should not have been there
		async stop() {
			if (isAlive(child.pid)) kill(child.pid, 'SIGUSR1');
			await waitFor('the host drains', () => !isAlive(child.pid)).catch(() => {});
			const left = await endAll(dir);
			fs.rmSync(dir, { recursive: true, force: true });
			return describe(left);
		},
	};
}

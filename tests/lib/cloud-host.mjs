// The Cloudflare host on this machine: the Worker of worker-ts/ in workerd, with only Cloudflare's SDK mocked (worker-ts/test/serve.mjs).
//
// startCloudHost({ capacity, containers }) -> { url, secret, secretFile, capacity, log(), control({…}), calls(), stop() }
//   control, calls: the engine behind the mock, see worker-ts/test/engine/engine.mjs

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { repoRoot } from './build.mjs';
import { request } from './http.mjs';
import { tempDir } from './repo.mjs';
import { waitFor } from './wait.mjs';

export const workerDir = path.join(repoRoot, 'worker-ts');

// Why it cannot run here, or false: to be given as a test's `skip`.
export const noCloudHost =
	!fs.existsSync(path.join(workerDir, 'node_modules')) && 'worker-ts/node_modules is missing: scripts/setup test';

export async function startCloudHost({ capacity = 6, containers } = {}) {
	const dir = tempDir('chomp-cloud');
	const secret = randomBytes(32).toString('base64url');
	const secretFile = path.join(dir, 'secret');
	fs.writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
	const logFile = path.join(dir, 'worker.log');
	const log = () => fs.readFileSync(logFile, 'utf8');
	const err = fs.openSync(logFile, 'a');
	const child = spawn(
		process.execPath,
		[path.join(workerDir, 'test/serve.mjs'), dir, String(capacity), secret, ...(containers ? [String(containers)] : [])],
		{
			stdio: ['pipe', 'pipe', err],
			env: {
				PATH: process.env.PATH,
				HOME: dir,
				LANG: 'C.UTF-8',
				...(process.env.TMPDIR ? { TMPDIR: process.env.TMPDIR } : {}),
			},
		},
	);
	fs.closeSync(err);
	let said = '';
	child.stdout.on('data', (d) => (said += d));
	const ended = () => child.exitCode !== null || child.signalCode !== null;
	await waitFor('the Worker answers', async () => said.includes('\n') || ended(), { context: log });
	if (ended()) throw new Error(`worker-ts/test/serve.mjs ended with ${child.exitCode ?? child.signalCode}:\n${log()}`);
	const { url, engine } = JSON.parse(said.split('\n')[0]);
	const ask = async (route, body) =>
		(await request(engine, { method: body ? 'POST' : 'GET', path: route, body: body && JSON.stringify(body) })).json().value;
	return {
		url,
		secret,
		secretFile,
		capacity,
		log,
		control: (what) => ask('/control', what),
		calls: () => ask('/calls'),
		async stop() {
			child.stdin.end();
			await waitFor('the Worker ends', ended, { context: log });
			fs.rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
		},
	};
}

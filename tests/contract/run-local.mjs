// Runs the contract suite against the local host as it is used: once by unix socket with callbacks over the network, once
// by TCP with callbacks by unix socket. Arguments go to `node --test` (for instance --test-name-pattern=kill).

import { spawn } from 'node:child_process';
import path from 'node:path';
import { startLocalHost } from '../lib/local-host.mjs';

const ways = [
	{ listen: 'unix', callback: 'network' },
	{ listen: 'tcp', callback: 'socket' },
];
let failed = 0;
for (const way of ways) {
	const host = await startLocalHost({ ...way, capacity: 8 });
	console.log(`# ${way.listen} socket, callback by ${way.callback}: ${host.url}`);
	const code = await new Promise((resolve) => {
		const child = spawn(
			process.execPath,
			['--test', ...process.argv.slice(2), path.join(import.meta.dirname, 'host.test.mjs')],
			{
				stdio: 'inherit',
				env: {
					...process.env,
					CHOMP_HOST_URL: host.url,
					CHOMP_HOST_SECRET_FILE: host.secretFile,
					CHOMP_HOST_KIND: 'local',
					CHOMP_HOST_CAPACITY: String(host.capacity),
					...(host.callbackSocket ? { CHOMP_HOST_CALLBACK_SOCKET: host.callbackSocket } : {}),
				},
			},
		);
		child.on('close', resolve);
	});
	if (code !== 0 && process.env.CHOMP_TEST_VERBOSE) console.log(host.log());
	const left = await host.stop();
	if (left) console.log(`# left after the drain:\n${left}`);
	failed += code !== 0 || left ? 1 : 0;
}
process.exit(failed ? 1 : 0);

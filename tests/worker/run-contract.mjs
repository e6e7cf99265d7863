// Runs the contract suite against the Cloudflare host: the bundled Worker in workerd, only Cloudflare's SDK mocked. Arguments go to
// `node --test`.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { startCloudHost } from '../lib/cloud-host.mjs';

const host = await startCloudHost();
console.log(`# the Worker in workerd: ${host.url}`);
const code = await new Promise((resolve) => {
	const child = spawn(
		process.execPath,
		['--test', ...process.argv.slice(2), path.join(import.meta.dirname, '../contract/host.test.mjs')],
		{
			stdio: 'inherit',
			env: {
				...process.env,
				CHOMP_HOST_URL: host.url,
				CHOMP_HOST_SECRET_FILE: host.secretFile,
				CHOMP_HOST_KIND: 'cloudflare',
				CHOMP_HOST_CAPACITY: String(host.capacity),
			},
		},
	);
	child.on('close', resolve);
});
if (code !== 0 && process.env.CHOMP_TEST_VERBOSE) console.log(host.log());
await host.stop();
process.exit(code === 0 ? 0 : 1);

// Scripts for the agent `shell` that a test can follow and step: they speak to a callback server of the test's own, over the
// network, beside chomp's callbacks.

import { startCallbackServer } from './callback-server.mjs';

// Boxes reach nothing on this machine's loopback but what the owner opens: an instance opens these (instance.mjs).
export const steppers = new Set();

export async function startStepper(options) {
	const server = await startCallbackServer(options);
	steppers.add(new URL(server.url).host);
	// put NAME <data, and wait_for NAME, as in callback-server.mjs, but to the test's server
	const script = (text) => `
put() { curl -sS -m 600 -X POST -H 'Content-Type: application/octet-stream' --data-binary @- "${server.url}/put/$1" >/dev/null; }
wait_for() { curl -sS -m 600 "${server.url}/wait/$1" >/dev/null; }
export -f put wait_for
${text}
`;
	return Object.assign(server, { script });
}

// The other end of a box's callbacks, for tests that have no chomp: records every request and steps the script in the box.
//
//   anything under /api/        answered 200 {"next":"done"} unless reply() said otherwise
//   POST /put/<name>            keeps the body under that name; every time counts
//   GET  /wait/<name>           answers when the test calls release(name): the script and the test go in step, nobody sleeps
//
// A script in the box gets the shell functions put and wait_for from `prelude`.

import http from 'node:http';
import fs from 'node:fs';
import { waitFor } from './wait.mjs';

export const prelude = `
_chomp_test_curl() { curl -sS -m 600 \${CHOMP_API_SOCKET:+--unix-socket "$CHOMP_API_SOCKET"} "$@"; }
put() { _chomp_test_curl -X POST -H 'Content-Type: application/octet-stream' --data-binary @- "$CHOMP_API/put/$1" >/dev/null; }
wait_for() { _chomp_test_curl "$CHOMP_API/wait/$1" >/dev/null; }
`;

export async function startCallbackServer({ host = '127.0.0.1', port = 0, socketPath, publicUrl } = {}) {
	const requests = [];
	const waiting = new Map();
	const released = new Set();
	let reply = () => undefined;

	const server = http.createServer((rq, res) => {
		const parts = [];
		rq.on('data', (p) => parts.push(p));
		rq.on('end', () => {
			const body = Buffer.concat(parts);
			const path = rq.url;
			requests.push({ method: rq.method, path, headers: rq.headers, body, at: Date.now() });
			if (path.startsWith('/wait/')) {
				const name = path.slice('/wait/'.length);
				if (released.has(name)) return res.end('go\n');
				waiting.set(name, [...(waiting.get(name) || []), res]);
				return undefined;
			}
			const said = reply({ method: rq.method, path, headers: rq.headers, body });
			if (said?.cut) return rq.socket.destroy(); // it took effect, and nobody is told
			res.writeHead(said?.status ?? 200, { 'Content-Type': 'application/json', ...said?.headers });
			res.end(said?.raw ?? JSON.stringify(said?.body ?? { id: '1', status: 'active', next: 'done' }));
		});
	});
	server.keepAliveTimeout = 1000;
	await new Promise((resolve, reject) => {
		server.on('error', reject);
		if (socketPath) {
			fs.rmSync(socketPath, { force: true });
			// a box runs as another user than the test
			server.listen({ path: socketPath, readableAll: true, writableAll: true }, resolve);
		} else {
			server.listen(port, host, resolve);
		}
	});
	const url = publicUrl || (socketPath ? 'http://127.0.0.1:9' : `http://${host}:${server.address().port}`);

	const puts = (name) => requests.filter((r) => r.path === `/put/${name}`);
	return {
		url,
		requests,
		puts,
		// the body of the first put under that name, waited for
		put: async (name, options) => (await waitFor(`the box puts "${name}"`, () => puts(name)[0], options)).body,
		calls: (verb) => requests.filter((r) => r.path === `/api/tasks/${verb}`),
		waits: (name) => requests.filter((r) => r.path === `/wait/${name}`),
		release(name) {
			released.add(name);
			for (const res of waiting.get(name) || []) res.end('go\n');
			waiting.delete(name);
		},
		onRequest: (fn) => (reply = fn),
		close: () =>
			new Promise((resolve) => {
				server.close(resolve);
				server.closeAllConnections();
			}),
	};
}

// A TCP port on loopback that nobody has, below the range from which the kernel takes ports for outgoing connections: a port
// from that range can be gone again before the program under test binds it.

import net from 'node:net';

const FIRST = 18_000;
const LAST = 29_999;

const isFree = (port) =>
	new Promise((resolve) => {
		const s = net.createServer();
		s.on('error', () => resolve(false));
		s.listen({ port, host: '127.0.0.1', exclusive: true }, () => s.close(() => resolve(true)));
	});

export async function freePort() {
	for (;;) {
		const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
		if (await isFree(port)) return port;
	}
}

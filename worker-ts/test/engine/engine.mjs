// What stands behind the mocked SDK (test/mock/sandbox.ts): containers on this machine, driven over loopback. It behaves as the SDK
// 0.12 is documented and was seen to behave, the nasty parts included:
//
// - whatever touches a sandbox without a container starts a new, empty one; getState alone does not
// - getProcess never answers for a process whose wrapper vanished without an exit code
// - a process in a directory that does not exist has no pid and runs for ever
// - a terminal's program that ends ends nothing: the next typing closes with 1011; a destroyed container closes with 1000
// - 503 from the terminal while the container starts
//
// Tests add what a cloud does by itself: POST /control {crash: id} {fault: {op, as}} {clear: true}; GET /calls says what was called.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { WebSocketServer } from 'ws';
import { startContainer } from './container.mjs';

const REPLAY = 256 * 1024;

const collected = (child) =>
	new Promise((resolve) => {
		const out = { stdout: [], stderr: [] };
		child.stdout.on('data', (d) => out.stdout.push(d));
		child.stderr.on('data', (d) => out.stderr.push(d));
		child.on('close', (code, signal) =>
			resolve({ code: code ?? 128, signal, stdout: Buffer.concat(out.stdout), stderr: Buffer.concat(out.stderr) }),
		);
	});

// One pseudo terminal of a sandbox's session: shared by its viewers, made by the first one.
function makePty(container, { cols, rows, shell }) {
	const child = container.run(['perl', '/run/pty.pl', cols, rows, shell], { stdio: ['pipe', 'pipe', 'inherit'] });
	const viewers = new Set();
	let replay = Buffer.alloc(0);
	let ended = false;
	child.stdin.on('error', () => {});
	child.stdout.on('data', (d) => {
		replay = Buffer.concat([replay, d]).subarray(-REPLAY);
		for (const v of viewers) v.send(d, { binary: true });
	});
	child.on('close', () => (ended = true));
	const frame = (kind, payload) => {
		const head = Buffer.alloc(5);
		head.write(kind);
		head.writeUInt32BE(payload.length, 1);
		child.stdin.write(Buffer.concat([head, payload]));
	};
	return {
		join(ws) {
			viewers.add(ws);
			if (replay.length) ws.send(replay, { binary: true });
			ws.send('{"type":"ready"}');
			ws.on('close', () => viewers.delete(ws));
			ws.on('message', (data, binary) => {
				if (binary) return ended ? ws.close(1011, 'Internal error') : frame('d', data);
				let message;
				try {
					message = JSON.parse(data);
				} catch {
					return ws.send('{"type":"error","message":"Invalid control message"}');
				}
				if (message.type !== 'resize') return undefined;
				if (!(message.cols > 0 && message.rows > 0))
					return ws.send('{"type":"error","message":"Invalid dimensions: cols and rows must be positive"}');
				return frame('r', Buffer.from(`${message.cols} ${message.rows}`));
			});
		},
		end() {
			for (const v of viewers) v.close(1000, 'WebSocket disconnected without sending Close frame.');
			child.kill('SIGKILL');
		},
	};
}

export async function startEngine({ dir, stage, containers = Infinity }) {
	const sandboxes = new Map(); // id -> { container, processes, ptys, keepAlive, dir }
	const calls = [];
	let faults = [];

	const of = (id) => {
		if (!sandboxes.has(id)) sandboxes.set(id, { container: null, starting: null, processes: new Map(), ptys: new Map(), keepAlive: false });
		return sandboxes.get(id);
	};

	async function wake(id) {
		const s = of(id);
		if (s.container) return s.container;
		if ([...sandboxes.values()].filter((o) => o.container || o.starting).length >= containers)
			throw Object.assign(new Error('Maximum number of running container instances exceeded'), { name: 'ContainerUnavailableError' });
		s.starting ??= (async () => {
			s.dir = path.join(dir, `${id}-${randomBytes(4).toString('hex')}`);
			s.container = await startContainer(stage, s.dir);
			s.container.gone.then(() => lose(s));
		})().finally(() => (s.starting = null));
		await s.starting;
		return s.container;
	}

	function lose(s) {
		for (const pty of s.ptys.values()) pty.end();
		s.ptys.clear();
		s.processes.clear();
		s.container = null;
		// its last processes may still be writing
		fs.promises.rm(s.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }).catch(() => {});
	}

	async function destroy(id) {
		const s = of(id);
		if (s.starting) await s.starting;
		await s.container?.end();
	}

	const ops = {
		getState: (id) => ({ status: of(id).container ? 'healthy' : 'stopped', lastChange: Date.now() }),
		async setKeepAlive(id, on) {
			of(id).keepAlive = on;
		},
		destroy,
		async writeFile(id, file, content) {
			const container = await wake(id);
			const child = container.run(['bash', '-c', 'cat >"$1"', '-', file], { stdio: ['pipe', 'pipe', 'pipe'] });
			child.stdin.end(content);
			const { code, stderr } = await collected(child);
			if (code !== 0) throw new Error(`Failed to write ${file}: ${stderr}`);
			return { success: true, path: file };
		},
		async readFile(id, file) {
			const { code, stdout } = await collected((await wake(id)).run(['cat', '--', file]));
			if (code !== 0) throw Object.assign(new Error(`File not found: ${file}`), { name: 'FileNotFoundError' });
			return { success: true, path: file, content: stdout.toString('utf8'), encoding: 'utf-8' };
		},
		async exec(id, command) {
			const { code, stdout, stderr } = await collected((await wake(id)).run(['bash', '-c', command]));
			// the final newline is not told
			return { success: code === 0, exitCode: code, stdout: stdout.toString().replace(/\n$/, ''), stderr: stderr.toString(), command };
		},
		async startProcess(id, command, { processId, cwd = '/workspace', env = {} } = {}) {
			const container = await wake(id);
			const p = { id: processId, command, status: 'running', pid: undefined, hangs: false };
			of(id).processes.set(processId, p);
			if (faults.some((f) => f.op === 'startProcess' && f.as === 'no pid')) return { id: p.id, command, status: 'running' };
			const child = container.run(['bash', '-c', command], { env, cwd, stdio: ['ignore', 'ignore', 'inherit'] });
			p.pid = child.pid;
			child.on('close', (code, signal) => {
				p.status = code === 0 ? 'completed' : 'failed';
				p.exitCode = code;
				p.hangs = signal !== null;
			});
			return { id: p.id, pid: p.pid, command, status: p.status };
		},
		async getProcess(id, processId) {
			await wake(id);
			const p = of(id).processes.get(processId);
			if (!p) return null;
			if (p.hangs) await new Promise(() => {});
			return { id: p.id, pid: p.pid, status: p.status, exitCode: p.exitCode };
		},
	};

	async function call({ id, op, args }) {
		calls.push({ id, op });
		const fault = faults.find((f) => f.op === op && (!f.id || f.id === id));
		if (fault?.as === 'hang') await new Promise(() => {});
		if (fault?.as === 'slow') await ops[op](id, ...args).then(() => new Promise(() => {}));
		if (fault?.as === 'unavailable')
			throw Object.assign(new Error('no_container_instance_available'), { name: 'ContainerUnavailableError' });
		if (fault?.as === 'error') throw new Error('the platform failed');
		return ops[op](id, ...args);
	}

	async function control({ crash, fault, clear }) {
		if (crash) await of(crash).container?.end();
		if (fault) faults.push(fault);
		if (clear) faults = [];
	}

	const server = http.createServer(async (rq, res) => {
		const parts = [];
		for await (const p of rq) parts.push(p);
		const body = parts.length ? JSON.parse(Buffer.concat(parts)) : undefined;
		try {
			const value =
				rq.url === '/op'
					? await call(body)
					: rq.url === '/control'
						? await control(body)
						: { calls, up: [...sandboxes].filter(([, s]) => s.container).map(([id]) => id), keepAlive: [...sandboxes].filter(([, s]) => s.keepAlive).map(([id]) => id) };
			res.end(JSON.stringify({ value }));
		} catch (e) {
			res.end(JSON.stringify({ error: { name: e.name, message: e.message } }));
		}
	});
	const sockets = new WebSocketServer({ noServer: true });
	server.on('upgrade', async (rq, socket, head) => {
		socket.on('error', () => {});
		const url = new URL(rq.url, 'http://engine');
		const id = url.pathname.split('/').at(-1);
		calls.push({ id, op: 'terminal', headers: rq.headers });
		if (faults.some((f) => f.op === 'terminal' && f.as === 'starting')) {
			const text = '{"code":"INTERNAL_ERROR","message":"Container is starting. Please retry in a moment."}';
			socket.end(`HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
			return;
		}
		const container = await wake(id);
		sockets.handleUpgrade(rq, socket, head, (ws) => {
			const { ptys } = of(id);
			const session = url.searchParams.get('session');
			if (!ptys.has(session)) ptys.set(session, makePty(container, Object.fromEntries(url.searchParams)));
			ptys.get(session).join(ws);
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		async stop() {
			server.close();
			server.closeAllConnections();
			await Promise.all([...sandboxes.keys()].map(destroy));
		},
	};
}

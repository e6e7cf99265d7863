// A small HTTP client for tests: fetch cannot speak to a unix socket, keeps connections of servers that a test has just
// killed, and hides what a broken server really said.
//
// base     "http://host:port", "https://host" or "unix:/path/of.sock"
// answer   { status, headers, body (Buffer), text, json() }; json() throws with the text in the message

import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

const REQUEST_MS = 120_000;

export function parseBase(base) {
	if (base.startsWith('unix:'))
		return { socketPath: base.slice('unix:'.length), prefix: '', lib: http, host: 'localhost' };
	const url = new URL(base);
	return {
		hostname: url.hostname,
		port: url.port || (url.protocol === 'https:' ? 443 : 80),
		prefix: url.pathname.replace(/\/$/, ''),
		lib: url.protocol === 'https:' ? https : http,
		host: url.host,
	};
}

function answer(res, body) {
	const text = body.toString('utf8');
	return {
		status: res.statusCode,
		headers: res.headers,
		body,
		text,
		json() {
			try {
				return JSON.parse(text);
			} catch {
				throw new Error(`no JSON in the ${res.statusCode} answer: ${JSON.stringify(text.slice(0, 300))}`);
			}
		},
	};
}

// What a base's answers are held to: base → (method, path, answer, headers) that throws.
export const held = new Map();

// One request on a connection of its own. `body` is a string or Buffer, sent with its length; the path goes out as it is.
export function request(base, { method = 'GET', path = '/', headers = {}, body, timeoutMs = REQUEST_MS } = {}) {
	const at = parseBase(base);
	return new Promise((resolve, reject) => {
		const rq = at.lib.request({
			socketPath: at.socketPath,
			hostname: at.hostname,
			port: at.port,
			agent: false,
			method,
			path: at.prefix + path,
			headers: {
				Host: at.host,
				...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
				...headers,
			},
		});
		const timer = setTimeout(
			() => rq.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)),
			timeoutMs,
		);
		rq.on('error', (e) => {
			clearTimeout(timer);
			reject(e);
		});
		rq.on('response', (res) => {
			const parts = [];
			res.on('data', (p) => parts.push(p));
			res.on('error', (e) => {
				clearTimeout(timer);
				reject(e);
			});
			res.on('end', () => {
				clearTimeout(timer);
				const said = answer(res, Buffer.concat(parts));
				try {
					held.get(base)?.(method, path, said, headers);
				} catch (e) {
					return reject(e);
				}
				return resolve(said);
			});
		});
		rq.end(body);
	});
}

// Whether `text` (latin1) is a whole answer with a Content-Length.
function isWhole(text) {
	const head = text.indexOf('\r\n\r\n');
	const length = /\r\ncontent-length:\s*(\d+)/i.exec(text.slice(0, Math.max(head, 0)));
	return head > 0 && length && text.length >= head + 4 + Number(length[1]);
}

// Raw bytes on a fresh connection; resolves with everything the server sent until it closed, an answer was whole, or `idleMs`
// passed in silence. For requests that no HTTP library would send.
export function raw(base, bytes, { idleMs = 30_000, end = false } = {}) {
	const at = parseBase(base);
	return new Promise((resolve) => {
		const parts = [];
		const s = at.socketPath ? net.connect(at.socketPath) : net.connect(Number(at.port), at.hostname);
		const finish = () => {
			s.destroy();
			resolve(Buffer.concat(parts).toString('latin1'));
		};
		s.setTimeout(idleMs, finish);
		s.on('data', (p) => {
			parts.push(p);
			if (isWhole(Buffer.concat(parts).toString('latin1'))) finish();
		});
		s.on('error', finish);
		s.on('close', finish);
		s.on('connect', () => (end ? s.end(bytes) : s.write(bytes)));
	});
}

export function rawConnect(base) {
	const at = parseBase(base);
	return at.socketPath ? net.connect(at.socketPath) : net.connect(Number(at.port), at.hostname);
}

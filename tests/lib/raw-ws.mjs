// A WebSocket by hand, for what no library would do: to stop reading, to break the protocol, to say half a handshake.
//
//   const s = await rawSocket(chomp, `/ws/terminal/${id}`)    through nginx; { socket: path } straight to a unix socket
//   s.bytes  s.received  s.notes  s.at  s.closed  s.status    what came; bytes only with { keep: true }, hash always
//   s.pause()  s.resume()                                     really: the kernel's buffers fill up
//   s.send(frame(op, payload, { fin, mask, rsv, length }))    any frame at all

import { createHash } from 'node:crypto';
import net from 'node:net';
import { waitFor } from './wait.mjs';

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

// length: what the head claims, when that shall not be the truth
export function frame(op, payload = '', { fin = true, mask = true, rsv = 0, length } = {}) {
	const body = Buffer.from(payload);
	const len = length ?? body.length;
	const head = [(fin ? 0x80 : 0) | (rsv << 4) | op];
	const bit = mask ? 0x80 : 0;
	if (len < 126) head.push(bit | len);
	else if (len < 65536) head.push(bit | 126, len >> 8, len & 255);
	else head.push(bit | 127, ...Buffer.from(BigInt.asUintN(64, BigInt(len)).toString(16).padStart(16, '0'), 'hex'));
	const key = mask ? [1, 2, 3, 4] : [];
	if (mask) for (let i = 0; i < body.length; i++) body[i] ^= key[i % 4];
	return Buffer.concat([Buffer.from([...head, ...key]), body]);
}

export const handshake = (chomp, path, { token = chomp.token, headers = [] } = {}) =>
	[
		`GET ${path} HTTP/1.1`,
		`Host: 127.0.0.1:${chomp.port}`,
		'Upgrade: websocket',
		'Connection: Upgrade',
		'Sec-WebSocket-Version: 13',
		'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
		`Authorization: Bearer ${token}`,
		...headers,
		'',
		'',
	].join('\r\n');

export function connect(chomp, { socket } = {}) {
	const s = socket ? net.connect(socket) : net.connect(chomp.port, '127.0.0.1');
	s.on('error', () => {});
	return s;
}

export async function rawSocket(chomp, path, { socket, keep = false, token, onBytes } = {}) {
	const s = connect(chomp, { socket });
	let rest = Buffer.alloc(0);
	let binary = false;
	let left = 0; // of the present data frame
	let text = '';
	const hash = createHash('sha256');
	const chunks = [];
	const v = {
		socket: s,
		received: 0,
		notes: [],
		at: undefined,
		status: 0,
		closed: false,
		code: undefined,
		get bytes() {
			return Buffer.concat(chunks);
		},
		get offset() {
			return v.at + v.received;
		},
		digest: () => hash.copy().digest('hex'),
		pause: () => s.pause(),
		resume: () => s.resume(),
		send: (bytes) => s.write(bytes),
		destroy: () => s.destroy(),
	};
	function take(part, end) {
		if (binary) {
			v.received += part.length;
			hash.update(part);
			if (keep) chunks.push(part);
			onBytes?.(part);
			return;
		}
		text += part.toString('utf8');
		if (!end) return;
		const note = JSON.parse(text);
		text = '';
		v.notes.push(note);
		if (note.type === 'at') v.at ??= note.offset;
	}
	function frames() {
		for (;;) {
			if (left > 0) {
				const n = Math.min(left, rest.length);
				if (n === 0) return;
				left -= n;
				take(rest.subarray(0, n), left === 0 && v.fin);
				rest = rest.subarray(n);
				continue;
			}
			if (rest.length < 2) return;
			const wide = { 126: 2, 127: 8 }[rest[1] & 127] ?? 0;
			if (rest.length < 2 + wide) return;
			const len = wide === 0 ? rest[1] & 127 : wide === 2 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
			const op = rest[0] & 15;
			if (op >= CLOSE) {
				if (rest.length < 2 + len) return;
				const body = rest.subarray(2, 2 + len);
				if (op === CLOSE && len >= 2) v.code = body.readUInt16BE(0);
				if (op === PING) s.write(frame(PONG, body));
				rest = rest.subarray(2 + len);
				continue;
			}
			v.fin = (rest[0] & 0x80) !== 0;
			if (op !== 0) binary = op === BINARY;
			left = len;
			rest = rest.subarray(2 + wide);
		}
	}
	s.on('data', (d) => {
		rest = rest.length ? Buffer.concat([rest, d]) : d;
		if (!v.status) {
			const end = rest.indexOf('\r\n\r\n');
			if (end < 0) return;
			v.status = Number(rest.toString('latin1', 9, 12));
			rest = rest.subarray(end + 4);
		}
		if (v.status === 101) frames();
	});
	s.on('close', () => (v.closed = true));
	s.write(handshake(chomp, path, { token }));
	await waitFor('an answer to the handshake', async () => v.status || v.closed, { everyMs: 5 });
	return v;
}

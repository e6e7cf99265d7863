// A viewer of a terminal: a WebSocket through nginx (or straight to a unix socket's host is not its business), which
// collects what it is shown.
//
//   const v = viewer(chomp, id, { offset: 0 });      headers: cookie, origin; bearer: false for none
//   await v.opened()          rejects when the handshake is refused
//   await v.shows('text')     until the bytes so far hold it
//   v.bytes  v.notes          all binary so far; all control messages so far
//   v.offset                  where the next byte goes, by {"type":"at"} and what came since
//   v.type('ls\n')  v.control({ type: 'resize', … })
//   await v.closed()          { code, reason }

import { waitFor } from './wait.mjs';

export function viewer(chomp, id, { offset, cols = 80, rows = 24, bearer = chomp.token, headers = {}, path } = {}) {
	const query = new URLSearchParams({ cols, rows, ...(offset === undefined ? {} : { offset }) });
	const ws = new WebSocket(`${chomp.url.replace('http', 'ws')}${path ?? `/ws/terminal/${id}?${query}`}`, {
		headers: { ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}), ...headers },
	});
	ws.binaryType = 'arraybuffer';
	const chunks = [];
	const v = {
		ws,
		notes: [],
		at: undefined,
		received: 0,
		end: undefined,
		get bytes() {
			return Buffer.concat(chunks);
		},
		get text() {
			return v.bytes.toString('utf8');
		},
		get offset() {
			return v.at + v.received;
		},
		get pen() {
			return v.notes.filter((n) => n.type === 'pen').at(-1)?.mine;
		},
		get state() {
			return v.notes.filter((n) => n.type === 'state').at(-1)?.state;
		},
		note: (type) => v.notes.find((n) => n.type === type),
		type: (text) => ws.send(Buffer.from(text)),
		control: (message) => ws.send(JSON.stringify(message)),
		close: () => ws.close(),
		opened: () =>
			waitFor('the terminal opens', async () => {
				if (v.end) throw Object.assign(new Error('refused'), { final: true });
				return ws.readyState === WebSocket.OPEN;
			}),
		refused: () => waitFor('the handshake is refused', async () => v.end && v.opened_ !== true),
		shows: (what) =>
			waitFor(`the terminal shows ${what}`, async () => v.text.includes(what), {
				context: () => `${JSON.stringify(v.notes)}\n${v.text.slice(-2000)}`,
			}),
		tells: (what, test) =>
			waitFor(`the terminal tells ${what}`, async () => v.notes.find(test), {
				context: () => JSON.stringify(v.notes),
			}),
		closed: () => waitFor('the terminal closes', async () => v.end, { context: () => JSON.stringify(v.notes) }),
	};
	ws.onopen = () => (v.opened_ = true);
	ws.onmessage = ({ data }) => {
		if (typeof data === 'string') {
			const note = JSON.parse(data);
			v.notes.push(note);
			// where this connection's next byte belongs: after a reconnect of the relay it is where we were
			if (note.type === 'at' && v.at === undefined) v.at = note.offset;
		} else {
			chunks.push(Buffer.from(data));
			v.received += data.byteLength;
		}
	};
	ws.onclose = ({ code, reason }) => (v.end = { code, reason });
	// a handshake that fails is an error and, for some libraries, no close
	ws.onerror = () => (v.end ??= v.opened_ ? undefined : { code: 1006, reason: '' });
	return v;
}

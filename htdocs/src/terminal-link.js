// A terminal's line: WS /ws/terminal/{task} (docs/PROTOCOL.md, "The terminal's WebSocket").
//
// Every byte comes once and in order, whatever happens to the line: bytes are counted from the first {"type":"at"}, and a
// connection that was lost is opened again at the byte that is wanted next. What is known of a line that is down is told in
// words, and it is tried again for as long as the page is there.
//
//   const link = connect(task, {
//     size()              { cols, rows } of the screen, asked with every connection
//     bytes(data, seen)   show them, in order; call seen() when that is done
//     restart()           all bytes come again (a host that cannot resume): clear the screen
//     lost(n)             n bytes are gone: the host no longer has them
//     state(word, code)   waiting, connecting, live, reconnecting, ended (code: the agent's exit code), refused
//     pen(mine)           who may type
//     sized(cols, rows)   the terminal's size: that of somebody else, who types
//   })
//   link.type(text)  link.resize()  link.takePen()  link.again() (now, not later)  link.close()
//   link.replaying      what comes was shown before: it is not to be answered

const FIRST_MS = 250;
const MAX_MS = 8000;
const STABLE_MS = 5000; // a connection that held so long starts the waiting times anew
const SILENT_MS = 10_000; // a handshake that takes longer is given up
const UNSEEN_MAX = 4 * 1024 * 1024; // more than this not yet shown: hang up, and go on from there when it is
const TYPING_MAX = 16 * 1024;

export function connect(task, on) {
	const encoder = new TextEncoder();
	let ws = null;
	let timer = 0;
	let tries = 0;
	let next = null; // the offset of the byte that is wanted next; null: not known
	let shown = false; // any byte at all
	let unseen = 0;
	let full = false;
	let mine = false;
	let code = null; // the agent's exit code
	let over = false;
	let closed = false;

	const send = (message) => ws?.readyState === WebSocket.OPEN && ws.send(JSON.stringify(message));
	const tell = (word) => on.state(word, code);
	const setPen = (now) => {
		mine = now;
		on.pen(now);
	};

	function pass(data) {
		if (data.byteLength === 0) return;
		if (next !== null) next += data.byteLength;
		shown = true;
		unseen += data.byteLength;
		on.bytes(data, () => {
			unseen -= data.byteLength;
			goOn();
		});
	}

	// After we hung up because the screen was behind: once it has caught up.
	function goOn() {
		if (!full || unseen > 0 || ws) return;
		full = false;
		open();
	}

	function open() {
		clearTimeout(timer);
		if (closed || over || ws || full) return;
		const { cols, rows } = on.size();
		const query = new URLSearchParams({ cols, rows });
		if (next !== null) query.set('offset', next);
		const line = new WebSocket(`${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/ws/terminal/${task}?${query}`);
		ws = line;
		line.binaryType = 'arraybuffer';
		let opened = 0;
		let early = []; // bytes that overtook the word where they belong
		let placed = false;
		let skip = 0; // bytes that we have already
		link.replaying = true;
		if (!shown && tries === 0) tell('connecting');
		timer = setTimeout(() => line.close(), SILENT_MS);

		const place = () => {
			placed = true;
			for (const data of early.splice(0)) binary(data);
		};
		function at(offset) {
			if (placed) {
				// the relay found its host again; bytes may have been lost between the two: ask for them
				if (next !== null && offset > next) line.close();
				return;
			}
			if (next === null) next = offset;
			skip = Math.max(0, next - offset);
			if (offset > next) {
				on.lost(offset - next);
				next = offset;
			}
			place();
		}
		function binary(data) {
			if (!placed) {
				early.push(data);
				return;
			}
			const dropped = Math.min(skip, data.byteLength);
			skip -= dropped;
			pass(dropped ? data.subarray(dropped) : data);
			if (unseen > UNSEEN_MAX) {
				full = true;
				line.close();
			}
		}
		function word(m) {
			if (m.type === 'at' && Number.isSafeInteger(m.offset)) at(m.offset);
			else if (m.type === 'ready') {
				if (!placed) {
					// a host that does not count
					next = null;
					if (shown) on.restart();
					place();
				}
				link.replaying = false;
			} else if (m.type === 'state') {
				if (m.state === 'ended') over = true;
				else tell(m.state === 'connecting' && shown ? 'reconnecting' : m.state);
				if (m.state === 'reconnecting') link.replaying = true;
			} else if (m.type === 'pen') setPen(m.mine === true);
			else if (m.type === 'size' && m.cols > 0 && m.rows > 0) on.sized(m.cols, m.rows);
			else if (m.type === 'exit') {
				code = Number.isInteger(m.code) ? m.code : null;
				over = true;
			}
		}

		line.onopen = () => {
			clearTimeout(timer);
			opened = Date.now();
		};
		line.onmessage = ({ data }) => {
			if (ws !== line || full) return; // what comes after we hung up comes again
			if (typeof data !== 'string') {
				binary(new Uint8Array(data));
				return;
			}
			try {
				word(JSON.parse(data));
			} catch {
				// no word of ours
			}
		};
		line.onclose = () => {
			clearTimeout(timer);
			if (ws !== line) return;
			ws = null;
			if (opened && Date.now() - opened > STABLE_MS) tries = 0;
			if (mine) setPen(false);
			if (over) tell('ended');
			else if (full) goOn();
			else if (!closed) {
				tell(shown || opened ? 'reconnecting' : 'connecting');
				if (opened) later();
				else ask();
			}
		};
	}

	function later() {
		const ms = Math.min(FIRST_MS * 2 ** tries, MAX_MS);
		tries++;
		timer = setTimeout(open, ms / 2 + (ms / 2) * Math.random());
	}

	// A handshake was refused, and a page is not told why.
	async function ask() {
		try {
			const said = await fetch(`/api/tasks/${task}`);
			if (said.status === 401 || said.status === 404) {
				over = true;
				tell(said.status === 401 ? 'refused' : 'ended');
			}
		} catch {
			// away: that is why
		}
		if (!over && !closed) later();
	}

	const link = {
		replaying: true,
		type(text) {
			if (!mine || ws?.readyState !== WebSocket.OPEN) return;
			const bytes = typeof text === 'string' ? encoder.encode(text) : text;
			for (let i = 0; i < bytes.length; i += TYPING_MAX) ws.send(bytes.subarray(i, i + TYPING_MAX));
		},
		resize: () => send({ type: 'resize', ...on.size() }),
		takePen: () => send({ type: 'pen', take: true }),
		again() {
			if (ws || closed || over) return;
			tries = 0;
			open();
		},
		close() {
			closed = true;
			clearTimeout(timer);
			ws?.close();
		},
	};
	open();
	return link;
}

// A scripted model server on loopback: what an agent asks is answered from a list of turns, and a ledger holds the tokens it
// said, so that a test can compare what chomp shows with what was really reported. It speaks OpenAI chat completions and
// responses, Anthropic messages and Gemini generateContent, streamed or whole (model-wire.mjs).
//
//   const model = await startModelServer({ turns: [
//           { text: 'I will write it.', do: [{ write: { path: 'hello.txt', content: 'hi\n' } }], usage: { input: 1100, output: 210 } },
//           { text: 'Done.' },
//   ] });
//   model.url  model.ledger.totals()  model.requests  model.close()
//
// turn     text, reasoning
//          do      [{ write: { path, content } } | { run: 'command' } | { read: 'path' } | { call: { name, args } }]
//                  the first three become the tool of that kind which the asking agent declared, whatever its name and fields
//          usage   { input, cache_read, cache_write, output, reasoning }, output with reasoning; null: reports none
//          delayMs before the first byte; chunkMs between streamed pieces; chunk characters in a piece
//          fault   { status, retryAfter?, message? }        an error answer in the shape of the API asked
//                  { cut: n }                               the connection breaks after n streamed events (or half of a whole body)
//                  { hang: n }                              silence after n streamed events, 0 = before the headers
//                  { refuse: true }                         the connection breaks before a byte was said
//                  { garbage: 'html' | 'bytes' | 'json' | 'sse' }   200 with nonsense
//          (a turn that is a function gets the request and returns the turn)
// lanes    [{ model?, key?, prompt? (text or RegExp), turns }]: several scripts at once; the first that fits is taken,
//          else `turns`. Each lane counts for itself. by: 'history' counts the model's own messages in the request instead.
// After the last turn the answer is "Done." without a tool, so that no agent loops for ever.
//
// As a program: node model-server.mjs [--port N] [--host H] [--key K] [--script FILE.json] prints {"url":…} and serves;
// GET /__ledger, GET /__requests, POST /__script (JSON: {turns, lanes, key}) are for the caller.

import fs from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { wires } from './model-wire.mjs';

const DEFAULT_USAGE = { input: 100, cache_read: 0, cache_write: 0, output: 10, reasoning: 0 };
const MAX_BODY = 64 * 1024 * 1024;
const ERROR_KINDS = {
	400: 'invalid_request_error',
	401: 'authentication_error',
	402: 'billing_error',
	403: 'permission_error',
	404: 'not_found_error',
	413: 'request_too_large',
	429: 'rate_limit_error',
	500: 'api_error',
	503: 'overloaded_error',
	529: 'overloaded_error',
};

// Text that a careless page, terminal or log would execute or trip over.
export const nastyText =
	'esc \u001b[31mred\u001b[0m \u001b]0;title\u0007 \u001b]52;c;aGk=\u0007 <img src=x onerror=alert(1)> ' +
	'</script><script>alert(2)</script> <?cs var:x ?> $(touch /tmp/pwned) `id` \' " \\ \u202egnp.exe \u{1f600} ﷽';

const usageKeys = Object.keys(DEFAULT_USAGE);

export function addUsage(list) {
	const sum = Object.fromEntries(usageKeys.map((k) => [k, list.reduce((n, u) => n + (u?.[k] || 0), 0)]));
	return { ...sum, total: sum.input + sum.cache_read + sum.cache_write + sum.output };
}

// What each agent calls the tools; the schema it declares says the field names.
const KINDS = {
	write: {
		names: ['write', 'Write', 'write_file', 'create_file', 'create'],
		fields: { path: ['path', 'filePath', 'file_path', 'filename'], content: ['content', 'text', 'file_text'] },
	},
	read: {
		names: ['read', 'Read', 'read_file', 'view'],
		fields: { path: ['path', 'filePath', 'file_path', 'absolute_path'] },
	},
	run: {
		names: ['bash', 'Bash', 'shell', 'exec_command', 'shell_command', 'run_shell_command', 'local_shell'],
		fields: { command: ['command', 'cmd', 'script'] },
	},
};

function fieldOf(schema, names) {
	const have = schema?.properties || {};
	return names.find((n) => n in have) || names[0];
}

// The directory an agent said it works in: some of them take absolute paths only.
function workdir(rq) {
	const said = /(?:working directory|working in the directory|\bcwd)\s*(?:is)?\s*[:>=]\s*["`]?(\/[^\s<"'`,]*)/i.exec(
		`${rq.system}\n${rq.prompt}`,
	);
	return said ? said[1].replace(/\.$/, '') : '';
}

function callFor(rq, action, id) {
	if (action.call) return { id, name: action.call.name, args: action.call.args ?? {} };
	const kind = Object.keys(KINDS).find((k) => k in action);
	if (!kind) throw new Error(`no such action: ${JSON.stringify(action)}`);
	const wanted = kind === 'write' ? action.write : kind === 'read' ? { path: action.read } : { command: action.run };
	const tool = KINDS[kind].names.map((n) => rq.tools.find((t) => t.name === n)).find(Boolean);
	if (!tool && kind === 'write' && rq.tools.some((t) => KINDS.run.names.includes(t.name))) {
		const { path, content } = action.write;
		const text = Buffer.from(content).toString('base64');
		return callFor(
			rq,
			{ run: `mkdir -p "$(dirname '${path}')" && printf %s '${text}' | base64 -d >'${path}'` },
			id,
		);
	}
	const name = tool?.name || KINDS[kind].names[0];
	const args = {};
	for (const [field, value] of Object.entries(wanted)) {
		const key = fieldOf(tool?.schema, KINDS[kind].fields[field]);
		const spec = tool?.schema?.properties?.[key] || {};
		const absolute =
			field === 'path' && !value.startsWith('/') && /absolute/i.test(spec.description || '') && workdir(rq);
		args[key] = spec.type === 'array' ? ['bash', '-lc', value] : absolute ? `${workdir(rq)}/${value}` : value;
	}
	for (const need of tool?.schema?.required || []) {
		if (!(need in args))
			args[need] =
				tool.schema.properties?.[need]?.type === 'string'
					? `${kind} by script`
					: tool.schema.properties?.[need]?.type === 'boolean'
						? false
						: 1;
	}
	return { id, name, args };
}

function keyOf(headers, url) {
	const bearer = /^Bearer (.*)$/i.exec(headers.authorization || '');
	return bearer?.[1] || headers['x-api-key'] || headers['x-goog-api-key'] || url.searchParams.get('key') || '';
}

const fits = (want, have) =>
	want === undefined || (want instanceof RegExp ? want.test(have) : String(have).includes(want));

export async function startModelServer({
	port = 0,
	host = '127.0.0.1',
	turns = [],
	lanes = [],
	by = 'counter',
	key,
	models = ['mock-model'],
} = {}) {
	const state = { key, by, lanes: [], requests: [], ledger: [], open: new Set() };

	function setScript(script) {
		state.lanes = [...(script.lanes || []), { turns: script.turns || [] }].map((l) => ({ ...l, at: 0 }));
		if ('key' in script) state.key = script.key;
		if ('by' in script) state.by = script.by;
	}
	setScript({ turns, lanes, by });

	function pick(rq) {
		const lane = state.lanes.find(
			(l) => fits(l.model, rq.model) && fits(l.key, rq.key) && fits(l.prompt, rq.prompt),
		);
		const index = state.by === 'history' ? rq.answers : lane.at++;
		const turn = lane.turns[index];
		const said = typeof turn === 'function' ? turn(rq) : turn;
		return { lane: lane.name || state.lanes.indexOf(lane), index, turn: said || { text: 'Done.' } };
	}

	async function answer(rq, wire, res) {
		const { lane, index, turn } = pick(rq);
		const id = `t${rq.n}`;
		const usage = turn.usage === null ? null : { ...DEFAULT_USAGE, ...turn.usage };
		const entry = {
			n: rq.n,
			lane,
			turn: index,
			api: wire.name,
			model: rq.model,
			stream: rq.stream,
			status: 200,
			fault: turn.fault ?? null,
			reported: null,
			complete: false,
			at: Date.now(),
		};
		state.ledger.push(entry);
		if (turn.delayMs) await sleep(turn.delayMs);
		const fault = turn.fault || {};
		if (fault.refuse) return res.socket.resetAndDestroy();
		if (fault.hang === 0) return undefined;
		if (fault.status) {
			entry.status = fault.status;
			const kind = ERROR_KINDS[fault.status] || (fault.status >= 500 ? 'api_error' : 'invalid_request_error');
			res.writeHead(fault.status, {
				'Content-Type': 'application/json',
				...(fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) }),
			});
			return res.end(JSON.stringify(wire.error(fault.status, fault.message || `scripted ${fault.status}`, kind)));
		}
		if (fault.garbage) return garbage(res, fault.garbage, rq.stream);
		const said = {
			text: turn.text || '',
			reasoning: turn.reasoning || '',
			usage,
			calls: (turn.do || []).map((a, i) => callFor(rq, a, `call_${rq.n}_${i}`)),
		};
		entry.calls = said.calls;
		if (rq.stream) return stream(rq, wire, res, entry, turn, wire.events(id, rq, said, turn.chunk || 24));
		const body = JSON.stringify(wire.whole(id, rq, said));
		res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
		if (fault.cut !== undefined || fault.hang !== undefined) {
			res.write(body.slice(0, body.length / 2), () => fault.cut !== undefined && res.socket.resetAndDestroy());
			return undefined;
		}
		entry.reported = usage;
		entry.complete = true;
		return res.end(body);
	}

	async function stream(rq, wire, res, entry, turn, events) {
		const { cut, hang } = turn.fault || {};
		res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' });
		for (const [i, e] of events.entries()) {
			if (i === hang) return undefined;
			if (i === cut) return res.socket.resetAndDestroy();
			const data = typeof e.data === 'string' ? e.data : JSON.stringify(e.data);
			const text = `${e.event ? `event: ${e.event}\n` : ''}data: ${data}\n\n`;
			if (res.destroyed) return undefined;
			// told only what left this process: an agent that was killed in the middle has not heard the rest
			await new Promise((resolve) => res.write(text, resolve));
			if (e.reports && !res.destroyed) entry.reported = e.reports;
			if (turn.chunkMs) await sleep(turn.chunkMs);
		}
		entry.complete = !res.destroyed;
		return res.end();
	}

	const server = http.createServer((hrq, res) => {
		const parts = [];
		let size = 0;
		res.on('error', () => {});
		hrq.on('error', () => {});
		hrq.on('data', (p) => {
			size += p.length;
			if (size > MAX_BODY) hrq.destroy();
			else parts.push(p);
		});
		hrq.on('end', () => {
			handle(hrq, Buffer.concat(parts).toString('utf8'), res).catch((e) => {
				state.requests.push({ error: String(e.stack) });
				if (!res.headersSent) res.writeHead(500, { 'Content-Type': 'application/json' });
				res.end(
					JSON.stringify({
						error: { message: `the scripted model server failed: ${e.message}`, type: 'api_error' },
					}),
				);
			});
		});
	});

	const json = (res, status, value) => {
		res.writeHead(status, { 'Content-Type': 'application/json' });
		res.end(JSON.stringify(value));
	};

	async function handle(hrq, text, res) {
		const url = new URL(hrq.url, 'http://model');
		const path = url.pathname;
		if (path === '/__ledger') return json(res, 200, { entries: state.ledger, totals: api.ledger.totals() });
		if (path === '/__requests') return json(res, 200, state.requests);
		if (path === '/__script' && hrq.method === 'POST') {
			setScript(JSON.parse(text));
			return json(res, 200, { ok: true });
		}
		const given = keyOf(hrq.headers, url);
		const wire = wires.find((w) => w.match(hrq.method, path));
		if (state.key && given !== state.key) {
			const shape = wire || wires[0];
			state.requests.push({ n: state.requests.length, path, method: hrq.method, key: given, refused: true });
			return json(res, 401, shape.error(401, 'wrong key', ERROR_KINDS[401]));
		}
		if (hrq.method === 'GET' && /\/models$/.test(path))
			return json(res, 200, {
				object: 'list',
				data: models.map((id) => ({ id, object: 'model', type: 'model', created: 0, owned_by: 'test' })),
			});
		if (hrq.method === 'POST' && /\/messages\/count_tokens$/.test(path))
			return json(res, 200, { input_tokens: Math.ceil(text.length / 4) });
		if (hrq.method === 'POST' && /:countTokens$/.test(path))
			return json(res, 200, { totalTokens: Math.ceil(text.length / 4) });
		if (!wire) {
			state.requests.push({ n: state.requests.length, path, method: hrq.method, key: given, unknown: true });
			return json(res, 404, wires[0].error(404, `no such path: ${path}`, ERROR_KINDS[404]));
		}
		let body;
		try {
			body = JSON.parse(text);
		} catch {
			return json(res, 400, wire.error(400, 'the body is no JSON', ERROR_KINDS[400]));
		}
		const rq = {
			n: state.requests.length,
			api: wire.name,
			method: hrq.method,
			path,
			headers: hrq.headers,
			key: given,
			body,
			...wire.read(body, path),
		};
		state.requests.push(rq);
		return answer(rq, wire, res);
	}

	server.on('connection', (s) => {
		state.open.add(s);
		s.on('close', () => state.open.delete(s));
	});
	await new Promise((resolve, reject) => {
		server.on('error', reject);
		server.listen(port, host, resolve);
	});
	const bound = server.address().port;
	const api = {
		url: `http://${host}:${bound}`,
		port: bound,
		requests: state.requests,
		setScript,
		ledger: {
			entries: state.ledger,
			// every token that was put on the wire, for all lanes or one
			totals: (lane) =>
				addUsage(state.ledger.filter((e) => lane === undefined || e.lane === lane).map((e) => e.reported)),
		},
		close: () =>
			new Promise((resolve) => {
				server.close(resolve);
				for (const s of state.open) s.destroy();
			}),
	};
	return api;
}

function garbage(res, kind, streamed) {
	const type =
		kind === 'html'
			? 'text/html'
			: kind === 'sse' || (streamed && kind === 'json')
				? 'text/event-stream'
				: kind === 'bytes'
					? 'application/octet-stream'
					: 'application/json';
	res.writeHead(200, { 'Content-Type': type });
	const said = {
		html: '<!doctype html><title>Sign in to this network</title><h1>Welcome</h1>',
		bytes: Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167 + 13) & 255)),
		json: streamed
			? 'data: {"choices":[{"delta":{"content":"ha\n\ndata: {"broken\n\n'
			: '{"choices":[{"message":{"content":"ha',
		sse: 'data: 42\n\ndata: null\n\nevent: nonsense\ndata: []\n\n',
	}[kind];
	return res.end(said);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { values } = parseArgs({
		options: {
			port: { type: 'string' },
			host: { type: 'string' },
			key: { type: 'string' },
			script: { type: 'string' },
		},
	});
	const script = values.script ? JSON.parse(fs.readFileSync(values.script, 'utf8')) : {};
	const model = await startModelServer({
		port: Number(values.port || 0),
		host: values.host,
		key: values.key,
		...script,
	});
	console.log(JSON.stringify({ url: model.url, port: model.port, pid: process.pid }));
	for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
}

// The model server is the measure of other tests, so it is measured itself first.

import { after, before, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { addUsage, startModelServer } from './model-server.mjs';

const tools = {
	chat: [
		{
			type: 'function',
			function: {
				name: 'write',
				parameters: {
					type: 'object',
					properties: { path: { type: 'string' }, content: { type: 'string' } },
					required: ['path', 'content'],
				},
			},
		},
	],
	anthropic: [
		{
			name: 'Write',
			input_schema: {
				type: 'object',
				properties: {
					file_path: { type: 'string', description: 'The absolute path to the file' },
					content: { type: 'string' },
				},
				required: ['file_path', 'content'],
			},
		},
	],
	responses: [
		{
			type: 'function',
			name: 'shell',
			parameters: {
				type: 'object',
				properties: { command: { type: 'array', items: { type: 'string' } } },
				required: ['command'],
			},
		},
	],
	gemini: [
		{
			functionDeclarations: [
				{
					name: 'run_shell_command',
					parametersJsonSchema: {
						type: 'object',
						properties: { command: { type: 'string' }, description: { type: 'string' } },
						required: ['command', 'description'],
					},
				},
			],
		},
	],
};

const writeTurn = {
	text: 'I write it. '.repeat(20),
	reasoning: 'hm',
	do: [{ write: { path: 'a.txt', content: 'hi\n' } }],
	usage: { input: 1100, cache_read: 300, output: 210, reasoning: 32 },
};

let model;
before(async () => (model = await startModelServer()));
after(() => model.close());
beforeEach(() => model.setScript({}));

const post = (path, body, headers = {}) =>
	fetch(model.url + path, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json', ...headers },
		body: JSON.stringify(body),
	});
const chat = (extra = {}) =>
	post('/v1/chat/completions', {
		model: 'm',
		messages: [{ role: 'user', content: 'do it' }],
		tools: tools.chat,
		...extra,
	});
const sse = (text) =>
	text
		.split('\n\n')
		.filter(Boolean)
		.map((b) =>
			b
				.split('\n')
				.find((l) => l.startsWith('data: '))
				.slice(6),
		);

describe('the scripted model server', () => {
	test('answers a chat completion with text, a tool call and the usage of the script', async () => {
		model.setScript({ turns: [writeTurn] });
		const said = await (await chat()).json();
		assert.equal(said.choices[0].message.content, writeTurn.text);
		assert.equal(said.choices[0].finish_reason, 'tool_calls');
		assert.deepEqual(JSON.parse(said.choices[0].message.tool_calls[0].function.arguments), {
			path: 'a.txt',
			content: 'hi\n',
		});
		assert.equal(said.usage.prompt_tokens, 1400);
		assert.equal(said.usage.prompt_tokens_details.cached_tokens, 300);
		assert.equal(said.usage.completion_tokens, 210);
		assert.equal(said.usage.total_tokens, 1610);
		assert.deepEqual(model.ledger.entries.at(-1).reported, {
			input: 1100,
			cache_read: 300,
			cache_write: 0,
			output: 210,
			reasoning: 32,
		});
	});

	test('streams a chat completion in pieces that join to the same, with usage only when asked for', async () => {
		for (const include of [true, false]) {
			model.setScript({ turns: [writeTurn] });
			const res = await chat({ stream: true, ...(include ? { stream_options: { include_usage: true } } : {}) });
			assert.match(res.headers.get('content-type'), /text\/event-stream/);
			const blocks = sse(await res.text());
			assert.equal(blocks.at(-1), '[DONE]');
			const chunks = blocks.slice(0, -1).map((b) => JSON.parse(b));
			assert.equal(chunks.map((c) => c.choices[0]?.delta.content || '').join(''), writeTurn.text);
			const args = chunks
				.flatMap((c) => c.choices[0]?.delta.tool_calls || [])
				.map((c) => c.function.arguments)
				.join('');
			assert.deepEqual(JSON.parse(args), { path: 'a.txt', content: 'hi\n' });
			assert.equal(chunks.at(-1).usage?.total_tokens, include ? 1610 : undefined);
			assert.equal(addUsage([model.ledger.entries.at(-1).reported]).total, include ? 1610 : 0);
		}
	});

	test('answers Anthropic messages, streamed and whole, and makes a path absolute where the tool wants that', async () => {
		for (const stream of [true, false]) {
			model.setScript({ turns: [writeTurn] });
			const res = await post('/v1/messages', {
				model: 'c',
				stream,
				system: 'Working directory: /workspace/repo',
				messages: [{ role: 'user', content: [{ type: 'text', text: 'do it' }] }],
				tools: tools.anthropic,
			});
			let input, text, usage;
			if (stream) {
				const events = sse(await res.text()).map((b) => JSON.parse(b));
				assert.equal(events[0].type, 'message_start');
				assert.equal(events.at(-1).type, 'message_stop');
				input = JSON.parse(events.map((e) => e.delta?.partial_json || '').join(''));
				text = events.map((e) => e.delta?.text || '').join('');
				usage = { ...events[0].message.usage, ...events.at(-2).usage };
			} else {
				const said = await res.json();
				input = said.content.find((b) => b.type === 'tool_use').input;
				text = said.content.find((b) => b.type === 'text').text;
				usage = said.usage;
			}
			assert.deepEqual(input, { file_path: '/workspace/repo/a.txt', content: 'hi\n' });
			assert.equal(text, writeTurn.text);
			assert.deepEqual(usage, {
				input_tokens: 1100,
				cache_creation_input_tokens: 0,
				cache_read_input_tokens: 300,
				output_tokens: 210,
			});
			assert.equal(addUsage([model.ledger.entries.at(-1).reported]).total, 1610);
		}
	});

	test('answers the responses API, and writes through a shell when there is no tool for it', async () => {
		model.setScript({ turns: [writeTurn] });
		const res = await post('/v1/responses', {
			model: 'x',
			stream: true,
			input: [{ role: 'user', content: [{ type: 'input_text', text: 'do it' }] }],
			tools: tools.responses,
		});
		const events = sse(await res.text()).map((b) => JSON.parse(b));
		assert.equal(events.at(-1).type, 'response.completed');
		assert.equal(events.at(-1).response.usage.input_tokens, 1400);
		const call = events.findLast((e) => e.type === 'response.output_item.done').item;
		assert.equal(call.type, 'function_call');
		assert.deepEqual(JSON.parse(call.arguments).command.slice(0, 2), ['bash', '-lc']);
		assert.match(JSON.parse(call.arguments).command[2], /base64 -d/);
		assert.equal(
			events
				.filter((e) => e.type === 'response.output_text.delta')
				.map((e) => e.delta)
				.join(''),
			writeTurn.text,
		);
	});

	test('answers Gemini, streamed and whole, and fills the fields that a tool requires besides', async () => {
		for (const verb of ['streamGenerateContent?alt=sse', 'generateContent']) {
			model.setScript({
				turns: [{ text: 'go', do: [{ run: 'ls' }], usage: { input: 7, output: 5, reasoning: 2 } }],
			});
			const res = await post(`/v1beta/models/gem-1:${verb}`, {
				contents: [{ role: 'user', parts: [{ text: 'do it' }] }],
				tools: tools.gemini,
			});
			const all = verb.startsWith('stream')
				? sse(await res.text()).map((b) => JSON.parse(b))
				: [await res.json()];
			const parts = all.flatMap((a) => a.candidates[0].content.parts);
			const call = parts.find((p) => p.functionCall).functionCall;
			assert.equal(call.name, 'run_shell_command');
			assert.equal(call.args.command, 'ls');
			assert.equal(typeof call.args.description, 'string');
			assert.deepEqual(all.at(-1).usageMetadata, {
				promptTokenCount: 7,
				cachedContentTokenCount: 0,
				candidatesTokenCount: 3,
				thoughtsTokenCount: 2,
				totalTokenCount: 12,
			});
			assert.equal(model.requests.at(-1).model, 'gem-1');
		}
	});

	test('goes from turn to turn and says "Done." when the script is over', async () => {
		model.setScript({ turns: [{ text: 'one' }, { text: 'two' }] });
		const said = [];
		for (let i = 0; i < 3; i++) said.push((await (await chat()).json()).choices[0].message.content);
		assert.deepEqual(said, ['one', 'two', 'Done.']);
	});

	test('keeps lanes apart by model, key and prompt', async () => {
		model.setScript({
			turns: [{ text: 'else' }],
			lanes: [
				{ name: 'a', model: 'ma', turns: [{ text: 'A' }] },
				{ name: 'k', key: 'kk', turns: [{ text: 'K' }] },
				{ name: 'p', prompt: /pizza/, turns: [{ text: 'P' }] },
			],
		});
		const ask = async (m, k, p) =>
			(
				await (
					await post(
						'/v1/chat/completions',
						{ model: m, messages: [{ role: 'user', content: p }] },
						{ Authorization: `Bearer ${k}` },
					)
				).json()
			).choices[0].message.content;
		assert.equal(await ask('m', 'x', 'a pizza'), 'P');
		assert.equal(await ask('m', 'kk', 'nothing'), 'K');
		assert.equal(await ask('ma', 'x', 'nothing'), 'A');
		assert.equal(await ask('m', 'x', 'nothing'), 'else');
		assert.equal(await ask('ma', 'x', 'nothing'), 'Done.');
	});

	test('can count by the messages in the request, so that a retry gets the same turn', async () => {
		model.setScript({ by: 'history', turns: [{ text: 'one' }, { text: 'two' }] });
		const ask = async (n) =>
			(
				await (
					await chat({
						messages: [
							{ role: 'user', content: 'q' },
							...Array.from({ length: n }, () => ({ role: 'assistant', content: 'a' })),
						],
					})
				).json()
			).choices[0].message.content;
		assert.deepEqual([await ask(0), await ask(0), await ask(1)], ['one', 'one', 'two']);
		model.setScript({ by: 'counter' });
	});

	test('refuses a wrong key in the shape of the API asked', async () => {
		model.setScript({ key: 'right' });
		assert.equal((await chat()).status, 401);
		const res = await post('/v1/messages', { model: 'c', messages: [] }, { 'x-api-key': 'wrong' });
		assert.equal(res.status, 401);
		assert.equal((await res.json()).error.type, 'authentication_error');
		assert.equal((await post('/v1/messages', { model: 'c', messages: [] }, { 'x-api-key': 'right' })).status, 200);
		model.setScript({ key: undefined });
	});

	test('plays every fault it knows, and counts no token that it did not say', async () => {
		const before = model.ledger.totals().total;
		model.setScript({
			turns: [
				{ fault: { status: 429, retryAfter: 3 } },
				{ fault: { status: 500 } },
				{ fault: { refuse: true } },
				{ text: 'x'.repeat(500), fault: { cut: 4 } },
				{ text: 'x'.repeat(500), fault: { cut: 1 } },
				{ fault: { garbage: 'html' } },
				{ fault: { garbage: 'bytes' } },
				{ fault: { garbage: 'json' } },
				{ fault: { garbage: 'sse' } },
				{ fault: { hang: 0 } },
				{ text: 'x'.repeat(500), fault: { hang: 3 } },
				{ text: 'free', usage: null },
			],
		});
		const limited = await chat({ stream: true });
		assert.equal(limited.status, 429);
		assert.equal(limited.headers.get('retry-after'), '3');
		assert.equal((await chat()).status, 500);
		await assert.rejects(chat());
		const cut = await chat({ stream: true });
		assert.equal(cut.status, 200);
		await assert.rejects(cut.text());
		const half = await chat();
		await assert.rejects(half.json());
		assert.match(await (await chat()).text(), /Sign in/);
		assert.equal((await (await chat()).arrayBuffer()).byteLength, 4096);
		await assert.rejects((await chat()).json());
		assert.match(await (await chat({ stream: true })).text(), /nonsense/);
		const abort = (extra) => {
			const ac = new AbortController();
			setTimeout(() => ac.abort(), 300);
			return fetch(`${model.url}/v1/chat/completions`, {
				method: 'POST',
				signal: ac.signal,
				body: JSON.stringify({ model: 'm', messages: [], ...extra }),
			}).then((r) => r.text());
		};
		await assert.rejects(abort({}), { name: 'AbortError' });
		await assert.rejects(abort({ stream: true }), { name: 'AbortError' });
		const free = await (await chat()).json();
		assert.equal(free.usage, undefined);
		assert.equal(model.ledger.totals().total, before);
	});

	test('runs as a program and shows its ledger', async (t) => {
		const child = spawn(
			process.execPath,
			[new URL('./model-server.mjs', import.meta.url).pathname, '--port', '0'],
			{ stdio: ['ignore', 'pipe', 'inherit'] },
		);
		t.after(() => child.kill('SIGKILL'));
		const [line] = await once(child.stdout, 'data');
		const { url } = JSON.parse(line);
		assert.equal(
			(
				await fetch(`${url}/__script`, {
					method: 'POST',
					body: JSON.stringify({ turns: [{ text: 'ready', usage: { input: 3, output: 4 } }] }),
				})
			).status,
			200,
		);
		const said = await (
			await fetch(`${url}/v1/chat/completions`, {
				method: 'POST',
				body: JSON.stringify({ model: 'm', messages: [] }),
			})
		).json();
		assert.equal(said.choices[0].message.content, 'ready');
		assert.equal((await (await fetch(`${url}/__ledger`)).json()).totals.total, 7);
		child.kill('SIGTERM');
		const [code] = await once(child, 'exit');
		assert.equal(code, 0);
	});
});

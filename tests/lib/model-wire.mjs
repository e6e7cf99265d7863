// The four wire formats in which agents ask a model, each as: how to know the request, how to read it, how to say a turn.
//
// A turn, ready to be said: { text, reasoning, calls: [{ id, name, args }], usage | null }
// usage is canonical:       { input (uncached), cache_read, cache_write, output (reasoning included), reasoning }
//
// read(body)   -> { system, prompt (first user text), last (newest user or tool text), tools: [{ name, schema }], answers (assistant messages) }
// whole(turn)  -> the body of an answer that is not streamed
// events(turn) -> [{ event?, data, reports? }], the streamed answer; `reports` is the usage that the client has from this event on

const now = () => Math.floor(Date.now() / 1000);

function slices(text, size) {
	const out = [];
	for (let i = 0; i < text.length; i += size) out.push(text.slice(i, i + size));
	return out;
}

// Text of a message's content in any of the formats.
function textOf(content) {
	if (typeof content === 'string') return content;
	if (!Array.isArray(content)) return '';
	return content
		.map((p) =>
			typeof p === 'string'
				? p
				: typeof p.text === 'string'
					? p.text
					: p.content !== undefined
						? textOf(p.content)
						: p.output !== undefined
							? textOf(p.output)
							: p.functionResponse
								? JSON.stringify(p.functionResponse.response)
								: '',
		)
		.join('\n');
}

const totalInput = (u) => u.input + u.cache_read + u.cache_write;

// ---- OpenAI chat completions ------------------------------------------------------------------------------------------

function chatUsage(u) {
	return {
		prompt_tokens: totalInput(u),
		completion_tokens: u.output,
		total_tokens: totalInput(u) + u.output,
		prompt_tokens_details: {
			cached_tokens: u.cache_read,
			...(u.cache_write ? { cache_write_tokens: u.cache_write } : {}),
		},
		completion_tokens_details: { reasoning_tokens: u.reasoning },
	};
}

const chatCall = (c) => ({ id: c.id, type: 'function', function: { name: c.name, arguments: JSON.stringify(c.args) } });

const chat = {
	name: 'openai-chat',
	match: (method, path) => method === 'POST' && /\/chat\/completions$/.test(path),
	read(body) {
		const messages = body.messages || [];
		const users = messages.filter((m) => m.role === 'user');
		return {
			model: body.model,
			stream: body.stream === true,
			wantsUsage: body.stream !== true || body.stream_options?.include_usage === true,
			system: messages
				.filter((m) => m.role === 'system' || m.role === 'developer')
				.map((m) => textOf(m.content))
				.join('\n'),
			prompt: textOf(users[0]?.content),
			last: textOf(messages.at(-1)?.content),
			tools: (body.tools || []).map((t) => ({ name: t.function?.name, schema: t.function?.parameters })),
			answers: messages.filter((m) => m.role === 'assistant').length,
		};
	},
	whole: (id, rq, t) => ({
		id: `chatcmpl-${id}`,
		object: 'chat.completion',
		created: now(),
		model: rq.model,
		choices: [
			{
				index: 0,
				message: {
					role: 'assistant',
					content: t.text || null,
					...(t.reasoning ? { reasoning_content: t.reasoning } : {}),
					...(t.calls.length ? { tool_calls: t.calls.map(chatCall) } : {}),
				},
				finish_reason: t.calls.length ? 'tool_calls' : 'stop',
			},
		],
		...(t.usage ? { usage: chatUsage(t.usage) } : {}),
	}),
	events(id, rq, t, size) {
		const chunk = (delta, finish = null) => ({
			data: {
				id: `chatcmpl-${id}`,
				object: 'chat.completion.chunk',
				created: now(),
				model: rq.model,
				choices: [{ index: 0, delta, finish_reason: finish }],
			},
		});
		const out = [chunk({ role: 'assistant', content: '' })];
		for (const piece of slices(t.reasoning || '', size)) out.push(chunk({ reasoning_content: piece }));
		for (const piece of slices(t.text || '', size)) out.push(chunk({ content: piece }));
		t.calls.forEach((c, index) => {
			const whole = chatCall(c);
			out.push(
				chunk({
					tool_calls: [{ index, id: c.id, type: 'function', function: { name: c.name, arguments: '' } }],
				}),
			);
			for (const piece of slices(whole.function.arguments, size))
				out.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
		});
		out.push(chunk({}, t.calls.length ? 'tool_calls' : 'stop'));
		if (t.usage && rq.wantsUsage) {
			const last = chunk({});
			last.data.choices = [];
			last.data.usage = chatUsage(t.usage);
			last.reports = t.usage;
			out.push(last);
		}
		out.push({ data: '[DONE]' });
		return out;
	},
	error: (status, message, kind) => ({ error: { message, type: kind, code: kind, param: null } }),
};

// ---- Anthropic messages -----------------------------------------------------------------------------------------------

const anthropicUsage = (u) => ({
	input_tokens: u.input,
	cache_creation_input_tokens: u.cache_write,
	cache_read_input_tokens: u.cache_read,
	output_tokens: u.output,
});

function anthropicBlocks(t) {
	return [
		...(t.reasoning ? [{ type: 'thinking', thinking: t.reasoning, signature: 'c2ln' }] : []),
		...(t.text ? [{ type: 'text', text: t.text }] : []),
		...t.calls.map((c) => ({ type: 'tool_use', id: c.id, name: c.name, input: c.args })),
	];
}

const messages = {
	name: 'anthropic-messages',
	match: (method, path) => method === 'POST' && /\/messages$/.test(path),
	read(body) {
		const all = body.messages || [];
		return {
			model: body.model,
			stream: body.stream === true,
			wantsUsage: true,
			system: textOf(body.system),
			prompt: textOf(all.find((m) => m.role === 'user')?.content),
			last: textOf(all.at(-1)?.content),
			tools: (body.tools || []).map((t) => ({ name: t.name, schema: t.input_schema })),
			answers: all.filter((m) => m.role === 'assistant').length,
		};
	},
	whole: (id, rq, t) => ({
		id: `msg_${id}`,
		type: 'message',
		role: 'assistant',
		model: rq.model,
		content: anthropicBlocks(t),
		stop_reason: t.calls.length ? 'tool_use' : 'end_turn',
		stop_sequence: null,
		usage: anthropicUsage(t.usage || { input: 0, cache_read: 0, cache_write: 0, output: 0 }),
	}),
	events(id, rq, t, size) {
		const ev = (data, reports) => ({ event: data.type, data, reports });
		const u = t.usage || { input: 0, cache_read: 0, cache_write: 0, output: 0, reasoning: 0 };
		const out = [
			ev(
				{
					type: 'message_start',
					message: {
						id: `msg_${id}`,
						type: 'message',
						role: 'assistant',
						model: rq.model,
						content: [],
						stop_reason: null,
						stop_sequence: null,
						usage: { ...anthropicUsage(u), output_tokens: u.output ? 1 : 0 },
					},
				},
				t.usage && { ...u, output: u.output ? 1 : 0, reasoning: 0 },
			),
		];
		anthropicBlocks(t).forEach((block, index) => {
			const start = {
				thinking: { ...block, thinking: '', signature: '' },
				text: { type: 'text', text: '' },
				tool_use: { ...block, input: {} },
			}[block.type];
			out.push(ev({ type: 'content_block_start', index, content_block: start }));
			const delta = (d) => out.push(ev({ type: 'content_block_delta', index, delta: d }));
			if (block.type === 'thinking') {
				slices(block.thinking, size).forEach((thinking) => delta({ type: 'thinking_delta', thinking }));
				delta({ type: 'signature_delta', signature: block.signature });
			} else if (block.type === 'text') {
				slices(block.text, size).forEach((text) => delta({ type: 'text_delta', text }));
			} else {
				slices(JSON.stringify(block.input), size).forEach((partial_json) =>
					delta({ type: 'input_json_delta', partial_json }),
				);
			}
			out.push(ev({ type: 'content_block_stop', index }));
		});
		out.push(
			ev(
				{
					type: 'message_delta',
					delta: { stop_reason: t.calls.length ? 'tool_use' : 'end_turn', stop_sequence: null },
					usage: { output_tokens: u.output },
				},
				t.usage && u,
			),
		);
		out.push(ev({ type: 'message_stop' }));
		return out;
	},
	error: (status, message, kind) => ({ type: 'error', error: { type: kind, message } }),
};

// ---- OpenAI responses -------------------------------------------------------------------------------------------------

const responsesUsage = (u) => ({
	input_tokens: totalInput(u),
	input_tokens_details: {
		cached_tokens: u.cache_read,
		...(u.cache_write ? { cache_write_tokens: u.cache_write } : {}),
	},
	output_tokens: u.output,
	output_tokens_details: { reasoning_tokens: u.reasoning },
	total_tokens: totalInput(u) + u.output,
});

function responsesItems(id, t) {
	return [
		...(t.reasoning
			? [{ type: 'reasoning', id: `rs_${id}`, summary: [{ type: 'summary_text', text: t.reasoning }] }]
			: []),
		...(t.text
			? [
					{
						type: 'message',
						id: `msg_${id}`,
						role: 'assistant',
						status: 'completed',
						content: [{ type: 'output_text', text: t.text, annotations: [] }],
					},
				]
			: []),
		...t.calls.map((c, i) =>
			c.freeform
				? {
						type: 'custom_tool_call',
						id: `ctc_${id}_${i}`,
						call_id: c.id,
						name: c.name,
						input: c.args,
						status: 'completed',
					}
				: {
						type: 'function_call',
						id: `fc_${id}_${i}`,
						call_id: c.id,
						name: c.name,
						arguments: JSON.stringify(c.args),
						status: 'completed',
					},
		),
	];
}

const responses = {
	name: 'openai-responses',
	match: (method, path) => method === 'POST' && /\/responses$/.test(path),
	read(body) {
		const input = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : body.input || [];
		const users = input.filter((m) => m.role === 'user');
		// the newest user text is what a caller said: codex puts the surroundings in user messages of their own before it
		return {
			model: body.model,
			stream: body.stream === true,
			wantsUsage: true,
			system: [
				body.instructions || '',
				...input.filter((m) => m.role === 'system' || m.role === 'developer').map((m) => textOf(m.content)),
			].join('\n'),
			prompt: users.map((m) => textOf(m.content)).join('\n'),
			last: textOf(input.at(-1)?.content ?? input.at(-1)?.output),
			tools: (body.tools || []).map((t) => ({
				name: t.name || t.type,
				schema: t.parameters,
				freeform: t.type === 'custom',
			})),
			answers: input.filter(
				(m) => m.role === 'assistant' || m.type === 'function_call' || m.type === 'custom_tool_call',
			).length,
		};
	},
	whole: (id, rq, t) => ({
		id: `resp_${id}`,
		object: 'response',
		created_at: now(),
		status: 'completed',
		model: rq.model,
		output: responsesItems(id, t),
		...(t.usage ? { usage: responsesUsage(t.usage) } : {}),
	}),
	events(id, rq, t, size) {
		let n = 0;
		const out = [];
		const ev = (type, data, reports) =>
			out.push({ event: type, data: { type, sequence_number: n++, ...data }, reports });
		const shell = {
			id: `resp_${id}`,
			object: 'response',
			created_at: now(),
			status: 'in_progress',
			model: rq.model,
			output: [],
		};
		ev('response.created', { response: shell });
		responsesItems(id, t).forEach((item, output_index) => {
			if (item.type === 'message') {
				ev('response.output_item.added', {
					output_index,
					item: { ...item, status: 'in_progress', content: [] },
				});
				ev('response.content_part.added', {
					item_id: item.id,
					output_index,
					content_index: 0,
					part: { type: 'output_text', text: '', annotations: [] },
				});
				for (const delta of slices(t.text, size))
					ev('response.output_text.delta', { item_id: item.id, output_index, content_index: 0, delta });
				ev('response.output_text.done', { item_id: item.id, output_index, content_index: 0, text: t.text });
				ev('response.content_part.done', {
					item_id: item.id,
					output_index,
					content_index: 0,
					part: item.content[0],
				});
			} else if (item.type === 'function_call') {
				ev('response.output_item.added', {
					output_index,
					item: { ...item, status: 'in_progress', arguments: '' },
				});
				for (const delta of slices(item.arguments, size))
					ev('response.function_call_arguments.delta', { item_id: item.id, output_index, delta });
				ev('response.function_call_arguments.done', {
					item_id: item.id,
					output_index,
					arguments: item.arguments,
				});
			} else {
				ev('response.output_item.added', { output_index, item });
			}
			ev('response.output_item.done', { output_index, item });
		});
		ev('response.completed', { response: { ...responses.whole(id, rq, t) } }, t.usage);
		return out;
	},
	error: (status, message, kind) => ({ error: { message, type: kind, code: kind, param: null } }),
};

// ---- Gemini generateContent -------------------------------------------------------------------------------------------

const geminiUsage = (u) => ({
	promptTokenCount: totalInput(u),
	cachedContentTokenCount: u.cache_read,
	candidatesTokenCount: u.output - u.reasoning,
	thoughtsTokenCount: u.reasoning,
	totalTokenCount: totalInput(u) + u.output,
});

const geminiParts = (t) => [
	...(t.reasoning ? [{ text: t.reasoning, thought: true }] : []),
	...(t.text ? [{ text: t.text }] : []),
	...t.calls.map((c) => ({ functionCall: { id: c.id, name: c.name, args: c.args } })),
];

const gemini = {
	name: 'gemini',
	match: (method, path) => method === 'POST' && /:(stream)?generateContent$/i.test(path),
	read(body, path) {
		const contents = body.contents || [];
		const users = contents.filter((m) => m.role !== 'model');
		return {
			model: decodeURIComponent(/models\/([^/:]+)/.exec(path)?.[1] || ''),
			stream: /:streamGenerateContent$/i.test(path),
			wantsUsage: true,
			system: textOf(body.systemInstruction?.parts),
			prompt: users.map((m) => textOf(m.parts)).join('\n'),
			last: textOf(contents.at(-1)?.parts),
			tools: (body.tools || []).flatMap((t) =>
				(t.functionDeclarations || []).map((f) => ({
					name: f.name,
					schema: f.parametersJsonSchema || f.parameters,
				})),
			),
			answers: contents.filter((m) => m.role === 'model').length,
		};
	},
	whole: (id, rq, t) => ({
		candidates: [{ index: 0, content: { role: 'model', parts: geminiParts(t) }, finishReason: 'STOP' }],
		...(t.usage ? { usageMetadata: geminiUsage(t.usage) } : {}),
		modelVersion: rq.model,
		responseId: id,
	}),
	events(id, rq, t, size) {
		const ev = (parts, rest) => ({
			data: {
				candidates: [{ index: 0, content: { role: 'model', parts }, ...rest }],
				modelVersion: rq.model,
				responseId: id,
			},
		});
		const out = [];
		for (const text of slices(t.reasoning || '', size)) out.push(ev([{ text, thought: true }]));
		for (const text of slices(t.text || '', size)) out.push(ev([{ text }]));
		for (const c of t.calls) out.push(ev([{ functionCall: { id: c.id, name: c.name, args: c.args } }]));
		const last = ev([{ text: '' }], { finishReason: 'STOP' });
		if (t.usage) {
			last.data.usageMetadata = geminiUsage(t.usage);
			last.reports = t.usage;
		}
		out.push(last);
		return out;
	},
	error: (status, message, kind) => ({ error: { code: status, message, status: kind.toUpperCase() } }),
};

export const wires = [chat, messages, responses, gemini];

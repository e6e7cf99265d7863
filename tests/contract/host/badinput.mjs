// Bad input is refused with a reason, and nothing runs.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';

import { assertError, box, call, dispatch, dispatchBody, ended, kill, onlyLocal, start, unknownId } from '../kit.mjs';

const MIB = 1024 * 1024;

describe('bad input', () => {
	const json = {
		nothing: '',
		'a word': 'hello',
		'a torn object': '{"dispatchId":"',
		'text after the end': `${JSON.stringify({ a: 1 })}x`,
		'an array': '[]',
		null: 'null',
		'a number': '42',
		'single quotes': "{'dispatchId':'x'}",
		'a comment': '{/* */}',
		NaN: '{"timeoutSeconds":NaN}',
		'a raw control character': '{"prompt":"a\nb"}',
		'bytes that are no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
		'a thousand nested arrays': `{"history":${'['.repeat(1000)}${']'.repeat(1000)}}`,
	};
	for (const [what, body] of Object.entries(json)) {
		test(`a body that is ${what} is refused with 400`, async () => {
			assertError(await call('POST', '/dispatch', { body }), 400);
		});
	}

	test('a field given twice is refused', { skip: onlyLocal }, async () => {
		const text = JSON.stringify(dispatchBody()).replace('{', '{"prompt":"other",');
		assertError(await call('POST', '/dispatch', { body: text }), 400);
	});

	for (const field of ['dispatchId', 'taskId', 'sessionId', 'prompt', 'agent', 'callback']) {
		test(`a dispatch without ${field} is refused, and the field is named`, async () => {
			const body = dispatchBody();
			delete body[field];
			const error = assertError(await dispatch(body), 400);
			assert.match(error.message, new RegExp(field));
		});
	}

	for (const [field, values] of Object.entries({
		dispatchId: [1, null, {}, []],
		taskId: [{}, [], true, null],
		sessionId: [1, {}, null],
		prompt: [1, null, {}, ['x']],
		history: [{}, 'x', 1, [1], ['x']],
		agent: [1, null, {}],
		model: [1, {}, []],
		callback: ['http://x', 1, [], null],
		repoUrl: [1, {}],
		branch: [1, {}],
		dir: [1, {}],
		env: ['A=1', 1, ['A'], { A: 1 }, { A: null }, { A: {} }],
		timeoutSeconds: ['abc', -1, 1.5, {}, true, 1e300],
	})) {
		test(`${field} of a wrong type is refused`, async (t) => {
			for (const value of values) {
				const body = dispatchBody('exit 0', { [field]: value });
				t.after(() => typeof body.dispatchId === 'string' && kill(body.dispatchId));
				assertError(await dispatch(body), 400, `${field}=${JSON.stringify(value)}:`);
			}
		});
	}

	test('a callback without a url or a token, or with one of a wrong type, is refused', async (t) => {
		for (const callback of [
			{},
			{ url: box.url },
			{ token: 'x' },
			{ url: 1, token: 'x' },
			{ url: box.url, token: 1 },
			{ url: 'javascript:1', token: 'x' },
			{ url: 'file:///etc/passwd', token: 'x' },
			{ url: `${box.url}\n`, token: 'x' },
			{ url: box.url, token: 'x\ny' },
			{ url: '-o/tmp/x', token: 'x' },
		]) {
			const body = dispatchBody('exit 0', { callback });
			t.after(() => kill(body.dispatchId));
			assertError(await dispatch(body), 400, JSON.stringify(callback));
		}
	});

	for (const dispatchId of [
		'',
		' ',
		'-x',
		'../../etc/passwd',
		'a/b',
		'a b',
		'a\u0000b',
		'a\nb',
		'é'.repeat(20),
		'x'.repeat(300),
		'.',
		'..',
		'%2e%2e',
	]) {
		test(`a dispatchId of a wrong grammar is refused: ${JSON.stringify(dispatchId.slice(0, 20))}`, async () => {
			assertError(await dispatch(dispatchBody('exit 0', { dispatchId })), 400);
		});
	}

	test('a prompt with a NUL is refused', async () => {
		assertError(await dispatch(dispatchBody('', { prompt: 'a\u0000b' })), 400);
	});

	for (const [field, value] of [
		['agent', 'sh\nell'],
		['agent', '../shell'],
		['agent', 'shell;id'],
		['agent', '-x'],
		['agent', ''],
		['model', 'a\u0001b'],
		['model', 'a\nb'],
		['branch', 'a\nb'],
		['branch', 'a\u0000b'],
		['repoUrl', 'https://example.invalid/\nx'],
		['repoUrl', 'https://example.invalid/\u0000'],
		['dir', '/tmp/\u0000x'],
		['dir', '/tmp/a\nb'],
		['sessionId', 's1\n'],
		['sessionId', '../s1'],
		['taskId', '1\n2'],
		['taskId', '../1'],
		['taskId', '-1'],
		['router', 'a\nb'],
	]) {
		test(`${field} with control characters or a wrong grammar is refused: ${JSON.stringify(value)}`, async (t) => {
			const body = dispatchBody('exit 0', { [field]: value });
			t.after(() => kill(body.dispatchId));
			assertError(await dispatch(body), 400);
		});
	}

	for (const env of [
		{ '': 'x' },
		{ 'A=B': 'x' },
		{ 'A B': 'x' },
		{ 'A\n': 'x' },
		{ A: 'x\u0000y' },
		{ '-x': 'y' },
		{ '1A': 'x' },
	]) {
		test(`env with a name or value that cannot be a variable is refused: ${JSON.stringify(env)}`, async (t) => {
			const body = dispatchBody('exit 0', { env });
			t.after(() => kill(body.dispatchId));
			assertError(await dispatch(body), 400);
		});
	}

	test('env cannot replace what the host itself says in the box', async (t) => {
		const env = {
			PATH: '/tmp/evil',
			HOME: '/tmp',
			CHOMP_API: 'http://evil.invalid',
			TASK_ID: '666',
			LD_PRELOAD: '/tmp/x.so',
			CHOMP_TOKEN_FILE: '/tmp/x',
		};
		const body = dispatchBody('printf "%s|" "$PATH" "$CHOMP_API" "$TASK_ID" "$LD_PRELOAD" | put env-kept', { env });
		t.after(() => kill(body.dispatchId));
		const said = await dispatch(body);
		if (said.status !== 200) return void assertError(said, 400);
		await ended(said.json().sandboxId);
		const kept = (await box.put('env-kept')).toString();
		assert.doesNotMatch(kept, /evil|666|x\.so/);
		return undefined;
	});

	test('an unknown field is ignored', async (t) => {
		const s = await start(t, 'exit 0', { somethingNew: { a: [1] } });
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
	});

	test('a body of more than 2 MiB is refused with 413', async () => {
		const body = JSON.stringify(dispatchBody('', { prompt: 'x'.repeat(2 * MIB) }));
		assertError(await call('POST', '/dispatch', { body }), 413);
	});

	test('an unknown route is 404', async () => {
		for (const route of [
			'/',
			'/nope',
			'/dispatch/x',
			'/status',
			'/status/',
			'/kill/',
			'/logs',
			'/healthz',
			'/../etc/passwd',
			'/status/a/b',
		])
			assertError(await call('GET', route), [404, 400, 405], route);
		assertError(await call('GET', '/nope'), 404);
		assertError(await call('POST', '/nope', { body: {} }), 404);
	});

	for (const [method, route, allow] of [
		['GET', '/dispatch', 'POST'],
		['PUT', '/dispatch', 'POST'],
		['DELETE', `/kill/${unknownId()}`, 'POST'],
		['GET', `/kill/${unknownId()}`, 'POST'],
		['POST', `/status/${unknownId()}`, 'GET'],
		['POST', `/logs/${unknownId()}`, 'GET'],
		['POST', '/health', 'GET'],
	]) {
		test(`${method} ${route.replace(/[0-9a-f]{32}/, '{id}')} is 405 and allows ${allow}`, async () => {
			const said = await call(method, route, { body: method === 'GET' ? undefined : {} });
			assertError(said, 405);
			assert.ok(said.headers.allow.split(/\s*,\s*/).includes(allow), `Allow: ${said.headers.allow}`);
		});
	}

	test('ids that climb or break a path are refused by status, kill and logs, and name no file', async () => {
		for (const id of ['..%2f..%2fetc', '%2e%2e', '..', 'x'.repeat(5000), '%0a', '%ff', 'a%00b']) {
			for (const [method, route] of [
				['GET', 'status'],
				['POST', 'kill'],
				['GET', 'logs'],
			]) {
				const said = await call(method, `/${route}/${id}`).catch((e) => {
					// a NUL may be cut off below HTTP, without an answer
					if (!id.includes('%00')) throw e;
					return { status: 400, text: e.message };
				});
				assert.ok(
					said.status >= 400 && said.status < 500,
					`${method} /${route}/${id.slice(0, 20)}: ${said.status} ${said.text.slice(0, 100)}`,
				);
			}
		}
	});

	test('after all that it still serves', async (t) => {
		const s = await start(t, 'echo still here');
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
	});
});

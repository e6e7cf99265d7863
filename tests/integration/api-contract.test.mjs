// GET /api/openapi.json: valid, complete, and true: every operation is called here and its answers are held to it.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createConfig, lint } from '@redocly/openapi-core';
import { Validator } from '@seriousme/openapi-schema-validator';
import { repoRoot } from '../lib/build.mjs';
import { contractOf, theContract } from '../lib/contract.mjs';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const contract = theContract();
const called = new Set();
const { call } = chomp.api;
const api = async (method, route, body, options) => {
	const answer = await call(method, route, body, options);
	const at = contract.operations.find((o) => new RegExp(`^${o.replace(/[.]/g, '\\.').replace(/\{[^}]*\}/g, '[^/]+')}$`).test(`${method} ${route.replace(/\?.*/, '')}`));
	called.add(`${at} ${answer.status < 400 ? 'good' : 'refused'}`);
	return answer;
};
const must = async (...args) => {
	const said = await api(...args);
	assert.equal(said.status, 200, `${args[0]} ${args[1]}: ${said.text}`);
	return said.headers['content-type'].startsWith('application/json') ? said.json() : said.text;
};
const refused = async (status, code, ...args) => {
	const said = await api(...args);
	assert.equal(`${said.status} ${said.json().error.code}`, `${status} ${code}`);
};
const sources = (pattern, ...dirs) => execFileSync('grep', ['-rhoE', pattern, '--include=*.c', '--include=*.h', ...dirs], { cwd: repoRoot, encoding: 'utf8' });

describe('the document', () => {
	test('is OpenAPI 3.1 by a public validator', async () => {
		const result = await new Validator().validate(structuredClone((await chomp.api.get('/api/openapi.json')).json()));
		assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
	});

	test('pleases a public linter', async () => {
		const problems = await lint({ ref: path.join(repoRoot, 'fcgi/api/openapi.json'), config: await createConfig({ extends: ['recommended-strict'] }) });
		assert.deepEqual(problems.map((p) => `${p.ruleId}: ${p.message} at ${p.location[0]?.pointer}`), []);
	});

	test('is the file of this clone, for the version that runs', async () => {
		const said = await chomp.api.get('/api/openapi.json');
		assert.equal(said.text, fs.readFileSync(path.join(repoRoot, 'fcgi/api/openapi.json'), 'utf8'));
		assert.equal(said.json().info.version, (await must('GET', '/api/health')).version);
	});

	test('names every route of /api and /metrics, and no other', () => {
		const table = fs.readFileSync(path.join(repoRoot, 'fcgi/worker/routes.c'), 'utf8');
		const routes = [...table.matchAll(/\{ "([A-Z]+)", "(\/(?:api\/|metrics)[^"]*)"/g)].map(([, m, p]) => `${m} ${p}`);
		assert.ok(routes.length > 20);
		assert.deepEqual(contract.operations.map((o) => o.replace(/\{[^}]*\}/g, '{}')).sort(), routes.sort());
	});

	test('names every error code that a handler can give', () => {
		const known = new Set(contract.document.components.schemas.Error.properties.error.properties.code.enum);
		const table = [...sources('X\\([A-Z_]+, [0-9]+, "[a-z_]+"\\)', 'fcgi/core').matchAll(/"([a-z_]+)"/g)].map((m) => m[1]);
		const finer = [...sources('ERR_[A-Z_]+, "[a-z_]+",', 'fcgi/api', 'fcgi/http', 'fcgi/model', 'fcgi/store').matchAll(/"([a-z_]+)"/g)].map((m) => m[1]);
		assert.ok(table.length > 10 && finer.length > 5);
		assert.deepEqual([...table, ...finer].filter((c) => c !== 'ok' && !known.has(c)), []);
		for (const file of fs.readdirSync(path.join(repoRoot, 'nginx/errors')).filter((f) => f.endsWith('.json')))
			contract.valid('/components/schemas/Error', JSON.parse(fs.readFileSync(path.join(repoRoot, 'nginx/errors', file))), file);
	});

	test('has no schema that nothing uses, and no operation named twice', async () => {
		const text = (await chomp.api.get('/api/openapi.json')).text;
		for (const name of Object.keys(contract.document.components.schemas)) assert.ok(text.includes(`"#/components/schemas/${name}"`), name);
		const ids = [...text.matchAll(/"operationId": "([^"]+)"/g)].map((m) => m[1]);
		assert.equal(new Set(ids).size, ids.length);
	});
});

describe('the check', () => {
	const answer = (status, body, type = 'application/json') => ({ status, headers: { 'content-type': type }, json: () => body, text: JSON.stringify(body) });
	const strict = contractOf(contract.document);

	for (const [what, args] of [
		['a member too many', ['GET', '/api/health', answer(200, { status: 'ok', more: 1 })]],
		['a member of the wrong type', ['GET', '/api/health', answer(200, { status: 1 })]],
		['a status that is not documented', ['GET', '/api/tasks/1', answer(204, {})]],
		['a type that is not documented', ['GET', '/api/tasks/1', answer(200, {}, 'text/html')]],
		['an error without a message', ['GET', '/api/tasks/1', answer(404, { error: { code: 'not_found' } })]],
		['an unknown error code', ['GET', '/api/tasks/1', answer(404, { error: { code: 'gone', message: 'x' } })]],
		['an operation that is not documented', ['GET', '/api/secret', answer(200, {})]],
		['a change without its trigger', ['POST', '/api/config/keys', answer(200, { key: 'GITHUB_TOKEN', set: false, preview: null })]],
	])
		test(`refuses ${what}`, () => assert.throws(() => strict.check(...args)));
});

describe('every operation answers as documented', () => {
	const form = { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } };
	const nobody = { bearer: '' };

	test('tasks', async () => {
		const { id } = await must('POST', '/api/tasks', { prompt: 'echo hello', agent: 'shell', priority: 3, token_budget: 1000, repo_url: '', network: 'none' });
		await must('POST', '/api/tasks', 'prompt=by+form&agent=shell&on_budget=stop', form);
		await must('GET', `/api/tasks/${id}`);
		await must('GET', '/api/tasks?status=queued&limit=1&q=hello');
		await must('POST', '/api/tasks/run', { id, agent: 'shell' });
		await must('POST', '/api/tasks/update', { id, usage: { input: 5, output: 7, cache_read: 0, cache_write: 0 }, summary: 'at it' });
		const counted = await must('POST', '/api/tasks/update', `id=${id}&usage=${encodeURIComponent('{"input":6,"output":8}')}`, form);
		assert.equal(counted.tokens, 14);
		await refused(400, 'bad_json', 'POST', '/api/tasks/update', `id=${id}&usage=none`, form);
		await must('POST', '/api/tasks/handoff', { id, summary: 'half done' });
		await must('POST', '/api/tasks/run', `id=${id}`, form);
		await must('POST', '/api/tasks/cancel', { id });
		await must('POST', '/api/tasks/run', { id });
		await must('POST', '/api/tasks/fail', { id, reason: 'no', exit_code: 1 });
		await must('POST', '/api/tasks/retry', { id });
		await must('POST', '/api/tasks/run', { id });
		await must('POST', '/api/tasks/done', { id, result: 'yes', tokens: 2000 });
		const t = await must('GET', `/api/tasks/${id}`);
		assert.equal(t.sessions.length, 4);
		assert.equal(t.budget_exceeded, true);
		await must('GET', '/api/state');
		await must('GET', `/api/sandbox/output/${id}`);
		await must('GET', `/api/tasks/${id}/sessions/s1/output`);
		await must('POST', '/api/tasks/delete', { id });
	});

	test('reviews', async () => {
		const { id } = await must('POST', '/api/tasks', { prompt: 'echo x', agent: 'shell', review: true, gate: 'none', gate_loops: 2 });
		const finish = async () => {
			await must('POST', '/api/tasks/run', { id });
			return must('POST', '/api/tasks/done', { id });
		};
		assert.equal((await finish()).review.state, 'waiting');
		await must('POST', '/api/tasks/sendback', { id, comment: 'once more' });
		await finish();
		assert.equal((await must('POST', '/api/tasks/approve', { id })).review.state, 'approved');
		await refused(409, 'not_waiting', 'POST', '/api/tasks/approve', { id });
	});

	test('a real session, with its output and work product', async () => {
		const script = 'echo words; printf x >/tmp/notes.txt; curl -sf --unix-socket "$CHOMP_API_SOCKET" -H "Authorization: Bearer $(cat "$CHOMP_TOKEN_FILE")" --data-binary @/tmp/notes.txt "$CHOMP_API/api/tasks/$TASK_ID/artifacts/notes.txt"';
		const { id } = await must('POST', '/api/tasks', { prompt: script, agent: 'shell', run: true });
		const done = await chomp.until(id, 'done');
		assert.equal(done.artifacts[0].name, 'notes.txt', await chomp.output(id));
		await waitFor('its output is there', async () => /words/.test(await must('GET', `/api/sandbox/output/${id}`)));
		assert.equal(await must('GET', `/api/tasks/${id}/artifacts/notes.txt`), 'x');
		await waitFor('its film is there', async () => (await chomp.api.get(`/api/tasks/${id}/sessions/s1/recording`)).status === 200);
		assert.match(await must('GET', `/api/tasks/${id}/sessions/s1/recording`), /^\{"version":\s*2/);
		/* its agent's own answer is the one that the box got; here the owner's refusal */
		await refused(403, 'forbidden', 'POST', `/api/tasks/${id}/artifacts/notes.txt`, 'x');
	});

	test('configuration', async () => {
		await must('POST', '/api/config/agents', { id: 'mine', name: 'Mine', command: 'bash', models: ['a'], color: '#123456' });
		await must('GET', '/api/config/agents');
		await must('POST', '/api/config/keys', { key: 'GITHUB_TOKEN', value: 'a-key-0123456789' });
		await must('POST', '/api/config/settings', { auto_run: false, session_timeout: '4h', default_agent: 'mine', sandbox_allow: '127.0.0.1:11434' });
		await must('GET', '/api/config');
		await must('DELETE', '/api/config/agents?id=mine');
		await must('GET', '/api/platforms');
		await must('GET', '/metrics');
		await must('GET', '/api/health');
		await must('GET', '/api/openapi.json');
		assert.deepEqual(await must('GET', '/api/health', undefined, nobody), { status: 'ok' });
	});

	test('refusals', async () => {
		for (const operation of contract.operations) {
			const [method, template] = operation.split(' ');
			const route = template.replace('{id}', '1').replace('{name}', 'x').replace('{sid}', 's1');
			const body = method === 'GET' ? undefined : '{}';
			if (route !== '/api/health') await refused(401, 'no_token', method, route, body, nobody);
			if (method === 'POST' && !route.includes('/artifacts/')) {
				await refused(400, 'bad_json', method, route, '{');
				await refused(415, 'unsupported_media', method, route, 'x', { headers: { 'Content-Type': 'text/plain' } });
			}
			if (method === 'GET') assert.equal((await call('PATCH', route, '{}')).status, 405);
		}
		await refused(404, 'not_found', 'GET', '/api/tasks/999999');
		await refused(400, 'bad_id', 'GET', '/api/tasks/x');
		await refused(404, 'not_found', 'GET', '/api/tasks/1/artifacts/x');
		await refused(404, 'not_found', 'GET', '/api/sandbox/output/999999');
		await refused(400, 'bad_field', 'GET', '/api/tasks?limit=0');
		await refused(400, 'builtin_agent', 'DELETE', '/api/config/agents?id=pi');
		await refused(400, 'unknown_agent', 'POST', '/api/tasks', { prompt: 'x', agent: 'nobody' });
		await refused(400, 'unknown_key', 'POST', '/api/config/keys', { key: 'PATH', value: 'x' });
		const { id } = await must('POST', '/api/tasks', { prompt: 'x' });
		await refused(409, 'not_active', 'POST', '/api/tasks/done', { id });
		await refused(409, 'not_finished', 'POST', '/api/tasks/retry', { id });
	});

	test('none was forgotten', () => {
		const boxed = new Set(['POST /api/tasks/{id}/artifacts/{name}', 'POST /api/tasks/gate']); // its answers: gate.test.mjs
		assert.deepEqual(contract.operations.filter((o) => !called.has(`${o} good`) && !boxed.has(o)), []);
		assert.deepEqual(contract.operations.filter((o) => !called.has(`${o} refused`) && o !== 'GET /api/health'), []);
	});
});

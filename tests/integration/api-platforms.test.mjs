// How the platforms are: the dispatcher asks a scripted provider on loopback, the page only reads.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';

const asked = [];
let answers = {};
const provider = http.createServer((rq, rs) => {
	asked.push({ path: rq.url, authorization: rq.headers.authorization });
	const [status, body] = answers[rq.url] || [404, {}];
	if (status === 'hang') return;
	rs.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
});
await new Promise((r) => provider.listen(0, '127.0.0.1', r));
after(() => {
	provider.closeAllConnections();
	provider.close();
});
const base = `http://127.0.0.1:${provider.address().port}`;
const chomp = await shared({ after }, {
	env: {
		CHOMP_OPENROUTER_URL: base,
		CHOMP_CLOUDFLARE_URL: base,
		CHOMP_ZEN_URL: `${base}/`,
		CHOMP_SHELLEY_URL: `${base}/shelley`,
	},
});
const KEY = 'sk-or-v1-the-most-secret-of-keys';
const platforms = async () => {
	const said = await chomp.api.get('/api/platforms');
	assert.equal(said.status, 200, said.text);
	return Object.fromEntries(said.json().map((p) => [p.name, p]));
};
const key = async (name, value) =>
	assert.equal((await chomp.api.post('/api/config/keys', { key: name, value })).status, 200);
const until = (name, status) =>
	waitFor(`${name} is ${status}`, async () => {
		const p = (await platforms())[name];
		return p.status === status && p;
	}, { context: async () => `${JSON.stringify(await platforms())}\n${chomp.logTail()}` });
const logs = () =>
	fs.readdirSync(path.join(chomp.var, 'log'), { recursive: true })
		.map((f) => path.join(chomp.var, 'log', f))
		.filter((f) => fs.statSync(f).isFile())
		.map((f) => fs.readFileSync(f, 'utf8'))
		.join('\n');

describe('/api/platforms', () => {
	test('asks nobody while nobody looks, and nobody without a key', async () => {
		await key('OPENCODE_ZEN_API_KEY', 'zen-key-0123456789');
		await new Promise((r) => setTimeout(r, 500));
		assert.deepEqual(asked, []);
		await key('OPENCODE_ZEN_API_KEY', '');
		answers = { '/shelley/': [200, {}] };
		const list = (await chomp.api.get('/api/platforms')).json();
		assert.deepEqual(list.map((p) => p.name), ['Shelley', 'Cloudflare AI', 'OpenRouter', 'OpenCode Zen']);
		for (const p of list.slice(1)) assert.equal(p.status, 'unconfigured');
		assert.ok((await until('Shelley', 'live')).checked_at);
		assert.deepEqual(asked, [{ path: '/shelley/', authorization: undefined }]);
	});

	test('shows a new key as unknown, then what its provider says, with the credits it states', async () => {
		answers = {
			'/api/v1/key': [200, { data: { limit_remaining: null } }],
			'/api/v1/credits': [200, { data: { total_credits: 20, total_usage: 7.5 } }],
			'/zen/v1/models': ['hang'],
		};
		await key('OPENCODE_ZEN_API_KEY', 'zen-key-0123456789');
		assert.equal((await platforms())['OpenCode Zen'].status, 'unknown');
		await key('OPENROUTER_API_KEY', KEY);
		const p = await until('OpenRouter', 'live');
		assert.equal(p.credits, 12.5);
		assert.equal(p.reason, null);
		assert.match(p.checked_at, /^\d{4}-.*Z$/);
		assert.ok(asked.filter((a) => a.path.startsWith('/api/v1/')).every((a) => a.authorization === `Bearer ${KEY}`));
		assert.equal((await platforms())['OpenCode Zen'].status, 'unknown', 'a provider that hangs holds nobody up');
		await until('OpenCode Zen', 'down');
	});

	test('says why: a refused key, a limit, a token that is not active', async () => {
		answers = { '/api/v1/key': [401, { error: `no such key ${KEY}` }], '/client/v4/user/tokens/verify': [200, { result: { status: 'expired' } }], '/zen/v1/models': [429, {}] };
		await key('OPENROUTER_API_KEY', `${KEY}-2`);
		assert.equal((await until('OpenRouter', 'down')).reason, 'the key is refused (401)');
		await key('OPENCODE_ZEN_API_KEY', 'zen-other-0123456789');
		await until('OpenCode Zen', 'limited');
		await key('CLOUDFLARE_ACCOUNT_ID', '0123456789abcdef0123456789abcdef');
		await key('CLOUDFLARE_AI_GATEWAY_ID', 'gate');
		await key('CLOUDFLARE_API_TOKEN', 'cf-token-0123456789');
		assert.equal((await until('Cloudflare AI', 'down')).reason, 'the token is not active');
	});

	test('does not ask again within the minute, however many look', async () => {
		const before = asked.length;
		await Promise.all(Array.from({ length: 50 }, platforms));
		await new Promise((r) => setTimeout(r, 500));
		assert.equal(asked.length, before);
	});

	test('keeps keys out of logs, state and command lines', async () => {
		assert.doesNotMatch(logs(), /most-secret|zen-key|cf-token/);
		assert.doesNotMatch(fs.readFileSync(path.join(chomp.var, 'state/platforms.json'), 'utf8'), /most-secret|zen-|cf-token/);
		for (const p of chomp.processes()) assert.doesNotMatch(p.cmdline, /most-secret/);
		const host = fs.readFileSync(path.join(chomp.var, 'secrets/sandbox_secret'), 'utf8').trim();
		assert.ok(asked.every((a) => !a.authorization?.includes(host)), "the sandbox host's secret goes to nobody else");
	});

	test('is for the owner alone', async () => {
		assert.equal((await chomp.api.get('/api/platforms', { bearer: '' })).status, 401);
	});
});

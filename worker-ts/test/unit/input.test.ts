// Everything that an untrusted caller can send: a clear 4xx, and no sandbox touched.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AGENTS } from '../../src/agents';
import { calls, containers, reset } from '../mock/fake';
import { ask, error, newId, right, SECRET } from './kit';

beforeEach(reset);
afterEach(() => {
	expect(calls).toEqual([]);
	expect(containers.size).toBe(0);
});

const nearly = (text: string) => text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) ^ 1);

describe('who may call', () => {
	const wrong: Record<string, Record<string, string>> = {
		'nothing shown': { Authorization: '' },
		'another secret': { Authorization: `Bearer ${'x'.repeat(43)}` },
		'one bit off': { Authorization: `Bearer ${nearly(SECRET)}` },
		'a beginning of it': { Authorization: `Bearer ${SECRET.slice(0, -1)}` },
		'more than it': { Authorization: `Bearer ${SECRET}x` },
		'another scheme': { Authorization: `Basic ${btoa(`:${SECRET}`)}` },
	};
	const routes = ['POST /dispatch', ...['status', 'logs', 'recording', 'ws/terminal'].map((r) => `GET /${r}/${newId()}`), `POST /kill/${newId()}`, 'GET /nope'];
	for (const [what, headers] of Object.entries(wrong))
		for (const route of routes)
			it(`401 for ${what}: ${route.replace(/[0-9a-f]{32}/, '{id}')}`, async () => {
				const [method = '', path = ''] = route.split(' ');
				const said = await ask(method, path, { headers, ...(method === 'POST' ? { body: right() } : {}) });
				expect(said.status).toBe(401);
				expect((await error(said)).code).toBe('no_token');
			});

	it('a page in a browser is refused, whatever it shows, and no answer allows it to read', async () => {
		const said = await ask('POST', '/dispatch', { body: right(), headers: { Origin: 'https://evil.example' } });
		expect(said.status).toBe(403);
		const preflight = await ask('OPTIONS', '/dispatch', { headers: { Origin: 'https://evil.example' } });
		expect(preflight.status).toBe(403);
		for (const r of [said, preflight, await ask('GET', '/health')])
			expect([...r.headers.keys()].filter((k) => k.startsWith('access-control'))).toEqual([]);
	});

	it('health is open and says who it is', async () => {
		const said = await ask('GET', '/health', { headers: { Authorization: '' } });
		expect(await said.json()).toMatchObject({ status: 'ok', service: 'chomp-worker-ts', active: 0, capacity: 3 });
	});
});

describe('paths', () => {
	it.each(['/', '/nope', '/status', '/status/', '/dispatch/x', '/kill/', '/healthz'])('%s is 404', async (path) => {
		expect((await ask('GET', path)).status).toBe(404);
	});
	it.each(['..%2f..%2fetc', 'x', 'A'.repeat(32), 'x'.repeat(5000), '%00', `${'a'.repeat(32)}/b`, 'www'])('an id like %s is 400', async (id) => {
		for (const [method, route] of [['GET', 'status'], ['GET', 'logs'], ['POST', 'kill'], ['GET', 'ws/terminal']] as const) {
			const said = await ask(method, `/${route}/${id}`);
			expect([400, 404]).toContain(said.status);
		}
	});
	it('another method is 405 with Allow', async () => {
		const said = await ask('GET', '/dispatch');
		expect([said.status, said.headers.get('Allow')]).toEqual([405, 'POST']);
	});
	it('the terminal without an upgrade is 400', async () => {
		expect((await ask('GET', `/ws/terminal/${newId()}`)).status).toBe(400);
	});
});

describe('a dispatch', () => {
	const bad: [string, unknown, string?][] = [
		['nothing', ''],
		['no JSON', '{'],
		['an array', '[]'],
		['no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d])],
		['a byte order mark', new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
		...['dispatchId', 'taskId', 'sessionId', 'prompt', 'agent', 'callback'].map((f): [string, unknown, string] => [`no ${f}`, { ...right(), [f]: undefined }, f]),
		['a dispatchId in capitals', right({ dispatchId: 'A'.repeat(32) }), 'dispatchId'],
		['the id of another task in words', right({ taskId: '../1' }), 'taskId'],
		['a task below nothing', right({ taskId: -1 }), 'taskId'],
		['a session with a line break', right({ sessionId: 's1\n' }), 'sessionId'],
		['a prompt with NUL', right({ prompt: 'a\0b' }), 'prompt'],
		['a prompt with half a character', right({ prompt: 'a\ud800b' }), 'prompt'],
		['a prompt of 256 KiB and one', right({ prompt: 'x'.repeat(256 * 1024 + 1) }), 'prompt'],
		['a repoUrl that is an option', right({ repoUrl: '--upload-pack=touch /tmp/x' }), 'repoUrl'],
		['a repoUrl with a short option', right({ repoUrl: '-u' }), 'repoUrl'],
		['a repoUrl that is a command', right({ repoUrl: 'ext::sh -c x' }), 'repoUrl'],
		['a repoUrl that gives ssh an option', right({ repoUrl: 'ssh://-oProxyCommand=x/y' }), 'repoUrl'],
		['a repoUrl with a line break', right({ repoUrl: 'https://a.example/\nx' }), 'repoUrl'],
		['a branch that is an option', right({ repoUrl: 'https://a.example/r', branch: '--x' }), 'branch'],
		['a dir that climbs', right({ repoUrl: 'https://a.example/r', dir: 'a/../../b' }), 'dir'],
		['an absolute dir', right({ repoUrl: 'https://a.example/r', dir: '/etc' }), 'dir'],
		['a model with a control character', right({ model: 'a\u001b[2J' }), 'model'],
		['a router that is a path', right({ router: '../x' }), 'router'],
		['an agent that is a path', right({ agent: '../shell' }), 'agent'],
		['an agent that is a command', right({ agent: 'shell;id' }), 'agent'],
		['no network', right({ network: 'none' }), 'network'],
		['a network of another kind', right({ network: 'moon' }), 'network'],
		['history of texts', right({ history: ['x'] }), 'history'],
		['a callback elsewhere than http', right({ callback: { url: 'file:///etc/passwd', token: 'x' } }), 'url'],
		['a token with a line break', right({ callback: { url: 'https://a.example', token: 'x\ny' } }), 'token'],
		['env that replaces PATH', right({ env: { PATH: '/evil' } }), 'env'],
		['env that loads a library', right({ env: { LD_PRELOAD: '/evil.so' } }), 'env'],
		['env that replaces the token file', right({ env: { CHOMP_TOKEN_FILE: '/evil' } }), 'env'],
		['env with a name that is none', right({ env: { 'A=B': 'x' } }), 'env'],
		['env with NUL', right({ env: { A: 'x\0y' } }), 'env'],
		['env of many megabytes', right({ env: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`K${i}`, 'x'.repeat(30_000)])) }), 'env'],
		['a time-out of nothing', right({ timeoutSeconds: 0 }), 'timeoutSeconds'],
		['a time-out of a year', right({ timeoutSeconds: 31_536_000 }), 'timeoutSeconds'],
	];
	it.each(bad)('%s is 400', async (_, body, field) => {
		const said = await ask('POST', '/dispatch', { body });
		expect(said.status).toBe(400);
		const { code, message } = await error(said);
		expect(code).toBe(field ? 'bad_field' : 'bad_json');
		if (field) expect(message).toContain(field);
	});

	it('a directory of another machine is told apart', async () => {
		expect((await error(await ask('POST', '/dispatch', { body: right({ dir: '/srv/repo' }) }))).code).toBe('dir_needs_local');
	});
	it('an agent that nobody knows is 400', async () => {
		const said = await ask('POST', '/dispatch', { body: right({ agent: 'no-such-agent' }) });
		expect([said.status, (await error(said)).code]).toEqual([400, 'unknown_agent']);
	});
	it('a prompt of 10 MB is 413, by its announced length and by what comes', async () => {
		const body = JSON.stringify(right({ prompt: 'x'.repeat(10_000_000) }));
		expect((await ask('POST', '/dispatch', { body })).status).toBe(413);
		const stream = new Blob([body]).stream();
		expect((await ask('POST', '/dispatch', { body: stream })).status).toBe(413);
	});
	it('knows the adapters that the image has', () => {
		const files = import.meta.glob('../../../scripts/adapters/*.sh');
		const ids = Object.keys(files).map((f) => f.replace(/^.*\/|\.sh$/g, '')).filter((f) => !f.startsWith('_'));
		expect(ids.sort()).toEqual([...AGENTS].sort());
	});
});

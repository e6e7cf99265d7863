// Who may do what: nobody, the owner by token, the owner by cookie, another site, another name.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { raw, request } from '../lib/http.mjs';

const chomp = await shared({ after });
const { id } = await chomp.create({ prompt: 'private words', agent: 'shell' });

const closed = () => [
	['GET', '/api/state'],
	['GET', '/api/tasks'],
	['POST', '/api/tasks', { prompt: 'x' }],
	['GET', `/api/tasks/${id}`],
	['POST', '/api/tasks/run', { id }],
	['POST', '/api/tasks/update', { id, tokens: 1 }],
	['POST', '/api/tasks/done', { id }],
	['POST', '/api/tasks/fail', { id, reason: 'x' }],
	['POST', '/api/tasks/handoff', { id, summary: 'x' }],
	['POST', '/api/tasks/cancel', { id }],
	['POST', '/api/tasks/retry', { id }],
	['POST', '/api/tasks/delete', { id }],
	['GET', `/api/sandbox/output/${id}`],
	['GET', `/api/tasks/${id}/sessions/s1/output`],
	['GET', `/api/tasks/${id}/artifacts/changes.patch`],
	['POST', `/api/tasks/${id}/artifacts/x`, 'data'],
];

describe('without identity', () => {
	test('every route of the API is 401 with no token, a wrong one and an empty one, and changes nothing', async () => {
		const before = await chomp.state();
		for (const [method, route, body] of closed()) {
			for (const headers of [
				{},
				{ Authorization: 'Bearer wrong' },
				{ Authorization: 'Bearer ' },
				{ Authorization: `Basic ${Buffer.from(`x:${chomp.token}`).toString('base64')}` },
				{ Authorization: chomp.token },
				{ Cookie: `chomp_${chomp.port}=wrong` },
			]) {
				const said = await chomp.api.call(method, route, body, { bearer: null, headers });
				assert.equal(
					said.status,
					401,
					`${method} ${route} ${JSON.stringify(headers)}: ${said.status} ${said.text.slice(0, 200)}`,
				);
				assert.equal(said.json().error.code, 'no_token');
			}
		}
		assert.equal(await chomp.state(), before);
	});

	test('no odd way of writing a path or method leads around the identity', async () => {
		const paths = [
			'//api/state',
			'/api//state',
			'/api/./state',
			'/api/../api/state',
			'/login/../api/state',
			'/api/health/../state',
			'/api/%73tate',
			'/%61pi/state',
			'/api/state/',
			'/api/state;x',
			'/api/state%00',
			'/api/state?x=/login',
			'/api/state#/login',
			'/API/STATE',
			'/api/health/../../',
			'/css/../api/state',
			'/errors/../api/state',
			'/api/state.css',
			'/\\api/state',
			'/partials/tasks',
			`/partials/detail/${id}`,
		];
		for (const p of paths) {
			for (const method of ['GET', 'HEAD', 'POST', 'get', 'PROPFIND']) {
				const said = await raw(
					chomp.url,
					`${method} ${p} HTTP/1.1\r\nHost: 127.0.0.1:${chomp.port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
				);
				assert.match(said, /^HTTP\/1\.1 (30[1237]|4\d\d|501) /, `${method} ${p}: ${said.slice(0, 80)}`);
				assert.doesNotMatch(said, /private words|next_id/, `${method} ${p}`);
			}
		}
		for (const header of [
			'X-Forwarded-For: 127.0.0.1',
			'X-Real-IP: 127.0.0.1',
			'X-Remote-User: owner',
			'Remote-User: owner',
			'X-Original-URL: /login',
			'Proxy-Authorization: Bearer x',
			'HTTP_AUTHORIZATION: x',
		]) {
			const said = await raw(
				chomp.url,
				`GET /api/state HTTP/1.1\r\nHost: 127.0.0.1:${chomp.port}\r\n${header}\r\nConnection: close\r\n\r\n`,
			);
			assert.match(said, /^HTTP\/1\.1 4\d\d /, header);
		}
	});

	test('a token that is one character off is refused', async () => {
		const last = chomp.token.at(-1) === 'A' ? 'B' : 'A';
		for (const bearer of [
			chomp.token.slice(0, -1) + last,
			chomp.token.slice(0, -1),
			`${chomp.token}x`,
			chomp.token.toUpperCase(),
		])
			assert.equal((await chomp.api.get('/api/state', { bearer })).status, 401);
	});

	test('many wrong tokens do not lock the owner out', async () => {
		for (let i = 0; i < 50; i++)
			assert.ok([401, 429].includes((await chomp.api.get('/api/state', { bearer: `wrong${i}` })).status));
		assert.equal((await chomp.api.get('/api/state')).status, 200);
	});

	test('health says its word and no more, the login page and static files are open', async () => {
		const health = await request(chomp.url, { path: '/api/health' });
		assert.equal(health.status, 200);
		assert.doesNotMatch(health.text, /private|token|task|\/tmp|pid/i);
		const login = await request(chomp.url, { path: '/login' });
		assert.equal(login.status, 200);
		assert.match(login.headers['content-type'], /^text\/html/);
		assert.match(login.text, /<form/i);
		const css = /href="(\/[^"]+\.css)"/.exec(login.text);
		assert.ok(css, 'the login page has a style sheet');
		const sheet = await request(chomp.url, { path: css[1] });
		assert.equal(sheet.status, 200);
		assert.match(sheet.headers['content-type'], /^text\/css/);
	});

	test('the page leads to the login and shows no task', async () => {
		const said = await request(chomp.url, { path: '/', headers: { Accept: 'text/html' } });
		assert.ok([302, 303, 401].includes(said.status), String(said.status));
		if (said.status !== 401) assert.match(said.headers.location, /\/login/);
		assert.doesNotMatch(said.text, /private words/);
	});

	test('what is not public is not served as a file', async () => {
		for (const route of [
			'/.git/config',
			'/../var/secrets/owner_token',
			'/%2e%2e/secrets/owner_token',
			'/var/secrets/owner_token',
			'/run/nginx/nginx.conf',
			'/api/../../etc/passwd',
		]) {
			const said = await request(chomp.url, { path: route });
			assert.ok(said.status >= 400, `${route}: ${said.status}`);
			assert.ok(!said.text.includes(chomp.token));
		}
	});
});

describe('the owner in a browser', () => {
	const form = (fields, headers = {}) =>
		request(chomp.url, {
			method: 'POST',
			path: '/login',
			body: new URLSearchParams(fields).toString(),
			headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: chomp.url, ...headers },
		});
	const cookieOf = (said) => (said.headers['set-cookie'] || []).find((c) => c.startsWith(`chomp_${chomp.port}=`));

	test('the login form turns the token into a cookie that scripts and other sites do not get', async () => {
		const said = await form({ token: chomp.token });
		assert.ok([302, 303].includes(said.status), `${said.status} ${said.text.slice(0, 200)}`);
		const cookie = cookieOf(said);
		assert.ok(cookie, JSON.stringify(said.headers));
		assert.match(cookie, /HttpOnly/i);
		assert.match(cookie, /SameSite=Strict/i);
		assert.ok(!cookie.includes(chomp.token), 'the token itself is not in it');
		const page = await request(chomp.url, { path: '/', headers: { Cookie: cookie.split(';')[0] } });
		assert.equal(page.status, 200);
		assert.match(page.text, /private words/);
		assert.match(page.headers['content-security-policy'], /default-src 'none'|default-src 'self'/);
		assert.doesNotMatch(page.headers['content-security-policy'], /unsafe-inline/);
		assert.equal(page.headers['x-content-type-options'], 'nosniff');
		const api = await request(chomp.url, { path: '/api/state', headers: { Cookie: cookie.split(';')[0] } });
		assert.equal(api.status, 200);
	});

	test('a wrong token gets no cookie', async () => {
		const said = await form({ token: 'wrong' });
		// 429: many wrong ones were tried before
		assert.ok([401, 403, 429].includes(said.status), String(said.status));
		assert.equal(cookieOf(said), undefined);
	});

	test('the link of `chompctl url` logs in once, and a second time not', async () => {
		const url = (await chomp.ctl(['url'])).stdout.match(/http:\S+/)[0];
		assert.match(url, /\/login\?code=/);
		const first = await request(chomp.url, { path: url.slice(chomp.url.length) });
		// a link checker that only looks must not use it up: either the GET logs in, or its form does
		let cookie = cookieOf(first);
		if (!cookie) cookie = cookieOf(await form({ code: new URL(url).searchParams.get('code') }));
		assert.ok(cookie, 'the first use logs in');
		const second = await request(chomp.url, { path: url.slice(chomp.url.length) });
		const again = cookieOf(second) || cookieOf(await form({ code: new URL(url).searchParams.get('code') }));
		assert.equal(again, undefined, 'the second does not');
	});

	test('a request of another site with the cookie is 403 and changes nothing', async () => {
		const cookie = cookieOf(await form({ token: chomp.token })).split(';')[0];
		const before = await chomp.state();
		for (const headers of [
			{ Origin: 'http://evil.example' },
			{ 'Sec-Fetch-Site': 'cross-site' },
			{ Origin: 'null' },
			{ Origin: `http://127.0.0.1:${chomp.port + 1}` },
		]) {
			const said = await request(chomp.url, {
				method: 'POST',
				path: '/api/tasks',
				body: '{"prompt":"forged"}',
				headers: { Cookie: cookie, 'Content-Type': 'application/json', ...headers },
			});
			assert.equal(said.status, 403, `${JSON.stringify(headers)}: ${said.status} ${said.text}`);
		}
		assert.equal(await chomp.state(), before);
		const own = await request(chomp.url, {
			method: 'POST',
			path: '/api/tasks',
			body: '{"prompt":"mine"}',
			headers: {
				Cookie: cookie,
				'Content-Type': 'application/json',
				Origin: chomp.url,
				'Sec-Fetch-Site': 'same-origin',
			},
		});
		assert.equal(own.status, 200, own.text);
	});

	test('logout ends the cookie in the browser', async () => {
		const cookie = cookieOf(await form({ token: chomp.token })).split(';')[0];
		const out = await request(chomp.url, {
			method: 'POST',
			path: '/logout',
			body: '',
			headers: { Cookie: cookie, Origin: chomp.url, 'Content-Type': 'application/x-www-form-urlencoded' },
		});
		assert.ok(out.status < 400, `${out.status}`);
		assert.match((out.headers['set-cookie'] || []).join(), /Max-Age=0|expires=Thu, 01.Jan.1970/i);
	});
});

describe('other names', () => {
	test('a Host that is none of ours is 421, whatever else is right; none, or two, is 400', async () => {
		const own = `127.0.0.1:${chomp.port}`;
		for (const [hosts, wanted] of [
			[['evil.example'], /^421/],
			[[`evil.example:${chomp.port}`], /^421/],
			[[`${own}.evil.example`], /^421/],
			[['127.0.0.1:1'], /^421/],
			[[], /^4(00|21)/],
			[[''], /^4(00|21)/],
			[[own, 'evil.example'], /^4(00|21)/],
			[['evil.example', own], /^4(00|21)/],
		]) {
			const lines = hosts.map((h) => `Host: ${h}\r\n`).join('');
			const said = await raw(
				chomp.url,
				`GET /api/state HTTP/1.1\r\n${lines}Authorization: Bearer ${chomp.token}\r\nConnection: close\r\n\r\n`,
			);
			assert.match(said.replace(/^HTTP\/1\.1 /, ''), wanted, JSON.stringify(hosts));
			assert.ok(!said.includes('private words'));
		}
	});

	test('localhost is ours as well', async () => {
		assert.equal((await chomp.api.get('/api/state', { headers: { Host: `localhost:${chomp.port}` } })).status, 200);
	});
});

describe('the secrets on disk', () => {
	test('belong to their owner alone', () => {
		const dir = path.join(chomp.var, 'secrets');
		assert.equal(fs.statSync(dir).mode & 0o077, 0);
		assert.equal(fs.statSync(path.join(chomp.var, 'state')).mode & 0o077, 0);
		for (const file of ['owner_token', 'cookie_key', 'agent_key', 'sandbox_secret'])
			assert.equal(fs.statSync(path.join(dir, file)).mode & 0o777, 0o600, file);
		assert.equal(fs.readFileSync(path.join(dir, 'owner_token'), 'utf8'), `${chomp.token}\n`);
		assert.match(chomp.token, /^[A-Za-z0-9_-]{43}$/);
	});

	test('no secret is in an environment, a command line or a log of the running instance', () => {
		const secrets = ['owner_token', 'cookie_key', 'agent_key', 'sandbox_secret'].map((f) =>
			fs.readFileSync(path.join(chomp.var, 'secrets', f), 'utf8').trim(),
		);
		for (const p of chomp.processes()) {
			for (const s of secrets)
				assert.ok(!p.cmdline.includes(s) && !p.environ.includes(s), `a secret in process ${p.pid} ${p.comm}`);
		}
		const logs = chomp.logTail(1e6);
		for (const s of secrets) assert.ok(!logs.includes(s), 'a secret in a log');
	});
});

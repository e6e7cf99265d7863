// What every contract test needs: the host under test (from the environment, or a local one of our own), a callback server,
// and the protocol's calls. Nothing here knows more than the protocol.
//
// CHOMP_HOST_URL              http://… | https://… | unix:/path; without it a local host is started
// CHOMP_HOST_SECRET_FILE      the host's secret; without it no Authorization is sent and the tests of it are skipped
// CHOMP_HOST_KIND             local (default) or cloudflare: what only one of the two promises is asked of that one
// CHOMP_HOST_CAPACITY         how many boxes it holds; without it the test that fills it is skipped
// CHOMP_HOST_CALLBACK_SOCKET  where the callback server listens when boxes reach it by a unix socket (the host's --callback)
// CHOMP_HOST_CALLBACK_LISTEN  host:port to listen on instead of 127.0.0.1 and any port
// CHOMP_HOST_CALLBACK_URL     the address under which boxes reach that
// CHOMP_HOST_REPO_URL         a repository that boxes can clone by network (cloudflare); a local host gets one of our own

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { after } from 'node:test';
import { request } from '../lib/http.mjs';
import { prelude, startCallbackServer } from '../lib/callback-server.mjs';
import { startLocalHost } from '../lib/local-host.mjs';
import { waitFor } from '../lib/wait.mjs';

export const kind = process.env.CHOMP_HOST_KIND || 'local';
export const onlyLocal = kind === 'local' ? false : 'only a local host promises this';
export const onlyCloud = kind === 'cloudflare' ? false : 'only the Cloudflare host promises this';

export const host = {
	url: process.env.CHOMP_HOST_URL,
	secret: undefined,
	capacity: Number(process.env.CHOMP_HOST_CAPACITY || 0),
};
export let box; // the callback server: the other end of a box

let own;

async function open() {
	let callbackSocket = process.env.CHOMP_HOST_CALLBACK_SOCKET;
	if (!host.url) {
		own = await startLocalHost();
		Object.assign(host, { url: own.url, secret: own.secret, capacity: own.capacity });
		callbackSocket = own.callbackSocket;
	} else if (process.env.CHOMP_HOST_SECRET_FILE) {
		host.secret = fs.readFileSync(process.env.CHOMP_HOST_SECRET_FILE, 'utf8').trim();
	}
	const [, listenHost, listenPort] = /^(.*):(\d+)$/.exec(process.env.CHOMP_HOST_CALLBACK_LISTEN || '') || [];
	box = await startCallbackServer({
		host: listenHost || '127.0.0.1',
		port: Number(listenPort || 0),
		socketPath: callbackSocket,
		publicUrl: process.env.CHOMP_HOST_CALLBACK_URL,
	});
}

async function close() {
	await box?.close();
	await own?.stop();
}

export const hostLog = () => (own ? own.log() : '');

export const newDispatchId = () => randomBytes(16).toString('hex');

export function call(method, path, { body, headers = {}, authorization, timeoutMs } = {}) {
	const given = authorization === undefined ? host.secret && `Bearer ${host.secret}` : authorization;
	return request(host.url, {
		method,
		path,
		timeoutMs,
		body: body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
		headers: {
			...(given ? { Authorization: given } : {}),
			...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
			...headers,
		},
	});
}

// A dispatch that is right in every field; tests break one at a time.
export function dispatchBody(script = 'exit 0', more = {}) {
	return {
		dispatchId: newDispatchId(),
		taskId: '7',
		sessionId: 's1',
		prompt: prelude + script,
		history: [],
		agent: 'shell',
		model: 'bash',
		callback: { url: box.url, token: `token-${randomBytes(24).toString('base64url')}` },
		timeoutSeconds: 600,
		...more,
	};
}

export const dispatch = (body, options) => call('POST', '/dispatch', { body, ...options });
export const kill = (id) => call('POST', `/kill/${id}`);

export async function status(id) {
	const said = await call('GET', `/status/${id}`);
	if (said.status !== 200) throw new Error(`status ${said.status}: ${said.text}`);
	return said.json();
}

// Starts a script in a box and makes sure that it is gone after the test.
export async function start(t, script, more = {}) {
	const body = dispatchBody(script, more);
	t.after(() => kill(body.dispatchId));
	const said = await dispatch(body);
	if (said.status !== 200) throw new Error(`dispatch answered ${said.status}: ${said.text}\n${hostLog()}`);
	return { ...said.json(), body };
}

export const running = (id) =>
	waitFor('the agent runs', async () => (await status(id)).running === true, { context: () => tail(id) });

export const ended = (id) =>
	waitFor(
		'the agent has ended with an exit code',
		async () => {
			const s = await status(id);
			return s.running === false && Number.isInteger(s.exitCode) && s;
		},
		{ context: () => tail(id) },
	);

export const gone = (id) =>
	waitFor(
		'the box is gone',
		async () => {
			const s = await status(id);
			return s.alive === false && s.running === false && s;
		},
		{ context: () => tail(id) },
	);

export async function logs(id, offset) {
	const said = await call('GET', `/logs/${id}${offset === undefined ? '' : `?offset=${offset}`}`);
	return {
		status: said.status,
		type: said.headers['content-type'],
		body: said.body,
		text: said.body.toString('utf8').replaceAll('\r\n', '\n'),
		start: Number(said.headers['x-log-start']),
		end: Number(said.headers['x-log-end']),
		raw: said,
	};
}

// Waits until the terminal showed `text` (or matches the RegExp), and returns everything shown so far.
export const shown = (id, text) =>
	waitFor(
		`the terminal shows ${text}`,
		async () => {
			const l = await logs(id);
			return (text instanceof RegExp ? text.test(l.text) : l.text.includes(text)) && l.text;
		},
		{ context: () => tail(id) },
	);

async function tail(id) {
	const l = await logs(id).catch((e) => ({ text: e.message }));
	return `terminal of ${id}: ${JSON.stringify(l.text.slice(-2000))}\nhost log: ${hostLog().split('\n').slice(-15).join('\n')}`;
}

export const unknownId = () => randomBytes(16).toString('hex');

// An error of the protocol: one of the statuses, and a body with code and message.
export function assertError(said, wanted, message) {
	const statuses = [wanted].flat();
	assert.ok(
		statuses.includes(said.status),
		`${message || ''} ${wanted} wanted, got ${said.status}: ${said.text.slice(0, 300)}`,
	);
	const { error } = said.json();
	assert.match(error.code, /^[a-z_]+$/, 'an error has a code');
	assert.ok(typeof error.message === 'string' && error.message.length > 0, 'an error has a message');
	return error;
}

// Opened while this module loads, before any of the parts that import it: whether a test is skipped depends on it, and a hook
// that is still waiting does not stop node from starting tests.
await open();
after(close);

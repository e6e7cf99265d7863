// TLS of our own: CHOMP_TLS_CERT, CHOMP_TLS_KEY, CHOMP_HTTP_PORT. curl is the client: it speaks HTTP/2.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { chompctl } from '../lib/instance.mjs';
import { freePort } from '../lib/port.mjs';
import { endAll } from '../lib/processes.mjs';
import { tempDir } from '../lib/repo.mjs';

const dir = tempDir('chomp-tls');
const home = path.join(dir, 'var');
const key = path.join(dir, 'key.pem');
const cert = path.join(dir, 'cert.pem');
const env = { CHOMP_VAR: home, CHOMP_TLS_CERT: cert, CHOMP_TLS_KEY: key };
let https, plain, token;

// The head and the body of what curl was answered; `header` goes in by a file, as a token should.
function curl(url, ...args) {
	const r = spawnSync('curl', ['-sS', '--max-time', '30', '--cacert', cert, '-i', ...args, url], { encoding: 'utf8' });
	const [head, ...rest] = r.stdout.split('\r\n\r\n');
	return { head, body: rest.join('\r\n\r\n'), error: r.stderr };
}

before(async () => {
	execFileSync(
		'openssl',
		// prettier-ignore
		['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
			'-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert],
		{ stdio: 'ignore' },
	);
	[https, plain] = [await freePort(), await freePort()];
	Object.assign(env, { CHOMP_PORT: String(https), CHOMP_HTTP_PORT: String(plain) });
});
after(async () => {
	await chompctl(['down'], { env });
	await endAll(home);
	fs.rmSync(dir, { recursive: true, force: true });
});

describe('an instance with a certificate', () => {
	before(async () => {
		const up = await chompctl(['up'], { env });
		assert.equal(up.code, 0, up.text);
		assert.match(up.text, new RegExp(`https://127\\.0\\.0\\.1:${https}/login`));
		token = path.join(dir, 'header');
		fs.writeFileSync(token, `Authorization: Bearer ${(await chompctl(['token'], { env })).stdout.trim()}`, { mode: 0o600 });
	});

	test('answers over HTTP/2, and tells browsers to stay with TLS', () => {
		const { head, error } = curl(`https://localhost:${https}/api/health`);
		assert.match(head, /^HTTP\/2 200/, error);
		assert.match(head, /strict-transport-security: max-age=31536000/i);
	});

	test('hands the API, events and terminals through', () => {
		assert.match(curl(`https://localhost:${https}/api/state`, '-H', `@${token}`).body, /^\{"tasks":\[\]/);
		const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
		const { head } = curl(
			`https://localhost:${https}/ws/terminal/1`,
			'--http1.1', '-H', `@${token}`, ...upgrade.flatMap((h) => ['-H', h]), '--max-time', '3', // prettier-ignore
		);
		assert.match(head, /^HTTP\/1\.1 (101|404)/, 'the relay has looked at it');
	});

	test('the cookie of a login is for TLS alone', async () => {
		const link = (await chompctl(['url'], { env })).stdout.trim();
		const origin = `https://127.0.0.1:${https}`;
		assert.ok(link.startsWith(`${origin}/login?code=`), link);
		const { head } = curl(link);
		assert.match(head, /set-cookie: chomp_\d+=[^\r]*; Secure/i);
	});

	test('plain HTTP leads there, on both ports, and answers certbot', () => {
		assert.match(curl(`http://localhost:${plain}/a?b=1`).head, new RegExp(`^HTTP/1.1 308[^]*Location: https://127.0.0.1:${https}/a\\?b=1`));
		assert.match(curl(`http://localhost:${https}/a`).head, new RegExp(`^HTTP/1.1 308[^]*Location: https://localhost:${https}/a`));
		const place = path.join(home, 'acme/.well-known/acme-challenge');
		fs.mkdirSync(place, { recursive: true });
		fs.writeFileSync(path.join(place, 'token'), 'answer');
		assert.equal(curl(`http://localhost:${plain}/.well-known/acme-challenge/token`).body, 'answer');
		assert.match(curl(`http://localhost:${plain}/.well-known/acme-challenge/../../../state/lock`, '--path-as-is').head, /^HTTP\/1.1 (400|308)/);
	});

	test('a restart keeps all of it; status finds it', async () => {
		const bare = { CHOMP_VAR: home, CHOMP_TLS_CERT: undefined, CHOMP_TLS_KEY: undefined };
		const said = await chompctl(['restart'], { env: bare });
		assert.equal(said.code, 0, said.text);
		assert.match(curl(`https://localhost:${https}/api/health`).head, /^HTTP\/2 200/);
		const status = await chompctl(['status'], { env: bare });
		assert.equal(status.code, 0, status.text);
	});
});

describe('wrong settings are told', () => {
	for (const [name, more, what] of [
		['a certificate without its key', { CHOMP_TLS_KEY: '' }, /CHOMP_TLS_KEY is missing/],
		['a key that is not there', { CHOMP_TLS_KEY: '/nowhere/key.pem' }, /cannot read \/nowhere/],
		['one port for both', { CHOMP_HTTP_PORT: '8443', CHOMP_PORT: '8443' }, /are both 8443/],
		['a redirect to nothing', { CHOMP_TLS_KEY: '', CHOMP_TLS_CERT: '' }, /CHOMP_TLS_CERT and CHOMP_TLS_KEY have to be set/],
		['a public address by http', { CHOMP_PUBLIC_ORIGINS: 'http://chomp.example.org' }, /reached by https/],
	])
		test(name, async () => {
			const said = await chompctl(['up'], { env: { ...env, CHOMP_VAR: path.join(dir, 'other'), ...more } });
			assert.notEqual(said.code, 0);
			assert.match(said.text, what);
		});
});

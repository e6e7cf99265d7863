// Health, and who may call.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { waitFor } from '../../lib/wait.mjs';
import {
	assertError,
	box,
	call,
	dispatch,
	dispatchBody,
	ended,
	host,
	kill,
	onlyLocal,
	running,
	start,
	status,
	unknownId,
} from '../kit.mjs';

describe('health', () => {
	test('health answers without a secret and says who serves, how many boxes there are and may be', async () => {
		const said = await call('GET', '/health', { authorization: '' });
		assert.equal(said.status, 200);
		assert.match(said.headers['content-type'], /^application\/json/);
		const health = said.json();
		assert.equal(health.status, 'ok');
		assert.equal(typeof health.service, 'string');
		assert.equal(typeof health.version, 'string');
		assert.ok(Number.isInteger(health.active) && health.active >= 0);
		assert.ok(Number.isInteger(health.capacity) && health.capacity > 0);
	});

	test('health counts a box while it lives', { skip: onlyLocal }, async (t) => {
		const before = (await call('GET', '/health')).json().active;
		const { sandboxId } = await start(t, 'wait_for never');
		await running(sandboxId);
		assert.equal((await call('GET', '/health')).json().active, before + 1);
		await kill(sandboxId);
		await waitFor('the count falls again', async () => (await call('GET', '/health')).json().active === before);
	});
});

describe(
	'who may call',
	{
		skip: !host.secret && 'the host has no secret',
	},
	() => {
		const routes = [
			['POST', '/dispatch'],
			['GET', `/status/${unknownId()}`],
			['POST', `/kill/${unknownId()}`],
			['GET', `/logs/${unknownId()}`],
			['GET', `/recording/${unknownId()}`],
			['GET', `/ws/terminal/${unknownId()}`],
		];
		const wrong = {
			'no header': () => '',
			'a wrong secret': () => `Bearer ${'x'.repeat(43)}`,
			'another scheme': () => `Basic ${Buffer.from(`:${host.secret}`).toString('base64')}`,
			'the secret without a scheme': () => host.secret,
			'the beginning of the secret': () => `Bearer ${host.secret.slice(0, -1)}`,
			'the secret and more': () => `Bearer ${host.secret}x`,
			'an empty secret': () => 'Bearer ',
		};
		for (const [method, route] of routes) {
			for (const [what, make] of Object.entries(wrong)) {
				test(`${method} ${route.replace(/[0-9a-f]{32}/, '{id}')} refuses ${what} with 401`, async () => {
					const said = await call(method, route, {
						authorization: make(),
						body: method === 'POST' ? dispatchBody() : undefined,
					});
					assertError(said, 401);
				});
			}
		}

		test('a dispatch without the secret starts nothing', async (t) => {
			const body = dispatchBody('put intruder <<<x');
			t.after(() => kill(body.dispatchId));
			assertError(await dispatch(body, { authorization: '' }), 401);
			const other = await start(t, 'put honest <<<x');
			await ended(other.sandboxId);
			assert.equal(box.puts('intruder').length, 0);
		});

		test('a kill without the secret ends nothing', async (t) => {
			const { sandboxId } = await start(t, 'wait_for never');
			await running(sandboxId);
			assertError(await call('POST', `/kill/${sandboxId}`, { authorization: '' }), 401);
			assert.equal((await status(sandboxId)).running, true);
		});
	},
);

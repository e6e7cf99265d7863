// The contract of a sandbox host (docs: the sandbox host protocol). One suite for every host: the local one in C and the
// Cloudflare Worker. See kit.mjs for how to point it at a host.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { raw, rawConnect } from '../lib/http.mjs';
import { prelude } from '../lib/callback-server.mjs';
import { all as allProcesses } from '../lib/processes.mjs';
import { git, makeRepo, tempDir, treeHash } from '../lib/repo.mjs';
import { serveRepo } from '../lib/git-server.mjs';
import { waitFor, waitForSilence } from '../lib/wait.mjs';
import {
	box,
	call,
	close,
	dispatch,
	dispatchBody,
	ended,
	gone,
	host,
	kill,
	kind,
	logs,
	newDispatchId,
	onlyCloud,
	onlyLocal,
	open,
	running,
	shown,
	start,
	status,
} from './kit.mjs';

const MIB = 1024 * 1024;
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const unknownId = () => randomBytes(16).toString('hex');

before(open);
after(close);

function assertError(said, wanted, message) {
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
		skip:
			!(host.secret || process.env.CHOMP_HOST_SECRET_FILE || !process.env.CHOMP_HOST_URL) &&
			'the host has no secret',
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

describe('dispatch, status and logs', () => {
	test('a dispatched script runs, its terminal can be read, and exit code 0 is told', async (t) => {
		const { sandboxId, status: said, body } = await start(t, 'echo "hello from $((40 + 2))"');
		assert.equal(said, 'started');
		assert.match(sandboxId, /^[a-z0-9][a-z0-9-]{6,61}[a-z0-9]$/);
		assert.ok(
			!sandboxId.includes(body.dispatchId) && !body.dispatchId.includes(sandboxId),
			'the id tells nothing of the dispatchId',
		);
		const end = await ended(sandboxId);
		assert.equal(end.exitCode, 0);
		assert.equal(end.sandboxId, sandboxId);
		const l = await logs(sandboxId);
		assert.match(l.type, /^text\/plain/);
		assert.match(l.text, /hello from 42/);
	});

	for (const code of [1, 3, 77]) {
		test(`exit code ${code} of the script is the exit code of the box`, async (t) => {
			const { sandboxId } = await start(t, `echo before; exit ${code}`);
			assert.equal((await ended(sandboxId)).exitCode, code);
		});
	}

	test('a script that dies of a signal has an exit code that is not 0', async (t) => {
		const { sandboxId } = await start(t, 'kill -9 $$');
		assert.notEqual((await ended(sandboxId)).exitCode, 0);
	});

	test('a running agent is alive and running, and has no exit code yet', async (t) => {
		const from = Date.now();
		const { sandboxId } = await start(t, 'echo up; wait_for status-go');
		await shown(sandboxId, 'up');
		const s = await status(sandboxId);
		assert.equal(s.alive, true);
		assert.equal(s.running, true);
		assert.equal(s.exitCode ?? null, null);
		assert.match(s.startedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
		assert.ok(Math.abs(Date.parse(s.startedAt) - from) < 600_000);
		box.release('status-go');
		assert.equal((await ended(sandboxId)).exitCode, 0);
	});

	test('an unknown sandbox is not alive and not running', async () => {
		const id = unknownId();
		const s = await status(id);
		assert.equal(s.sandboxId, id);
		assert.equal(s.alive, false);
		assert.ok(!s.running);
		assert.equal(s.exitCode ?? null, null);
	});

	test('the logs of an unknown sandbox are 404', async () => {
		assertError(await call('GET', `/logs/${unknownId()}`), 404);
		assertError(await call('GET', `/recording/${unknownId()}`), 404);
	});

	test('logs grow while the agent works, and an offset gives only what is new', async (t) => {
		const { sandboxId } = await start(
			t,
			'echo first-line; wait_for grow; echo second-line; wait_for grow-more; echo third-line',
		);
		await shown(sandboxId, 'first-line');
		const one = await logs(sandboxId);
		assert.equal(one.start, 0);
		assert.equal(one.end, one.body.length);
		assert.doesNotMatch(one.text, /second-line/);
		box.release('grow');
		await shown(sandboxId, 'second-line');
		const two = await logs(sandboxId, one.end);
		assert.equal(two.start, one.end);
		assert.equal(two.end - two.start, two.body.length);
		assert.match(two.text, /second-line/);
		assert.doesNotMatch(two.text, /first-line/);
		box.release('grow-more');
		await ended(sandboxId);
		const all = await logs(sandboxId);
		const rest = await logs(sandboxId, two.end);
		assert.deepEqual(Buffer.concat([one.body, two.body, rest.body]), all.body);
	});

	test('any offset gives exactly the rest, and one past the end gives nothing', async (t) => {
		const { sandboxId } = await start(t, 'for i in $(seq 200); do echo "line number $i, ünïcödé €"; done');
		await ended(sandboxId);
		const all = await logs(sandboxId);
		for (const offset of [0, 1, 17, 1000, all.body.length - 1, all.body.length]) {
			const part = await logs(sandboxId, offset);
			assert.equal(part.status, 200);
			assert.equal(part.start, offset);
			assert.equal(part.end, all.end);
			assert.deepEqual(part.body, all.body.subarray(offset), `from ${offset}`);
		}
		const past = await logs(sandboxId, all.body.length + 1_000_000);
		assert.equal(past.status, 200);
		assert.equal(past.body.length, 0);
		assert.equal(past.end, all.end);
	});

	test('an offset that is no number is refused', async (t) => {
		const { sandboxId } = await start(t, 'exit 0');
		await ended(sandboxId);
		for (const offset of ['-1', 'abc', '1e3', '0x10', '1.5', '99999999999999999999', '%00'])
			assertError(await call('GET', `/logs/${sandboxId}?offset=${offset}`), 400, `offset=${offset}:`);
	});

	test('a terminal of several megabytes is kept whole and in order', { skip: onlyLocal }, async (t) => {
		const { sandboxId } = await start(t, 'seq -f "row %07g of the long story" 100000');
		await ended(sandboxId);
		let text = '';
		for (let at = 0; ;) {
			const part = await logs(sandboxId, at);
			assert.equal(part.start, at);
			if (part.body.length === 0) break;
			text += part.body.toString('latin1');
			at = part.end - (part.end - part.start - part.body.length);
		}
		const rows = text.split('\r\n').filter((l) => l.startsWith('row '));
		assert.equal(rows.length, 100000);
		assert.equal(rows[0], 'row 0000001 of the long story');
		assert.equal(rows.at(-1), 'row 0100000 of the long story');
		assert.ok(rows.every((r, i) => Number(r.slice(4, 11)) === i + 1));
	});

	test('the agent sits at a terminal', async (t) => {
		const { sandboxId } = await start(
			t,
			'if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then echo "a terminal of $(stty size)"; fi; echo "TERM=$TERM"',
		);
		await ended(sandboxId);
		const { text } = await logs(sandboxId);
		assert.match(text, /a terminal of [1-9]\d* [1-9]\d*/);
		assert.match(text, /TERM=\S+/);
	});

	test('a time-out ends the agent and everything it started', async (t) => {
		const name = `late-${unknownId()}`;
		const { sandboxId } = await start(
			t,
			`(trap '' TERM HUP INT; while :; do put ${name} <<<x; sleep 0.2; done) & trap '' TERM HUP INT; while :; do sleep 0.2; done`,
			{ timeoutSeconds: 3 },
		);
		const end = await waitFor('the time-out ends it', async () => {
			const s = await status(sandboxId);
			return s.running === false && s;
		});
		assert.notEqual(end.exitCode, 0);
		assert.ok(box.puts(name).length > 0, 'it did run');
		await waitForSilence('its child is silent', () => box.puts(name).length);
	});
});

describe('idempotence', () => {
	test('the same dispatch again answers the same sandbox and starts no second one', async (t) => {
		const first = await start(t, 'put once <<<x; wait_for once-go');
		await running(first.sandboxId);
		for (let i = 0; i < 3; i++) {
			const again = await dispatch(first.body);
			assert.equal(again.status, 200);
			assert.equal(again.json().sandboxId, first.sandboxId);
		}
		await box.put('once');
		box.release('once-go');
		await ended(first.sandboxId);
		const late = await dispatch(first.body);
		assert.equal(late.json().sandboxId, first.sandboxId, 'also when it has ended');
		assert.equal((await ended(first.sandboxId)).exitCode, 0);
		assert.equal(box.puts('once').length, 1);
	});

	test('twenty equal dispatches at once start one sandbox', async (t) => {
		const body = dispatchBody('put twenty <<<x; wait_for twenty-go');
		t.after(() => kill(body.dispatchId));
		const said = await Promise.all(Array.from({ length: 20 }, () => dispatch(body)));
		const good = said.filter((s) => s.status === 200);
		assert.ok(good.length > 0);
		for (const s of said) assert.ok([200, 409, 429, 503].includes(s.status), `${s.status} ${s.text}`);
		assert.equal(new Set(good.map((s) => s.json().sandboxId)).size, 1);
		const [{ sandboxId }] = good.map((s) => s.json());
		await box.put('twenty');
		box.release('twenty-go');
		assert.equal((await ended(sandboxId)).exitCode, 0);
		assert.equal(box.puts('twenty').length, 1);
	});

	test('different dispatches get different sandboxes which cannot see each other', async (t) => {
		const [a, b] = await Promise.all([
			start(t, 'echo secret-of-a >/tmp/x; echo secret-of-a >/workspace/x; put a-up <<<x; wait_for ab'),
			start(t, 'wait_for b-look; cat /tmp/x /workspace/x; echo looked'),
		]);
		assert.notEqual(a.sandboxId, b.sandboxId);
		await box.put('a-up');
		box.release('b-look');
		await ended(b.sandboxId);
		const { text } = await logs(b.sandboxId);
		assert.match(text, /looked/);
		assert.doesNotMatch(text, /secret-of-a/);
		box.release('ab');
		await ended(a.sandboxId);
	});
});

describe('kill', () => {
	for (const by of ['sandboxId', 'dispatchId']) {
		test(`kill by ${by} ends the box, as often as asked`, async (t) => {
			const s = await start(t, 'echo up; wait_for never');
			await shown(s.sandboxId, 'up');
			const id = by === 'sandboxId' ? s.sandboxId : s.body.dispatchId;
			for (let i = 0; i < 3; i++) {
				const said = await kill(id);
				assert.equal(said.status, 200);
				assert.equal(said.json().status, 'destroyed');
			}
			await gone(s.sandboxId);
		});
	}

	test('kill of an id that nobody knows is answered destroyed', async () => {
		const said = await kill(unknownId());
		assert.equal(said.status, 200);
		assert.equal(said.json().status, 'destroyed');
	});

	test('kill of a box that has ended is answered destroyed', async (t) => {
		const { sandboxId } = await start(t, 'exit 0');
		await ended(sandboxId);
		assert.equal((await kill(sandboxId)).json().status, 'destroyed');
		await gone(sandboxId);
	});

	async function assertNeverStarts(body, name) {
		for (let i = 0; i < 2; i++) {
			const said = await dispatch(body);
			if (said.status === 200) assert.equal(said.json().status, 'destroyed', 'a killed dispatch is not started');
			else assertError(said, 409);
		}
		return () => assert.equal(box.puts(name).length, 0, 'its script did not run');
	}

	test('a dispatchId that was killed before it was dispatched never starts', async (t) => {
		const body = dispatchBody('put killed-before <<<x');
		assert.equal((await kill(body.dispatchId)).status, 200);
		const check = await assertNeverStarts(body, 'killed-before');
		const other = await start(t, 'exit 0');
		await ended(other.sandboxId);
		check();
	});

	test('a dispatchId that was killed while it ran never starts again', async (t) => {
		const s = await start(t, 'put killed-running <<<x; wait_for never');
		await box.put('killed-running');
		await kill(s.sandboxId);
		const before = box.puts('killed-running').length;
		const said = await dispatch(s.body);
		assert.ok(said.status === 409 || said.json().status === 'destroyed', `${said.status} ${said.text}`);
		const other = await start(t, 'exit 0');
		await ended(other.sandboxId);
		assert.equal(box.puts('killed-running').length, before);
		assert.equal((await status(s.sandboxId)).running, false);
	});

	test('a kill that crosses its dispatch wins', async (t) => {
		for (let i = 0; i < 6; i++) {
			const name = `crossing-${unknownId()}`;
			const body = dispatchBody(`while :; do put ${name} <<<x; sleep 0.1; done`);
			t.after(() => kill(body.dispatchId));
			const [started, killed] = await Promise.all([dispatch(body), kill(body.dispatchId)]);
			assert.equal(killed.status, 200);
			if (started.status === 200 && started.json().status !== 'destroyed') await gone(started.json().sandboxId);
			else if (started.status !== 200) assertError(started, 409);
			const again = await dispatch(body);
			assert.ok(again.status === 409 || again.json().status === 'destroyed', `${again.status} ${again.text}`);
			await waitForSilence('nothing runs', () => box.puts(name).length, { quietMs: 700 });
		}
	});

	test('after a kill nothing that the agent started is left, however it hid', async (t) => {
		const mark = `beat-${unknownId()}`;
		const beat = (who) => `while :; do put ${mark}-${who} <<<x; sleep 0.2; done`;
		const exported = 'export -f put _chomp_test_curl';
		const s = await start(
			t,
			`
			${exported}
			( trap '' HUP TERM INT; ${beat('ignores')} ) &
			setsid bash -c '${beat('session')}' </dev/null >/dev/null 2>&1 &
			nohup bash -c '( setsid bash -c "${beat('daemon')}" </dev/null >/dev/null 2>&1 & ) &' >/dev/null 2>&1 &
			bash -c 'trap "" HUP TERM INT QUIT; setsid bash -c "trap \\"\\" HUP TERM INT QUIT; ${beat('stubborn')}" & disown -a; exit' &
			${beat('plain')}`,
		);
		const who = ['ignores', 'session', 'daemon', 'stubborn', 'plain'];
		for (const w of who) await box.put(`${mark}-${w}`);
		const said = await kill(s.sandboxId);
		assert.equal(said.status, 200);
		const beats = () => who.map((w) => `${w}=${box.puts(`${mark}-${w}`).length}`).join(' ');
		await waitForSilence(`all hearts stop (${beats()})`, beats);
		if (kind === 'local')
			assert.deepEqual(
				allProcesses()
					.filter((p) => p.cmdline.includes(mark) && p.pid !== process.pid)
					.map((p) => p.cmdline),
				[],
			);
	});

	test('when the agent ends, what it left behind ends too', { skip: onlyLocal }, async (t) => {
		const mark = `orphan-${unknownId()}`;
		const s = await start(
			t,
			`export -f put _chomp_test_curl; setsid bash -c 'while :; do put ${mark} <<<x; sleep 0.2; done' </dev/null >/dev/null 2>&1 & wait_for ${mark}-go; exit 0`,
		);
		await box.put(mark);
		box.release(`${mark}-go`);
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
		await waitForSilence('the orphan is silent', () => box.puts(mark).length);
	});
});

describe('what reaches the box', () => {
	test('a prompt of 200 KiB with quotes, $(…), newlines and UTF-8 arrives byte for byte', async (t) => {
		const nasty =
			'"\'`$(touch /tmp/pwned)${HOME}\\ %s %n \t|&;<>()*?[]#~=!{}\r\n\u{1f600}é€\u202e --help -x @file\n';
		const head = `${prelude}\nsha256sum <"$TASK_PROMPT_FILE" | put prompt-hash; wc -c <"$TASK_PROMPT_FILE" | put prompt-size; exit 0\n`;
		const prompt =
			head + nasty.repeat(Math.ceil((200 * 1024 - Buffer.byteLength(head)) / Buffer.byteLength(nasty)));
		assert.ok(Buffer.byteLength(prompt) >= 200 * 1024);
		const s = await start(t, '', { prompt });
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
		assert.equal((await box.put('prompt-size')).toString().trim(), String(Buffer.byteLength(prompt)));
		assert.equal((await box.put('prompt-hash')).toString().slice(0, 64), sha256(prompt));
	});

	test('a prompt without a final newline, or only a word, arrives unchanged', async (t) => {
		const s = await start(t, 'sha256sum <"$TASK_PROMPT_FILE" | put short-hash # no newline at the end');
		await ended(s.sandboxId);
		assert.equal((await box.put('short-hash')).toString().slice(0, 64), sha256(s.body.prompt));
	});

	test('the history of earlier sessions reaches the box', async (t) => {
		const history = [
			{
				sessionId: 's1',
				agent: 'pi',
				model: 'gpt-4.1',
				result: 'handoff',
				summary: 'half done: "quotes", $(x), é\nsecond line',
			},
			{ sessionId: 's2', agent: 'shell', model: 'bash', result: 'failed', summary: '' },
		];
		const s = await start(t, 'put history <"$CHOMP_HISTORY_FILE"', { history, sessionId: 's3' });
		await ended(s.sandboxId);
		assert.deepEqual(JSON.parse(await box.put('history')), history);
	});

	test('a body of nearly 2 MiB is taken', async (t) => {
		const history = Array.from({ length: 31 }, (_, i) => ({
			sessionId: `s${i + 1}`,
			agent: 'shell',
			model: 'bash',
			result: 'handoff',
			summary: 'x'.repeat(60 * 1024),
		}));
		const s = await start(
			t,
			'sha256sum <"$CHOMP_HISTORY_FILE" >/dev/null && wc -c <"$CHOMP_HISTORY_FILE" | put big-history',
			{ history, sessionId: 's32' },
		);
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
		assert.ok(Number(await box.put('big-history')) > 31 * 60 * 1024);
	});

	test('task, session, agent and model are told', async (t) => {
		const s = await start(
			t,
			'printf "%s|" "$TASK_ID" "$SESSION_ID" "$AGENT" "$MODEL" | put names; [ -n "$CHOMP_API" ] && [ -d "$HOME" ] && command -v chomp | put verbs',
			{ taskId: '9007199254740991', sessionId: 's12', model: 'vendor/model-1:free' },
		);
		await ended(s.sandboxId);
		assert.equal((await box.put('names')).toString(), '9007199254740991|s12|shell|vendor/model-1:free|');
		assert.match((await box.put('verbs')).toString(), /chomp/);
	});

	test('the variables of the dispatch reach the agent unchanged', async (t) => {
		const value = 'a b"c\'d$(e)`f`\\g\tü=;&|';
		const s = await start(
			t,
			'printf %s "$CUSTOM_BASE_URL" | put env-value; printf %s "${OPENROUTER_API_KEY}" | put env-key',
			{ env: { CUSTOM_BASE_URL: value, OPENROUTER_API_KEY: 'key-1234567890' } },
		);
		await ended(s.sandboxId);
		assert.equal((await box.put('env-value')).toString(), value);
		assert.equal((await box.put('env-key')).toString(), 'key-1234567890');
	});

	test("the callback is made with the session's token: done after exit 0", async (t) => {
		const s = await start(t, 'echo fine', { taskId: '4100' });
		const done = await waitFor('the done callback', () =>
			box.calls('done').find((c) => JSON.parse(c.body).id?.toString() === '4100'),
		);
		assert.equal(done.method, 'POST');
		assert.equal(done.headers.authorization, `Bearer ${s.body.callback.token}`);
		assert.match(done.headers['content-type'], /^application\/json/);
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
	});

	test("the callback is made with the session's token: fail with a reason after exit 3", async (t) => {
		const s = await start(t, 'echo oh no; exit 3', { taskId: '4103' });
		const fail = await waitFor('the fail callback', () =>
			box.calls('fail').find((c) => JSON.parse(c.body).id?.toString() === '4103'),
		);
		assert.equal(fail.headers.authorization, `Bearer ${s.body.callback.token}`);
		const said = JSON.parse(fail.body);
		assert.ok(typeof said.reason === 'string' && said.reason.length > 0);
		assert.equal(Number(said.exit_code), 3);
		assert.equal((await ended(s.sandboxId)).exitCode, 3);
	});

	test('what the script itself reports with the chomp verbs arrives', async (t) => {
		const s = await start(
			t,
			'chomp update --tokens 1234 && chomp handoff "the \\"rest\\" is $(for) another" && echo told',
			{ taskId: '4104' },
		);
		const by = (verb) =>
			waitFor(`the ${verb} call`, () =>
				box.calls(verb).find((c) => JSON.parse(c.body).id?.toString() === '4104'),
			);
		assert.equal(Number(JSON.parse((await by('update')).body).tokens), 1234);
		const handoff = await by('handoff');
		assert.equal(handoff.headers.authorization, `Bearer ${s.body.callback.token}`);
		assert.equal(JSON.parse(handoff.body).summary, 'the "rest" is $(for) another');
		await ended(s.sandboxId);
	});

	test('the token is in a file, but in no environment and in no command line', async (t) => {
		const s = await start(
			t,
			`
			chomp update --tokens 1 &
			for i in 1 2 3 4 5 6 7 8 9 10; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; sleep 0.02; done | tr '\\0' '\\n' >/tmp/seen
			wait
			env >>/tmp/seen
			put seen </tmp/seen
			put token-file <"$CHOMP_TOKEN_FILE"
			wait_for token-go`,
		);
		const seen = (await box.put('seen')).toString();
		assert.match(seen, /TASK_ID=/, 'the environment was looked at');
		const { token } = s.body.callback;
		assert.equal((await box.put('token-file')).toString().trim(), token);
		assert.ok(!seen.includes(token), 'the token is not in an environment or a command line inside');
		if (kind === 'local') {
			const bad = allProcesses().filter((p) => p.cmdline.includes(token) || p.environ.includes(token));
			assert.deepEqual(
				bad.map((p) => p.cmdline),
				[],
				'nor in one outside',
			);
			const told = allProcesses().filter(
				(p) => p.pid !== process.pid && p.cmdline.includes(host.secret ?? '\0never'),
			);
			assert.deepEqual(
				told.map((p) => p.cmdline),
				[],
				'nor is the host secret',
			);
		}
		box.release('token-go');
		await ended(s.sandboxId);
		assert.ok(!(await logs(s.sandboxId)).text.includes(token));
	});

	test('keys and prompt are in no command line on the machine', { skip: onlyLocal }, async (t) => {
		const key = `key-${unknownId()}`;
		const words = `words-${unknownId()}`;
		const s = await start(t, `wait_for argv-go # ${words}`, { env: { CUSTOM_API_KEY: key } });
		await waitFor('the script waits', () => box.waits('argv-go').length);
		const bad = allProcesses().filter((p) => p.cmdline.includes(key) || p.cmdline.includes(words));
		assert.deepEqual(
			bad.map((p) => p.cmdline),
			[],
		);
		box.release('argv-go');
		await ended(s.sandboxId);
	});

	test('an agent that nobody knows is found out in the box: a reason and an exit code', async (t) => {
		const body = dispatchBody('put unknown-agent-ran <<<x', { agent: 'no-such-agent', model: 'x', taskId: '4200' });
		t.after(() => kill(body.dispatchId));
		const said = await dispatch(body);
		assert.equal(said.status, 200, said.text);
		const { sandboxId } = said.json();
		assert.notEqual((await ended(sandboxId)).exitCode, 0);
		assert.match((await logs(sandboxId)).text, /no-such-agent/);
		assert.equal(box.puts('unknown-agent-ran').length, 0);
		const fail = await waitFor('the fail callback', () =>
			box.calls('fail').find((c) => JSON.parse(c.body).id?.toString() === '4200'),
		);
		assert.match(JSON.parse(fail.body).reason, /no-such-agent/);
	});
});

describe('the walls of a local box', { skip: onlyLocal }, () => {
	test('the agent is user 1000, has no capability and cannot gain one', async (t) => {
		const s = await start(
			t,
			'id -u | put uid; grep -E "^(NoNewPrivs|CapEff|CapPrm|CapBnd):" /proc/self/status | tr -d "\\t " | put caps',
		);
		await ended(s.sandboxId);
		assert.equal((await box.put('uid')).toString().trim(), '1000');
		const caps = (await box.put('caps')).toString();
		assert.match(caps, /NoNewPrivs:1/);
		assert.match(caps, /CapEff:0+$/m);
		assert.match(caps, /CapPrm:0+$/m);
	});

	test('it writes in /workspace, its home and /tmp, and nowhere else', async (t) => {
		const s = await start(
			t,
			`
			pwd | put cwd
			for d in /workspace "$HOME" /tmp; do touch "$d/x" || echo "cannot write $d"; done 2>&1 | put may
			for f in /opt/chomp/x /opt/x /usr/x /etc/x /x /run/chomp/x /bin/x "$TASK_PROMPT_FILE" "$CHOMP_TOKEN_FILE" /opt/chomp/run-agent; do ( echo x >>"$f" ) 2>/dev/null && echo "wrote $f"; done | put must-not; exit 0`,
		);
		await ended(s.sandboxId);
		assert.equal((await box.put('cwd')).toString().trim(), '/workspace');
		assert.equal((await box.put('may')).toString(), '');
		assert.equal((await box.put('must-not')).toString(), '');
	});

	test('it sees only its own processes, host name and files', async (t) => {
		const secretDir = tempDir('chomp-secret');
		t.after(() => fs.rmSync(secretDir, { recursive: true, force: true }));
		fs.writeFileSync(path.join(secretDir, 'file'), 'of the host', { mode: 0o644 });
		const s = await start(
			t,
			`
			ls -d /proc/[0-9]* | wc -l | put procs
			tr '\\0' ' ' </proc/[0-9]*/cmdline 2>/dev/null; cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | put cmdlines
			hostname | put hostname
			ls ${secretDir} /root 2>/dev/null | put files
			ls -A /home | put homes
			env | put env; exit 0`,
		);
		await ended(s.sandboxId);
		assert.ok(Number(await box.put('procs')) < 20, 'a process namespace of its own');
		assert.doesNotMatch((await box.put('cmdlines')).toString(), /chomp-sandbox|host\.test/);
		assert.equal((await box.put('files')).toString(), '');
		assert.equal((await box.put('homes')).toString().trim(), 'agent');
		const env = (await box.put('env')).toString();
		assert.doesNotMatch(env, /canary-of-the-host/, "nothing of the host's environment");
		assert.doesNotMatch(env, /^(SUDO|SSH|XDG|DBUS|LD_|CHOMP_VAR)/m);
		assert.match(env, /^HOME=\/home\/agent$/m);
		assert.match(env, /^PATH=\/opt\/chomp:/m);
	});

	test("it has no descriptor of the host's", async (t) => {
		const s = await start(
			t,
			'for f in /proc/self/fd/* /proc/$$/fd/*; do readlink "$f"; done 2>/dev/null | sort -u | put fds',
		);
		await ended(s.sandboxId);
		const fds = (await box.put('fds')).toString().trim().split('\n');
		const foreign = fds.filter(
			(f) =>
				!/^(\/dev\/(pts\/\d+|tty|null|console)|pipe:\[\d+\]|\/run\/chomp\/prompt|\/proc\/\d+\/fd|\/tmp\/\S*|\/home\/agent\/\S*|\/workspace\S*|\/opt\/chomp\/\S+)$/.test(
					f,
				),
		);
		assert.deepEqual(foreign, []);
	});

	test('the newest kernel doors are shut: no mount, no new user namespace, no push of bytes into the terminal of another', async (t) => {
		const s = await start(
			t,
			`
			( mount -t tmpfs none /tmp && echo mounted ) 2>/dev/null | put mounted
			( unshare -U true && echo unshared ) 2>/dev/null | put unshared
			exit 0`,
		);
		await ended(s.sandboxId);
		assert.equal((await box.put('mounted')).toString(), '');
		await box.put('unshared'); // told, not demanded: some agents bring a sandbox of their own
	});
});

describe('a directory of the host', () => {
	let dir;
	before(() => (dir = tempDir('chomp-repo')));
	after(() => fs.rmSync(dir, { recursive: true, force: true }));

	test('a dir without repoUrl is refused by a host that has no directories', { skip: onlyCloud }, async () => {
		const error = assertError(await dispatch(dispatchBody('exit 0', { dir: '/tmp' })), 400);
		assert.equal(error.code, 'dir_needs_local');
	});

	test(
		'a git repository is cloned, what is committed is there, and the original stays as it was',
		{ skip: onlyLocal },
		async (t) => {
			const mark = path.join(dir, 'hook-ran');
			const trap = `#!/bin/sh\ntouch ${mark} /tmp/hook-ran\necho hook-ran\n`;
			const repo = makeRepo(
				path.join(dir, 'a "quoted" dir'),
				{ 'README.md': 'from the commit\n', 'sub/file.txt': 'deep\n' },
				{
					hooks: {
						'post-checkout': trap,
						'post-index-change': trap,
						'reference-transaction': trap,
						'pre-commit': trap,
						'post-commit': trap,
					},
				},
			);
			fs.writeFileSync(path.join(repo, 'uncommitted.txt'), 'not in the commit\n');
			git(repo, 'config', 'core.fsmonitor', `touch ${mark}; false`);
			git(repo, 'config', 'filter.x.smudge', `touch ${mark}; cat`);
			git(repo, 'config', 'uploadpack.packObjectsHook', `touch ${mark}; true`);
			git(repo, 'config', 'alias.status', `!touch ${mark}`);
			const before = treeHash(repo);
			const s = await start(
				t,
				`
			cd "$TASK_DIR" || exit 9
			cat README.md sub/file.txt | put clone-files
			ls | put clone-list
			git log --format=%s | put clone-log
			git config --list --local | put clone-config
			echo changed >README.md; git -c user.name=a -c user.email=a@b commit -qam change && git push origin HEAD 2>&1 | put clone-push
			( echo x >/source/README.md || rm -rf /source/.git ) 2>/dev/null
			ls /tmp/hook-ran 2>/dev/null | put hook-inside
			exit 0`,
				{ dir: repo },
			);
			const end = await ended(s.sandboxId);
			assert.equal((await box.put('clone-files')).toString(), 'from the commit\ndeep\n', `exit ${end.exitCode}`);
			assert.equal((await box.put('clone-list')).toString(), 'README.md\nsub\n');
			assert.equal((await box.put('clone-log')).toString(), 'first\n');
			assert.doesNotMatch((await box.put('clone-config')).toString(), /fsmonitor=touch|filter\.x|alias\.status/);
			assert.equal(
				(await box.put('hook-inside')).toString(),
				'',
				"no hook of the host's repository ran in the box",
			);
			assert.ok(!fs.existsSync(mark), 'nor outside');
			assert.equal(treeHash(repo), before, 'the original is byte for byte what it was');
		},
	);

	test('a branch of it can be asked for', { skip: onlyLocal }, async (t) => {
		const repo = makeRepo(
			path.join(dir, 'branches'),
			{ f: 'main\n' },
			{ branches: { 'topic/one': { f: 'topic\n' } } },
		);
		const s = await start(t, 'cd "$TASK_DIR" && cat f | put branch-file', { dir: repo, branch: 'topic/one' });
		await ended(s.sandboxId);
		assert.equal((await box.put('branch-file')).toString(), 'topic\n');
	});

	test('a branch that is not there is told, and the script does not run', { skip: onlyLocal }, async (t) => {
		const repo = makeRepo(path.join(dir, 'nobranch'));
		const body = dispatchBody('put nobranch-ran <<<x', { dir: repo, branch: 'no-such-branch', taskId: '4300' });
		t.after(() => kill(body.dispatchId));
		const said = await dispatch(body);
		if (said.status !== 200) return void assertError(said, 400);
		assert.notEqual((await ended(said.json().sandboxId)).exitCode, 0);
		assert.match((await logs(said.json().sandboxId)).text, /no-such-branch/);
		assert.equal(box.puts('nobranch-ran').length, 0);
		return undefined;
	});

	const bad = {
		'does not exist': () => path.join(dir, 'nowhere'),
		'is no repository': () => fs.mkdirSync(path.join(dir, 'plain'), { recursive: true }) || path.join(dir, 'plain'),
		'is a file': () => fs.writeFileSync(path.join(dir, 'afile'), 'x') || path.join(dir, 'afile'),
		'is not absolute': () => 'relative/path',
		climbs: () => `${dir}/../../etc`,
		'is empty': () => '',
	};
	for (const [what, make] of Object.entries(bad)) {
		test(`a dir that ${what} is refused with the path in the reason`, { skip: onlyLocal }, async (t) => {
			const where = make();
			const body = dispatchBody('put bad-dir-ran <<<x', { dir: where });
			t.after(() => kill(body.dispatchId));
			const said = await dispatch(body);
			if (what === 'is empty' && said.status === 200) return; // an empty dir may also mean none
			const error = assertError(said, 400);
			assert.match(error.message, /dir/);
			assert.equal(box.puts('bad-dir-ran').length, 0);
		});
	}
});

describe('a repository by URL', () => {
	let dir;
	let served;
	before(async () => {
		dir = tempDir('chomp-remote');
		if (kind === 'local')
			served = await serveRepo(
				makeRepo(
					path.join(dir, 'r'),
					{ 'README.md': 'by url\n', 'pkg/inner.txt': 'inner\n' },
					{ branches: { topic: { 'README.md': 'topic by url\n' } } },
				),
			);
	});
	after(async () => {
		await served?.close();
		fs.rmSync(dir, { recursive: true, force: true });
	});

	test('repoUrl and branch are cloned, and dir is a path inside', { skip: onlyLocal }, async (t) => {
		const s = await start(
			t,
			'cat "$TASK_DIR/inner.txt" | put url-inner; cat "$(git -C "$TASK_DIR" rev-parse --show-toplevel)/README.md" | put url-readme',
			{ repoUrl: served.url, branch: 'topic', dir: 'pkg' },
		);
		await ended(s.sandboxId);
		assert.equal((await box.put('url-inner')).toString(), 'inner\n');
		assert.equal((await box.put('url-readme')).toString(), 'topic by url\n');
	});

	test('a repository that cannot be cloned fails with a reason, and the script does not run', async (t) => {
		const s = await start(t, 'put noclone-ran <<<x', { repoUrl: 'http://127.0.0.1:1/no/such.git', taskId: '4301' });
		assert.notEqual((await ended(s.sandboxId)).exitCode, 0);
		const fail = await waitFor('the fail callback', () =>
			box.calls('fail').find((c) => JSON.parse(c.body).id?.toString() === '4301'),
		);
		assert.match(JSON.parse(fail.body).reason, /clone|repository/i);
		assert.equal(box.puts('noclone-ran').length, 0);
	});

	for (const repoUrl of ['--upload-pack=touch /tmp/pwned', '-u', '-oProxyCommand=touch /tmp/pwned']) {
		test(`a repoUrl that git would take for an option is refused: ${repoUrl}`, async () => {
			assertError(await dispatch(dispatchBody('exit 0', { repoUrl })), 400);
		});
	}

	for (const repoUrl of ['ext::sh -c "touch /tmp/pwned"', 'ssh://-oProxyCommand=touch/x']) {
		test(`a repoUrl that would run a command runs none: ${repoUrl}`, async (t) => {
			const body = dispatchBody('ls /tmp/pwned && put pwned <<<x; exit 0', { repoUrl });
			t.after(() => kill(body.dispatchId));
			const said = await dispatch(body);
			if (said.status !== 200) return void assertError(said, 400);
			assert.notEqual((await ended(said.json().sandboxId)).exitCode, 0);
			assert.equal(box.puts('pwned').length, 0);
			return undefined;
		});
	}

	for (const branch of ['--upload-pack=x', '-b']) {
		test(`a branch that git would take for an option is refused: ${branch}`, async () => {
			assertError(
				await dispatch(dispatchBody('exit 0', { repoUrl: 'https://example.invalid/r.git', branch })),
				400,
			);
		});
	}
});

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
		for (const id of ['..%2f..%2fetc', '%2e%2e', 'a%00b', '..', 'x'.repeat(5000), '%0a', '%ff']) {
			for (const [method, route] of [
				['GET', 'status'],
				['POST', 'kill'],
				['GET', 'logs'],
			]) {
				const said = await call(method, `/${route}/${id}`);
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

describe('the HTTP of a local host', { skip: onlyLocal }, () => {
	const auth = () => (host.secret ? `Authorization: Bearer ${host.secret}\r\n` : '');

	test('a body whose announced length is over 2 MiB is refused before it is sent', async () => {
		const said = await raw(
			host.url,
			`POST /dispatch HTTP/1.1\r\nHost: x\r\n${auth()}Content-Type: application/json\r\nContent-Length: ${3 * MIB}\r\n\r\n{`,
			{ idleMs: 10_000 },
		);
		assert.match(said, /^HTTP\/1\.[01] 413 /);
	});

	for (const [what, head] of Object.entries({
		'no HTTP': 'hello there\r\n\r\n',
		'a negative length': 'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
		'a length that is no number': 'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n\r\n',
		'two lengths': 'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}',
		'a length and chunks':
			'POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
		'a header of 100 KiB': `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100 * 1024)}\r\n\r\n`,
		'a NUL in the path': 'GET /health\0 HTTP/1.1\r\nHost: x\r\n\r\n',
		'a header without a colon': 'GET /health HTTP/1.1\r\nHost x\r\n\r\n',
	})) {
		test(`a request with ${what} is refused, and the host lives on`, async () => {
			const said = await raw(host.url, head, { idleMs: 10_000 });
			assert.match(said, /^(HTTP\/1\.[01] (400|411|413|414|431|501) |$)/, said.slice(0, 100));
			assert.equal((await call('GET', '/health')).status, 200);
		});
	}

	test('a client that sends its request byte by byte or not at all holds up nobody', async (t) => {
		const idle = Array.from({ length: 20 }, () => rawConnect(host.url));
		idle.forEach((s) => s.on('error', () => {}));
		t.after(() => idle.forEach((s) => s.destroy()));
		idle.slice(0, 10).forEach((s) => s.write('POST /dispatch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n'));
		const s = await start(t, 'echo ok');
		assert.equal((await ended(s.sandboxId)).exitCode, 0);
	});

	test('a request in small pieces is put together', async () => {
		const s = rawConnect(host.url);
		s.on('error', () => {});
		const parts = [];
		s.on('data', (p) => parts.push(p));
		for (const c of 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
			s.write(c);
			await new Promise((resolve) => setImmediate(resolve));
		}
		await waitFor('the answer', () => Buffer.concat(parts).toString().includes('"status"'));
		s.destroy();
		assert.match(Buffer.concat(parts).toString(), /^HTTP\/1\.1 200 /);
	});

	test('a client that waits for 100 Continue gets on', async (t) => {
		const body = JSON.stringify(dispatchBody('exit 0'));
		t.after(() => kill(JSON.parse(body).dispatchId));
		const s = rawConnect(host.url);
		s.on('error', () => {});
		t.after(() => s.destroy());
		const parts = [];
		s.on('data', (p) => parts.push(p));
		s.write(
			`POST /dispatch HTTP/1.1\r\nHost: x\r\n${auth()}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
		);
		// curl waits a second for the 100 and then sends anyway
		await waitFor('100 Continue', () => Buffer.concat(parts).toString().includes('100 '), {
			deadlineMs: 1000,
		}).catch(() => {});
		s.write(body);
		await waitFor('the answer', () => /HTTP\/1\.1 200 [^]*sandboxId/.test(Buffer.concat(parts).toString()), {
			context: () => Buffer.concat(parts).toString(),
		});
	});

	test('a hundred requests at once are all answered', async () => {
		const said = await Promise.all(
			Array.from({ length: 100 }, (_, i) => call('GET', i % 2 ? '/health' : `/status/${unknownId()}`)),
		);
		assert.deepEqual(
			said.map((s) => s.status).filter((s) => s !== 200),
			[],
		);
	});
});

describe(
	'capacity',
	{ skip: !(process.env.CHOMP_HOST_CAPACITY || !process.env.CHOMP_HOST_URL) && 'CHOMP_HOST_CAPACITY is not given' },
	() => {
		test('a full host says so with Retry-After, and takes the same dispatch when there is room again', async (t) => {
			const boxes = [];
			for (let i = (await call('GET', '/health')).json().active; i < host.capacity; i++)
				boxes.push(await start(t, 'echo up; wait_for never'));
			for (const b of boxes) await running(b.sandboxId);
			const body = dispatchBody('put room-again <<<x');
			t.after(() => kill(body.dispatchId));
			const full = await dispatch(body);
			assertError(full, [429, 503]);
			assert.match(full.headers['retry-after'], /^\d+$/);
			assert.equal(box.puts('room-again').length, 0);
			const same = await dispatch(boxes[0].body);
			assert.equal(same.status, 200, 'one that has its box is answered also when it is full');
			await kill(boxes[0].sandboxId);
			const said = await waitFor('there is room', async () => {
				const s = await dispatch(body);
				return s.status === 200 && s.json();
			});
			assert.equal((await ended(said.sandboxId)).exitCode, 0);
			await box.put('room-again');
		});
	},
);

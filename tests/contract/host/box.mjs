// What reaches the box, and what does not.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { prelude } from '../../lib/callback-server.mjs';
import { all as allProcesses } from '../../lib/processes.mjs';
import { tempDir } from '../../lib/repo.mjs';
import { waitFor } from '../../lib/wait.mjs';
import { assertError, box, dispatch, dispatchBody, ended, host, kill, kind, logs, onlyLocal, start, unknownId } from '../kit.mjs';

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

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
			'chomp update --tokens 1234 && chomp handoff "the \\"rest\\" is \\$(for) another" && echo told',
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

	test('an agent that nobody knows is refused, or found out in the box: a reason and an exit code', async (t) => {
		const body = dispatchBody('put unknown-agent-ran <<<x', { agent: 'no-such-agent', model: 'x', taskId: '4200' });
		t.after(() => kill(body.dispatchId));
		const said = await dispatch(body);
		// where a box is costly, it is not made for that
		if (said.status === 400) return void assert.equal(assertError(said, 400).code, 'unknown_agent');
		assert.equal(said.status, 200, said.text);
		const { sandboxId } = said.json();
		assert.notEqual((await ended(sandboxId)).exitCode, 0);
		assert.match((await logs(sandboxId)).text, /no-such-agent/);
		assert.equal(box.puts('unknown-agent-ran').length, 0);
		const fail = await waitFor('the fail callback', () =>
			box.calls('fail').find((c) => JSON.parse(c.body).id?.toString() === '4200'),
		);
		assert.match(JSON.parse(fail.body).reason, /no-such-agent/);
		return undefined;
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

// The owner's verbs, scripts/chomp outside of a box, against a server that only listens and says what a test wants.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { startCallbackServer } from '../lib/callback-server.mjs';
import { freePort } from '../lib/port.mjs';
import { git, makeRepo, tempDir } from '../lib/repo.mjs';
import { root, scripts } from './box.mjs';

const TOKEN = 'owner-canary-91b7';
const dir = tempDir('chomp-owner');
const tokenFile = path.join(dir, 'token');
fs.writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
const stamps = { created: '2026-01-01T00:00:00.000Z', updated: '2026-01-01T00:00:00.000Z' };
const task = (more = {}) => ({ id: '7', prompt: 'do it', status: 'queued', platform: 'shell', model: 'bash', tokens: 0, priority: 0, held: false, parked_until: null, sessions: [], ...stamps, ...more });
const session = (more = {}) => ({ id: 's1', agent: 'pi', model: 'm-1', started_at: stamps.created, ended_at: null, result: null, tokens: 5, dispatch: { state: 'started' }, ...more });
const error = (status, code, message) => ({ status, body: { error: { code, message } } });
let api;

before(async () => {
	api = await startCallbackServer();
});
beforeEach(() => api.onRequest(() => ({ body: task() })));
after(async () => {
	await api.close();
	fs.rmSync(dir, { recursive: true });
});

function spawned(argv, { input = '', env = {}, cwd = dir } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(argv[0], argv.slice(1), {
			cwd,
			env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: dir, LANG: 'C.UTF-8', TERM: 'xterm-256color', CHOMP_URL: api.url, CHOMP_TOKEN_FILE: tokenFile, CHOMP_RETRY_SECONDS: '60', GIT_CONFIG_NOSYSTEM: '1', ...env },
		});
		const parts = { stdout: [], stderr: [] };
		for (const name of ['stdout', 'stderr']) child[name].on('data', (d) => parts[name].push(d));
		child.stdin.on('error', () => {});
		child.stdin.end(input);
		child.on('error', reject);
		child.on('close', (code) => resolve({ code, out: Buffer.concat(parts.stdout).toString(), err: Buffer.concat(parts.stderr).toString() }));
	});
}
const chomp = (args, options) => spawned([path.join(scripts, 'chomp'), ...args], options);
async function sent(args, options) {
	const from = api.requests.length;
	const said = await chomp(args, options);
	return { ...said, requests: api.requests.slice(from) };
}
const last = (said) => JSON.parse(said.requests.at(-1).body);
// On a terminal of that many columns.
const onTerminal = (args, { columns = 80, ...options } = {}) =>
	spawned(['script', '-qefc', `stty cols ${columns}; exec ${[path.join(scripts, 'chomp'), ...args].map((w) => `'${w}'`).join(' ')}`, '/dev/null'], options);

describe('add', () => {
	const text = '-x "a" \'b\' $(touch /tmp/pwned) `id` \\n é 😀\n\ttab {"json":1}\n\n';

	test('takes the prompt from its words, a file or standard input, byte for byte', async () => {
		const file = path.join(dir, 'prompt');
		fs.writeFileSync(file, text);
		assert.equal(last(await sent(['add', 'fix', 'the parser'])).prompt, 'fix the parser');
		assert.equal(last(await sent(['add', '--', text])).prompt, text);
		assert.equal(last(await sent(['add', '-f', file])).prompt, text);
		assert.equal(last(await sent(['add'], { input: text })).prompt, text);
		assert.equal(last(await sent(['add', '-f', '-'], { input: text })).prompt, text);
	});
	test('sends every option under its name in the API, and a directory as the server knows it', async () => {
		const said = await sent(['add', '--dir', 'sub/../here', '--branch', 'b', '--agent', 'pi', '--model=m', '--router', 'custom', '--host', 'local',
			'--network', 'none', '--priority', '-3', '--budget', '900', '--on-budget', 'stop', '--gate', 'check.sh', '--gate-loops', '2', '--gate-edits', '--review', '--run', 'x']);
		assert.deepEqual(last(said), { prompt: 'x', run: true, dir: path.join(dir, 'here'), branch: 'b', agent: 'pi', model: 'm', router: 'custom', host: 'local',
			network: 'none', priority: '-3', token_budget: '900', on_budget: 'stop', gate: 'check.sh', gate_loops: '2', gate_edits: true, review: true });
		assert.deepEqual(last(await sent(['add', '--repo', 'https://example.org/r.git', '--dir', 'sub', 'x'])),
			{ prompt: 'x', run: false, repo_url: 'https://example.org/r.git', dir: 'sub' });
		assert.equal(said.out, 'task 7 is queued\n');
		assert.equal(said.requests[0].headers.authorization, `Bearer ${TOKEN}`);
	});
	test('is one task, however often it had to be sent', async () => {
		const answers = [{ cut: true }, error(503, 'busy', 'x'), error(502, 'bad_gateway', 'x'), { body: task() }];
		api.onRequest(() => answers.shift());
		const said = await sent(['add', 'x']);
		assert.equal(said.code, 0, said.err);
		const keys = said.requests.map((r) => r.headers['idempotency-key']);
		assert.equal(keys.length, 4);
		assert.equal(new Set(keys).size, 1);
		assert.match(keys[0], /^[0-9a-f]{32}$/);
		api.onRequest(() => ({ body: task() }));
		assert.notEqual((await sent(['add', 'x'])).requests[0].headers['idempotency-key'], keys[0]);
		assert.equal((await sent(['add', '--key', 'mine', 'x'])).requests[0].headers['idempotency-key'], 'mine');
	});
});

describe('wrong usage is 2, said, and nothing is sent', () => {
	const rows = [
		['no verb', []], ['unknown verb', ['frobnicate']], ['an empty prompt', ['add', ' ']], ['an empty stdin', ['add']], ['a file that is not there', ['add', '-f', '/nonexistent']],
		['a directory as file', ['add', '-f', '/etc']], ['a prompt twice', ['add', '-f', '/etc/hostname', 'x']], ['a priority that is no number', ['add', '--priority', 'high', 'x']],
		['an unknown option', ['add', '--frob', 'x']], ['an option without value', ['add', 'x', '--dir']], ['a flag with a value', ['add', '--run=false', 'x']],
		['a key with a line break', ['add', '--key', 'a\nb', 'x']], ['show without a number', ['show']], ['show with a word', ['show', 'x']], ['show with two', ['show', '1', '2']],
		['run without a number', ['run']], ['run with both', ['run', '--next', '--all']], ['run with both kinds', ['run', '--next', '3']], ['done without a number', ['done']],
		['done with a word', ['done', 'well']], ['fail without a reason', ['fail', '3']], ['handoff without a summary', ['handoff', '3']], ['update with nothing', ['update', '3']],
		['tokens that are no number', ['update', '3', '--tokens', '1e3']], ['a path as number', ['drop', '../3']], ['a query as number', ['cancel', '3?x']],
		['a bad status', ['list', '--status', 'a&limit=1']], ['a bad limit', ['list', '-n', '0']], ['a bad session', ['logs', '3', 'x']], ['keys with a value as argument', ['keys', 'set', 'K', 'v']],
		['keys set without value', ['keys', 'set', 'K']], ['agents with a word', ['agents', 'frob']], ['a verb of the box', ['artifact', 'x']], ['a number that is too long', ['show', '1'.repeat(30)]],
	];
	for (const [name, args] of rows)
		test(name, async () => {
			const said = await sent(args);
			assert.equal(said.code, 2, said.out + said.err);
			assert.notEqual(said.err, '');
			assert.equal(said.requests.length, 0);
		});
	test('a prompt that is not UTF-8', async () => {
		const said = await sent(['add'], { input: Buffer.from('a\xff', 'latin1') });
		assert.equal(`${said.code} ${said.requests.length}`, '2 0');
		assert.match(said.err, /UTF-8/);
	});
});

describe('whose server, whose token', () => {
	const unsent = async (env, pattern) => {
		const said = await sent(['list'], { env });
		assert.equal(said.code, 2, said.err);
		assert.match(said.err, pattern);
		assert.equal(said.requests.length, 0);
	};
	test('an address that is none', () => unsent({ CHOMP_URL: 'file:///etc/passwd' }, /CHOMP_URL/));
	test('an address that holds a password', () => unsent({ CHOMP_URL: 'http://me:secret@127.0.0.1:1' }, /CHOMP_URL/));
	test('a token file that is not there', () => unsent({ CHOMP_TOKEN_FILE: '/nonexistent' }, /cannot read/));
	test('a token that would be a second header', () => {
		const file = path.join(dir, 'bad-token');
		fs.writeFileSync(file, 'a\rX-Evil: 1\n');
		return unsent({ CHOMP_TOKEN_FILE: file }, /no token/);
	});
	test("this host's token is not shown to another host", () => unsent({ CHOMP_URL: 'https://chomp.example.org', CHOMP_TOKEN_FILE: '' }, /CHOMP_TOKEN_FILE/));
	test('without an instance it says what to do', () => unsent({ CHOMP_URL: '', CHOMP_TOKEN_FILE: '', CHOMP_VAR: path.join(dir, 'no-var') }, /chompctl up/));
	test('a proxy of the environment and a .curlrc are not asked', async () => {
		fs.writeFileSync(path.join(dir, '.curlrc'), 'proxy = "http://127.0.0.1:1"\n');
		const said = await sent(['show', '7'], { env: { http_proxy: 'http://127.0.0.1:1', ALL_PROXY: 'http://127.0.0.1:1' } });
		fs.rmSync(path.join(dir, '.curlrc'));
		assert.equal(said.code, 0, said.err);
	});
	test('neither token, key nor prompt of a file is an argument of a process', async () => {
		const bin = path.join(tempDir(), 'bin');
		fs.mkdirSync(bin);
		for (const name of ['curl', 'jq', 'git', 'iconv', 'grep'])
			fs.writeFileSync(path.join(bin, name), `#!/bin/sh\nprintf '%s\\n' "$@" >>"${bin}/argv"\nexec /usr/bin/${name} "$@"\n`, { mode: 0o755 });
		const options = { env: { PATH: `${bin}:/usr/bin:/bin` } };
		assert.equal((await chomp(['add', '--run'], { ...options, input: 'prompt-canary' })).code, 0);
		const said = await sent(['keys', 'set', 'OPENROUTER_API_KEY'], { ...options, input: 'key-canary\n' });
		assert.deepEqual(last(said), { key: 'OPENROUTER_API_KEY', value: 'key-canary' });
		const argv = fs.readFileSync(path.join(bin, 'argv'), 'utf8');
		assert.match(argv, /api\/config\/keys/);
		for (const secret of [TOKEN, 'prompt-canary', 'key-canary']) assert.ok(!argv.includes(secret), secret);
	});
});

describe('what the server says', () => {
	const always = (answer) => api.onRequest(() => answer);
	for (const [status, code, wire] of [[400, 1, 'bad_field'], [401, 1, 'no_token'], [404, 1, 'not_found'], [409, 3, 'not_queued'], [413, 1, 'too_large'], [421, 1, 'unknown_host']])
		test(`${status} is ${code}, at once, with its message`, async () => {
			always(error(status, wire, 'the message'));
			for (const args of [['run', '7'], ['show', '7'], ['add', 'x']]) {
				const said = await sent([...args, '--json']);
				assert.equal(said.code, code, said.err);
				assert.equal(said.requests.length, 1);
				assert.match(said.err, /the message/);
				assert.equal(JSON.parse(said.out).error.code, wire);
			}
		});
	test('401 says what to do', async () => {
		always(error(401, 'no_token', 'x'));
		assert.match((await chomp(['list'])).err, /chompctl token/);
	});
	test('503, 502 and 429 are tried again until it is well', async () => {
		const answers = [error(503, 'busy', 'x'), { status: 502, raw: '<html>' }, error(429, 'limit', 'x'), { body: task({ status: 'active' }) }];
		api.onRequest(() => answers.shift());
		const said = await sent(['run', '7']);
		assert.equal(`${said.code} ${said.requests.length}`, '0 4', said.err);
	});
	test('503 until the time is up is 4', async () => {
		always(error(503, 'busy', 'busy now'));
		const said = await sent(['run', '7', '8'], { env: { CHOMP_RETRY_SECONDS: '0' } });
		assert.equal(said.code, 4);
		assert.match(said.err, /busy now/);
		assert.equal(said.requests.length, 1, 'the second task would wait as long');
	});
	test('nobody there is 4 and says how to start it', async () => {
		const said = await chomp(['list'], { env: { CHOMP_URL: `http://127.0.0.1:${await freePort()}`, CHOMP_RETRY_SECONDS: '0' } });
		assert.equal(said.code, 4);
		assert.match(said.err, /chompctl up/);
	});
	for (const [what, raw] of [['no JSON', '<html>hello</html>'], ['other JSON', '"hello"'], ['nothing', '']])
		test(`${what} is 4, for every verb that reads it`, async () => {
			always({ raw });
			for (const args of [['list'], ['show', '7'], ['run', '7'], ['run', '--next'], ['log'], ['log', '7'], ['status'], ['keys'], ['agents'], ['add', 'x']]) {
				const said = await chomp(args, { env: { CHOMP_RETRY_SECONDS: '0' } });
				assert.equal(said.code, 4, `${args}: ${said.out}${said.err}`);
				assert.notEqual(said.err, '');
			}
		});
	test('a refusal is told without its control bytes', async () => {
		always(error(400, 'bad_field', 'a\u001b[31mb'));
		assert.ok(!(await chomp(['run', '7'])).err.includes('\u001b'));
	});
	test('a verb that took effect and was not answered is no failure', async () => {
		for (const [args, status] of [[['run', '7'], 'active'], [['cancel', '7'], 'queued'], [['done', '7'], 'done'], [['fail', '7', 'r'], 'failed'], [['retry', '7'], 'queued']]) {
			const answers = [{ cut: true }, error(409, 'conflict', 'x'), { body: task({ status }) }];
			api.onRequest(() => answers.shift());
			const said = await sent(args);
			assert.equal(`${said.code} ${said.requests.length} ${said.err}`, '0 3 ', args[0]);
		}
		const gone = [{ cut: true }, error(404, 'not_found', 'x')];
		api.onRequest(() => gone.shift());
		assert.equal((await chomp(['drop', '7'])).code, 0);
		const other = [{ cut: true }, error(409, 'not_queued', 'task 7 is done'), { body: task({ status: 'done' }) }];
		api.onRequest(() => other.shift());
		assert.equal((await chomp(['run', '7'])).code, 3);
		const plain = [error(409, 'not_queued', 'x')];
		api.onRequest(() => plain.shift());
		const said = await sent(['run', '7']);
		assert.equal(`${said.code} ${said.requests.length}`, '3 1', 'nobody asks when the first try was refused');
	});
	test('of several tasks all are tried, and the first failure is the exit code', async () => {
		api.onRequest(({ body }) => (JSON.parse(body).id === '8' ? error(409, 'not_active', 'x') : JSON.parse(body).id === '9' ? error(404, 'not_found', 'x') : { body: task() }));
		const said = await sent(['cancel', '7', '8', '9', '10']);
		assert.equal(said.code, 3);
		assert.equal(said.requests.length, 4);
	});
});

describe('the verbs and their bodies', () => {
	const rows = [
		[['run', '7', '--agent', 'pi', '--model', 'm', '--router', 'zen'], 'run', { id: '7', agent: 'pi', model: 'm', router: 'zen' }],
		[['done', '7', 'all', 'well', '--summary', 's', '--tokens', '5', '--no-stamp'], 'done', { id: '7', result: 'all well', summary: 's', tokens: 5 }],
		[['fail', '7', 'it', 'broke', '--exit-code', '3'], 'fail', { id: '7', reason: 'it broke', exit_code: 3 }],
		[['handoff', '7', 'half', 'done'], 'handoff', { id: '7', summary: 'half done' }],
		[['update', '7', '--usage', '{"input":1,"output":2}'], 'update', { id: '7', usage: { input: 1, output: 2, cache_read: 0, cache_write: 0 } }],
		[['cancel', '7'], 'cancel', { id: '7' }], [['retry', '7', '--budget', '900'], 'retry', { id: '7', token_budget: '900' }], [['drop', '7'], 'delete', { id: '7' }],
		[['approve', '7'], 'approve', { id: '7' }], [['sendback', '7', 'once', 'more'], 'sendback', { id: '7', comment: 'once more' }],
	];
	for (const [args, verb, body] of rows)
		test(args.join(' '), async () => {
			const said = await sent(args);
			assert.equal(said.code, 0, said.err);
			assert.equal(said.requests.length, 1);
			assert.equal(said.requests[0].path, `/api/tasks/${verb}`);
			assert.deepEqual(last(said), body);
			assert.deepEqual(JSON.parse((await chomp([...args, '--json'])).out), task());
		});
	test('handoff reads a long summary from standard input', async () => {
		assert.equal(last(await sent(['handoff', '7', '-'], { input: 'a "b"\nc' })).summary, 'a "b"\nc');
	});
	test('agents add and rm', async () => {
		assert.deepEqual(last(await sent(['agents', 'add', 'mine', '--command', 'a {prompt}', '--models', 'x,y', '--color', '#123456'])),
			{ id: 'mine', name: 'mine', command: 'a {prompt}', models: 'x,y', color: '#123456' });
		assert.deepEqual(last(await sent(['agents', 'rm', 'mine'])), { id: 'mine', delete: true });
		assert.deepEqual(last(await sent(['keys', 'rm', 'GITHUB_TOKEN'])), { key: 'GITHUB_TOKEN', value: '' });
	});
});

describe('run --next and --all', () => {
	const queue = [task({ id: '9', priority: 1 }), task({ id: '8', priority: 5, held: true }), task({ id: '6', priority: 5, parked_until: stamps.created }), task({ id: '5', priority: 1 }), task({ id: '4' })];
	const serve = (refuse = []) => api.onRequest(({ method, body }) => {
		if (method === 'GET') return { body: { tasks: queue, next_cursor: null } };
		const { id } = JSON.parse(body);
		return refuse.includes(id) ? error(409, 'not_queued', `task ${id} is active`) : { body: task({ id, status: 'active' }) };
	});
	const ran = (said) => said.requests.filter((r) => r.method === 'POST').map((r) => JSON.parse(r.body).id);

	test('the highest priority, then the oldest; held and parked ones are left out', async () => {
		serve();
		assert.deepEqual(ran(await sent(['run', '--next'])), ['5']);
		assert.deepEqual(ran(await sent(['run', '--all'])), ['5', '9', '4']);
	});
	test('who was faster is passed over', async () => {
		serve(['5']);
		const said = await sent(['run', '--next']);
		assert.equal(said.code, 0, said.err);
		assert.deepEqual(ran(said), ['5', '9']);
		assert.match(said.out, /task 9 is active/);
		assert.equal(said.err, '');
	});
	test('an empty queue is said and no failure', async () => {
		api.onRequest(() => ({ body: { tasks: [], next_cursor: null } }));
		for (const how of ['--next', '--all']) {
			const said = await chomp(['run', how]);
			assert.equal(said.code, 0);
			assert.match(said.err, /no task waits/);
		}
	});
});

describe('lists', () => {
	const served = (n) => api.onRequest(({ path: at }) => {
		const query = new URL(at, 'http://x').searchParams;
		const from = Number(query.get('cursor') || n + 1);
		const tasks = Array.from({ length: Math.min(Number(query.get('limit')), from - 1) }, (_, i) => task({ id: String(from - 1 - i) }));
		return { body: { tasks, next_cursor: from - 1 - tasks.length > 0 ? tasks.at(-1).id : null } };
	});
	test('follow the cursor as far as is wanted', async () => {
		served(450);
		const ids = async (...args) => JSON.parse((await chomp(['list', '--json', ...args])).out).tasks.map((t) => t.id);
		assert.equal((await ids()).length, 50);
		assert.deepEqual(await ids('-n', '2'), ['450', '449']);
		assert.equal((await ids('-n', '250')).length, 250);
		assert.equal(new Set(await ids('--all')).size, 450);
		assert.equal((await chomp(['list', '--all'])).out.split('\n').length, 452);
	});
	test('ask for what is looked for', async () => {
		served(1);
		const said = await sent(['list', '--status', 'failed', '-q', 'a&b=é c']);
		const query = new URL(said.requests[0].path, 'http://x').searchParams;
		assert.equal(query.get('status'), 'failed');
		assert.equal(query.get('q'), 'a&b=é c');
	});
	test('an error in the middle is not a short list', async () => {
		let n = 0;
		api.onRequest(() => (n++ ? error(500, 'io', 'x') : { body: { tasks: [task()], next_cursor: '7' } }));
		for (const how of [['list', '--all'], ['list', '--all', '--json'], ['log']]) {
			n = 0;
			assert.equal((await chomp(how, { env: { CHOMP_RETRY_SECONDS: '0' } })).code, 4, how.join(' '));
		}
	});
	test('logs are the bytes of the newest session, or of one', async () => {
		api.onRequest(() => ({ raw: 'a\n\nb\n\n' }));
		assert.equal((await chomp(['logs', '7'])).out, 'a\n\nb\n\n');
		const said = await sent(['logs', '7', '2', '--json']);
		assert.equal(said.requests[0].path, '/api/tasks/7/sessions/s2/output');
		assert.deepEqual(JSON.parse(said.out), { id: '7', session: 's2', output: 'a\n\nb\n\n' });
	});
});

describe('on a terminal', () => {
	const hostile = '\u001b]0;title\u0007\u001b[2J\u009b31m\u202erev\rover\u0000\u007f\tend\nsecond';
	const t = task({ prompt: hostile, result: hostile, error: hostile, model: hostile, platform: hostile, dir: hostile, status: 'done', artifacts: [{ name: hostile }],
		sessions: [session({ agent: hostile, model: hostile, summary: hostile, result: 'done', dispatch: { state: 'started', error: hostile } })] });
	const all = { ...t, tasks: [t], next_cursor: null, agents: {}, routers: {}, settings: {} };
	// eslint-disable-next-line no-control-regex
	const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

	test('texts of a task are text, in a pipe and on a terminal', async () => {
		api.onRequest(() => ({ body: all }));
		for (const args of [['list'], ['show', '7'], ['log'], ['log', '7'], ['run', '7'], ['add', 'x']]) {
			const piped = await chomp(args);
			assert.equal(piped.code, 0, piped.err);
			assert.doesNotMatch(piped.out, harmful, args.join(' '));
			const shown = await onTerminal(args, { env: { NO_COLOR: '1' } });
			assert.doesNotMatch(shown.out.replaceAll('\r\n', '\n'), harmful, args.join(' '));
		}
		assert.equal(JSON.parse((await chomp(['show', '7', '--json'])).out).prompt, hostile, '--json keeps it');
	});
	test('lines fit, colours are for who wants them', async () => {
		api.onRequest(() => ({ body: { tasks: [task({ status: 'failed', prompt: 'long '.repeat(60) })], next_cursor: null } }));
		for (const columns of [24, 40, 60, 80, 132]) {
			const { out } = await onTerminal(['list'], { columns, env: { NO_COLOR: '1' } });
			for (const line of out.trimEnd().split('\r\n')) assert.ok([...line].length <= columns, `${columns}: ${line}`);
			assert.ok(out.includes('long'));
		}
		assert.match((await onTerminal(['list'])).out, /\u001b\[31mfailed/);
		assert.ok(!(await onTerminal(['list'], { env: { TERM: 'dumb' } })).out.includes('\u001b'));
		const piped = (await chomp(['list'])).out;
		assert.ok(!piped.includes('\u001b'));
		assert.ok(piped.includes('long '.repeat(59)), 'a pipe gets the whole line');
	});
});

describe('done stamps the last commit', () => {
	const done = (cwd, ...more) => chomp(['done', '7', ...more], { cwd, env: { HOME: '/nonexistent' } });
	const message = (repo) => git(repo, 'log', '-1', '--format=%B').trimEnd();
	const head = (repo) => git(repo, 'rev-parse', 'HEAD').trim();
	let repo;
	beforeEach(() => {
		repo = path.join(tempDir('chomp-stamp'), 'repo');
		makeRepo(repo);
		api.onRequest(() => ({ body: task({ status: 'done', sessions: [session({ agent: 'shell', model: 'bash' }), session({ id: 's2' })] }) }));
	});

	test('once, with the agent and model of the last session, and nothing else of it changes', async () => {
		const before = git(repo, 'log', '-1', '--format=%T %P %an %ae %ad %cn %ce %cd');
		fs.writeFileSync(path.join(repo, 'staged'), 'x');
		git(repo, 'add', 'staged');
		fs.writeFileSync(path.join(repo, 'README.md'), 'dirty');
		const said = await done(repo);
		assert.equal(said.code, 0, said.err);
		assert.match(message(repo), /\n\nAgent: pi\/m-1$/);
		assert.equal(git(repo, 'log', '-1', '--format=%T %P %an %ae %ad %cn %ce %cd'), before);
		assert.equal(git(repo, 'status', '--porcelain'), ' M README.md\nA  staged\n');
		assert.equal(git(repo, 'rev-parse', '--abbrev-ref', 'HEAD').trim(), 'main');
		const stamped = head(repo);
		assert.equal((await done(repo)).code, 0);
		assert.equal(head(repo), stamped);
		git(repo, 'fsck', '--strict');
	});
	test('below other trailers, from a subdirectory, on a detached head', async () => {
		git(repo, 'commit', '-q', '--allow-empty', '-m', 'subject\n\nbody: x\n\nSigned-off-by: A <a@b>');
		git(repo, 'checkout', '-q', '--detach');
		fs.mkdirSync(path.join(repo, 'sub'));
		assert.equal((await done(path.join(repo, 'sub'))).code, 0);
		assert.equal(message(repo), 'subject\n\nbody: x\n\nSigned-off-by: A <a@b>\nAgent: pi/m-1');
	});
	test('no hook and no command of the repository runs', async () => {
		const trace = path.join(repo, '.git/ran');
		for (const hook of ['pre-commit', 'commit-msg', 'prepare-commit-msg', 'post-commit', 'post-rewrite', 'reference-transaction'])
			fs.writeFileSync(path.join(repo, '.git/hooks', hook), `#!/bin/sh\necho ${hook} >>${trace}\n`, { mode: 0o755 });
		for (const [key, value] of [['core.fsmonitor', `touch ${trace}`], ['trailer.agent.command', `touch ${trace}`], ['trailer.x.cmd', `touch ${trace};`], ['trailer.x.key', 'X']])
			git(repo, 'config', key, value);
		await done(repo);
		assert.match(message(repo), /Agent: pi\/m-1$/);
		assert.ok(!fs.existsSync(trace), fs.existsSync(trace) && fs.readFileSync(trace, 'utf8'));
	});
	const left = async (why) => {
		const before = head(repo);
		const said = await done(repo);
		assert.equal(said.code, 0, said.err);
		assert.match(said.err, why);
		assert.equal(head(repo), before);
	};
	test('never when it was pushed, under whatever name', async () => {
		const other = `${repo}.git`;
		git(repo, 'init', '-q', '--bare', other);
		git(repo, 'remote', 'add', 'origin', other);
		git(repo, 'push', '-q', 'origin', 'main:refs/heads/else');
		git(repo, 'checkout', '-q', '-b', 'again');
		await left(/already pushed/);
		git(repo, 'commit', '-q', '--allow-empty', '-m', 'newer');
		await done(repo);
		assert.match(message(repo), /^newer\n\nAgent: /);
	});
	test('never when a tag names it', async () => {
		git(repo, 'tag', 'v1');
		await left(/a tag/);
	});
	test('never when its signature would be lost', async () => {
		const raw = git(repo, 'cat-file', 'commit', 'HEAD').replace('\n\n', '\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n');
		fs.writeFileSync(path.join(repo, '.git/signed'), raw);
		git(repo, 'update-ref', 'HEAD', git(repo, 'hash-object', '-t', 'commit', '-w', '.git/signed').trim());
		await left(/signed/);
	});
	test('never during a merge', async () => {
		fs.writeFileSync(path.join(repo, '.git/MERGE_HEAD'), `${head(repo)}\n`);
		await left(/merge/);
	});
	test('not when it is not wanted, not when done was refused', async () => {
		const before = head(repo);
		assert.equal((await done(repo, '--no-stamp')).code, 0);
		api.onRequest(() => error(409, 'not_active', 'x'));
		assert.equal((await done(repo)).code, 3);
		assert.equal(head(repo), before);
	});
	test('quietly not where there is nothing to stamp', async () => {
		const empty = path.join(tempDir('chomp-stamp'), 'empty');
		git('/', 'init', '-q', empty);
		for (const cwd of [empty, tempDir('chomp-no-repo')]) {
			const said = await done(cwd);
			assert.equal(`${said.code} ${said.err}`, '0 ');
		}
	});
});

describe('what is written about it', () => {
	const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
	const parts = ['cli', 'cli-task', 'cli-list', 'cli-config', 'cli-work'].map((n) => read(`scripts/lib/${n}.sh`)).join('\n');
	const verbs = /^readonly OWNER_VERBS="(.*)"$/m.exec(parts)[1].split(' ');
	const manual = read('docs/man/chomp.1').replaceAll('\\-', '-').replaceAll(/\\f[BPIR]/g, '');
	const completion = read('scripts/completion/chomp');
	const optionsOf = (verb) => /options '\|([^']*)\|'/.exec(new RegExp(`^owner_${verb}\\(\\) \\{[^]*?^\\}`, 'm').exec(parts)[0])[1].split('|').map((o) => o.replace('!', ''));

	test('every verb is in the help, the manual and the completion', async () => {
		const help = (await chomp(['--help'])).out;
		assert.equal(verbs.length, 22);
		for (const verb of verbs) {
			assert.match(help, new RegExp(`^  ${verb} `, 'm'), verb);
			assert.match(manual, new RegExp(`^\\.(BI?R?|B) ${verb}\\b`, 'm'), verb);
			assert.ok(/'(add list .*) help /.exec(completion)[1].split(' ').includes(verb), verb);
			const said = await sent([verb, '--help']);
			assert.equal(`${said.code} ${said.requests.length}`, '0 0', verb);
			assert.match(said.out, new RegExp(`^usage: chomp ${verb}`), verb);
		}
	});
	test('every option is in the manual and the completion', () => {
		for (const verb of verbs)
			for (const option of optionsOf(verb)) {
				assert.match(completion, new RegExp(`--${option}\\b`), `${verb} --${option}`);
				const short = { file: '-f', query: '-q', limit: '-n' }[option];
				if (!['result', 'url'].includes(option)) assert.ok(manual.includes(`--${option}`) || (short && manual.includes(short)), `${verb} --${option}`);
			}
	});
	test('the completion knows which tasks a verb can be about', async () => {
		api.onRequest(({ path: at }) => (at.startsWith('/api/tasks') ? { body: { tasks: [task({ id: '9', status: 'active' }), task({ id: '8' }), task({ id: '7', status: 'failed' })], next_cursor: null } } : { body: { pi: {}, shell: {} } }));
		const complete = async (...words) =>
			(await spawned(['bash', '-c', `CHOMP_COMPLETION_SECONDS=60; . ${scripts}/completion/chomp; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _chomp "$1"; printf '%s\\n' "\${COMPREPLY[@]}"`, 'x', path.join(scripts, 'chomp'), ...words])).out.trim().split('\n');
		assert.deepEqual(await complete('run', ''), ['8']);
		assert.deepEqual(await complete('watch', ''), ['9']);
		assert.deepEqual(await complete('retry', ''), ['7']);
		assert.deepEqual(await complete('show', ''), ['9', '8', '7']);
		assert.deepEqual(await complete('ca'), ['cancel']);
		assert.deepEqual(await complete('add', '--agent', 's'), ['shell']);
		assert.deepEqual(await complete('open', '--pr'), ['--print']);
	});
});

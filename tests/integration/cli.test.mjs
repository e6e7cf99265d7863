// The owner's command against a whole chomp, found the way it finds its own: by the instance's directory, without an address.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../lib/build.mjs';
import { request } from '../lib/http.mjs';
import { shared } from '../lib/instance.mjs';
import { git, makeRepo, tempDir } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const clean = Object.fromEntries(Object.entries(process.env).filter(([k]) => !k.startsWith('CHOMP_') && k !== 'BROWSER' && k !== 'DISPLAY'));

function cli(args, { input = '', cwd = repoRoot, env = {} } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(path.join(repoRoot, 'scripts/chomp'), args, { cwd, env: { ...clean, CHOMP_VAR: chomp.var, GIT_CONFIG_NOSYSTEM: '1', ...env } });
		const said = { out: '', err: '' };
		child.stdout.on('data', (d) => (said.out += d));
		child.stderr.on('data', (d) => (said.err += d));
		child.stdin.on('error', () => {});
		child.stdin.end(input);
		child.on('error', reject);
		child.on('close', (code) => resolve(Object.assign(said, { code })));
	});
}
const ok = async (args, options) => {
	const said = await cli(args, options);
	assert.equal(said.code, 0, `${args.join(' ')}: ${said.out}${said.err}`);
	assert.ok(!said.out.includes(chomp.token) && !said.err.includes(chomp.token));
	return said.out;
};
const json = async (args, options) => JSON.parse(await ok([...args, '--json'], options));

test('a task from the command line to its end', async () => {
	const prompt = 'echo "é \'quoted\' $((6 * 7))"\n';
	const made = await json(['add', '--agent', 'shell', '--priority', '-2', '--budget', '5000'], { input: prompt });
	assert.equal(made.status, 'queued');
	assert.deepEqual(await json(['show', made.id]), await chomp.task(made.id));
	assert.equal((await chomp.task(made.id)).prompt, prompt);
	assert.deepEqual([made.priority, made.token_budget], [-2, 5000]);
	assert.match(await ok(['run', '--next']), new RegExp(`task ${made.id} is active \\(shell/bash\\)`));
	await chomp.until(made.id, 'done');
	await waitFor('its output is there', async () => (await ok(['logs', made.id])).includes("é 'quoted' 42"));
	await chomp.settled(made.id);
	assert.equal(await ok(['logs', made.id, 's1']), await chomp.output(made.id));
	assert.match(await ok(['list']), /^ID +STATUS +AGENT.*\n *\d+ +done +shell\/bash/);
	assert.match(await ok(['show', made.id]), /exit code 0/);
	assert.match(await ok(['log']), /done +shell\/bash/);
	const { tasks } = await json(['list', '--status', 'done', '-q', 'quoted']);
	assert.deepEqual(tasks.map((t) => t.id), [made.id]);
});

test('update, handoff, cancel, retry, fail, drop, each as the state machine says', async () => {
	const { id } = await json(['add', '--agent', 'shell', '--run', 'sleep 1000']);
	await ok(['update', id, '--tokens', '77']);
	assert.equal((await ok(['handoff', id, 'half', 'done'])), `task ${id} is queued\n`);
	assert.match(await ok(['log', id]), /handoff.*77 tokens\n {4}half done/);
	assert.equal((await cli(['done', id])).code, 3);
	await ok(['run', id]);
	assert.equal(await ok(['cancel', id]), `task ${id} is held\n`);
	assert.match((await cli(['run', '--next'])).err, /no task waits/);
	await ok(['run', id]);
	await ok(['fail', id, 'by hand']);
	assert.match(await ok(['show', id]), /error +by hand/);
	await ok(['retry', id]);
	assert.equal(await ok(['drop', id]), `task ${id} is deleted\n`);
	assert.equal((await cli(['show', id])).code, 1);
	await waitFor('no sandbox is left', () => chomp.pids('shim').length === 0, { context: chomp.logTail });
});

test('done in a repository stamps the commit with the agent of the task', async () => {
	const repo = path.join(tempDir('chomp-cli'), 'repo');
	makeRepo(repo);
	if (process.getuid() === 0) fs.chownSync(repo, 0, 0);
	const { id } = await json(['add', '--agent', 'shell', '--run', 'sleep 1000']);
	assert.match(await ok(['done', id, 'well'], { cwd: repo, env: { HOME: '/nonexistent' } }), /is done\ncommit [0-9a-f]{10} is stamped/);
	assert.match(git(repo, 'log', '-1', '--format=%B'), /\n\nAgent: shell\/bash\n/);
	assert.equal((await chomp.task(id)).result, 'well');
});

test('status, keys and agents are those of the server', async () => {
	assert.match(await ok(['status']), /: ok\nprocesses +worker up +dispatch up/);
	assert.equal((await json(['status'])).status, 'ok');
	await ok(['keys', 'set', 'OPENROUTER_API_KEY'], { input: 'sk-or-0123456789abcdef\n' });
	const listed = await ok(['keys']);
	assert.match(listed, /OPENROUTER_API_KEY +yes/);
	assert.ok(!listed.includes('0123456789'));
	await ok(['keys', 'rm', 'OPENROUTER_API_KEY']);
	assert.match(await ok(['keys']), /OPENROUTER_API_KEY +no/);
	assert.match((await cli(['keys', 'set', 'PATH'], { input: 'x' })).err, /400/);
	await ok(['agents', 'add', 'mine', '--command', 'cat {prompt_file}', '--models', 'a,b']);
	assert.match(await ok(['agents']), /^mine +mine +yes +a +cat \{prompt_file\}$/m);
	assert.equal((await json(['agents'])).mine.default_model, 'a');
	await ok(['agents', 'rm', 'mine']);
});

test('open prints the address and a link that logs in once', async () => {
	const { id } = await json(['add', 'x']);
	const { url, login } = await json(['open', id]);
	assert.equal(url, `${chomp.url}/partials/detail/${id}`);
	assert.equal((await request(chomp.url, { path: new URL(login).pathname + new URL(login).search })).status, 303);
	const browser = path.join(tempDir('chomp-cli'), 'browser');
	fs.writeFileSync(browser, `#!/bin/sh\necho "$@" >'${browser}.ran'\n`, { mode: 0o755 });
	await ok(['open', id], { env: { BROWSER: browser } });
	assert.equal(fs.readFileSync(`${browser}.ran`, 'utf8'), `${url}\n`, 'no code in an argument');
});

test('every answer it prints as JSON is the answer of the server', async () => {
	assert.deepEqual(await json(['agents']), (await chomp.api.get('/api/config/agents')).json());
	assert.deepEqual(await json(['keys']), (await chomp.api.get('/api/config')).json().routers);
	assert.deepEqual((await json(['list', '--all'])).tasks, (await chomp.api.get('/api/tasks?limit=200')).json().tasks);
});

test('a restart in the middle of a script costs it some patience', async () => {
	const restart = chomp.ctl(['restart']);
	const keys = await Promise.all(Array.from({ length: 4 }, (_, i) => cli(['add', `during a restart ${i}`], { env: { CHOMP_RETRY_SECONDS: '60', CHOMP_PORT: String(chomp.port) } })));
	assert.equal((await restart).code, 0);
	assert.deepEqual(keys.map((k) => `${k.code} ${k.err}`), Array(4).fill('0 '));
	assert.equal((await json(['list', '-q', 'during a restart'])).tasks.length, 4);
});

test("an agent's work: seen, and committed in one's own checkout or not at all", async () => {
	const base = tempDir('chomp-apply');
	try {
		const repo = makeRepo(path.join(base, 'src'), { 'a.txt': 'one\n', 'crlf.txt': 'a\r\nb\r\n', 'bin.dat': Buffer.from([0, 1]) });
		const mine = path.join(base, 'mine');
		git(base, 'clone', '-q', repo, mine);
		const task = await chomp.create({ agent: 'shell', dir: repo, run: true, prompt: "printf 'two\\n' >>a.txt; printf 'c\\r\\n' >>crlf.txt; printf '\\0\\377' >bin.dat; printf 'x\\033[31m' >esc.txt" });
		await chomp.until(task.id, 'done');
		const env = { HOME: base, GIT_COMMITTER_NAME: 'me', GIT_COMMITTER_EMAIL: 'me@example.org' };
		assert.match(await ok(['diff', task.id]), /^From [0-9a-f]{40} [^]*\n\+two\n/);
		assert.match(await ok(['diff', '--stat', task.id]), /a\.txt[^]*4 files changed/);
		assert.match(await ok(['apply', task.id], { cwd: mine, env }), /^applied: [0-9a-f]+ task \d+: /);
		assert.equal(fs.readFileSync(path.join(mine, 'crlf.txt'), 'utf8'), 'a\r\nb\r\nc\r\n');
		assert.deepEqual([...fs.readFileSync(path.join(mine, 'bin.dat'))], [0, 255]);
		assert.equal(git(mine, 'log', '-1', '--format=%(trailers:key=Agent,valueonly)').trim(), 'shell/bash');
		assert.equal(git(mine, 'status', '--porcelain'), '');

		// where it does not fit, nothing changes
		const other = makeRepo(path.join(base, 'other'), { 'a.txt': 'quite\nanother\n' });
		const head = git(other, 'rev-parse', 'HEAD');
		const said = await cli(['apply', task.id], { cwd: other, env });
		assert.equal(said.code, 3, said.err);
		assert.match(said.err, /does not fit this branch; nothing has changed/);
		assert.equal(git(other, 'rev-parse', 'HEAD') + git(other, 'status', '--porcelain'), head);
		assert.equal((await cli(['apply', task.id], { cwd: base, env })).code, 2);
		assert.equal((await cli(['diff', '999'])).code, 1);
	} finally {
		fs.rmSync(base, { recursive: true, force: true });
	}
});

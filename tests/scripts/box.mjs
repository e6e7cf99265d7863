// Runs scripts/run-agent by hand, without chomp: plain (a directory stands for the box) or in a bubblewrap box laid out as the
// sandbox host does it. The other end of the callbacks is tests/lib/callback-server.mjs.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCallbackServer } from '../lib/callback-server.mjs';
import { git, tempDir } from '../lib/repo.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const scripts = path.join(root, 'scripts');
export const installed = process.env.CHOMP_TEST_AGENTS || path.join(root, 'build/agents');
export const TOKEN = 'token-canary-5f0e1c';
export const asRoot = process.getuid() === 0;

// A directory with what a box needs: ws, home, token, prompt, history, api/.
export function boxDir({ prompt = '', history = [] } = {}) {
	const dir = tempDir('chomp-box');
	for (const d of ['ws', 'home', 'api', 'agents'])
		fs.mkdirSync(path.join(dir, d));
	fs.writeFileSync(path.join(dir, 'token'), `${TOKEN}\n`, { mode: 0o400 });
	fs.writeFileSync(path.join(dir, 'prompt'), prompt);
	fs.writeFileSync(path.join(dir, 'history.json'), JSON.stringify(history));
	return dir;
}

// The environment of SEAMS, for a box at `dir`; in bubblewrap the paths are the box's own.
export function boxEnv(dir, { boxed = false, api, agent = 'shell', model = '', router = '', env = {} } = {}) {
	const at = (inside, outside) => (boxed ? inside : path.join(dir, outside));
	return {
		PATH: boxed ? '/opt/chomp:/usr/local/bin:/usr/bin:/bin' : `${scripts}:${process.env.CHOMP_TEST_PATH || ''}/usr/local/bin:/usr/bin:/bin`,
		HOME: at('/home/agent', 'home'), LANG: 'C.UTF-8', TERM: 'xterm-256color',
		CHOMP_API: api.url, ...(api.socket ? { CHOMP_API_SOCKET: at('/run/chomp/api/api.sock', 'api/api.sock') } : {}),
		CHOMP_TOKEN_FILE: at('/run/chomp/token', 'token'), TASK_PROMPT_FILE: at('/run/chomp/prompt', 'prompt'),
		CHOMP_HISTORY_FILE: at('/run/chomp/history.json', 'history.json'),
		TASK_ID: '7', SESSION_ID: 's1', AGENT: agent, MODEL: model, ROUTER: router, TASK_REPO_URL: '', TASK_BRANCH: '',
		CHOMP_TIMEOUT: '600', ...(boxed ? {} : { CHOMP_AGENTS: path.join(dir, 'agents') }), CHOMP_RETRY_SECONDS: '5', ...env,
	};
}

function bwrap(dir, { source, agents = installed, binds = [] }) {
	const argv = ['bwrap', '--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--uid', '1000', '--gid', '1000', '--cap-drop', 'ALL',
		'--die-with-parent', '--ro-bind', '/usr', '/usr'];
	for (const d of ['/bin', '/sbin', '/lib', '/lib64'])
		if (fs.existsSync(d))
			argv.push(...(fs.lstatSync(d).isSymbolicLink() ? ['--symlink', fs.readlinkSync(d), d] : ['--ro-bind', d, d]));
	for (const f of ['/etc/ssl', '/etc/resolv.conf', '/etc/nsswitch.conf', '/etc/hosts', '/etc/alternatives'])
		argv.push('--ro-bind-try', f, f);
	argv.push('--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/run',
		'--bind', `${dir}/ws`, '/workspace', '--bind', `${dir}/home`, '/home/agent',
		'--ro-bind', scripts, '/opt/chomp', '--ro-bind', agents, '/opt/agents', '--ro-bind', `${dir}/api`, '/run/chomp/api',
		'--ro-bind', `${dir}/token`, '/run/chomp/token', '--ro-bind', `${dir}/prompt`, '/run/chomp/prompt',
		'--ro-bind', `${dir}/history.json`, '/run/chomp/history.json');
	if (source)
		argv.push('--ro-bind', source, '/source');
	for (const [from, to] of binds)
		argv.push('--ro-bind', from, to);
	return [...argv, '--remount-ro', '/', '--chdir', '/workspace', '/opt/chomp/run-agent'];
}

const quoted = (words) => words.map((w) => `'${w.replaceAll("'", "'\\''")}'`).join(' ');

// A session: start it, wait, and look at what it told.
//
// prompt history agent model router env     the dispatch
// source     a repository on the host (TASK_SOURCE); repoUrl branch subdir command as in the dispatch
// boxed      in bubblewrap; pty: on a terminal (script(1)); socket: callbacks by unix socket
// reply      answers of the callback server: (request) => ({status, body}) or undefined
// during     called with {child, api, dir, output} once it runs
export async function session(o = {}) {
	const dir = o.dir || boxDir(o);
	const server = await startCallbackServer(o.socket ? { socketPath: path.join(dir, 'api/api.sock') } : {});
	const api = Object.assign(server, { socket: Boolean(o.socket) });
	if (o.reply)
		api.onRequest(o.reply);
	const env = {
		...boxEnv(dir, { ...o, api }),
		...(o.source ? { TASK_SOURCE: o.boxed ? '/source' : o.source } : {}),
		...(o.repoUrl !== undefined ? { TASK_REPO_URL: o.repoUrl } : {}), ...(o.branch !== undefined ? { TASK_BRANCH: o.branch } : {}),
		...(o.subdir !== undefined ? { TASK_SUBDIR: o.subdir } : {}), ...(o.command !== undefined ? { AGENT_COMMAND: o.command } : {}),
	};
	let argv = o.boxed ? bwrap(dir, o) : [path.join(scripts, 'run-agent')];
	if (o.pty)
		argv = ['script', '-qefc', `exec ${quoted(argv)}`, '/dev/null'];
	const child = spawn(argv[0], argv.slice(1), { cwd: path.join(dir, 'ws'), env, stdio: [o.pty ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
	let output = '';
	child.stdout.on('data', (d) => (output += d));
	child.stderr.on('data', (d) => (output += d));
	const ended = new Promise((resolve, reject) => {
		child.on('error', reject);
		// what the agent left running may hold the pipes for long
		child.on('exit', (code, signal) => setTimeout(resolve, 1000, code ?? signal).unref());
		child.on('close', (code, signal) => resolve(code ?? signal));
	});
	let code;
	try {
		await o.during?.({ child, api, dir, output: () => output, ended });
		code = await ended;
	} finally {
		if (child.exitCode === null && child.signalCode === null)
			child.kill('SIGKILL');
		await api.close();
	}
	const calls = api.requests.filter((r) => r.path.startsWith('/api/')).map((r) => ({
		...r, verb: r.path.replace(/^\/api\/tasks\//, ''), json: r.headers['content-type'] === 'application/json' ? JSON.parse(r.body) : undefined,
	}));
	const of = (verb) => calls.filter((c) => c.verb === verb);
	return {
		code, output, dir, calls, of, home: path.join(dir, 'home'), repo: path.join(dir, 'ws/repo'),
		closing: calls.filter((c) => ['done', 'fail', 'handoff'].includes(c.verb)).at(-1),
		patch: of('7/artifacts/changes.patch').at(-1)?.body,
	};
}

// What a patch makes of a fresh clone: its tree's id, every name, mode and content in it.
export function treeAfter(repo, patch, branch = 'main') {
	const clone = path.join(tempDir('chomp-clean'), 'clone');
	git('/', 'clone', '-q', '--branch', branch, `file://${repo}`, clone);
	if (patch) {
		fs.writeFileSync(`${clone}.patch`, patch);
		git(clone, 'apply', '--index', '--binary', `${clone}.patch`);
	}
	return git(clone, 'write-tree').trim();
}

// A whole chomp of its own, started the way an operator does it: `scripts/chompctl up` with a fresh CHOMP_VAR on a free port.
//
//   const chomp = await startInstance();
//   chomp.api.get('/api/state')   chomp.api.post('/api/tasks', { prompt: '…' })   answers as in http.mjs, the owner's token sent
//   chomp.create({…}) run(id, {…}) task(id) until(id, 'done') output(id)          the usual steps; they fail with the answer's text
//   chomp.processes() pids(role)                                                  who belongs to it: see `roles`
//   await chomp.stop()                                                            down, and proof that nothing is left

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { steppers } from './box-scripts.mjs';
import { repoRoot } from './build.mjs';
import { theContract } from './contract.mjs';
import { held, request } from './http.mjs';
import { freePort } from './port.mjs';
import { belongingTo, describe, endAll } from './processes.mjs';
import { tempDir } from './repo.mjs';
import { waitFor } from './wait.mjs';

const UP_MS = 120_000;

// chompctl with an environment of its own; resolves with what it said, whatever its exit code.
export function chompctl(args, { env = {}, timeoutMs = UP_MS, wrap = [] } = {}) {
	const argv = [...wrap, path.join(repoRoot, 'scripts/chompctl'), ...args];
	return new Promise((resolve, reject) => {
		const clean = Object.fromEntries(
			Object.entries(process.env).filter(
				([k]) => k === 'CHOMP_BIN' || (!k.startsWith('CHOMP_') && !k.startsWith('NODE_TEST')),
			),
		);
		const started = process.hrtime.bigint();
		const child = spawn(argv[0], argv.slice(1), {
			cwd: repoRoot,
			env: { ...clean, ...env },
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		let stdout = '';
		let stderr = '';
		child.stdout.on('data', (d) => (stdout += d));
		child.stderr.on('data', (d) => (stderr += d));
		const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
		child.on('error', reject);
		// 'exit', not 'close': a service that kept the pipe open must not make `up` look slow
		child.on('exit', (code, signal) => {
			clearTimeout(timer);
			const ms = Number(process.hrtime.bigint() - started) / 1e6;
			setImmediate(() => {
				child.stdout.destroy();
				child.stderr.destroy();
				resolve({ code: code ?? signal, stdout, stderr, ms, text: `${stdout}${stderr}` });
			});
		});
	});
}

const isChompWorker = (p) => p.comm === 'chomp-worker';

export const roles = {
	'nginx master': (p) => p.comm === 'nginx' && /master process/.test(p.cmdline),
	'nginx worker': (p) => p.comm === 'nginx' && /worker process/.test(p.cmdline),
	'worker parent': (p, list) => isChompWorker(p) && !list.some((q) => q.pid === p.ppid && isChompWorker(q)),
	worker: (p, list) => isChompWorker(p) && list.some((q) => q.pid === p.ppid && isChompWorker(q)),
	dispatcher: (p) => p.comm === 'chomp-dispatch',
	relay: (p) => p.comm === 'chomp-relay',
	'sandbox host': (p) => p.comm === 'chomp-sandbox',
	shim: (p) => p.comm === 'chomp-shim',
	supervisor: (p) => p.comm === 's6-svscan',
};

export async function startInstance({ env = {}, files = {}, wrap = [], varDir, port } = {}) {
	const base = varDir ? path.dirname(varDir) : tempDir('chomp');
	const home = varDir || path.join(base, 'var');
	const origin = { port: port || (await freePort()) };
	const settings = { CHOMP_VAR: home, CHOMP_PORT: String(origin.port), ...env };
	for (const [name, text] of Object.entries(files)) {
		fs.mkdirSync(path.join(home, path.dirname(name)), { recursive: true });
		fs.writeFileSync(path.join(home, name), text);
	}
	const url = `http://127.0.0.1:${origin.port}`;
	held.set(url, (method, route, answer, headers) => {
		if (/^\/(api\/|metrics)/.test(route)) theContract().check(method, route, answer, headers);
	});
	const ctl = (args, options = {}) => chompctl(args, { wrap, ...options, env: { ...settings, ...options.env } });

	async function stop() {
		const down = await ctl(['down']);
		const left = await endAll(home);
		if (!varDir) fs.rmSync(base, { recursive: true, force: true });
		// what a test may want to know; a test that checks `down` looks at it
		return { down, left: describe(left) };
	}

	const up = await ctl(['up']);
	if (up.code !== 0) {
		const logs = describe(belongingTo(home));
		await endAll(home);
		if (!varDir) fs.rmSync(base, { recursive: true, force: true });
		throw Object.assign(new Error(`chompctl up failed with ${up.code}:\n${up.text}\n${logs}`), { up });
	}
	const token = (await ctl(['token'])).stdout.trim();

	// As the owner does: what a test's scripts speak to is opened before the first task that could want it.
	let opened = 0;
	async function openSteppers() {
		if (steppers.size === opened) return;
		opened = steppers.size;
		must(
			await send('POST', '/api/config/settings', { sandbox_allow: [...steppers].join(' ') }),
			'open the steppers',
		);
	}
	const call = async (method, route, body, options) => {
		if (method === 'POST' && route === '/api/tasks') await openSteppers();
		return send(method, route, body, options);
	};
	const send = (method, route, body, { headers = {}, bearer = token, ...rest } = {}) =>
		request(url, {
			method,
			path: route,
			body: body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
			headers: {
				...(bearer ? { Authorization: `Bearer ${bearer}` } : {}),
				...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
				...headers,
			},
			...rest,
		});
	const api = {
		call,
		get: (route, options) => call('GET', route, undefined, options),
		post: (route, body, options) => call('POST', route, body, options),
	};
	const must = (said, what) => {
		if (said.status !== 200) throw new Error(`${what}: ${said.status} ${said.text.slice(0, 500)}`);
		return said.json();
	};
	const task = async (id) => must(await api.get(`/api/tasks/${id}`), `task ${id}`);
	const output = async (id, sid) =>
		(await api.get(sid ? `/api/tasks/${id}/sessions/${sid}/output` : `/api/sandbox/output/${id}`)).text;

	// the newest lines of every service's log, for a failing test
	function logTail(lines = 15) {
		const dir = path.join(home, 'log');
		const names = fs.existsSync(dir) ? fs.readdirSync(dir) : [];
		return names
			.map((n) => {
				const file = path.join(dir, n, 'current');
				return fs.existsSync(file)
					? `-- log/${n}\n${fs.readFileSync(file, 'utf8').trim().split('\n').slice(-lines).join('\n')}`
					: '';
			})
			.filter(Boolean)
			.join('\n');
	}

	const processes = () => belongingTo(home);
	const instance = {
		url,
		port: origin.port,
		var: home,
		base,
		token,
		api,
		up,
		ctl,
		openSteppers, // for a test that makes its tasks in a browser
		stop,
		logTail,
		processes,
		task,
		output,
		env: settings,
		create: async (fields) => must(await api.post('/api/tasks', fields), 'create'),
		run: async (id, more = {}) => must(await api.post('/api/tasks/run', { id, ...more }), `run ${id}`),
		post: async (verb, body) => must(await api.post(`/api/tasks/${verb}`, body), verb),
		state: async () => {
			const said = await api.get('/api/state');
			must(said, 'state');
			return said.text;
		},
		until: (id, wanted, options) =>
			waitFor(
				`task ${id} is ${typeof wanted === 'string' ? wanted : 'as wanted'}`,
				async () => {
					const t = await task(id);
					return (typeof wanted === 'string' ? t.status === wanted : await wanted(t)) && t;
				},
				{
					context: async () =>
						`${JSON.stringify(await task(id).catch((e) => e.message))}\n${await output(id).catch((e) => e.message)}\n${logTail()}`,
					...options,
				},
			),
		// its sandbox is gone and everything it showed is here: nothing changes by itself any more
		settled: (id) =>
			instance.until(id, (t) => t.status !== 'active' && t.sessions.every((s) => s.kill?.state !== 'pending')),
		pids: (role) => {
			const list = processes();
			return list.filter((p) => roles[role](p, list)).map((p) => p.pid);
		},
	};
	return instance;
}

// An instance for the tests of one file or one describe: ended after them. `after` is node:test's.
export async function shared({ after }, options) {
	const chomp = await startInstance(options);
	after(() => chomp.stop());
	return chomp;
}

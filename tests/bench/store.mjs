// The marks of the store and the API, through nginx, against the least a FastCGI worker can do (reduced.c) in the same run.
//
//   node tests/bench/store.mjs [--json] [--no-million]      exit 1 when a mark is missed; ratios of medians, with both figures
//
// Two instances are measured in turn, so that what else the machine does meets both.  RUNS=n turns (3).

import { execFile, spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildDir } from '../lib/build.mjs';
import { startInstance } from '../lib/instance.mjs';
import { freePort } from '../lib/port.mjs';
import { pssKiB } from '../lib/processes.mjs';
import { tempDir } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

const RUNS = Number(process.env.RUNS || 3);
const MS = Number(process.env.MS || 1500);
const tool = (name) => path.join(buildDir, 'bench', name);
const run = promisify(execFile);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const round = (n) => (n < 10 ? n.toFixed(2) : n.toFixed(0));

const results = [];
function mark(name, value, limit, { least = false, unit = '', more = '' } = {}) {
	const ok = least ? value >= limit : value <= limit;
	results.push({ name, value, limit, unit, ok });
	console.log(
		`${ok ? 'ok    ' : 'MISSED'} ${name.padEnd(52)} ${round(value)} ${unit} (at ${least ? 'least' : 'most'} ${limit}) ${more}`,
	);
	if (process.env.CHOMP_TEST_RESULTS)
		fs.appendFileSync(process.env.CHOMP_TEST_RESULTS, `${JSON.stringify({ result: ok ? 'pass' : 'fail', name })}\n`);
}

// ---- what is measured ----
let slowest = 0;
async function load(target, connections, method, route, { headers = [], body, ms = MS, want } = {}) {
	const args = [target.port, connections, ms, method, route, ...(target.headers ?? []), ...headers, ...(body ? [`@${body}`] : [])];
	const said = JSON.parse((await run(tool('load'), args.map(String))).stdout);
	const others = Object.keys(said.status).filter((s) => s !== String(want ?? 200));
	if (others.length) throw new Error(`${method} ${route}: answers ${JSON.stringify(said.status)}`);
	if (target.chomp) slowest = Math.max(slowest, said.max);
	return said;
}

// a and b in turn; returns the medians of their rates
async function inTurn(a, b) {
	const rates = [[], []];
	for (let i = 0; i < RUNS; i++) {
		rates[0].push((await a()).rps);
		rates[1].push((await b()).rps);
	}
	return rates.map(median);
}

const create = (t, connections = 16) => () =>
	load(t, connections, 'POST', '/api/tasks', { headers: ['Content-Type: application/json'], body: '{"prompt":"measure %d"}' });
const get = (t, route, options = {}) => () =>
	load(t, 16, 'GET', route, options);

async function instance(count, status) {
	const base = tempDir('bench');
	const home = path.join(base, 'var');
	fs.mkdirSync(path.join(home, 'state'), { recursive: true });
	if (count) {
		const out = fs.openSync(path.join(home, 'state/tasks.log'), 'w');
		execFileSync(tool('seed'), [String(count), status ?? 'done'], { stdio: ['ignore', out, 'inherit'] });
		fs.closeSync(out);
	}
	const chomp = await startInstance({ varDir: home });
	const headers = [`Authorization: Bearer ${chomp.token}`];
	return {
		chomp,
		port: chomp.port,
		headers,
		stop: async () => {
			await chomp.stop();
			fs.rmSync(base, { recursive: true, force: true });
		},
	};
}

// The same nginx, with the reduced worker behind it: sockets in its configuration are relative to where it is started.
async function startReduced(chomp, workers) {
	const dir = tempDir('reduced');
	const port = await freePort();
	fs.cpSync(path.join(chomp.var, 'run/nginx'), path.join(dir, 'nginx'), { recursive: true });
	const file = path.join(dir, 'nginx/nginx.conf');
	fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replaceAll(String(chomp.port), String(port)));
	for (const d of ['worker', 'callback', 'relay']) fs.mkdirSync(path.join(dir, d));
	fs.chmodSync(dir, 0o755);
	fs.rmSync(path.join(dir, 'nginx/nginx.pid'), { force: true });
	const worker = spawn(tool('reduced'), [path.join(dir, 'worker/worker.sock'), String(workers), path.join(dir, 'log')], {
		stdio: ['pipe', 'inherit', 'inherit'],
		detached: true, // a session of its own, as s6 gives its services: the kernel shares processor time by session
	});
	const nginx = spawn('nginx', ['-e', 'stderr', '-p', 'nginx/', '-c', 'nginx.conf'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'], detached: true });
	const target = { port };
	await waitFor('the reduced worker answers', () => load(target, 1, 'GET', '/api/health', { ms: 1 }));
	return {
		...target,
		stop: async () => {
			const ended = new Promise((resolve) => nginx.on('exit', resolve));
			nginx.kill('SIGTERM');
			worker.stdin.end();
			await ended;
			fs.rmSync(dir, { recursive: true, force: true });
		},
	};
}

const workersPss = (chomp) => chomp.pids('worker').map((pid) => pssKiB(pid) / 1024);
const etagOf = async (chomp, route) =>
	(await chomp.api.get(route, { headers: { 'HX-Request': 'true' } })).headers.etag;

// ---- the marks ----
const few = await instance(100);
const reduced = await startReduced(few.chomp, 8);
try {
	const [ours, least] = await inTurn(create(few), create(reduced));
	mark('durable creates, against append and sync alone', ours / least, 0.8, { least: true, more: `${round(ours)} and ${round(least)}/s` });

	const route = '/partials/tasks?tab=completed';
	const etag = await etagOf(few.chomp, route);
	const [same, empty] = await inTurn(
		get(few, route, { headers: ['HX-Request: true', `If-None-Match: ${etag}`], want: 304 }),
		get(reduced, '/api/health'),
	);
	mark('304, against an empty answer', same / empty, 0.8, { least: true, more: `${round(same)} and ${round(empty)}/s` });

	const quiet = [];
	const stormy = [];
	for (let i = 0; i < RUNS; i++) {
		quiet.push((await load(few, 4, 'GET', '/api/tasks?limit=50')).p99);
		const storm = create(few)();
		stormy.push((await load(few, 4, 'GET', '/api/tasks?limit=50', { ms: MS - 200 })).p99);
		await storm;
	}
	mark("a read's p99 in a storm of 16 writers", median(stormy) / median(quiet), 5, {
		more: `× quiet: ${median(stormy)} and ${median(quiet)} µs`,
	});
} finally {
	await reduced.stop();
	await few.stop();
}

const small = await instance(100);
const large = await instance(100_000);
try {
	const newest = (t, n) => `/api/tasks/${n}`;
	for (const [name, one, two] of [
		['list of 50', get(small, '/api/tasks?limit=50'), get(large, '/api/tasks?limit=50')],
		['detail', get(small, newest(small, 50)), get(large, newest(large, 50_000))],
		[
			'partial of 50 cards',
			get(small, '/partials/tasks?tab=completed', { headers: ['HX-Request: true'] }),
			get(large, '/partials/tasks?tab=completed', { headers: ['HX-Request: true'] }),
		],
		['creates', create(small), create(large)],
	]) {
		const [a, b] = await inTurn(one, two);
		mark(`${name}, 100,000 tasks against 100`, b / a, 0.9, { least: true, more: `${round(b)} and ${round(a)}/s` });
	}
} finally {
	await small.stop();
	await large.stop();
}

async function memory(count, limit) {
	const t = await instance(count);
	try {
		for (const r of ['/api/tasks?limit=200', '/partials/tasks?tab=completed']) await load(t, 16, 'GET', r, { headers: ['HX-Request: true'], ms: 1000 });
		await create(t)();
		mark(`a worker's memory with ${count.toLocaleString('en')} tasks`, Math.max(...workersPss(t.chomp)), limit, { unit: 'MB PSS' });
		if (count < 1_000_000) return;
		// from the start of the process until it serves
		const [parent] = t.chomp.pids('worker parent');
		const ticks = Number(fs.readFileSync(`/proc/${parent}/stat`, 'utf8').split(') ')[1].split(' ')[19]);
		const boot = Number(/^btime (\d+)/m.exec(fs.readFileSync('/proc/stat', 'utf8'))[1]);
		const log = fs.readFileSync(path.join(t.chomp.var, 'log/worker/current'), 'utf8');
		const started = Date.parse(/ts=(\S+) .*ev=pool.started/.exec(log)[1]);
		mark('start with 1,000,000 tasks', started - (boot * 1000 + ticks * 10), 2000, { unit: 'ms', more: '(± 1 s: btime has whole seconds)' });
	} finally {
		await t.stop();
	}
}
await memory(10_000, 24);
if (!process.argv.includes('--no-million')) await memory(1_000_000, 100);
mark('the slowest answer of all', slowest / 1000, 1000, { unit: 'ms' });

if (process.argv.includes('--json')) console.log(JSON.stringify(results));
process.exit(results.every((r) => r.ok) ? 0 : 1);

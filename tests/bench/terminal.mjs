// The marks of the terminal, against a bare pty read loop in the same run.
//
//   node tests/bench/terminal.mjs [--json] [flood|echo|first|events|browser|memory …]      exit 1 when a mark is missed; medians, with the spread
//
// flood      200 MB of 80-column lines from a box through host, relay and nginx to a client that counts; ratio of speeds
// processor  what nginx, relay, host and shim use for it, against what the bare loop uses; the clients are left out
// echo       one byte typed until it is seen, through all of them and a `cat` in the box; against the same `cat` on a bare
//            pty, the two in turn
// memory     of relay and host, with 100 boxes and 10 idle viewers each
// events     a change, from the request on, until every one of 20 event streams has told it; the slowest of them
// first byte POST /api/tasks/run until a viewer, who tries from then on, has the first byte
// Chromium   the last two as a person has them: a tap, a page

import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildDir, repoRoot } from '../lib/build.mjs';
import { startInstance } from '../lib/instance.mjs';
import { startLocalHost } from '../lib/local-host.mjs';
import { pssKiB } from '../lib/processes.mjs';
import { open, phone, startBrowser } from '../e2e/browser.mjs';
import { sleep, waitFor } from '../lib/wait.mjs';
import { viewer } from '../lib/viewer.mjs';

const FLOOD = 200_000_000;
const LINE = '7'.repeat(79);
const RUNS = Number(process.env.RUNS || 3);
const ROUNDS = 500; // of echo, in each of
const TURNS = 12;
const BOXES = 100;
const VIEWERS = 10;
const STREAMS = 20;

const named = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const wanted = (part) => named.length === 0 || named.includes(part);

const client = path.join(buildDir, 'bench/terminal_client');
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const spread = (list, digits = 1) => `${Math.min(...list).toFixed(digits)} … ${Math.max(...list).toFixed(digits)}`;

const results = [];
function mark(name, value, limit, unit, { least = false, more = '' } = {}) {
	const ok = least ? value >= limit : value <= limit;
	results.push({ name, value, limit, unit, ok });
	const digits = value < 10 ? 2 : 0;
	console.log(
		`${ok ? 'ok    ' : 'MISSED'} ${name.padEnd(42)} ${value.toFixed(digits)} ${unit} (at ${least ? 'least' : 'most'} ${limit}) ${more}`,
	);
	if (process.env.CHOMP_TEST_RESULTS)
		fs.appendFileSync(
			process.env.CHOMP_TEST_RESULTS,
			`${JSON.stringify({ result: ok ? 'pass' : 'fail', name })}\n`,
		);
}

// Seconds on a processor since its start.
function cpu(pid) {
	try {
		return Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
	} catch {
		return 0;
	}
}

let chomp = await startInstance();
let host; // with room for more boxes than the instance's own

async function box(prompt) {
	const t = await chomp.create({ prompt, agent: 'shell', run: true });
	await chomp.until(t.id, (now) => now.sessions[0].dispatch?.state === 'started');
	return t.id;
}
const TOKEN = () => ({ ...process.env, TOKEN: chomp.token });
// Asynchronous, or the reading of what others say stands still meanwhile.
const run = async (...args) => JSON.parse((await promisify(execFile)(client, args.map(String), { env: TOKEN() })).stdout);
const end = (id) => chomp.post('cancel', { id });

async function flood() {
	const bare = JSON.parse(execFileSync(client, ['bare-flood', String(FLOOD), 'yes', LINE]));
	const id = await box(`echo armed; read -r _; yes ${LINE} | head -c ${FLOOD}; read -r _`);
	await waitFor('the box is armed', async () => (await chomp.output(id)).includes('armed'));
	const typist = viewer(chomp, id);
	await typist.tells('the pen', (n) => n.type === 'pen' && n.mine);
	await typist.shows('armed');
	const counting = spawn(client, ['flood', chomp.port, `/ws/terminal/${id}?offset=0`, FLOOD].map(String), {
		env: TOKEN(),
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	let said = '';
	counting.stdout.on('data', (d) => (said += d));
	await waitFor('the client is connected', async () => said.includes('open'));
	const ours = chomp.processes().filter((p) => /^(nginx|chomp-(relay|sandbox|shim))$/.test(p.comm));
	const before = new Map(ours.map((p) => [p.pid, cpu(p.pid)]));
	typist.type('\n');
	typist.close();
	await new Promise((resolve) => counting.on('exit', resolve));
	const through = JSON.parse(said.split('\n')[1]);
	const used = ours.reduce((sum, p) => sum + cpu(p.pid) - before.get(p.pid), 0);
	await end(id);
	const gb = FLOOD / 1e9;
	return {
		speed: bare.seconds / through.seconds,
		cpu: used / bare.cpu,
		more: `${(FLOOD / 1e6 / bare.seconds).toFixed(0)} → ${(FLOOD / 1e6 / through.seconds).toFixed(0)} MB/s, ${(bare.cpu / gb).toFixed(1)} → ${(used / gb).toFixed(1)} s/GB`,
	};
}

// The two in turn, a short while each: where the kernel puts a process that wakes, which is most of what an echo costs,
// changes from second to second, and for both of them.
async function echo() {
	const cat = 'stty raw -echo; printf .; exec cat';
	const id = await box(cat);
	await waitFor('cat is there', async () => (await chomp.output(id)).endsWith('.'));
	const bare = [];
	const through = [];
	for (let i = 0; i < TURNS; i++) {
		bare.push(JSON.parse(execFileSync(client, ['bare-echo', String(ROUNDS), 'sh', '-c', cat])));
		through.push(await run('echo', chomp.port, `/ws/terminal/${id}`, ROUNDS));
	}
	await end(id);
	return Object.fromEntries(
		['p50', 'p99'].map((p) => {
			const [b, t] = [bare, through].map((list) => list.map((r) => r[p]));
			return [p, { ratio: median(t) / median(b), more: `${spread(b, 0)} → ${spread(t, 0)} µs, medians ${median(b).toFixed(0)} → ${median(t).toFixed(0)}` }];
		}),
	);
}

// What a person sees, in Chromium: ▶ tapped on a task's page until the terminal has text; a change, answered, until the
// page's script is told; both clocks are this machine's.
async function inBrowser() {
	const browser = await startBrowser();
	const taps = [];
	const news = [];
	try {
		const page = await open(browser, chomp, phone);
		await page.addInitScript(() => {
			addEventListener('click', () => (sessionStorage.tappedAt = Date.now()), true);
			const text = () => document.querySelector('.xterm-rows')?.textContent.trim();
			new MutationObserver(() => text() && (window.firstByteAt ??= Date.now())).observe(document, { childList: true, subtree: true, characterData: true });
			addEventListener('refreshTasks', () => (window.told ??= Date.now()));
		});
		for (let i = 0; i < 9; i++) {
			const t = await chomp.create({ prompt: 'echo hello; read -r _', agent: 'shell' });
			await page.goto(`${chomp.url}/partials/detail/${t.id}`);
			await page.tap('#run');
			taps.push(await page.waitForFunction(() => window.firstByteAt && window.firstByteAt - sessionStorage.tappedAt).then((h) => h.jsonValue()));
			await end(t.id);
			await sleep(1000); // what that changes is told
			await page.evaluate(() => delete window.told);
			const made = await chomp.create({ prompt: 'news', agent: 'shell' });
			const answered = Date.now();
			news.push(await page.waitForFunction(() => window.told).then((h) => h.jsonValue()) - answered);
			await chomp.post('delete', { id: made.id });
		}
	} finally {
		await browser.close();
	}
	return { taps, news };
}

async function firstByte() {
	const t = await chomp.create({ prompt: 'echo hello; read -r _', agent: 'shell' });
	const began = performance.now();
	await chomp.run(t.id);
	const v = viewer(chomp, t.id);
	await waitFor('the first byte', async () => v.received > 0, { everyMs: 2 });
	const ms = performance.now() - began;
	v.close();
	await end(t.id);
	return ms;
}

async function events() {
	const seen = [];
	let asked = Infinity; // what an earlier change still brings is no answer to ours
	const streams = await Promise.all(
		Array.from({ length: STREAMS }, async (_, i) => {
			const rq = http.get(`${chomp.url}/events`, { agent: false, headers: { Authorization: `Bearer ${chomp.token}` } });
			const res = await new Promise((resolve, reject) => rq.on('response', resolve).on('error', reject));
			await new Promise((resolve) => res.once('data', resolve));
			res.on('data', (d) => performance.now() >= asked && String(d).includes('refreshTasks') && (seen[i] ??= performance.now()));
			return rq;
		}),
	);
	await sleep(200);
	asked = performance.now();
	await chomp.create({ prompt: 'news', agent: 'shell' });
	await waitFor('all have heard', async () => seen.filter(Boolean).length === STREAMS, { everyMs: 5 });
	streams.forEach((rq) => rq.destroy());
	return Math.max(...seen) - asked;
}

// Every box is a bash and a shim: they are started a few at a time.
async function memory() {
	await chomp.stop();
	host = await startLocalHost({ capacity: BOXES, listen: 'tcp' });
	chomp = await startInstance({
		env: { CHOMP_SANDBOX_URL: host.url, CHOMP_SANDBOX_SECRET_FILE: host.secretFile },
	});
	const ids = [];
	for (let i = 0; i < BOXES; i++) ids.push(await box('seq 1 20000; echo; read -r _'));
	const holding = spawn(client, ['hold', String(chomp.port), ...ids.flatMap((id) => Array(VIEWERS).fill(`/ws/terminal/${id}`))], {
		env: TOKEN(),
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	let said = '';
	holding.stdout.on('data', (d) => (said += d));
	await waitFor('all viewers are there', async () => said.includes(`open ${BOXES * VIEWERS}`));
	await sleep(3000);
	const kib = [...chomp.pids('relay'), host.pid].map(pssKiB);
	holding.stdin.end();
	return kib.map((k) => k / 1024);
}

try {
	const pick = (list, key) => list.map((r) => r[key]);
	const floods = [];
	for (let i = 0; wanted('flood') && i < RUNS; i++) floods.push(await flood());
	if (wanted('flood')) {
		mark('flood, speed against a bare pty', median(pick(floods, 'speed')), 0.8, '×', {
			least: true,
			more: floods.map((f) => f.more).join('; '),
		});
		mark('flood, processor time against a bare pty', median(pick(floods, 'cpu')), 4, '×', {
			more: spread(pick(floods, 'cpu'), 2),
		});
	}
	if (wanted('echo')) {
		const { p50, p99 } = await echo();
		mark('echo, p50 against a bare pty', p50.ratio, 9, '×', { more: p50.more });
		mark('echo, p99 against a bare pty', p99.ratio, 30, '×', { more: p99.more });
	}
	if (wanted('first')) {
		const ms = [];
		for (let i = 0; i < 9; i++) ms.push(await firstByte());
		mark('run to the first byte at a viewer', median(ms), 500, 'ms', { more: spread(ms, 0) });
	}
	if (wanted('events')) {
		const ms = [];
		for (let i = 0; i < 9; i++) ms.push(await events());
		mark('a change until every browser knows', median(ms), 100, 'ms', { more: spread(ms, 0) });
	}
	// as in tests/run: `make bench` installs no browser
	const absent = ['/usr/bin/chromium', path.join(repoRoot, 'tests/node_modules/playwright-core')].find((f) => !fs.existsSync(f));
	if (wanted('browser') && absent) console.log(`skipped Chromium: no ${absent}`);
	if (wanted('browser') && !absent) {
		const { taps, news } = await inBrowser();
		mark('tap ▶ to the first byte on screen, Chromium', median(taps), 500, 'ms', { more: spread(taps, 0) });
		mark('a change until the page is told, Chromium', median(news), 100, 'ms', { more: spread(news, 0) });
	}
	if (wanted('memory')) {
		const [relay, host] = await memory();
		mark(`${BOXES} boxes with ${VIEWERS} viewers each`, relay + host, 64, 'MB PSS', {
			more: `relay ${relay.toFixed(1)}, host ${host.toFixed(1)}`,
		});
	}
} finally {
	await chomp.stop();
	await host?.stop();
}
if (process.argv.includes('--json')) console.log(JSON.stringify(results));
process.exit(results.every((r) => r.ok) ? 0 : 1);

// The marks of the first stone, measured on built programs: start, dispatch, idle processor time, memory.
//
//   node tests/bench/marks.mjs [--json]      exit 1 when a mark is missed; medians, with the spread
//
// up         `chompctl up` until it has returned, which it does when a request through nginx answers
// dispatch   POST /api/tasks/run until the agent's first process says the time (no clone); one clock, the machine's
// idle       processor time of all processes of the instance, in a while in which nothing happens
// memory     proportional set size summed over all processes of the instance, after a task has run

import fs from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { pssKiB } from '../lib/processes.mjs';
import { sleep, waitFor } from '../lib/wait.mjs';

const UP_RUNS = 5;
const DISPATCH_RUNS = 20;
const IDLE_S = 20;

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const spread = (list) => `${Math.min(...list).toFixed(0)} … ${Math.max(...list).toFixed(0)}`;

const results = [];
function mark(name, value, limit, unit, more = '') {
	const ok = value <= limit;
	results.push({ name, value, limit, unit, ok });
	console.log(
		`${ok ? 'ok    ' : 'MISSED'} ${name.padEnd(42)} ${value.toFixed(value < 10 ? 2 : 0)} ${unit} (at most ${limit}) ${more}`,
	);
	if (process.env.CHOMP_TEST_RESULTS)
		fs.appendFileSync(
			process.env.CHOMP_TEST_RESULTS,
			`${JSON.stringify({ result: ok ? 'pass' : 'fail', name })}\n`,
		);
}

// Nanoseconds on a processor since its start, of every thread.
function cpuNs(p) {
	try {
		return fs
			.readdirSync(`/proc/${p.pid}/task`)
			.reduce(
				(sum, tid) =>
					sum + Number(fs.readFileSync(`/proc/${p.pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]),
				0,
			);
	} catch {
		return 0;
	}
}

const ups = [];
let chomp;
for (let i = 0; i < UP_RUNS; i++) {
	await chomp?.stop();
	chomp = await startInstance();
	ups.push(chomp.up.ms);
}
mark('chompctl up to the first answer', median(ups), 1000, 'ms', spread(ups));

try {
	const waits = [];
	for (let i = 0; i < DISPATCH_RUNS; i++) {
		const task = await chomp.create({ prompt: 'echo "first process at $EPOCHREALTIME"', agent: 'shell' });
		const from = Date.now();
		await chomp.run(task.id);
		await chomp.until(task.id, 'done');
		const said = await waitFor('the output', async () =>
			/first process at (\d+\.\d+)/.exec(await chomp.output(task.id)),
		);
		waits.push(Number(said[1]) * 1000 - from);
	}
	mark("run to the agent's first process", median(waits), 300, 'ms', spread(waits));

	await sleep(3000);
	const before = new Map(chomp.processes().map((p) => [p.pid, { p, ns: cpuNs(p) }]));
	await sleep(IDLE_S * 1000);
	const used = chomp.processes().map((p) => ({ p, ns: cpuNs(p) - (before.get(p.pid)?.ns ?? 0) }));
	const total = used.reduce((n, u) => n + u.ns, 0);
	// "no measurable use": under a thousandth of one processor
	mark(
		'idle processor time',
		total / 1e6 / IDLE_S,
		1,
		'ms/s',
		used
			.filter((u) => u.ns > 0)
			.map((u) => `${u.p.comm}:${(u.ns / 1e6 / IDLE_S).toFixed(3)}`)
			.join(' '),
	);

	const sizes = chomp.processes().map((p) => ({ name: p.comm, kib: pssKiB(p.pid) }));
	const byName = {};
	for (const s of sizes) byName[s.name] = (byName[s.name] || 0) + s.kib;
	mark(
		'memory of all processes, idle',
		sizes.reduce((n, s) => n + s.kib, 0) / 1024,
		30,
		'MB PSS',
		`${sizes.length} processes: ${Object.entries(byName)
			.sort((a, b) => b[1] - a[1])
			.map(([n, k]) => `${n} ${(k / 1024).toFixed(1)}`)
			.join(', ')}`,
	);
} finally {
	await chomp.stop();
}
if (process.argv.includes('--json')) console.log(JSON.stringify(results));
process.exit(results.every((r) => r.ok) ? 0 : 1);

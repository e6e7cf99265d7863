// Runs suites, several at a time, and counts their tests: cmocka programs by what they print, node's test
// files through reporter.mjs. Whatever ends without saying so (a crash, a time-out, a file that does not load) counts as failed.
// A suite's output is printed whole when it has ended; one that runs alone is shown while it runs.
//
// CHOMP_TEST_LANES      how many at a time (default: two for each core, at most 4: they mostly wait)
// CHOMP_TEST_RERUN=1    a failed suite of node's runs once more, alone, after all others: what passes then is listed as flaky

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildDir, repoRoot } from './build.mjs';
import { all } from './processes.mjs';

const UNIT_MS = 10 * 60_000;
const FILE_MS = 30 * 60_000;

const ls = (dir, pattern) =>
	fs.existsSync(dir)
		? fs
				.readdirSync(dir)
				.filter((f) => pattern.test(f))
				.sort()
				.map((f) => path.join(dir, f))
		: [];
const inTests = (name) => path.join(repoRoot, 'tests', name);

const groups = {
	unit: () => ls(path.join(buildDir, 'unit'), /^test_[a-z0-9_]+$/),
	crash: () => ls(path.join(buildDir, 'crash'), /^[a-z0-9_]+$/),
	lib: () => ls(inTests('lib'), /\.test\.mjs$/),
	scripts: () => ls(inTests('scripts'), /\.test\.mjs$/),
	contract: () => [inTests('contract/run-local.mjs'), ...ls(inTests('contract'), /^local\.test\.mjs$/)],
	worker: () => [inTests('worker/run-contract.mjs'), ...ls(inTests('worker'), /\.test\.mjs$/)],
	integration: () => ls(inTests('integration'), /\.test\.mjs$/),
	e2e: () => ls(inTests('e2e'), /\.test\.mjs$/),
	bench: () => ls(inTests('bench'), /\.mjs$/),
};
const everything = ['unit', 'crash', 'lib', 'scripts', 'contract', 'worker', 'integration', 'e2e'];

// What a group stands on that `make test` may not have been able to install: then it is skipped, and said so.
const missing = {
	worker: () => [inTests('../worker-ts/node_modules'), '/usr/bin/tmux', '/usr/bin/bwrap'].find((f) => !fs.existsSync(f)),
	e2e: () =>
		[process.env.CHOMP_TEST_CHROMIUM || '/usr/bin/chromium', inTests('node_modules/playwright-core')].find(
			(f) => !fs.existsSync(f),
		),
};

const nameOf = (file) => path.relative(repoRoot, file);

// Everything below a process: node's runner starts one per file, and a file starts more.
function descendants(pid) {
	const list = all();
	const below = (p) => list.filter((q) => q.ppid === p).flatMap((q) => [...below(q.pid), q.pid]);
	return [...below(pid), pid];
}

function run(argv, { timeoutMs, env = {}, onText, print }) {
	return new Promise((resolve) => {
		const child = spawn(argv[0], argv.slice(1), {
			cwd: repoRoot,
			stdio: ['ignore', 'pipe', 'pipe'],
			env: { ...process.env, ...env },
		});
		let timedOut = false;
		const timer = setTimeout(() => {
			timedOut = true;
			for (const pid of descendants(child.pid)) {
				try {
					process.kill(pid, 'SIGKILL');
				} catch {
					// it was quicker
				}
			}
		}, timeoutMs);
		for (const stream of [child.stdout, child.stderr]) {
			stream.on('data', (d) => {
				print(d);
				onText?.(d.toString('utf8'));
			});
		}
		child.on('error', (error) => resolve({ error }));
		child.on('close', (code, signal) => {
			clearTimeout(timer);
			resolve({ code, signal, timedOut });
		});
	});
}

const ending = (r) =>
	r.timedOut ? 'timed out' : r.error ? r.error.message : r.signal ? `ended by ${r.signal}` : `exit code ${r.code}`;

// cmocka says "[ RUN      ] name", then one of OK, FAILED, SKIPPED with that name; failed ones are listed once more at the end.
function countCmocka(text) {
	const c = { passed: 0, skipped: 0, failures: [], open: null };
	for (const line of text.split('\n')) {
		const [, word, name] = /\[\s+(RUN|OK|FAILED|SKIPPED)\s+\] (.*)$/.exec(line) || [];
		if (word === 'RUN') {
			if (c.open) c.failures.push(`${c.open}: no end`);
			c.open = name;
		} else if (word && c.open !== null && name === c.open) {
			if (word === 'OK') c.passed++;
			else if (word === 'SKIPPED') c.skipped++;
			else c.failures.push(name);
			c.open = null;
		}
	}
	return c;
}

// What a program of thousands of tests prints is worth a line, unless one failed.
async function unit(file, print) {
	let text = '';
	const r = await run([file], {
		timeoutMs: UNIT_MS,
		env: { CMOCKA_MESSAGE_OUTPUT: 'STDOUT' },
		onText: (t) => (text += t),
		print: () => {},
	});
	const c = countCmocka(text);
	if (c.open) c.failures.push(`${c.open}: ${ending(r)}`);
	if ((r.code !== 0 || r.error) && c.failures.length === 0) c.failures.push(`the program: ${ending(r)}`);
	else if (c.passed + c.skipped === 0 && c.failures.length === 0) c.failures.push('the program ran no test');
	print(c.failures.length ? text : `   ok ${c.passed} tests${c.skipped ? `, ${c.skipped} skipped` : ''}\n`);
	return c;
}

// Leaf tests are counted by the reporter, which appends one JSON line a test to CHOMP_TEST_RESULTS.
async function node(argv, print) {
	const results = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'chomp-results-')), 'results');
	fs.writeFileSync(results, '');
	const r = await run([process.execPath, ...argv], { timeoutMs: FILE_MS, env: { CHOMP_TEST_RESULTS: results }, print });
	const c = { passed: 0, skipped: 0, failures: [] };
	for (const line of fs.readFileSync(results, 'utf8').split('\n').filter(Boolean)) {
		const { result, name } = JSON.parse(line);
		if (result === 'pass') c.passed++;
		else if (result === 'skip') c.skipped++;
		else c.failures.push(name);
	}
	if ((r.code !== 0 || r.error) && c.failures.length === 0) c.failures.push(`the file: ${ending(r)}`);
	else if (c.passed + c.skipped === 0 && c.failures.length === 0) c.failures.push('the file ran no test');
	fs.rmSync(path.dirname(results), { recursive: true, force: true });
	return c;
}

const reporter = [
	'--test-reporter',
	path.join(import.meta.dirname, 'reporter.mjs'),
	'--test-reporter-destination',
	'stdout',
];

const isUnit = (file) => !file.endsWith('.mjs');

async function suite(file, print) {
	const started = Date.now();
	let c;
	if (!fs.existsSync(file)) c = { passed: 0, skipped: 0, failures: ['there is no such suite'] };
	else if (isUnit(file)) c = await unit(file, print);
	else if (file.endsWith('.test.mjs')) c = await node(['--test', ...reporter, file], print);
	else c = await node([file, ...(/run-\w+\.mjs$/.test(file) ? reporter : [])], print);
	return { file, ...c, seconds: (Date.now() - started) / 1000 };
}

const heading = (file, seconds) => `\n== ${nameOf(file)}${seconds === undefined ? '' : ` (${seconds.toFixed(1)} s)`}\n`;

// Each lane takes the next file until there is none.
async function runAll(files, lanes) {
	const results = [];
	const rest = [...files];
	const lane = async () => {
		for (let file = rest.shift(); file; file = rest.shift()) {
			if (lanes === 1) {
				process.stdout.write(heading(file));
				results.push(await suite(file, (d) => process.stdout.write(d)));
			} else {
				const kept = [];
				const r = await suite(file, (d) => kept.push(Buffer.from(d)));
				process.stdout.write(heading(file, r.seconds));
				process.stdout.write(Buffer.concat(kept));
				results.push(r);
			}
		}
	};
	await Promise.all(Array.from({ length: lanes }, lane));
	return results;
}

// What failed among many is run once more alone; both outcomes are told.
async function rerun(results) {
	const flaky = [];
	for (const [i, first] of results.entries()) {
		if (first.failures.length === 0 || isUnit(first.file)) continue;
		console.log('\n-- once more, alone:');
		const [second] = await runAll([first.file], 1);
		if (second.failures.length) continue;
		flaky.push(...first.failures.map((f) => `${nameOf(first.file)}: ${f}`));
		results[i] = second;
	}
	return flaky;
}

const list = (title, lines) => lines.length && console.log(`\n${title}:\n${lines.map((l) => `  ${l}`).join('\n')}`);

const wanted = process.argv.slice(2).length ? process.argv.slice(2) : everything;
const results = [];
const files = [];
for (const name of wanted) {
	const without = wanted === everything && missing[name]?.();
	if (without) {
		console.log(`\n== tests/${name} skipped: there is no ${without}`);
		results.push({ file: inTests(name), passed: 0, skipped: 1, failures: [] });
		continue;
	}
	const found = groups[name] ? groups[name]() : [path.resolve(name)];
	if (found.length === 0) results.push({ file: inTests(name), passed: 0, skipped: 0, failures: ['there is nothing to run'] });
	files.push(...found);
}

// What is measured must not be disturbed by what runs beside it.
const lanes = wanted.includes('bench') ? 1 : Math.min(files.length, +process.env.CHOMP_TEST_LANES || Math.min(4, 2 * os.availableParallelism()));
results.push(...(await runAll(files, lanes)));
const flaky = process.env.CHOMP_TEST_RERUN === '1' ? await rerun(results) : [];

const sum = (of) => results.reduce((n, r) => n + of(r), 0);
const failed = sum((r) => r.failures.length);
const skipped = sum((r) => r.skipped);
list('flaky (failed among the others, passed alone)', flaky);
list('failed', results.flatMap((r) => r.failures.map((f) => `${nameOf(r.file)}: ${f}`)));
console.log(`\n${sum((r) => r.passed)} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exit(failed ? 1 : 0);

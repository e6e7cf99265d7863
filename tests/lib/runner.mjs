// Runs suites one after the other and counts their tests: cmocka programs by what they print, node's test files through
// reporter.mjs. Whatever ends without saying so (a crash, a time-out, a file that does not load) counts as failed.

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
	lib: () => ls(inTests('lib'), /\.test\.mjs$/),
	scripts: () => ls(inTests('scripts'), /\.test\.mjs$/),
	contract: () => [inTests('contract/run-local.mjs'), ...ls(inTests('contract'), /^local\.test\.mjs$/)],
	integration: () => ls(inTests('integration'), /\.test\.mjs$/),
	e2e: () => ls(inTests('e2e'), /\.test\.mjs$/),
	bench: () => ls(inTests('bench'), /\.mjs$/),
};
const everything = ['unit', 'lib', 'scripts', 'contract', 'integration', 'e2e'];

// What a group stands on that `make test` may not have been able to install: then it is skipped, and said so.
const missing = {
	e2e: () =>
		[process.env.CHOMP_TEST_CHROMIUM || '/usr/bin/chromium', inTests('node_modules/playwright-core')].find(
			(f) => !fs.existsSync(f),
		),
};

const total = { passed: 0, failed: 0, skipped: 0, failures: [] };

function count(file, { passed = 0, failed = 0, skipped = 0, failures = [] }) {
	total.passed += passed;
	total.failed += failed;
	total.skipped += skipped;
	total.failures.push(...failures.map((f) => `${path.relative(repoRoot, file)}: ${f}`));
}

// Everything below a process: node's runner starts one per file, and a file starts more.
function descendants(pid) {
	const list = all();
	const below = (p) => list.filter((q) => q.ppid === p).flatMap((q) => [...below(q.pid), q.pid]);
	return [...below(pid), pid];
}

function run(argv, { timeoutMs, env = {}, onText }) {
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
		for (const [name, stream] of [
			['stdout', child.stdout],
			['stderr', child.stderr],
		]) {
			stream.on('data', (d) => {
				process[name].write(d);
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
async function unit(file) {
	let text = '';
	const r = await run([file], {
		timeoutMs: UNIT_MS,
		env: { CMOCKA_MESSAGE_OUTPUT: 'STDOUT' },
		onText: (t) => (text += t),
	});
	const c = { passed: 0, failed: 0, skipped: 0, failures: [] };
	let open = null;
	for (const line of text.split('\n')) {
		const [, word, name] = /\[\s+(RUN|OK|FAILED|SKIPPED)\s+\] (.*)$/.exec(line) || [];
		if (word === 'RUN') {
			if (open) c.failures.push(`${open}: no end`);
			open = name;
		} else if (word && open !== null && name === open) {
			if (word === 'OK') c.passed++;
			else if (word === 'SKIPPED') c.skipped++;
			else c.failures.push(name);
			open = null;
		}
	}
	if (open) c.failures.push(`${open}: ${ending(r)}`);
	if ((r.code !== 0 || r.error) && c.failures.length === 0) c.failures.push(`the program: ${ending(r)}`);
	else if (c.passed + c.skipped === 0 && c.failures.length === 0) c.failures.push('the program ran no test');
	c.failed = c.failures.length;
	count(file, c);
}

// Leaf tests are counted by the reporter, which appends one JSON line a test to CHOMP_TEST_RESULTS.
async function node(file, argv) {
	const results = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'chomp-results-')), 'results');
	fs.writeFileSync(results, '');
	const r = await run([process.execPath, ...argv], { timeoutMs: FILE_MS, env: { CHOMP_TEST_RESULTS: results } });
	const c = { passed: 0, failed: 0, skipped: 0, failures: [] };
	for (const line of fs.readFileSync(results, 'utf8').split('\n').filter(Boolean)) {
		const { result, name } = JSON.parse(line);
		if (result === 'pass') c.passed++;
		else if (result === 'skip') c.skipped++;
		else c.failures.push(name);
	}
	if ((r.code !== 0 || r.error) && c.failures.length === 0) c.failures.push(`the file: ${ending(r)}`);
	else if (c.passed + c.skipped === 0 && c.failures.length === 0) c.failures.push('the file ran no test');
	c.failed = c.failures.length;
	fs.rmSync(path.dirname(results), { recursive: true, force: true });
	count(file, c);
}

const reporter = [
	'--test-reporter',
	path.join(import.meta.dirname, 'reporter.mjs'),
	'--test-reporter-destination',
	'stdout',
];

async function suite(file) {
	console.log(`\n== ${path.relative(repoRoot, file)}`);
	if (!fs.existsSync(file)) count(file, { failed: 1, failures: ['there is no such suite'] });
	else if (file.endsWith('.test.mjs')) await node(file, ['--test', ...reporter, file]);
	else if (file.endsWith('.mjs')) await node(file, [file, ...(file.endsWith('run-local.mjs') ? reporter : [])]);
	else await unit(file);
}

const wanted = process.argv.slice(2).length ? process.argv.slice(2) : everything;
for (const name of wanted) {
	const without = wanted === everything && missing[name]?.();
	if (without) {
		console.log(`\n== tests/${name} skipped: there is no ${without}`);
		total.skipped++;
		continue;
	}
	const files = groups[name] ? groups[name]() : [path.resolve(name)];
	if (files.length === 0) count(inTests(name), { failed: 1, failures: ['there is nothing to run'] });
	for (const file of files) await suite(file);
}

if (total.failures.length) console.log(`\nfailed:\n${total.failures.map((f) => `  ${f}`).join('\n')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`);
process.exit(total.failed ? 1 : 0);

// The dashboard's marks: Lighthouse's performance on the page with 200 tasks, and the processor time of a list of 50 cards.
//
//   node tests/bench/dashboard.mjs     exit 1 when a mark is missed
//
// cards   processor time of the workers for GET /partials/tasks with 50 cards, rendered each time (no If-None-Match), a request
// same    the same for an answer 304

import fs from 'node:fs';
import { startInstance } from '../lib/instance.mjs';
import { lighthouseOf } from '../lib/lighthouse.mjs';

const TASKS = 200;
const REQUESTS = 1000;
const results = [];
function mark(name, value, ok, limit) {
	results.push(ok);
	console.log(`${ok ? 'ok    ' : 'MISSED'} ${name.padEnd(42)} ${value} (${limit})`);
	if (process.env.CHOMP_TEST_RESULTS)
		fs.appendFileSync(process.env.CHOMP_TEST_RESULTS, `${JSON.stringify({ result: ok ? 'pass' : 'fail', name })}\n`);
}

const chomp = await startInstance();
try {
	for (let i = 0; i < TASKS; i++) await chomp.create({ prompt: `Write integration tests for the billing API, part ${i}`, agent: 'pi' });

	const workers = chomp.pids('worker');
	const spent = () => workers.reduce((ns, pid) => ns + Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]), 0);
	const list = (headers = {}) => chomp.api.get('/partials/tasks?tab=active', { headers: { 'HX-Request': 'true', ...headers } });
	const cost = async (headers, status, otherwise = () => {}) => {
		let counted = 0;
		for (let i = 0; i < 50; i++) await list(headers());
		const before = spent();
		for (let i = 0; i < REQUESTS; i++) {
			const said = await list(headers());
			if (said.status === status) counted++;
			else otherwise(said);
		}
		if (counted < 0.99 * REQUESTS) throw new Error(`${counted} of ${REQUESTS} answers were ${status}`);
		return (spent() - before) / 1e6 / REQUESTS;
	};
	const cards = await cost(() => ({}), 200);
	mark('a list of 50 cards', `${cards.toFixed(3)} ms of processor time`, cards <= 0.4, 'at most 0.4 ms');
	// An ETag holds for a minute at most: ages are new then.
	let etag = (await list()).headers.etag;
	const same = await cost(() => ({ 'If-None-Match': etag }), 304, (said) => (etag = said.headers.etag));
	mark('the same, unchanged', `${same.toFixed(3)} ms of processor time`, same <= cards / 2, 'at most half of it');

	const { scores, shift, found } = await lighthouseOf(chomp, '/', ['performance', 'accessibility', 'best-practices'], { runs: 3 });
	mark(`Lighthouse, performance with ${TASKS} tasks`, scores.performance, scores.performance >= 99, `at least 99; ${found.join(', ')}`);
	mark('Lighthouse, accessibility', scores.accessibility, scores.accessibility === 100, '100');
	mark('Lighthouse, best practices', scores['best-practices'], scores['best-practices'] === 100, '100');
	mark('layout shift', shift, shift === 0, '0');
} finally {
	await chomp.stop();
}
process.exit(results.every(Boolean) ? 0 : 1);

// A reporter for node:test: one line a test, the error under a failed one, and one JSON line a test to the file named by
// CHOMP_TEST_RESULTS, for the runner to count. A suite is counted only when it failed of itself (a hook), not for its tests.

import fs from 'node:fs';

const results = process.env.CHOMP_TEST_RESULTS;
const note = (result, name) => results && fs.appendFileSync(results, `${JSON.stringify({ result, name })}\n`);

function because(error) {
	const cause = error?.cause ?? error;
	const text = cause?.stack || cause?.message || String(cause);
	return text
		.split('\n')
		.filter((l) => !/node:internal/.test(l))
		.map((l) => `      ${l}`)
		.join('\n');
}

// Failed of itself: a hook, the file's loading, a crash; not because a test inside failed.
const ofItself = (error) => error?.failureType !== 'subtestsFailed';

export default async function* report(source) {
	const path = [];
	for await (const { type, data } of source) {
		if (type === 'test:start') {
			path.length = data.nesting;
			path[data.nesting] = data.name;
		} else if (type === 'test:pass' || type === 'test:fail') {
			const { details, name, nesting } = data;
			path.length = nesting;
			const full = [...path, name].filter(Boolean).join(' › ');
			const isSuite = details?.type === 'suite';
			const ms = Math.round(details?.duration_ms ?? 0);
			if (data.skip !== undefined && data.skip !== false) {
				note('skip', full);
				yield `   -- ${full} (skipped${typeof data.skip === 'string' ? `: ${data.skip}` : ''})\n`;
			} else if (type === 'test:pass') {
				// node reports a file without any test as one that passed
				if (!isSuite && !/\.test\.mjs$/.test(name)) {
					note('pass', full);
					yield `   ok ${full} (${ms} ms)\n`;
				}
			} else if (ofItself(details?.error)) {
				note('fail', full);
				yield `FAILED ${full} (${ms} ms)\n${because(details?.error)}\n`;
			}
		} else if (type === 'test:stderr' || type === 'test:stdout') {
			yield data.message;
		}
	}
}

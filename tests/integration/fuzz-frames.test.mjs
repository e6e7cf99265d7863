// What relay and host make of bytes from outside, under AddressSanitizer and UBSan: the corpus of each fuzz target that has
// to do with frames, and changes of it from a printed seed. `make fuzz-smoke` goes further, with clang's fuzzer.

import { before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { repoRoot } from '../lib/build.mjs';

const INPUTS = 30_000;
const SEED = process.env.CHOMP_TEST_SEED || '20260317';
const run = promisify(execFile);

describe('frames', { concurrency: 2 }, () => {
	before(() => run('make', ['-j2', 'VARIANT=asan', 'drive'], { cwd: repoRoot, env: { ...process.env, MAKEFLAGS: '' } }));
	for (const [target, what] of [
		['wsframe', "the host's frames, at the relay"],
		['replay', 'scrollback, at the relay'],
		['terminal_text', 'control messages of browser and host, at the relay'],
		['terminal_control', "the relay's messages, at the host"],
	])
		test(what, async (t) => {
			const { stdout } = await run(path.join(repoRoot, 'build/asan/drive', target), [INPUTS, SEED, path.join('tests/fuzz/corpus', target)].map(String), { cwd: repoRoot });
			t.diagnostic(stdout.trim());
			assert.match(stdout, new RegExp(`${INPUTS} inputs`));
		});
});

// Viewers that come at the worst moment: before the box is there, while it begins, as it ends, between two sessions of a
// task. Each of them is shown every byte of the session and its end; none is left waiting.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { viewer } from '../lib/viewer.mjs';
import { sleep, waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const CYCLES = Number(process.env.CHOMP_TEST_CYCLES || 60);
const AT_ONCE = 4;

async function inParallel(n, fn) {
	let next = 0;
	await Promise.all(
		Array.from({ length: AT_ONCE }, async () => {
			while (next < n) await fn(next++);
		}),
	);
}

// Watches to the end as our own clients do; what it was shown.
async function watched(id, what) {
	const began = Date.now();
	const parts = [];
	for (let from = 0; ; ) {
		const v = viewer(chomp, id, { offset: from });
		await waitFor(`${what}: the end`, async () => v.end, {
			context: async () => `${Date.now() - began} ms: ${JSON.stringify(v.notes)} ${v.text}\n${JSON.stringify(await chomp.task(id))}\n${chomp.logTail(8)}`,
		});
		parts.push(v.bytes);
		if (v.note('exit')) return { text: Buffer.concat(parts).toString(), code: v.note('exit').code };
		from = v.at === undefined ? from : v.offset;
	}
}

test(`${CYCLES} short sessions, each watched from the moment it is asked for`, async () => {
	await inParallel(CYCLES, async (i) => {
		const { id } = await chomp.create({ prompt: `echo "here is ${i}"; exit ${i % 7}`, agent: 'shell', run: true });
		await sleep((i % 10) * 30); // as it begins, as it runs, as it ends
		const seen = await watched(id, `cycle ${i}`);
		assert.match(seen.text, new RegExp(`here is ${i}\\r\\n`), JSON.stringify(seen.text));
		assert.equal(seen.code, i % 7);
	});
});

test('a task that is run again, each time with a new viewer', async () => {
	await inParallel(AT_ONCE, async (i) => {
		const { id } = await chomp.create({ prompt: 'echo "this is $SESSION_ID"; exit 1', agent: 'shell' });
		for (let n = 1; n <= CYCLES / 12; n++) {
			await chomp.run(id);
			const seen = await watched(id, `task ${i}, session ${n}`);
			assert.match(seen.text, new RegExp(`this is s${n}\\r\\n`), JSON.stringify(seen.text));
			await chomp.until(id, 'failed');
			await chomp.post('retry', { id });
		}
	});
});

test('a session that is asked for while the host is dead', async () => {
	for (const wait of [0, 50, 150]) {
		const { id } = await chomp.create({ prompt: 'echo after all', agent: 'shell' });
		const [pid] = chomp.pids('sandbox host');
		process.kill(pid, 'SIGKILL');
		await sleep(wait);
		await chomp.run(id);
		assert.match((await watched(id, `host dead for ${wait} ms`)).text, /after all\r\n/);
	}
});

// A viewer that stands still for a minute under a flood: neither the agent nor anybody else is slowed, memory stays where
// it was, and it goes on byte for byte when it thaws. A file of its own, since a minute is long: others run beside it.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { pssKiB } from '../lib/processes.mjs';
import { BINARY, TEXT, frame, rawSocket } from '../lib/raw-ws.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const FLOOD = 50_000_000;
const MINUTE_MS = 61_000;

const memory = () => [...chomp.pids('relay'), ...chomp.pids('sandbox host')].reduce((n, pid) => n + pssKiB(pid), 0);
const pause = { everyMs: 200 };

// A box that floods when a line is typed, and ends with the next one; and a viewer that reads and types.
async function armed() {
	const { id } = await chomp.create({
		prompt: `echo armed; read -r _; yes ${'x'.repeat(78)} | head -c ${FLOOD}; echo; echo over; read -r _`,
		agent: 'shell',
		run: true,
	});
	await chomp.until(id, (now) => now.sessions[0].dispatch?.state === 'started');
	const where = `/ws/terminal/${id}?offset=0`;
	const tail = { text: '' };
	const live = await rawSocket(chomp, where, { onBytes: (b) => (tail.text = (tail.text + b.toString('latin1')).slice(-200)) });
	const says = (word, options) =>
		waitFor(`the live viewer is shown "${word}"`, async () => tail.text.includes(word), {
			...options,
			context: () => `${live.received} bytes, closed: ${live.closed}, ${JSON.stringify(live.notes)}`,
		});
	await says('armed');
	live.send(frame(TEXT, '{"type":"pen","take":true}'));
	await waitFor('it may type', async () => live.notes.some((n) => n.type === 'pen' && n.mine));
	return { id, where, live, says };
}

// Milliseconds from the key to the last line.
async function flood({ live, says }, options) {
	const began = Date.now();
	live.send(frame(BINARY, '\n'));
	await says('over\r\n', { ...pause, ...options });
	return Date.now() - began;
}

async function finish({ id, live }) {
	live.send(frame(BINARY, '\n'));
	await chomp.until(id, 'done', { context: async () => `${live.received} bytes, closed: ${live.closed}, ${JSON.stringify(live.notes)}\n${chomp.logTail()}` });
	await waitFor('the live viewer is told the end', async () => live.notes.some((n) => n.type === 'exit'));
	live.destroy();
}

test('a viewer that stands still for a minute under a flood costs nobody anything, and goes on byte for byte', async (t) => {
	const alone = await armed();
	const aloneMs = await flood(alone);
	await finish(alone);

	const box = await armed();
	const hash = createHash('sha256'); // of all that the still one is shown, over all its connections
	const onBytes = (b) => hash.update(b);
	const still = await rawSocket(chomp, box.where, { onBytes });
	still.pause();
	const before = memory();
	const frozenAt = Date.now();
	const besideMs = await flood(box);
	let most = memory();
	t.diagnostic(`${FLOOD / 1e6} MB in ${aloneMs} ms alone, in ${besideMs} ms beside one that stands still`);
	// who waited for the still one would wait for a minute
	assert.ok(besideMs < 4 * aloneMs + 5000, `${aloneMs} ms alone, ${besideMs} ms beside a still one`);
	assert.ok(still.received < FLOOD / 5, `the still one has ${still.received}`);
	await waitFor(
		'the minute is over',
		async () => {
			most = Math.max(most, memory());
			return Date.now() - frozenAt > MINUTE_MS;
		},
		{ everyMs: 1000, deadlineMs: 2 * MINUTE_MS },
	);
	// buffers of one piece in each place, whatever was flooded
	assert.ok(most - before < 4096, `${before} KiB before, ${most} KiB at most`);
	t.diagnostic(`relay and host: ${before} KiB before the flood, ${most} KiB at most`);
	await finish(box);

	// It thaws: whatever is left of its connection, then from there on with new ones.
	const parts = [];
	for (let v = still, from = 0; ; ) {
		v.resume();
		await waitFor('its end', async () => v.closed);
		parts.push(v);
		if (v.notes.some((n) => n.type === 'exit')) break;
		from = v.at === undefined ? from : v.offset;
		v = await rawSocket(chomp, `/ws/terminal/${box.id}?offset=${from}`, { onBytes });
		assert.ok(parts.length < 10, 'it gets somewhere');
	}
	t.diagnostic(`the still one went on with ${parts.length} connections`);
	const seen = parts.reduce((n, p) => n + p.received, 0);
	assert.equal(seen, box.live.received);
	assert.equal(hash.digest('hex'), box.live.digest());
	await waitFor('the copy of the dispatcher is the same', async () => {
		const kept = fs.readFileSync(path.join(chomp.var, `log/sessions/${box.id}-s1.log`));
		return kept.length === seen && createHash('sha256').update(kept).digest('hex') === box.live.digest();
	});
});

// kill -9 of every process, one after the other, while a task runs: the agent runs on, the task ends right, and nothing that
// was acknowledged is lost. A killed shim or agent ends the task with a reason.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { shared } from '../lib/instance.mjs';
import { startStepper } from '../lib/box-scripts.mjs';
import { all, isAlive, kill } from '../lib/processes.mjs';
import { sleep, waitFor, waitForSilence } from '../lib/wait.mjs';

// The promise is 15 s to notice a loss; a loaded machine may take as long again before the test calls it a fault.
const LOSS_MS = 30_000;

const chomp = await shared({ after });
const box = await startStepper();
after(() => box.close());

const answers = () =>
	waitFor(
		'the instance answers again',
		async () => (await chomp.api.get('/api/state', { timeoutMs: 10_000 })).status === 200,
		{ context: chomp.logTail },
	);

// A task that beats until it is released, then prints its count and ends.
async function beating(code = 0) {
	const mark = randomBytes(6).toString('hex');
	const task = await chomp.create({
		agent: 'shell',
		prompt: box.script(
			`echo begun-${mark}; n=0; (wait_for end-${mark}; touch /tmp/end) & until [ -e /tmp/end ]; do put beat-${mark} <<<$((++n)); sleep 0.2; done; echo "ended-${mark} after $n"; exit ${code}`,
		),
	});
	await chomp.run(task.id);
	await box.put(`beat-${mark}`);
	return {
		id: task.id,
		mark,
		beats: () => box.puts(`beat-${mark}`).length,
		release: () => box.release(`end-${mark}`),
	};
}

const beatsOn = async (task) => {
	const seen = task.beats();
	await waitFor('the agent beats on', () => task.beats() >= seen + 3, { context: chomp.logTail });
};

// Creates tasks without pause until stopped; remembers which were acknowledged.
function writer() {
	const acked = [];
	let on = true;
	const loop = (async () => {
		for (let i = 0; on; i++) {
			const prompt = `acknowledged ${i} ${randomBytes(4).toString('hex')}`;
			try {
				const said = await chomp.api.post('/api/tasks', { prompt, agent: 'shell' }, { timeoutMs: 20_000 });
				if (said.status === 200) acked.push({ id: said.json().id, prompt });
			} catch {
				// no answer: nothing was promised
			}
			await sleep(10);
		}
	})();
	return {
		acked,
		stop: async () => {
			on = false;
			await loop;
		},
	};
}

async function assertAllThere(acked) {
	const state = JSON.parse(await chomp.state());
	const have = new Map(state.tasks.map((t) => [String(t.id), t.prompt]));
	for (const { id, prompt } of acked) assert.equal(have.get(id), prompt, `task ${id} was acknowledged`);
	assert.equal(new Set(state.tasks.map((t) => String(t.id))).size, state.tasks.length, 'no id twice');
}

describe('kill -9', () => {
	for (const role of ['nginx worker', 'nginx master', 'worker', 'worker parent', 'dispatcher', 'sandbox host']) {
		test(`of the ${role}: the agent runs on, the task ends right, nothing acknowledged is lost`, async () => {
			const task = await beating();
			const w = writer();
			try {
				await waitFor('some were acknowledged', () => w.acked.length >= 5);
				const victims = chomp.pids(role);
				assert.ok(victims.length > 0, `there is a ${role}`);
				kill(victims[0]);
				await waitFor(
					`another ${role} serves`,
					() => {
						const now = chomp.pids(role);
						return !isAlive(victims[0]) && now.length >= victims.length && now;
					},
					{ context: chomp.logTail },
				);
				await answers();
				await beatsOn(task);
				const had = w.acked.length;
				await waitFor('writes are acknowledged again', () => w.acked.length >= had + 5, {
					context: chomp.logTail,
				});
			} finally {
				await w.stop();
			}
			assert.equal((await chomp.task(task.id)).status, 'active');
			task.release();
			const done = await chomp.until(task.id, 'done');
			assert.equal(done.sessions.length, 1);
			assert.equal(done.sessions[0].exit_code, 0);
			await waitFor(
				'the whole output is kept',
				async () => new RegExp(`begun-${task.mark}[^]*ended-${task.mark}`).test(await chomp.output(task.id)),
				{ context: () => chomp.output(task.id) },
			);
			await assertAllThere(w.acked);
		});
	}

	test('of all of them at once, the supervisor apart: the agent runs on and its failure is told right', async () => {
		const task = await beating(4);
		for (const role of ['nginx master', 'nginx worker', 'worker parent', 'worker', 'dispatcher', 'sandbox host'])
			chomp.pids(role).forEach((pid) => kill(pid));
		await answers();
		await beatsOn(task);
		task.release();
		const failed = await chomp.until(task.id, 'failed');
		assert.equal(failed.sessions[0].exit_code, 4);
		assert.equal(failed.sessions.length, 1);
	});

	test('of the dispatcher between run and start: the task still starts, once', async () => {
		const mark = randomBytes(6).toString('hex');
		for (let i = 0; i < 5; i++) {
			const made = await chomp.create({ agent: 'shell', prompt: box.script(`put ${mark}-${i} <<<x`) });
			const [pid] = await waitFor(
				'a dispatcher',
				() => chomp.pids('dispatcher').length && chomp.pids('dispatcher'),
			);
			await Promise.all([chomp.run(made.id), sleep(i * 7).then(() => kill(pid))]);
			const done = await chomp.until(made.id, 'done');
			assert.equal(done.sessions.length, 1);
			assert.equal(box.puts(`${mark}-${i}`).length, 1, 'it ran once');
		}
	});

	test('of the sandbox host between run and start: the task still starts, once', async () => {
		const mark = randomBytes(6).toString('hex');
		for (let i = 0; i < 5; i++) {
			const made = await chomp.create({ agent: 'shell', prompt: box.script(`put ${mark}-${i} <<<x`) });
			const [pid] = await waitFor(
				'a sandbox host',
				() => chomp.pids('sandbox host').length && chomp.pids('sandbox host'),
			);
			await Promise.all([chomp.run(made.id), sleep(i * 7).then(() => kill(pid))]);
			const done = await chomp.until(made.id, (t) => t.status === 'done' || t.status === 'failed');
			// the host may die after it made the box and before it started the agent: then the loss is told, and nothing ran twice
			assert.ok(box.puts(`${mark}-${i}`).length <= 1, 'it ran once at most');
			assert.equal(done.sessions.length, 1);
			if (done.status === 'failed') assert.ok(done.error.length > 0);
			else assert.equal(box.puts(`${mark}-${i}`).length, 1);
		}
	});
});

describe('a loss', () => {
	const lost = async (id) => {
		const failed = await chomp.until(id, (t) => t.status === 'failed', { deadlineMs: LOSS_MS });
		assert.ok(['lost', 'failed'].includes(failed.sessions[0].result), failed.sessions[0].result);
		assert.ok(failed.error && failed.error.length > 5, 'the reason is told');
		return failed;
	};

	// the processes of one box: those below its shim
	function inside(mark) {
		const list = all();
		const agent = list.find((p) => p.cmdline.includes(mark)) || null;
		return { list, agent };
	}

	test('of the shim ends the task with the reason, and the agent with it', async () => {
		const task = await beating();
		const shims = chomp.pids('shim');
		assert.ok(shims.length >= 1);
		shims.forEach((pid) => kill(pid));
		await lost(task.id);
		await waitForSilence('the agent is dead', task.beats);
	});

	test('of the agent, killed from outside, ends the task as failed with the signal in the reason', async () => {
		const mark = randomBytes(6).toString('hex');
		const made = await chomp.create({
			agent: 'shell',
			prompt: box.script(`put up-${mark} <<<x; exec -a agent-${mark} sleep 100000`),
		});
		await chomp.run(made.id);
		await box.put(`up-${mark}`);
		const agent = await waitFor('the agent is seen', () => inside(`agent-${mark}`).agent);
		kill(agent.pid);
		const failed = await lost(made.id);
		assert.notEqual(failed.sessions[0].exit_code, 0);
		assert.match(failed.error, /KILL|signal|137|9/);
	});

	test('of the whole box, every process of it, ends the task with the reason', async () => {
		const task = await beating();
		const list = all();
		const shims = new Set(chomp.pids('shim'));
		const below = (pid) => list.filter((p) => p.ppid === pid).flatMap((p) => [...below(p.pid), p.pid]);
		const pids = [...shims].flatMap((s) => [...below(s), s]);
		assert.ok(pids.length >= 3);
		pids.forEach((pid) => kill(pid));
		await lost(task.id);
	});
});

describe('down and up', () => {
	test('`chompctl restart` leaves a running agent alone, and its end is told after it', async () => {
		const task = await beating(0);
		const said = await chomp.ctl(['restart']);
		assert.equal(said.code, 0, said.text);
		await beatsOn(task);
		assert.equal((await chomp.task(task.id)).status, 'active');
		task.release();
		const done = await chomp.until(task.id, 'done');
		assert.equal(done.sessions.length, 1);
	});
});

// Every session is a film: what was shown, when, in what size, with marks, and without the secrets.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { startStepper } from '../lib/box-scripts.mjs';
import { startInstance } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';

const KEY = 'sk-or-v1-0123456789abcdefghijklmnopqrstuvwxyz';

describe('a recording', () => {
	let chomp;
	let steps;
	before(async () => {
		steps = await startStepper();
		chomp = await startInstance();
		await chomp.api.post('/api/config/keys', { key: 'OPENROUTER_API_KEY', value: KEY });
	});
	after(async () => {
		await chomp?.stop();
		await steps?.close();
	});

	const film = async (id, sid = 's1') => {
		const said = await chomp.api.get(`/api/tasks/${id}/sessions/${sid}/recording`);
		assert.equal(said.status, 200, said.text);
		const [head, ...events] = said.text.trim().split('\n').map((line) => JSON.parse(line));
		return { said, head, events, shown: events.filter((e) => e[1] === 'o').map((e) => e[2]).join('') };
	};
	// The copy is complete when the kill that follows the end has been made.
	const ended = (id, status) =>
		chomp.until(id, (t) => t.status === status && t.sessions.every((s) => s.kill?.state === 'done'));
	const everywhere = () =>
		execFileSync('sh', ['-c', 'find "$0" -type f -size -64M -path "*s*" \\( -path "*/sandboxes/*" -o -path "*/log/*" \\) -print0 | xargs -0 cat', chomp.var], { maxBuffer: 1 << 28 }).toString('latin1');

	test('is asciicast v2: the bytes of the log in the order of time, resizes, and marks of what was reported', async () => {
		const { id } = await chomp.create({
			prompt: steps.script(`printf 'one \\303'; wait_for two; printf '\\251\\377 two\\n'; stty cols 100 rows 30; echo wide; chomp update --tokens 1234; echo "last"; chomp handoff "the rest"`),
			agent: 'shell',
			run: true,
		});
		await waitFor('the first words were shown', async () => (await chomp.output(id)).includes('one'));
		const pause = Date.now();
		await waitFor('a while has passed', () => Date.now() - pause > 200);
		steps.release('two');
		await ended(id, 'queued');
		const { said, head, events, shown } = await film(id);
		assert.match(said.headers['content-type'], /^application\/x-asciicast/);
		assert.equal(head.version, 2);
		assert.deepEqual([head.width, head.height], [80, 24]);
		assert.ok(Math.abs(head.timestamp - Date.now() / 1000) < 600);
		assert.ok(shown.includes('one é\ufffd two\r\n'), JSON.stringify(shown));
		assert.deepEqual(events.filter((e) => e[1] === 'r').map((e) => e[2]), ['100x30']);
		const marks = events.filter((e) => e[1] === 'm').map((e) => e[2]);
		assert.deepEqual(marks, ['tokens 1234', 'handoff']);
		const times = events.map((e) => e[0]);
		assert.deepEqual(times, times.toSorted((a, b) => a - b), 'time does not run backwards');
		const at = (kind, text) => events.findIndex((e) => e[1] === kind && e[2].includes(text));
		assert.ok(at('r', '100x30') < at('o', 'wide'), 'the size comes before what was shown in it');
		assert.ok(events[at('o', 'two')][0] - events[at('o', 'one')][0] > 0.1, 'the pause is told');
		assert.ok(at('m', 'tokens') < at('o', 'last') || events[at('m', 'tokens')][0] <= events[at('o', 'last')][0] + 0.1);
	});

	test('is understood by asciinema', { skip: spawnSync('asciinema', ['--version']).error && 'asciinema is not installed' }, async () => {
		const { id } = await chomp.create({ prompt: `printf 'seen by \\033[1masciinema\\033[0m\\n'`, agent: 'shell', run: true });
		await ended(id, 'done');
		const file = path.join(chomp.base, 'session.cast');
		fs.writeFileSync(file, (await film(id)).said.text);
		const cat = spawnSync('script', ['-qec', `asciinema cat ${file}`, '/dev/null'], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
		assert.match(cat.stdout, /seen by .*asciinema/);
	});

	test('holds no secret, nor does anything else that is kept, however it was written', async () => {
		const { id } = await chomp.create({
			prompt: `
			t=$(cat "$CHOMP_TOKEN_FILE"); k=$OPENROUTER_API_KEY
			echo "key $k token $t"
			for s in "$t" "$k"; do
				for i in 1 5 $(( \${#s} / 2 )) $(( \${#s} - 1 )); do printf '<%s' "\${s:0:i}"; sleep 0.03; printf '%s>\\n' "\${s:i}"; done
				for ((i = 0; i < \${#s}; i++)); do printf %s "\${s:i:1}"; done; echo " in single bytes"
			done
			env | grep API_KEY; printf 'length %s\\n' "\${#k}"`,
			agent: 'shell',
			router: 'openrouter',
			run: true,
		});
		await ended(id, 'done');
		const { shown } = await film(id);
		assert.ok(shown.includes(`length ${KEY.length}`), `the key reached the box: ${shown}`);
		assert.ok(shown.includes(`key ${'*'.repeat(KEY.length)} token ****`), shown);
		assert.ok(shown.includes(`OPENROUTER_API_KEY=${'*'.repeat(KEY.length)}\r\n`));
		const kept = everywhere();
		assert.ok(kept.includes('in single bytes'), 'logs were searched');
		assert.ok(!kept.includes(KEY), 'the key is nowhere');
		assert.ok(!kept.includes(KEY.slice(4)), 'nor most of it');
		assert.ok(!(await chomp.output(id)).includes(KEY));
	});

	test('of a session or task that is not there is 404, and needs the owner', async () => {
		const { id } = await chomp.create({ prompt: 'true', agent: 'shell' });
		assert.equal((await chomp.api.get(`/api/tasks/${id}/sessions/s1/recording`)).status, 404);
		assert.equal((await chomp.api.get(`/api/tasks/999999/sessions/s1/recording`)).status, 404);
		assert.equal((await chomp.api.get(`/api/tasks/${id}/sessions/s1/recording`, { bearer: 'wrong' })).status, 401);
	});

	test('stays when `chompctl gc` clears what finished sandboxes left, and a running one is left alone', async () => {
		const { id } = await chomp.create({ prompt: 'echo kept; sleep 600', agent: 'shell', run: true });
		await chomp.until(id, async () => (await chomp.output(id)).includes('kept'));
		const boxes = path.join(chomp.var, 'sandboxes');
		const t = await chomp.task(id);
		const mine = path.join(boxes, t.sessions[0].sandbox_id);
		const old = path.join(boxes, 'f'.repeat(32));
		fs.cpSync(mine, old, { recursive: true, filter: (f) => !/ctl$/.test(f) });
		fs.writeFileSync(path.join(old, 'exit'), '{}');
		fs.writeFileSync(path.join(old, 'workspace', 'large'), Buffer.alloc(3 << 20));
		if (process.getuid() === 0) execFileSync('chown', ['-R', 'chomp-box:chomp-box', old]);
		const said = await chomp.ctl(['gc']);
		assert.equal(said.code, 0, said.text);
		assert.match(said.stdout, /finished sandboxes cleared: \d+\nfreed: \d+ MB/);
		assert.deepEqual([fs.existsSync(path.join(old, 'workspace')), fs.existsSync(path.join(old, 'begun'))], [false, true]);
		assert.ok(fs.existsSync(path.join(mine, 'workspace')), 'the running one keeps its workspace');
		fs.utimesSync(path.join(old, 'exit'), 1, 1);
		assert.equal((await chomp.ctl(['gc'])).code, 0);
		assert.ok(!fs.existsSync(old), 'an old one goes whole');
		await chomp.post('cancel', { id });
	});

	test('goes with its task', async () => {
		const { id } = await chomp.create({ prompt: 'echo x; chomp update --tokens 5', agent: 'shell', run: true });
		await ended(id, 'done');
		const kept = () => fs.readdirSync(path.join(chomp.var, 'log/sessions')).filter((f) => f.startsWith(`${id}-`));
		assert.deepEqual(kept().sort(), [`${id}-s1.film`, `${id}-s1.log`, `${id}-s1.marks`]);
		await chomp.post('delete', { id });
		await waitFor('nothing of it is left', () => kept().length === 0);
	});
});

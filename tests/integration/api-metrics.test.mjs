// GET /metrics: the text format, checked line by line, and that it says what is.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { parsePrometheus } from '../lib/prometheus.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const metrics = async () => {
	const said = await chomp.api.get('/metrics');
	assert.equal(said.status, 200);
	assert.match(said.headers['content-type'], /^text\/plain; version=0\.0\.4/);
	return parsePrometheus(said.text);
};

describe('the checker', () => {
	const good = '# HELP a_b What.\n# TYPE a_b gauge\na_b{x="1"} 2\n';
	for (const [what, text] of [
		['a sample before its TYPE', 'a_b 1\n'],
		['no line feed at its end', good.trimEnd()],
		['a series twice', `${good}a_b{x="1"} 3\n`],
		['a family twice', `${good}# TYPE a_b gauge\n`],
		['a family torn apart', `${good}# TYPE c gauge\nc 1\na_b{x="2"} 3\n`],
		['a value that is no number', good.replace(' 2\n', ' two\n')],
		['a label without quotes', good.replace('"1"', '1')],
		['a name with a dash', good.replaceAll('a_b', 'a-b')],
		['an unknown type', good.replace('gauge', 'number')],
		['an empty line with a space', `${good} \n`],
	])
		test(`refuses ${what}`, () => {
			assert.equal(parsePrometheus(good).get('a_b{x="1"}'), 2);
			assert.throws(() => parsePrometheus(text));
		});
});

describe('/metrics', () => {
	test('is valid and counts tasks, tokens and bytes', async () => {
		const before = await metrics();
		assert.equal(before.get('chomp_tasks{status="queued"}'), 0);
		const made = await chomp.create({ prompt: 'sleep 600', agent: 'shell' });
		await chomp.create({ prompt: 'x', agent: 'shell' });
		await chomp.run(made.id);
		await chomp.until(made.id, (t) => t.sessions[0].dispatch.state === 'started');
		await chomp.post('update', { id: made.id, tokens: 1234 });
		const now = await metrics();
		assert.equal(now.get('chomp_tasks{status="queued"}'), 1);
		assert.equal(now.get('chomp_tasks{status="active"}'), 1);
		assert.equal(now.get('chomp_tokens'), 1234);
		assert.equal(now.get('chomp_next_id'), 3);
		assert.equal(now.get('chomp_dispatch_pending'), 0);
		assert.equal(now.get('chomp_store_writable'), 1);
		assert.ok(now.get('chomp_log_bytes') > before.get('chomp_log_bytes'));
		assert.ok(now.get('chomp_oldest_queued_seconds') < 60);
		await chomp.post('delete', { id: made.id });
	});

	test('shows which processes live', async () => {
		const up = (name) => metrics().then((m) => m.get(`chomp_process_up{process="${name}"}`));
		for (const name of ['worker', 'dispatch', 'sandbox']) assert.equal(await up(name), 1, name);
		const [pid] = chomp.pids('dispatcher');
		process.kill(pid, 'SIGSTOP');
		assert.equal(await up('dispatch'), 1);
		process.kill(pid, 'SIGKILL');
		await waitFor('its death was seen, or its return', async () => chomp.pids('dispatcher').some((p) => p !== pid));
		await waitFor('it lives again', async () => (await up('dispatch')) === 1);
	});

	test('is for the owner alone', async () => {
		const said = await chomp.api.get('/metrics', { bearer: '' });
		assert.equal(said.status, 401);
		assert.equal((await chomp.api.post('/metrics', {})).status, 405);
	});
});

// Agents of the owner's own: made, shown, run in a box by their command, removed; over HTTP and the real host.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';

const adopted = JSON.stringify({
	'my-agent': { name: 'My Agent', command: 'my-agent-cli', models: ['m1', 'm2'], color: '#22AA88', since: 2024 },
});
const chomp = await shared({ after }, { files: { 'state/agents.json': adopted } });
const post = (body, options) => chomp.api.post('/api/config/agents', body, options);
const agents = async () => (await chomp.api.get('/api/config/agents')).json();
const stored = () => JSON.parse(fs.readFileSync(path.join(chomp.var, 'state/agents.json'), 'utf8'));

describe("an agent of the owner's own", () => {
	test('is made, listed beside the others, and those that were there are kept whole', async () => {
		const said = await post({ id: 'mine', name: 'Mine', command: 'bash {prompt_file}', models: ['plain'] });
		assert.equal(said.status, 200, said.text);
		assert.equal(said.headers['hx-trigger'], 'refreshTasks');
		const all = await agents();
		assert.equal(all.mine.command, 'bash {prompt_file}');
		assert.equal(all.mine.builtin, false);
		assert.equal(all['my-agent'].name, 'My Agent');
		assert.equal(all.shell.builtin, true);
		assert.equal(stored()['my-agent'].since, 2024);
		assert.deepEqual((await chomp.api.get('/api/config')).json().agents, all);
	});

	test('runs its command in the box, with its first model', async () => {
		const made = await chomp.create({ prompt: 'echo "model $MODEL, agent $AGENT"', agent: 'mine', run: true });
		const done = await chomp.until(made.id, 'done');
		assert.equal(done.sessions[0].agent, 'mine');
		assert.equal(done.sessions[0].model, 'plain');
		await waitFor('its output is there', async () => /model plain, agent mine/.test(await chomp.output(made.id)));
	});

	test('whose program is not in the box fails with a reason that says so', async () => {
		const made = await chomp.create({ prompt: 'x', agent: 'my-agent', run: true });
		const failed = await chomp.until(made.id, 'failed');
		assert.match(failed.error, /my-agent-cli is not in this sandbox/);
	});

	test('is removed by DELETE with the id in the query or the body, and by POST with delete=true', async () => {
		for (const id of ['one', 'two', 'three']) assert.equal((await post({ id, name: id })).status, 200);
		assert.equal((await chomp.api.call('DELETE', '/api/config/agents?id=one')).status, 200);
		assert.equal((await chomp.api.call('DELETE', '/api/config/agents', { id: 'two' })).status, 200);
		const form = { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } };
		assert.equal((await post('id=three&delete=true', form)).status, 200);
		assert.deepEqual(Object.keys(stored()).sort(), ['mine', 'my-agent']);
		assert.equal((await chomp.api.call('DELETE', '/api/config/agents?id=one')).status, 404);
	});

	test('is refused under the id of a built-in one, under an odd id, and to those who are not the owner', async () => {
		const before = JSON.stringify(stored());
		const code = async (said) => `${said.status} ${said.json().error.code}`;
		assert.equal(await code(await post({ id: 'shell', name: 'x' })), '400 builtin_agent');
		assert.equal(await code(await chomp.api.call('DELETE', '/api/config/agents?id=pi')), '400 builtin_agent');
		assert.equal(await code(await post({ id: 'a--b', name: 'x' })), '400 bad_id');
		assert.equal(await code(await post({ id: 'ok', name: 'x' }, { bearer: '' })), '401 no_token');
		assert.equal(
			(await chomp.api.call('DELETE', '/api/config/agents?id=mine', undefined, { bearer: '' })).status,
			401,
		);
		assert.equal(JSON.stringify(stored()), before);
	});
});

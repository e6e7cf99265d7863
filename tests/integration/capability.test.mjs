// What an agent can do with the one token in its box: its own session's verbs, and nothing else, and no longer than the session.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { shared } from '../lib/instance.mjs';
import { startStepper } from '../lib/box-scripts.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const box = await startStepper();
after(() => box.close());

// A running task whose token the test holds; `release` lets its script end.
async function held(t, script = '') {
	const mark = randomBytes(6).toString('hex');
	const task = await chomp.create({
		prompt: box.script(`${script}\nput token-${mark} <"$CHOMP_TOKEN_FILE"; wait_for end-${mark}`),
		agent: 'shell',
	});
	await chomp.run(task.id);
	const token = (await box.put(`token-${mark}`)).toString().trim();
	t.after(async () => {
		box.release(`end-${mark}`);
		await chomp.settled(task.id); // the next test compares the state of before and after
	});
	return { id: task.id, token, mark, release: () => box.release(`end-${mark}`) };
}

const as = (token) => ({ bearer: token });

describe('the token of a session', () => {
	test('reports tokens of its own task and reads nothing but its work product', async (t) => {
		const own = await held(t);
		const said = await chomp.api.post('/api/tasks/update', { id: own.id, tokens: 77 }, as(own.token));
		assert.equal(said.status, 200, said.text);
		assert.equal((await chomp.task(own.id)).tokens, 77);
		const before = await chomp.state();
		for (const route of [
			'/api/state',
			'/api/tasks',
			`/api/tasks/${own.id}`,
			`/api/sandbox/output/${own.id}`,
			`/api/tasks/${own.id}/sessions/s1/output`,
			'/',
		]) {
			const r = await chomp.api.get(route, as(own.token));
			assert.ok([401, 403, 302, 303].includes(r.status), `${route}: ${r.status}`);
			assert.doesNotMatch(r.text, /wait_for/);
		}
		// its own task's work product alone: the next session goes on from it
		assert.equal((await chomp.api.get(`/api/tasks/${own.id}/artifacts/changes.patch`, as(own.token))).status, 404);
		assert.equal((await chomp.api.get('/api/tasks/999/artifacts/changes.patch', as(own.token))).status, 403);
		assert.equal(await chomp.state(), before);
	});

	test("has none of the owner's verbs", async (t) => {
		const own = await held(t);
		const before = await chomp.state();
		for (const [verb, body] of [
			['', { prompt: 'more work for me' }],
			['/run', { id: own.id }],
			['/cancel', { id: own.id }],
			['/retry', { id: own.id }],
			['/delete', { id: own.id }],
			['/approve', { id: own.id }],
			['/sendback', { id: own.id }],
		]) {
			const said = await chomp.api.post(`/api/tasks${verb}`, body, as(own.token));
			// a verb that is not served at all is refused as well
			assert.ok([401, 403, 404, 405].includes(said.status), `${verb}: ${said.status} ${said.text}`);
		}
		for (const route of ['/api/config', '/api/config/keys', '/api/config/settings', '/api/platforms', '/metrics']) {
			for (const said of [
				await chomp.api.get(route, as(own.token)),
				await chomp.api.post(route, { key: 'OPENROUTER_API_KEY', value: 'stolen' }, as(own.token)),
			])
				assert.ok(said.status >= 401 && said.status < 500, `${route}: ${said.status}`);
		}
		assert.equal(await chomp.state(), before);
	});

	test('cannot touch another task, running or not', async (t) => {
		const own = await held(t);
		const other = await held(t);
		const idle = await chomp.create({ prompt: 'idle', agent: 'shell' });
		const before = await chomp.state();
		for (const id of [other.id, idle.id]) {
			for (const [verb, more] of [
				['update', { tokens: 5 }],
				['done', {}],
				['fail', { reason: 'sabotage' }],
				['handoff', { summary: 'sabotage' }],
			]) {
				const said = await chomp.api.post(`/api/tasks/${verb}`, { id, ...more }, as(own.token));
				assert.equal(said.status, 403, `${verb} ${id}: ${said.status} ${said.text}`);
			}
			const said = await chomp.api.post(`/api/tasks/${id}/artifacts/changes.patch`, 'x', {
				...as(own.token),
				headers: { 'Content-Type': 'application/octet-stream' },
			});
			assert.equal(said.status, 403, said.text);
		}
		assert.equal(await chomp.state(), before);
	});

	test("tells no more of an unknown task than of another's", async (t) => {
		const own = await held(t);
		const said = await chomp.api.post('/api/tasks/update', { id: '999999', tokens: 1 }, as(own.token));
		assert.ok([403, 404].includes(said.status), said.text);
	});

	test("a token with one character changed is nobody's", async (t) => {
		const own = await held(t);
		for (const i of [4, Math.floor(own.token.length / 2), own.token.length - 2]) {
			const c = own.token[i] === 'a' ? 'b' : 'a';
			const forged = own.token.slice(0, i) + c + own.token.slice(i + 1);
			const said = await chomp.api.post('/api/tasks/update', { id: own.id, tokens: 9 }, as(forged));
			assert.ok([401, 403].includes(said.status), `${said.status} ${said.text}`);
		}
		assert.notEqual((await chomp.task(own.id)).tokens, 9);
	});

	test('dies with its session; only the same closing verb again is answered, and changes nothing', async (t) => {
		const own = await held(t);
		const done = await chomp.api.post('/api/tasks/done', { id: own.id, result: 'ready' }, as(own.token));
		assert.equal(done.status, 200, done.text);
		const before = await chomp.state();
		const again = await chomp.api.post('/api/tasks/done', { id: own.id, result: 'ready' }, as(own.token));
		assert.equal(again.status, 200, again.text);
		assert.equal((await chomp.task(own.id)).result, 'ready');
		for (const [verb, more] of [
			['update', { tokens: 5 }],
			['fail', { reason: 'x' }],
			['handoff', { summary: 'x' }],
		]) {
			const said = await chomp.api.post(`/api/tasks/${verb}`, { id: own.id, ...more }, as(own.token));
			assert.ok([401, 403, 409].includes(said.status), `${verb}: ${said.status} ${said.text}`);
		}
		assert.equal(JSON.parse(await chomp.state()).tasks.find((x) => String(x.id) === own.id).status, 'done');
		assert.equal((await chomp.task(own.id)).error ?? '', '');
		void before;
	});

	test('of an earlier session is worth nothing in the next one', async (t) => {
		const first = await held(t);
		await chomp.post('cancel', { id: first.id });
		await chomp.run(first.id);
		await chomp.until(first.id, (s) => s.sessions[1]?.dispatch?.state === 'started');
		for (const [verb, more] of [
			['update', { tokens: 4242 }],
			['done', {}],
			['fail', { reason: 'late' }],
		]) {
			const said = await chomp.api.post(`/api/tasks/${verb}`, { id: first.id, ...more }, as(first.token));
			assert.ok([401, 403, 409].includes(said.status), `${verb}: ${said.status} ${said.text}`);
		}
		const now = await chomp.task(first.id);
		assert.equal(now.status, 'active');
		assert.notEqual(now.tokens, 4242);
		await chomp.post('cancel', { id: first.id });
	});
});

describe('inside the box', () => {
	test("the callback socket knows the agent's verbs only", async () => {
		const task = await chomp.create({
			agent: 'shell',
			prompt: box.script(`
				try() { curl -sS -o /tmp/answer -w '%{http_code} ' --unix-socket "$CHOMP_API_SOCKET" -H "Authorization: Bearer $(cat "$CHOMP_TOKEN_FILE")" "$@"; cat /tmp/answer; echo; }
				{
				echo "state $(try http://x/api/state)"
				echo "list $(try http://x/api/tasks)"
				echo "task $(try http://x/api/tasks/$TASK_ID)"
				echo "health $(try http://x/api/health)"
				echo "page $(try http://x/)"
				echo "login $(try http://x/login)"
				echo "run $(try -X POST -d id=1 http://x/api/tasks/run)"
				echo "dots $(try --path-as-is -X POST -d id=1 http://x/api/tasks/update/../../state)"
				echo "update $(try -X POST -H 'Content-Type: application/json' -d "{\\"id\\":\\"$TASK_ID\\",\\"tokens\\":12}" http://x/api/tasks/update)"
				} | put socket-answers`),
		});
		await chomp.run(task.id);
		await chomp.until(task.id, 'done');
		const said = (await box.put('socket-answers')).toString();
		for (const what of ['state', 'list', 'task', 'health', 'page', 'login', 'run', 'dots'])
			assert.match(said, new RegExp(`^${what} (404|400|405) `, 'm'), said);
		assert.match(said, /^state 404 \{"error"/m);
		assert.match(said, /^update 200 /m);
		assert.equal((await chomp.task(task.id)).tokens, 12);
	});

	test("an artifact that the agent uploads is the owner's to read, byte for byte, and nobody can climb with its name", async () => {
		const task = await chomp.create({
			agent: 'shell',
			prompt: box.script(`
				head -c 300000 /dev/urandom >/tmp/blob; sha256sum </tmp/blob | put blob-hash
				chomp artifact /tmp/blob report.bin && echo uploaded
				for n in '../../x' '..' '' 'a/b' '.hidden' '%2e%2e%2fx' "$(printf 'a\\nb')" '-x'; do
					chomp artifact /tmp/blob "$n" >/dev/null 2>&1 && echo "took [$n]"
				done; exit 0`),
		});
		await chomp.run(task.id);
		const done = await chomp.until(task.id, 'done');
		const { createHash } = await import('node:crypto');
		const said = await chomp.api.get(`/api/tasks/${task.id}/artifacts/report.bin`);
		assert.equal(said.status, 200, said.text.slice(0, 200));
		assert.equal(
			createHash('sha256').update(said.body).digest('hex'),
			(await box.put('blob-hash')).toString().slice(0, 64),
		);
		assert.doesNotMatch(said.headers['content-type'], /html/);
		assert.ok(
			done.artifacts.some((a) => (a.name ?? a) === 'report.bin'),
			JSON.stringify(done.artifacts),
		);
		const text = await waitFor('its output', async () => {
			const o = await chomp.output(task.id);
			return /uploaded/.test(o) && o;
		});
		assert.doesNotMatch(text, /took \[(\.\.|%2e|\/|a\/b|a\nb)/);
		for (const name of ['..', '..%2f..%2fsecrets%2fowner_token', '%2e%2e%2f%2e%2e%2fsecrets%2fowner_token']) {
			const bad = await chomp.api.get(`/api/tasks/${task.id}/artifacts/${name}`);
			assert.ok(bad.status >= 400 && bad.status < 500, `${name}: ${bad.status}`);
		}
	});

	test("the owner's token and the instance's files cannot be found", async () => {
		const task = await chomp.create({
			agent: 'shell',
			prompt: box.script(`
				{ env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; ls -laR /run /opt /workspace "$HOME" /tmp; cat ${chomp.var}/secrets/owner_token ${chomp.var}/state/tasks.log; ls ${chomp.var} ${chomp.base}; } 2>/dev/null | tr '\\0' '\\n' | put loot`),
		});
		await chomp.run(task.id);
		await chomp.until(task.id, 'done');
		const loot = (await box.put('loot')).toString();
		assert.match(loot, /TASK_ID=/);
		assert.ok(!loot.includes(chomp.token));
		assert.doesNotMatch(loot, /tasks\.log|owner_token\n|sandbox_secret/);
	});
});

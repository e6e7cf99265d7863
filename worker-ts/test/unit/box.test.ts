// A box's life, with an SDK that behaves as the documented one at its worst.

import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Box } from '../../src/box';
import { limits } from '../../src/sdk';
import { calls, containers, faults, hang, keepAlive, reset, STATE } from '../mock/fake';
import { ask, error, idOf, newId, right, theEnv } from './kit';

const usual = { ...limits };
let boxes: string[] = [];

beforeEach(async () => {
	Object.assign(limits, usual);
	faults.clear();
	// a place in the register is kept until its box is gone
	for (const id of boxes) await ask('POST', `/kill/${id}`);
	boxes = [];
	reset();
});

async function started(more = {}) {
	const body = right(more);
	const said = await ask('POST', '/dispatch', { body });
	expect(said.status).toBe(200);
	const { sandboxId } = await said.json<{ sandboxId: string }>();
	boxes.push(sandboxId);
	const container = containers.get(sandboxId);
	if (!container) throw new Error('no container');
	return { body, sandboxId, container };
}
const status = async (id: string) => (await ask('GET', `/status/${id}`)).json<{ [key: string]: unknown }>();
const ops = (id: string) => calls.filter((c) => c.id === id).map((c) => c.op);
const health = async () => (await ask('GET', '/health')).json<{ active: number }>();
const ended = (container: { files: Map<string, string> }, exitCode: number) =>
	container.files.set(STATE, JSON.stringify({ dispatchId: 'x', state: 'ended', exitCode, reason: 'exit' }));
const stub = (id: string) => theEnv.Box.get(theEnv.Box.idFromName(id));

describe('a dispatch', () => {
	it('gives prompt, history and token by file, the rest by environment, and the command is a constant', async () => {
		const prompt = '"\'`$(touch /tmp/x)\n\u{1f600}';
		const { body, sandboxId, container } = await started({ prompt, history: [{ a: 'b' }], repoUrl: 'https://a.example/r.git', branch: 'b', dir: 'sub', env: { OPENROUTER_API_KEY: 'key "$(x)"' } });
		expect(sandboxId).toBe(await idOf(body.dispatchId));
		expect(container.process?.command).toBe('/usr/local/bin/box-start');
		expect(Object.fromEntries(container.files)).toMatchObject({
			'/var/lib/chomp/in/prompt': prompt,
			'/var/lib/chomp/in/history.json': '[{"a":"b"}]',
			'/var/lib/chomp/in/token': 'token-of-the-session\n',
		});
		expect(container.process?.env).toEqual({
			BOX_DISPATCH: body.dispatchId,
			CHOMP_API: 'https://chomp.example',
			CHOMP_TIMEOUT: '600',
			TASK_ID: '7',
			SESSION_ID: 's1',
			AGENT: 'shell',
			MODEL: 'bash',
			ROUTER: '',
			TASK_REPO_URL: 'https://a.example/r.git',
			TASK_BRANCH: 'b',
			TASK_SUBDIR: 'sub',
			OPENROUTER_API_KEY: 'key "$(x)"',
		});
		expect(JSON.stringify([...calls].map((c) => c.op === 'writeFile' || c.args))).not.toContain('token-of-the-session');
		expect(keepAlive.has(sandboxId)).toBe(true);
	});

	it('replayed, also at once, starts one', async () => {
		const body = right();
		const said = await Promise.all(Array.from({ length: 10 }, () => ask('POST', '/dispatch', { body })));
		boxes.push(await idOf(body.dispatchId));
		expect(said.map((s) => s.status)).toEqual(Array(10).fill(200));
		expect(calls.filter((c) => c.op === 'startProcess').length).toBe(1);
		expect((await health()).active).toBe(1);
	});

	it('whose process has no pid has failed, leaves nothing, and may be tried again', async () => {
		const body = right();
		faults.set('startProcess', () => ({ id: 'x', status: 'running' }));
		const said = await ask('POST', '/dispatch', { body });
		const id = await idOf(body.dispatchId);
		expect(said.status).toBe(500);
		expect([containers.has(id), keepAlive.has(id), (await health()).active]).toEqual([false, false, 0]);
		faults.clear();
		expect((await ask('POST', '/dispatch', { body })).status).toBe(200);
		boxes.push(id);
	});

	it.each(['no_container_instance_available', 'Maximum number of running container instances exceeded. Try again later'])('is 503 with Retry-After when Cloudflare says %s', async (message) => {
		const body = right();
		faults.set('writeFile', () => {
			throw new Error(message);
		});
		const said = await ask('POST', '/dispatch', { body });
		expect([said.status, Number(said.headers.get('Retry-After')) > 0]).toEqual([503, true]);
		expect((await health()).active).toBe(0);
	});

	it('is 429 with Retry-After when every box is in use, and is taken when one is free', async () => {
		const all = [await started(), await started(), await started()];
		const body = right();
		const full = await ask('POST', '/dispatch', { body });
		expect([full.status, (await error(full)).code, full.headers.get('Retry-After')]).toEqual([429, 'limit', '5']);
		expect(ops(await idOf(body.dispatchId))).toEqual([]);
		expect((await ask('POST', '/dispatch', { body: all[0]?.body })).status).toBe(200);
		await ask('POST', `/kill/${all[0]?.sandboxId}`);
		expect((await ask('POST', '/dispatch', { body })).status).toBe(200);
		boxes.push(await idOf(body.dispatchId));
	});

	it('that hangs is 503 in time, keeps its box, and goes on when it is sent again', async () => {
		limits.start = 50;
		const body = right();
		const id = await idOf(body.dispatchId);
		boxes.push(id);
		faults.set('startProcess', hang);
		const said = await ask('POST', '/dispatch', { body });
		expect([said.status, said.headers.has('Retry-After')]).toEqual([503, true]);
		expect((await health()).active).toBe(1);
		limits.start = usual.start;
		faults.clear();
		expect((await ask('POST', '/dispatch', { body })).status).toBe(200);
		expect((await status(id))['running']).toBe(true);
	});
});

describe('a look', () => {
	it('at what nobody dispatched touches no sandbox', async () => {
		const id = newId();
		expect(await status(id)).toEqual({ sandboxId: id, alive: false, running: false });
		expect((await ask('GET', `/logs/${id}`)).status).toBe(404);
		expect((await ask('GET', `/recording/${id}`)).status).toBe(404);
		expect((await ask('GET', `/film/${id}`)).status).toBe(404);
		expect((await ask('GET', `/ws/terminal/${id}`, { headers: { Upgrade: 'websocket' } })).status).toBe(404);
		expect(calls).toEqual([]);
	});

	it('tells a running agent, and its end with the code from the box', async () => {
		const { sandboxId, container } = await started();
		expect(await status(sandboxId)).toMatchObject({ alive: true, running: true });
		ended(container, 7);
		expect(await status(sandboxId)).toMatchObject({ alive: true, running: false, exitCode: 7, reason: 'exit' });
		containers.delete(sandboxId);
		expect(await status(sandboxId)).toMatchObject({ alive: false, running: false, exitCode: 7 });
	});

	it.each(['status', 'logs', 'ws/terminal'])('of %s never wakes a dead container', async (route) => {
		const { sandboxId } = await started();
		containers.delete(sandboxId);
		calls.length = 0;
		for (let i = 0; i < 2; i++) await ask('GET', `/${route}/${sandboxId}`, { headers: { Upgrade: 'websocket' } });
		expect(containers.has(sandboxId)).toBe(false);
		expect(new Set(ops(sandboxId))).toEqual(new Set(['getState']));
	});

	it('gives a place back when the container is gone by itself', async () => {
		const { sandboxId } = await started();
		containers.delete(sandboxId);
		expect(await status(sandboxId)).toMatchObject({ alive: false, running: false });
		expect((await health()).active).toBe(0);
	});

	it('finds out a container that the platform replaced, and ends it', async () => {
		const { sandboxId, container } = await started();
		container.files.clear();
		expect((await status(sandboxId))['running']).toBe(true); // it may not have said its first word yet
		await runInDurableObject(stub(sandboxId), (box: Box) => {
			const { record } = box as unknown as { record: { startedAt: number } };
			record.startedAt -= 60_000;
		});
		const said = await status(sandboxId);
		expect(said).toMatchObject({ alive: false, running: false });
		expect(said['error']).toMatch(/lost/);
		expect('exitCode' in said).toBe(false);
		expect(containers.has(sandboxId)).toBe(false);
	});

	it('is 503 in time when getProcess never answers, and goes on when it does', async () => {
		limits.look = 50;
		const { sandboxId } = await started();
		faults.set('getProcess', hang);
		const said = await ask('GET', `/status/${sandboxId}`);
		expect([said.status, said.headers.has('Retry-After')]).toEqual([503, true]);
		faults.clear();
		expect((await status(sandboxId))['running']).toBe(true);
	});

	it.each(['getState', 'readFile', 'exec'])('is 503 in time when %s never answers', async (op) => {
		Object.assign(limits, { look: 50, log: 50 });
		const { sandboxId } = await started();
		faults.set(op, hang);
		expect((await ask('GET', `/${op === 'exec' ? 'logs' : 'status'}/${sandboxId}`)).status).toBe(503);
	});

	it('says so when what watches the agent was ended and left no word', async () => {
		const { sandboxId, container } = await started();
		if (container.process) container.process.status = 'killed';
		expect(await status(sandboxId)).toMatchObject({ running: false, reason: 'error', exitCode: 1 });
	});
});

describe('the log', () => {
	it('comes in pieces, from any offset', async () => {
		const { sandboxId, container } = await started();
		container.log = 'x'.repeat(600 * 1024);
		const first = await ask('GET', `/logs/${sandboxId}`);
		expect([first.headers.get('X-Log-Start'), first.headers.get('X-Log-End')]).toEqual(['0', String(512 * 1024)]);
		expect((await first.arrayBuffer()).byteLength).toBe(512 * 1024);
		const rest = await ask('GET', `/logs/${sandboxId}?offset=${512 * 1024}`);
		expect((await rest.arrayBuffer()).byteLength).toBe(88 * 1024);
		for (const offset of ['-1', 'x', '1e3', '', '99999999999999999999', '$(id)', '1;id'])
			expect((await ask('GET', `/logs/${sandboxId}?offset=${encodeURIComponent(offset)}`)).status).toBe(400);
	});
});

describe('the terminal', () => {
	const upgrade = { Upgrade: 'websocket' };
	it("is the SDK's own, with the size asked for and none of our headers", async () => {
		const { sandboxId } = await started();
		const said = await ask('GET', `/ws/terminal/${sandboxId}?cols=91&rows=17`, { headers: upgrade });
		expect(said.status).toBe(101);
		said.webSocket?.accept();
		said.webSocket?.close();
		const [session, headers, options] = calls.find((c) => c.op === 'terminal')?.args ?? [];
		expect(session).toBe('terminal');
		expect(options).toEqual({ cols: 91, rows: 17, shell: '/usr/local/bin/box-term' });
		expect(Object.keys(headers as object)).not.toContain('authorization');
	});
	it('is 503 while the container starts', async () => {
		const { sandboxId } = await started();
		faults.set('terminal', () => Response.json({ code: 'INTERNAL_ERROR' }, { status: 503 }));
		const said = await ask('GET', `/ws/terminal/${sandboxId}`, { headers: upgrade });
		expect([said.status, said.headers.get('Retry-After')]).toEqual([503, '1']);
	});
});

describe('a kill', () => {
	it('takes keepAlive off and destroys, by either id, as often as asked', async () => {
		const { body, sandboxId } = await started();
		for (const id of [body.dispatchId, sandboxId, sandboxId]) expect(await (await ask('POST', `/kill/${id}`)).json()).toEqual({ status: 'destroyed' });
		expect([containers.has(sandboxId), keepAlive.has(sandboxId), (await health()).active]).toEqual([false, false, 0]);
		expect(ops(sandboxId).slice(-2)).toEqual(['setKeepAlive', 'destroy']);
		expect((await ask('POST', '/dispatch', { body })).status).toBe(409);
		expect(containers.has(sandboxId)).toBe(false);
	});

	it('before its dispatch touches no sandbox, and forbids it for good', async () => {
		const body = right();
		expect((await ask('POST', `/kill/${body.dispatchId}`)).status).toBe(200);
		const said = await ask('POST', '/dispatch', { body });
		expect([said.status, (await error(said)).code]).toEqual([409, 'killed']);
		expect(calls).toEqual([]);
		expect((await health()).active).toBe(0);
	});

	it('that crosses its dispatch wins', async () => {
		const body = right();
		let go = () => {};
		const gate = new Promise<void>((resolve) => (go = resolve));
		faults.set('setKeepAlive', () => gate);
		const start = ask('POST', '/dispatch', { body });
		await expect.poll(() => calls.length).toBeGreaterThan(0);
		const kill = ask('POST', `/kill/${body.dispatchId}`);
		await expect.poll(async () => (await status(await idOf(body.dispatchId)))['reason']).toBe('killed');
		faults.clear();
		go();
		expect((await kill).status).toBe(200);
		expect((await start).status).toBe(409);
		expect(containers.has(await idOf(body.dispatchId))).toBe(false);
		expect((await health()).active).toBe(0);
	});

	it('whose destroy hangs is 503, and the alarm does it later', async () => {
		limits.end = 50;
		const { sandboxId } = await started();
		faults.set('destroy', hang);
		expect((await ask('POST', `/kill/${sandboxId}`)).status).toBe(503);
		faults.clear();
		expect(await runDurableObjectAlarm(stub(sandboxId))).toBe(true);
		expect(containers.has(sandboxId)).toBe(false);
	});
});

describe('reaping', () => {
	it('ends a box when its time is up, and keeps the end of its log', async () => {
		const { sandboxId, container } = await started({ timeoutSeconds: 1 });
		container.log = 'last words';
		await expect.poll(() => containers.has(sandboxId), { timeout: 10_000 }).toBe(false);
		expect(await status(sandboxId)).toMatchObject({ alive: false, running: false, reason: 'timeout', exitCode: 124 });
		expect(keepAlive.has(sandboxId)).toBe(false);
		expect(await (await ask('GET', `/logs/${sandboxId}?offset=5`)).text()).toBe('words');
		expect((await health()).active).toBe(0);
	});

	it('looks once more after the end, and ends what a slow call started', async () => {
		const { sandboxId } = await started();
		await ask('POST', `/kill/${sandboxId}`);
		containers.set(sandboxId, { keepAlive: false, files: new Map(), process: null, log: null });
		await runDurableObjectAlarm(stub(sandboxId));
		expect(containers.has(sandboxId)).toBe(false);
	});

	it('ends a box whose agent ended, when chomp does not come for it', async () => {
		const { sandboxId, container } = await started();
		ended(container, 0);
		await status(sandboxId);
		const at = await runInDurableObject(stub(sandboxId), (_, state) => state.storage.getAlarm());
		expect(at && at - Date.now()).toBeLessThan(11 * 60_000);
		await runDurableObjectAlarm(stub(sandboxId));
		expect(containers.has(sandboxId)).toBe(false);
		expect(await status(sandboxId)).toMatchObject({ alive: false, exitCode: 0, reason: 'exit' });
	});
});

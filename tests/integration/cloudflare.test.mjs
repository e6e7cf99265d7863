// chomp with the Cloudflare host: dispatcher and relay in C, the Worker in workerd, containers stood in for on this machine
// (worker-ts/test/engine). The whole job, and what a cloud does by itself: containers that die, hang and are not there yet.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { noCloudHost, startCloudHost } from '../lib/cloud-host.mjs';
import { repoRoot } from '../lib/build.mjs';
import { startInstance } from '../lib/instance.mjs';
import { request } from '../lib/http.mjs';
import { serveRepo } from '../lib/git-server.mjs';
import { makeRepo, tempDir } from '../lib/repo.mjs';
import { viewer } from '../lib/viewer.mjs';
import { waitFor } from '../lib/wait.mjs';

describe('chomp with the Cloudflare host', { skip: noCloudHost }, () => {
	let cloud;
	let chomp;
	test('starts with the address and the secret of a host elsewhere', async () => {
		cloud = await startCloudHost({ capacity: 3 });
		chomp = await startInstance({
			env: { CHOMP_SANDBOX_URL: cloud.url, CHOMP_SANDBOX_SECRET_FILE: cloud.secretFile },
		});
	});
	after(async () => {
		await chomp?.stop();
		await cloud?.stop();
	});

	const shell = async (script, more = {}) => {
		const t = await chomp.create({ prompt: script, agent: 'shell', run: true, ...more });
		await chomp.until(t.id, (now) => now.sessions[0].dispatch?.state !== 'pending');
		return t.id;
	};
	const session = async (id) => (await chomp.task(id)).sessions[0];
	const isDown = (sandbox) =>
		waitFor('its container is gone', async () => !(await cloud.calls()).up.includes(sandbox), { context: cloud.log });

	test('a task runs there: done, exit code, all of its output, and its container is gone', async () => {
		const id = await shell('for i in 1 2 3; do echo "line $i"; done; echo last words');
		const done = await chomp.until(id, 'done', { context: cloud.log });
		assert.equal(done.sessions[0].result, 'done');
		await chomp.until(id, (t) => t.sessions[0].exit_code === 0 && t.sessions[0].kill?.state === 'done');
		assert.match(await chomp.output(id), /line 1[^]*line 3[^]*last words/);
		await isDown(done.sessions[0].sandbox_id);
		assert.ok(!(await cloud.calls()).keepAlive.includes(done.sessions[0].sandbox_id), 'and may not come back');
	});

	test('a script that fails ends the task as failed, with its exit code', async () => {
		const id = await shell('echo oh no; exit 9');
		await chomp.until(id, 'failed');
		const t = await chomp.until(id, (now) => now.sessions[0].exit_code !== undefined && now.sessions[0].exit_code !== null);
		assert.equal(t.sessions[0].exit_code, 9);
		assert.match(t.error, /exit code 9/);
	});

	test('what it changed in a repository comes back as a patch before its container goes', async (t) => {
		const dir = tempDir('chomp-cloud-repo');
		const repo = await serveRepo(makeRepo(path.join(dir, 'r'), { 'README.md': 'one\n' }));
		t.after(async () => {
			await repo.close();
			fs.rmSync(dir, { recursive: true, force: true });
		});
		const id = await shell('echo two >>README.md', { repo_url: repo.url });
		await chomp.until(id, 'done');
		const said = await chomp.api.get(`/api/tasks/${id}/artifacts/changes.patch`);
		assert.match(said.text, /^\+two$/m);
	});

	test('a viewer sees the agent live and types to it; Ctrl-C and the size of the window reach it; it is told the end', async () => {
		const id = await shell(`
			trap 'echo interrupted' INT; trap 'stty size' WINCH; echo armed
			while :; do read -rt 0.2 line && echo "got <$line>"; [[ ${'$'}{line:-} == end ]] && exit 3; done`);
		const v = viewer(chomp, id, { cols: 100, rows: 30 });
		await v.shows('armed');
		v.type('hello\r');
		await v.shows('got <hello>');
		v.control({ type: 'resize', cols: 91, rows: 17 });
		await v.shows('17 91');
		v.type('\x03');
		await v.shows('interrupted');
		const again = viewer(chomp, id, { cols: 91, rows: 17 });
		await again.shows('interrupted'); // who comes later gets the screen again
		v.type('end\r');
		await v.tells('the exit', (n) => n.type === 'exit');
		assert.equal((await v.closed()).code, 1000);
		assert.equal((await chomp.until(id, 'failed')).sessions[0].result, 'failed');
	});

	test('a cancel destroys the container', async () => {
		const id = await shell('echo up; sleep 1000');
		await waitFor('it runs', async () => (await chomp.output(id)).includes('up'));
		const { sandbox_id: sandbox } = await session(id);
		await chomp.post('cancel', { id });
		await isDown(sandbox);
	});

	test('a container that dies ends its task as lost, and nothing that looks at it wakes it', async () => {
		const id = await shell('echo up; sleep 1000');
		await waitFor('it runs', async () => (await chomp.output(id)).includes('up'));
		const { sandbox_id: sandbox } = await session(id);
		const v = viewer(chomp, id);
		await v.shows('up');
		await cloud.control({ crash: sandbox });
		const t = await chomp.until(id, 'failed');
		assert.equal(t.sessions[0].result, 'lost');
		assert.equal((await v.closed()).code, 1000);
		await waitFor('what it showed is kept', async () => /up/.test(await chomp.output(id)));
		assert.ok(!(await cloud.calls()).up.includes(sandbox));
	});

	test('while the container does not open a terminal, the relay tries again by itself', async () => {
		const id = await shell('echo here I am; read -r x');
		await cloud.control({ fault: { op: 'terminal', as: 'starting' } });
		const v = viewer(chomp, id);
		await v.tells('that it tries again', (n) => n.type === 'state' && n.state === 'reconnecting');
		await cloud.control({ clear: true });
		await v.shows('here I am');
		v.type('x\r');
		await chomp.until(id, 'done');
	});

	test('a status that hangs is no death: the task goes on when the host answers again', async () => {
		const id = await shell('echo up; read -r x; echo through');
		await waitFor('it runs', async () => (await chomp.output(id)).includes('up'));
		await cloud.control({ fault: { op: 'getProcess', as: 'hang' } });
		const asked = async () => (await cloud.calls()).calls.filter((c) => c.op === 'getProcess').length;
		const before = await asked();
		await waitFor('it hung twice', async () => (await asked()) >= before + 2);
		assert.equal((await chomp.task(id)).status, 'active');
		await cloud.control({ clear: true });
		const v = viewer(chomp, id);
		await v.shows('up');
		v.type('x\r');
		await chomp.until(id, 'done');
	});

	test('a host without room says so, and the task starts when there is some', async () => {
		await cloud.control({ fault: { op: 'writeFile', as: 'unavailable' } });
		const t = await chomp.create({ prompt: 'echo at last', agent: 'shell', run: true });
		const waiting = await chomp.until(t.id, (now) => now.sessions[0].dispatch?.attempts > 0);
		assert.match(waiting.sessions[0].dispatch.error, /503.*no container/);
		await cloud.control({ clear: true });
		await chomp.until(t.id, 'done');
	});

	test('a task chooses its host; both are watched, and a deleted task is ended where it is', async () => {
		const here = await shell('echo "here, $CHOMP_API_SOCKET"; read -r x', { host: 'local' });
		const away = await shell('echo "away, ${CHOMP_API_SOCKET:-by network}"; sleep 1000', { host: 'cloudflare' });
		const sandboxes = async () => (await cloud.calls()).up;
		assert.ok((await sandboxes()).includes((await session(away)).sandbox_id));
		assert.ok(!(await sandboxes()).includes((await session(here)).sandbox_id));
		const seen = { here: viewer(chomp, here), away: viewer(chomp, away) };
		await seen.here.shows('api.sock');
		await seen.away.shows('by network');
		seen.here.type('x\r');
		await chomp.until(here, 'done');
		const { sandbox_id: sandbox } = await session(away);
		await chomp.post('delete', { id: away });
		await isDown(sandbox);
	});

	test('doctor looks at both hosts, the secret, and the way back', async () => {
		const said = await chomp.ctl(['doctor']);
		assert.match(said.text, /ok +the sandbox host .*sandbox\.sock answers/);
		assert.match(said.text, /ok +the sandbox host http\S+ answers: .*chomp-worker-ts/);
		assert.match(said.text, /ok +the sandbox host takes our secret/);
		assert.match(said.text, /ok +callbacks reach us/);
	});

	test('bad input is refused with its reason, and no sandbox is made', async () => {
		const sandboxes = async () => [...new Set((await cloud.calls()).calls.map((c) => c.id))];
		const before = await sandboxes();
		const id = await shell('echo never', { dir: '/tmp' });
		const t = await chomp.until(id, 'failed');
		assert.match(t.error, /dir/);
		for (const [headers, status] of [
			[{ Authorization: 'Bearer wrong' }, 401],
			[{ Authorization: `Bearer ${cloud.secret}`, Origin: chomp.url }, 403],
		]) {
			const said = await request(cloud.url, { method: 'POST', path: '/dispatch', body: '{}', headers });
			assert.equal(said.status, status);
		}
		assert.deepEqual(await sandboxes(), before);
	});
});

describe('chompctl cloudflare', { skip: noCloudHost }, () => {
	let cloud;
	let chomp;
	let tools; // stand-ins for docker, and for wrangler, which wants an account
	after(async () => {
		await chomp?.stop();
		await cloud?.stop();
	});

	// The answers go to its questions in order.
	const ctl = (args, answers = []) =>
		new Promise((resolve) => {
			const child = spawn(path.join(repoRoot, 'scripts/chompctl'), ['cloudflare', ...args], {
				env: {
					...chomp.env,
					PATH: `${tools}:${path.dirname(process.execPath)}:${process.env.PATH}`,
					HOME: chomp.base,
					CHOMP_WRANGLER: path.join(tools, 'wrangler'),
					CHOMP_CLOUDFLARE_PAUSE: '0.2',
					FAKE_WRANGLER: tools,
				},
			});
			let text = '';
			for (const s of [child.stdout, child.stderr]) s.on('data', (d) => (text += d));
			child.on('close', (code) => resolve({ code, text }));
			child.stdin.end(answers.map((a) => `${a}\n`).join(''));
		});
	const called = () => fs.readFileSync(path.join(tools, 'calls'), 'utf8');
	const secretFile = () => path.join(chomp.var, 'secrets/cloudflare_secret');

	test('setup asks, deploys, hands the secret over on stdin alone, and tries the host and the way back', async () => {
		cloud = await startCloudHost({ capacity: 2 });
		chomp = await startInstance();
		tools = path.join(chomp.base, 'tools');
		fs.mkdirSync(tools);
		const script = (name, text) => fs.writeFileSync(path.join(tools, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
		script('docker', 'exit 0');
		script(
			'wrangler',
			`echo "$@" >>"$FAKE_WRANGLER/calls"
			case $1 in whoami) echo "You are logged in" ;; secret) cat >"$FAKE_WRANGLER/secret" ;; deploy) echo Uploaded; [ ! -e "$FAKE_WRANGLER/fail" ] ;; esac`,
		);
		// the Worker under test has its secret already
		fs.copyFileSync(cloud.secretFile, secretFile());
		const said = await ctl(['setup'], ['no good name!', '', 'nowhere', chomp.url, cloud.url]);
		assert.equal(said.code, 0, `${said.text}\n${cloud.log()}`);
		assert.match(said.text, /small letters/, 'a bad answer is asked again');
		assert.match(said.text, /ok +a box reaches us[^]*ok +a trial box ran/);
		assert.match(called(), /^deploy --name chomp-sandbox$/m);
		assert.match(called(), /^secret put CHOMP_SECRET --name chomp-sandbox$/m);
		assert.ok(!called().includes(cloud.secret) && !said.text.includes(cloud.secret));
		assert.equal(fs.readFileSync(path.join(tools, 'secret'), 'utf8').trim(), cloud.secret);
		assert.deepEqual((await cloud.calls()).up, [], 'the trial leaves nothing');
	});

	test('after a restart tasks go there, and doctor says that all is well', async () => {
		assert.equal((await chomp.ctl(['restart'])).code, 0);
		const t = await chomp.create({ prompt: 'echo from the cloud', agent: 'shell', run: true });
		await chomp.until(t.id, 'done', { context: cloud.log });
		assert.ok((await cloud.calls()).calls.some((c) => c.id === t.id || c.op === 'startProcess'));
		assert.match((await chomp.ctl(['doctor'])).text, /takes our secret/);
	});

	test('a wrong secret and a callback that leads nowhere are told, with what mends it', async () => {
		const file = path.join(chomp.var, 'cloudflare');
		const kept = fs.readFileSync(file, 'utf8');
		fs.writeFileSync(file, kept.replace(/callback=.*/, 'callback=http://127.0.0.1:1'));
		const lost = await ctl(['check']);
		assert.notEqual(lost.code, 0);
		assert.match(lost.text, /does not reach chomp/);
		fs.writeFileSync(file, kept);
		const secret = fs.readFileSync(secretFile());
		fs.writeFileSync(secretFile(), 'another\n');
		const wrong = await ctl(['check']);
		assert.notEqual(wrong.code, 0);
		assert.match(wrong.text, /refused[^]*401/);
		assert.match((await chomp.ctl(['doctor'])).text, /does not take the secret/);
		fs.writeFileSync(secretFile(), secret);
		assert.equal((await ctl(['check'])).code, 0);
	});

	test('a deployment that fails changes nothing', async () => {
		fs.writeFileSync(path.join(tools, 'fail'), '');
		const said = await ctl(['setup'], ['other-name', '', '']);
		assert.notEqual(said.code, 0);
		assert.match(said.text, /wrangler deploy failed/);
		assert.match(fs.readFileSync(path.join(chomp.var, 'cloudflare'), 'utf8'), /^name=chomp-sandbox$/m);
		fs.rmSync(path.join(tools, 'fail'));
	});

	test('remove deletes the Worker, and tasks stay here again', async () => {
		assert.equal((await ctl(['remove'])).code, 0);
		assert.match(called(), /^delete --name chomp-sandbox$/m);
		assert.ok(!fs.existsSync(secretFile()));
		assert.equal((await chomp.ctl(['restart'])).code, 0);
		const before = (await cloud.calls()).calls.length;
		const t = await chomp.create({ prompt: 'echo at home', agent: 'shell', run: true });
		await chomp.until(t.id, 'done');
		assert.equal((await cloud.calls()).calls.length, before);
		const asked = await chomp.create({ prompt: 'echo no', agent: 'shell', run: true, host: 'cloudflare' });
		const failed = await chomp.until(asked.id, 'failed');
		assert.match(failed.error, /no Cloudflare host/);
	});
});

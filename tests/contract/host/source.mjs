// Where the code in the box comes from: a directory of the host, or a repository by URL.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { serveRepo } from '../../lib/git-server.mjs';
import { git, makeRepo, tempDir, treeHash } from '../../lib/repo.mjs';
import { waitFor } from '../../lib/wait.mjs';
import {
	assertError,
	box,
	dispatch,
	dispatchBody,
	ended,
	kill,
	kind,
	logs,
	onlyCloud,
	onlyLocal,
	start,
} from '../kit.mjs';

describe('a directory of the host', () => {
	let dir;
	before(() => (dir = tempDir('chomp-repo')));
	after(() => fs.rmSync(dir, { recursive: true, force: true }));

	test('a dir without repoUrl is refused by a host that has no directories', { skip: onlyCloud }, async () => {
		const error = assertError(await dispatch(dispatchBody('exit 0', { dir: '/tmp' })), 400);
		assert.equal(error.code, 'dir_needs_local');
	});

	test(
		'a git repository is cloned, what is committed is there, and the original stays as it was',
		{ skip: onlyLocal },
		async (t) => {
			const mark = path.join(dir, 'hook-ran');
			const trap = `#!/bin/sh\ntouch ${mark} /tmp/hook-ran\necho hook-ran\n`;
			const repo = makeRepo(
				path.join(dir, 'a "quoted" dir'),
				{ 'README.md': 'from the commit\n', 'sub/file.txt': 'deep\n' },
				{
					hooks: {
						'post-checkout': trap,
						'post-index-change': trap,
						'reference-transaction': trap,
						'pre-commit': trap,
						'post-commit': trap,
					},
				},
			);
			fs.writeFileSync(path.join(repo, 'uncommitted.txt'), 'not in the commit\n');
			git(repo, 'config', 'core.fsmonitor', `touch ${mark}; false`);
			git(repo, 'config', 'filter.x.smudge', `touch ${mark}; cat`);
			git(repo, 'config', 'uploadpack.packObjectsHook', `touch ${mark}; true`);
			git(repo, 'config', 'alias.status', `!touch ${mark}`);
			const before = treeHash(repo);
			const s = await start(
				t,
				`
			cd "$TASK_DIR" || exit 9
			cat README.md sub/file.txt | put clone-files
			ls | put clone-list
			git log --format=%s | put clone-log
			git config --list --local | put clone-config
			echo changed >README.md; git -c user.name=a -c user.email=a@b commit -qam change && git push origin HEAD 2>&1 | put clone-push
			( echo x >/source/README.md || rm -rf /source/.git ) 2>/dev/null
			ls /tmp/hook-ran 2>/dev/null | put hook-inside
			exit 0`,
				{ dir: repo },
			);
			const end = await ended(s.sandboxId);
			assert.equal((await box.put('clone-files')).toString(), 'from the commit\ndeep\n', `exit ${end.exitCode}`);
			assert.equal((await box.put('clone-list')).toString(), 'README.md\nsub\n');
			assert.equal((await box.put('clone-log')).toString(), 'first\n');
			assert.doesNotMatch((await box.put('clone-config')).toString(), /fsmonitor=touch|filter\.x|alias\.status/);
			assert.equal(
				(await box.put('hook-inside')).toString(),
				'',
				"no hook of the host's repository ran in the box",
			);
			assert.ok(!fs.existsSync(mark), 'nor outside');
			assert.equal(treeHash(repo), before, 'the original is byte for byte what it was');
		},
	);

	test('a branch of it can be asked for', { skip: onlyLocal }, async (t) => {
		const repo = makeRepo(
			path.join(dir, 'branches'),
			{ f: 'main\n' },
			{ branches: { 'topic/one': { f: 'topic\n' } } },
		);
		const s = await start(t, 'cd "$TASK_DIR" && cat f | put branch-file', { dir: repo, branch: 'topic/one' });
		await ended(s.sandboxId);
		assert.equal((await box.put('branch-file')).toString(), 'topic\n');
	});

	test('a branch that is not there is told, and the script does not run', { skip: onlyLocal }, async (t) => {
		const repo = makeRepo(path.join(dir, 'nobranch'));
		const body = dispatchBody('put nobranch-ran <<<x', { dir: repo, branch: 'no-such-branch', taskId: '4300' });
		t.after(() => kill(body.dispatchId));
		const said = await dispatch(body);
		if (said.status !== 200) return void assertError(said, 400);
		assert.notEqual((await ended(said.json().sandboxId)).exitCode, 0);
		assert.match((await logs(said.json().sandboxId)).text, /no-such-branch/);
		assert.equal(box.puts('nobranch-ran').length, 0);
		return undefined;
	});

	const bad = {
		'does not exist': () => path.join(dir, 'nowhere'),
		'is no repository': () => fs.mkdirSync(path.join(dir, 'plain'), { recursive: true }) || path.join(dir, 'plain'),
		'is a file': () => fs.writeFileSync(path.join(dir, 'afile'), 'x') || path.join(dir, 'afile'),
		'is not absolute': () => 'relative/path',
		climbs: () => `${dir}/../../etc`,
		'is empty': () => '',
	};
	for (const [what, make] of Object.entries(bad)) {
		test(`a dir that ${what} is refused with the path in the reason`, { skip: onlyLocal }, async (t) => {
			const where = make();
			const body = dispatchBody('put bad-dir-ran <<<x', { dir: where });
			t.after(() => kill(body.dispatchId));
			const said = await dispatch(body);
			if (what === 'is empty' && said.status === 200) return; // an empty dir may also mean none
			const error = assertError(said, 400);
			assert.match(error.message, /dir/);
			assert.equal(box.puts('bad-dir-ran').length, 0);
		});
	}
});

describe('a repository by URL', () => {
	let dir;
	let served;
	before(async () => {
		dir = tempDir('chomp-remote');
		if (kind === 'local')
			served = await serveRepo(
				makeRepo(
					path.join(dir, 'r'),
					{ 'README.md': 'by url\n', 'pkg/inner.txt': 'inner\n' },
					{ branches: { topic: { 'README.md': 'topic by url\n' } } },
				),
			);
	});
	after(async () => {
		await served?.close();
		fs.rmSync(dir, { recursive: true, force: true });
	});

	test('repoUrl and branch are cloned, and dir is a path inside', { skip: onlyLocal }, async (t) => {
		const s = await start(
			t,
			'cat "$TASK_DIR/inner.txt" | put url-inner; cat "$(git -C "$TASK_DIR" rev-parse --show-toplevel)/README.md" | put url-readme',
			{ repoUrl: served.url, branch: 'topic', dir: 'pkg' },
		);
		await ended(s.sandboxId);
		assert.equal((await box.put('url-inner')).toString(), 'inner\n');
		assert.equal((await box.put('url-readme')).toString(), 'topic by url\n');
	});

	test('a repository that cannot be cloned fails with a reason, and the script does not run', async (t) => {
		const s = await start(t, 'put noclone-ran <<<x', { repoUrl: 'http://127.0.0.1:1/no/such.git', taskId: '4301' });
		assert.notEqual((await ended(s.sandboxId)).exitCode, 0);
		const fail = await waitFor('the fail callback', () =>
			box.calls('fail').find((c) => JSON.parse(c.body).id?.toString() === '4301'),
		);
		assert.match(JSON.parse(fail.body).reason, /clone|repository/i);
		assert.equal(box.puts('noclone-ran').length, 0);
	});

	for (const repoUrl of ['--upload-pack=touch /tmp/pwned', '-u', '-oProxyCommand=touch /tmp/pwned']) {
		test(`a repoUrl that git would take for an option is refused: ${repoUrl}`, async () => {
			assertError(await dispatch(dispatchBody('exit 0', { repoUrl })), 400);
		});
	}

	for (const repoUrl of ['ext::sh -c "touch /tmp/pwned"', 'ssh://-oProxyCommand=touch/x']) {
		test(`a repoUrl that would run a command runs none: ${repoUrl}`, async (t) => {
			const body = dispatchBody('ls /tmp/pwned && put pwned <<<x; exit 0', { repoUrl });
			t.after(() => kill(body.dispatchId));
			const said = await dispatch(body);
			if (said.status !== 200) return void assertError(said, 400);
			assert.notEqual((await ended(said.json().sandboxId)).exitCode, 0);
			assert.equal(box.puts('pwned').length, 0);
			return undefined;
		});
	}

	for (const branch of ['--upload-pack=x', '-b']) {
		test(`a branch that git would take for an option is refused: ${branch}`, async () => {
			assertError(
				await dispatch(dispatchBody('exit 0', { repoUrl: 'https://example.invalid/r.git', branch })),
				400,
			);
		});
	}
});

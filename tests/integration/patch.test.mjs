// The work comes back: whatever a script does to its clone is in changes.patch, and the patch makes the same tree of a clean
// clone. With the agent `shell`, so that every kind of change can be made.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { shared } from '../lib/instance.mjs';
import { git, makeRepo, tempDir, treeHash } from '../lib/repo.mjs';
import { waitFor } from '../lib/wait.mjs';

const chomp = await shared({ after });
const dir = tempDir('chomp-patch');
after(() => fs.rmSync(dir, { recursive: true, force: true }));

const files = {
	'README.md': 'line 1\nline 2\nline 3\n',
	'src/a.c': 'int a;\n',
	'src/b.c': 'int b;\n',
	'tool.sh': '#!/bin/sh\n',
	'with space/ü "q".txt': 'odd name\n',
	'crlf.txt': 'one\r\ntwo\r\n',
	'noeol.txt': 'no newline at the end',
	'.gitignore': 'build/\n',
};

// Runs a script on a clone of a fresh repository; gives the repository, the task and the patch (null when there is none).
async function work(script, { options, more = {} } = {}) {
	const repo = makeRepo(path.join(dir, `r-${randomBytes(4).toString('hex')}`), files, options);
	const before = treeHash(repo);
	const task = await chomp.create({
		prompt: `cd "$TASK_DIR" || exit 99\n${script}`,
		agent: 'shell',
		dir: repo,
		...more,
	});
	await chomp.run(task.id);
	const ended = await chomp.until(task.id, (t) => t.status === 'done' || t.status === 'failed');
	assert.equal(treeHash(repo), before, 'the original is untouched');
	const said = await chomp.api.get(`/api/tasks/${task.id}/artifacts/changes.patch`);
	return { repo, task: ended, patch: said.status === 200 ? said.body : null };
}

// What the patch makes of a clean clone: { name: content }.
function applied(repo, patch) {
	const clean = path.join(dir, `c-${randomBytes(4).toString('hex')}`);
	git(dir, 'clone', '-q', repo, clean);
	const file = `${clean}.patch`;
	fs.writeFileSync(file, patch);
	git(clean, 'apply', '--index', file);
	return clean;
}

const read = (clean, name) => fs.readFileSync(path.join(clean, name), 'utf8');

describe('changes.patch', () => {
	test('holds edited, new, deleted, renamed, binary and executable files, links and odd names', async () => {
		const { repo, task, patch } = await work(`
			sed -i 's/line 2/line two/' README.md
			echo 'int c;' >src/c.c
			mkdir -p 'deep/er dir' && printf 'x' >'deep/er dir/né "w".txt'
			rm src/b.c
			mv src/a.c src/moved.c
			head -c 5000 /dev/urandom >blob.bin; sha256sum blob.bin
			chmod +x tool.sh
			ln -s README.md link
			echo more >>'with space/ü "q".txt'
			printf 'three\\r\\n' >>crlf.txt
			printf ' and more' >>noeol.txt
			: >empty
			mkdir build && echo ignored >build/out`);
		assert.equal(task.status, 'done', task.error);
		const clean = applied(repo, patch);
		assert.equal(read(clean, 'README.md'), 'line 1\nline two\nline 3\n');
		assert.equal(read(clean, 'src/c.c'), 'int c;\n');
		assert.equal(read(clean, 'deep/er dir/né "w".txt'), 'x');
		assert.ok(!fs.existsSync(path.join(clean, 'src/b.c')));
		assert.ok(!fs.existsSync(path.join(clean, 'src/a.c')));
		assert.equal(read(clean, 'src/moved.c'), 'int a;\n');
		assert.equal(fs.statSync(path.join(clean, 'blob.bin')).size, 5000);
		assert.ok(fs.statSync(path.join(clean, 'tool.sh')).mode & 0o100);
		assert.equal(fs.readlinkSync(path.join(clean, 'link')), 'README.md');
		assert.equal(read(clean, 'with space/ü "q".txt'), 'odd name\nmore\n');
		assert.equal(read(clean, 'crlf.txt'), 'one\r\ntwo\r\nthree\r\n');
		assert.equal(read(clean, 'noeol.txt'), 'no newline at the end and more');
		assert.equal(read(clean, 'empty'), '');
		assert.ok(!fs.existsSync(path.join(clean, 'build')), 'what is ignored stays out');
	});

	test('holds what the agent committed, on whatever branch, and what it did not', async () => {
		const { repo, task, patch } = await work(`
			git checkout -q -b topic && echo one >committed && git add -A && git commit -q -m one
			echo two >>committed && git commit -q -am two
			echo three >uncommitted`);
		assert.equal(task.status, 'done', task.error);
		const clean = applied(repo, patch);
		assert.equal(read(clean, 'committed'), 'one\ntwo\n');
		assert.equal(read(clean, 'uncommitted'), 'three\n');
	});

	test('is not there when nothing was changed, and the task is done', async () => {
		const { task, patch } = await work('cat README.md');
		assert.equal(task.status, 'done');
		assert.equal(patch, null);
		assert.deepEqual(task.artifacts, []);
	});

	test('is there when the script failed: the work is not lost', async () => {
		const { repo, task, patch } = await work('echo half >half; exit 4');
		assert.equal(task.status, 'failed');
		assert.equal(task.sessions[0].exit_code, 4);
		assert.equal(read(applied(repo, patch), 'half'), 'half\n');
	});

	test('is made before the session is closed, also when the agent closes it itself', async () => {
		const { repo, task, patch } = await work('echo mine >mine; chomp done --result "closed by me"');
		assert.equal(task.result, 'closed by me');
		assert.equal(read(applied(repo, patch), 'mine'), 'mine\n');
	});

	test('does not run or obey what the agent put into its .git, and is complete all the same', async () => {
		const { repo, task, patch } = await work(`
			echo '* filter=evil diff=evil' >.gitattributes
			git config filter.evil.clean 'echo POISONED; touch /tmp/ran'
			git config diff.evil.command 'touch /tmp/ran; false'
			git config diff.evil.textconv 'touch /tmp/ran; echo'
			git config core.fsmonitor 'touch /tmp/ran; false'
			git config core.hooksPath /workspace/hooks
			git config diff.external 'touch /tmp/ran; false'
			git config core.quotePath false
			mkdir -p /workspace/hooks && printf '#!/bin/sh\\ntouch /tmp/ran\\n' >/workspace/hooks/post-index-change && chmod +x /workspace/hooks/*
			echo '*' >>.git/info/exclude
			echo real content >new-file
			rm -f /tmp/ran; (sleep 0.5; :) `);
		assert.equal(task.status, 'done', task.error);
		const clean = applied(repo, patch);
		assert.equal(read(clean, 'new-file'), 'real content\n');
		assert.ok(!patch.includes('POISONED'));
	});

	test('leaves out a repository inside the repository and says so', async () => {
		const { repo, task, patch } = await work('echo outer >outer; git init -q inner && echo x >inner/x');
		assert.equal(task.status, 'done', task.error);
		const clean = applied(repo, patch);
		assert.equal(read(clean, 'outer'), 'outer\n');
		assert.ok(!fs.existsSync(path.join(clean, 'inner')));
		await waitFor('it is said', async () => /inner/.test(await chomp.output(task.id)));
	});

	test('that would be larger than 32 MiB fails the task with the reason, not silently', async () => {
		const { task } = await work('head -c 40000000 /dev/urandom >huge.bin');
		assert.equal(task.status, 'failed');
		assert.match(task.error, /32 MiB|large/);
	});

	test('a task of a branch starts from that branch', async () => {
		const { repo, task, patch } = await work('cat only-here && echo added >>only-here', {
			options: { branches: { 'topic/x': { 'only-here': 'topic\n' } } },
			more: { branch: 'topic/x' },
		});
		assert.equal(task.status, 'done', task.error);
		const clean = path.join(dir, 'branch-clean');
		git(dir, 'clone', '-q', '-b', 'topic/x', repo, clean);
		fs.writeFileSync(`${clean}.patch`, patch);
		git(clean, 'apply', '--index', `${clean}.patch`);
		assert.equal(read(clean, 'only-here'), 'topic\nadded\n');
	});
});

describe('a directory of this host', () => {
	async function fails(where, words) {
		const task = await chomp.create({ prompt: 'echo must not run', agent: 'shell', dir: where });
		await chomp.run(task.id);
		const failed = await chomp.until(task.id, (t) => t.status !== 'active');
		assert.equal(failed.status, 'failed');
		assert.match(failed.error, words);
		await chomp.settled(task.id);
		assert.doesNotMatch(await chomp.output(task.id), /must not run/);
	}

	test(
		'that the sandbox user may not read fails the task and says who may not and what mends it',
		{ skip: process.getuid() !== 0 && 'started as a normal user, everything is that user' },
		async () => {
			const repo = makeRepo(path.join(dir, 'closed'));
			fs.chmodSync(repo, 0o700);
			await fails(repo, /chomp-box[^]*setfacl|may not read/);
		},
	);

	test('without a commit is told, or worked on as an empty one', async () => {
		const repo = path.join(dir, 'unborn');
		fs.mkdirSync(repo);
		git(repo, 'init', '-q', '-b', 'main');
		const task = await chomp.create({ prompt: 'cd "$TASK_DIR" && echo first >first', agent: 'shell', dir: repo });
		await chomp.run(task.id);
		const ended = await chomp.until(task.id, (t) => t.status !== 'active');
		if (ended.status === 'failed') assert.ok(ended.error.length > 5);
		else assert.ok(ended.artifacts.some((a) => (a.name ?? a) === 'changes.patch'));
	});

	test('whose name holds spaces, quotes, a dollar and a dash is cloned like any other', async () => {
		const repo = makeRepo(path.join(dir, '-o "$(id)" \'q\' %s ü'), { f: 'found\n' });
		const task = await chomp.create({ prompt: 'cat "$TASK_DIR/f"', agent: 'shell', dir: repo });
		await chomp.run(task.id);
		await chomp.until(task.id, 'done');
		await waitFor('its content', async () => /found/.test(await chomp.output(task.id)));
	});
});

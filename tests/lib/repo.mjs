// Git repositories for tests, made without the machine's own git configuration.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const gitEnv = {
	PATH: process.env.PATH,
	HOME: '/nonexistent',
	GIT_CONFIG_NOSYSTEM: '1',
	GIT_CONFIG_GLOBAL: '/dev/null',
	LANG: 'C.UTF-8',
	GIT_AUTHOR_NAME: 'Test',
	GIT_AUTHOR_EMAIL: 'test@example.org',
	GIT_COMMITTER_NAME: 'Test',
	GIT_COMMITTER_EMAIL: 'test@example.org',
	GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
	GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
};

export function git(dir, ...args) {
	return execFileSync('git', ['-c', `safe.directory=*`, ...args], {
		cwd: dir,
		env: gitEnv,
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
	});
}

// A directory that other users can enter: the sandbox host is one when the tests run as root.
export function tempDir(name = 'chomp-test') {
	const dir = fs.mkdtempSync(path.join(process.env.CHOMP_TEST_TMP || os.tmpdir(), `${name}-`));
	fs.chmodSync(dir, 0o755);
	return dir;
}

// A repository on branch `main` with one commit of `files` ({name: content}); branches: {name: files}, hooks: {name: script}.
export function makeRepo(dir, files = { 'README.md': 'hello\n' }, { branches = {}, hooks = {} } = {}) {
	fs.mkdirSync(dir, { recursive: true });
	git(dir, 'init', '-q', '-b', 'main');
	const commit = (content, message) => {
		for (const [name, text] of Object.entries(content)) {
			fs.mkdirSync(path.join(dir, path.dirname(name)), { recursive: true });
			fs.writeFileSync(path.join(dir, name), text);
		}
		git(dir, 'add', '-A');
		git(dir, 'commit', '-q', '-m', message);
	};
	commit(files, 'first');
	for (const [name, content] of Object.entries(branches)) {
		git(dir, 'checkout', '-q', '-b', name);
		commit(content, name);
		git(dir, 'checkout', '-q', 'main');
	}
	for (const [name, script] of Object.entries(hooks)) {
		fs.mkdirSync(path.join(dir, '.git/hooks'), { recursive: true });
		fs.writeFileSync(path.join(dir, '.git/hooks', name), script, { mode: 0o755 });
	}
	return dir;
}

// One hash over every name, mode and content below a directory, .git included: equal means nobody wrote there.
export function treeHash(dir) {
	const hash = createHash('sha256');
	const walk = (at) => {
		for (const name of fs.readdirSync(at).sort()) {
			const full = path.join(at, name);
			const st = fs.lstatSync(full);
			hash.update(`${path.relative(dir, full)}\0${st.mode}\0${st.uid}\0`);
			if (st.isSymbolicLink()) hash.update(fs.readlinkSync(full));
			else if (st.isDirectory()) walk(full);
			else if (st.isFile()) hash.update(fs.readFileSync(full));
		}
	};
	walk(dir);
	return hash.digest('hex');
}

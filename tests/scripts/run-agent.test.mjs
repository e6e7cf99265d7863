// scripts/run-agent with the shell agent and small programs of the test's own: judge, clone, run, collect, close.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { git, makeRepo, tempDir, treeHash } from '../lib/repo.mjs';
import { isAlive } from '../lib/processes.mjs';
import { serveRepo, serveWritable } from '../lib/git-server.mjs';
import { sleep, waitFor } from '../lib/wait.mjs';
import { TOKEN, asRoot, boxDir, session, treeAfter } from './box.mjs';

let repo;

before(() => {
	repo = makeRepo(path.join(tempDir(), 'src'), {
		'README.md': 'hello\n', 'sub/deep/a.txt': 'a\n', 'gone.txt': 'gone\n', 'old name.txt': 'one\ntwo\nthree\nfour\nfive\n', 'run.sh': '#!/bin/sh\n',
		'.gitignore': 'ignored/\n*.log\n', 'bin.dat': Buffer.from([0, 1, 2, 255, 254]),
	}, { branches: { side: { 'side.txt': 'side\n' } } });
});

describe('shell', { concurrency: 4 }, () => {
	test('exit code 0 is done', async () => {
		const s = await session({ prompt: 'echo "hello from $TASK_DIR"; exit 0\n' });
		assert.equal(s.code, 0);
		assert.match(s.output, /hello from .*\/ws/);
		assert.deepEqual(s.calls.map((c) => [c.verb, c.json]), [['done', { id: '7', exit_code: 0 }]]);
	});
	test('another code is failed, with the reason', async () => {
		const s = await session({ prompt: 'exit 42' });
		assert.equal(s.code, 42);
		assert.deepEqual(s.closing.json, { id: '7', exit_code: 42, reason: 'shell ended with exit code 42' });
	});
	test('a signal is failed, with its name', async () => {
		const s = await session({ prompt: 'kill -SEGV $$' });
		assert.equal(s.code, 139);
		assert.match(s.closing.json.reason, /signal SEGV/);
	});
	test('CRLF becomes LF', async () => {
		const s = await session({ prompt: 'x=1\r\nif true; then\r\n\techo "x is <$x>"\r\nfi\r\n' });
		assert.equal(s.code, 0);
		assert.match(s.output, /x is <1>/);
	});
	test('no prompt is a shell line: quotes, dollars, a leading dash, 200 KiB', async () => {
		const text = 'cat <<\'EOF\' >out\n-x $(id) `id` "q" \'q\' \\ é 😀\n' + 'x'.repeat(200 * 1024) + '\nEOF\n';
		const s = await session({ prompt: text });
		assert.equal(s.code, 0, s.output);
		assert.equal(fs.readFileSync(path.join(s.dir, 'ws/out'), 'utf8'), text.split('\n').slice(1, 3).join('\n') + '\n');
		const dash = await session({ prompt: '-x; exit 3' });
		assert.equal(dash.code, 3);
	});
	test('reports no tokens, because it has none', async () => {
		const s = await session({ prompt: 'sleep 0' });
		assert.equal(s.of('update').length, 0);
		assert.equal('usage' in s.closing.json || 'tokens' in s.closing.json, false);
	});
	test('stdin is the terminal', async () => {
		const s = await session({
			prompt: 'test -t 0 && test -t 1 && test -t 2 || exit 9; echo ready; read -r line; echo "got <$line>"', pty: true,
			during: async ({ child, output }) => {
				await waitFor('the script asks', () => /ready/.test(output()));
				child.stdin.write('typed\n');
			},
		});
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /got <typed>/);
	});
	test('Ctrl-C reaches the script, and the session ends as failed', async () => {
		const s = await session({
			prompt: 'echo ready; sleep 600', pty: true,
			during: async ({ child, output }) => {
				await waitFor('the script runs', () => /ready/.test(output()));
				child.stdin.write('\x03');
			},
		});
		assert.equal(s.code, 130, s.output);
		assert.match(s.closing.json.reason, /signal INT/);
	});
	test('a script that takes Ctrl-C itself goes on', async () => {
		const s = await session({
			prompt: 'trap "echo caught; exit 0" INT; echo ready; for i in $(seq 600); do sleep 0.1; done', pty: true,
			during: async ({ child, output }) => {
				await waitFor('the script runs', () => /ready/.test(output()));
				child.stdin.write('\x03');
			},
		});
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /caught/);
		assert.equal(s.closing.verb, 'done');
	});
	test('what it leaves running does not keep the session open', async () => {
		const s = await session({ prompt: 'sleep 20 >/dev/null 2>&1 & echo bye' });
		assert.equal(s.closing.verb, 'done');
	});
	test('the environment: its task, a token file, no token', async () => {
		const s = await session({ prompt: 'env; echo "file: $(cat "$CHOMP_TOKEN_FILE")"; command -v chomp', model: 'bash' });
		for (const want of ['TASK_ID=7', 'SESSION_ID=s1', 'AGENT=shell', 'MODEL=bash', /TASK_DIR=\S+\/ws/, `file: ${TOKEN}`, /scripts\/chomp/])
			assert.match(s.output, new RegExp(want));
		assert.equal(s.output.split(TOKEN).length, 2);
	});
});

describe('judged before the start', { concurrency: 4 }, () => {
	const rows = [
		['unknown agent', { agent: 'nobody' }, /unknown agent nobody/],
		['an agent that is a path', { agent: '../adapters/shell' }, /no agent's id/],
		['no agent', { agent: '' }, /no agent's id/],
		['an agent named as a file of ours', { agent: '_common' }, /no agent's id/],
		['pi that is not installed', { agent: 'pi', model: 'm', router: 'custom', env: { CUSTOM_BASE_URL: 'http://x/v1' } }, /pi is not installed.*chompctl agent install pi/],
		['opencode that is not installed', { agent: 'opencode', model: 'm' }, /opencode is not installed.*chompctl agent install opencode/],
		['shelley', { agent: 'shelley' }, /Shelley is not installed/],
		['claude', { agent: 'claude' }, /Claude Code is not installed/],
		['codex', { agent: 'codex' }, /Codex is not installed/],
		['gemini', { agent: 'gemini' }, /Gemini CLI is not installed/],
		['a command whose program is missing', { agent: 'mine', command: 'no-such-program {prompt}' }, /no-such-program is not in this sandbox/],
	];
	for (const [name, options, reason] of rows)
		test(name, async () => {
			const s = await session({ prompt: 'x', source: repo, ...options });
			assert.equal(s.code, 127);
			assert.equal(s.closing.verb, 'fail');
			assert.equal(s.closing.json.exit_code, 127);
			assert.match(s.closing.json.reason, reason);
			assert.match(s.output, /failed: /);
			assert.equal(fs.existsSync(s.repo), false, 'cloned nothing');
		});
	test('an agent that is there, but that we cannot run yet, says so', async () => {
		const dir = boxDir({ prompt: 'x' });
		fs.mkdirSync(path.join(dir, 'agents/shelley/bin'), { recursive: true });
		fs.writeFileSync(path.join(dir, 'agents/shelley/bin/shelley'), '#!/bin/sh\n', { mode: 0o755 });
		const s = await session({ dir, agent: 'shelley' });
		assert.equal(s.code, 127);
		assert.match(s.closing.json.reason, /Shelley is installed here, but this version of chomp cannot run it yet/);
	});
});

describe('which keys and model, for pi and opencode', { concurrency: 4 }, () => {
	const custom = { CUSTOM_BASE_URL: 'http://127.0.0.1:9/v1' };
	const gateway = { CLOUDFLARE_API_TOKEN: 'k1', CLOUDFLARE_ACCOUNT_ID: 'k2', CLOUDFLARE_AI_GATEWAY_ID: 'k3' };
	// an agent that tells how it was called, in place of the real one
	const spy = (id) => {
		const dir = boxDir({ prompt: 'x' });
		fs.mkdirSync(path.join(dir, `agents/${id}/bin`), { recursive: true });
		fs.writeFileSync(path.join(dir, `agents/${id}/bin/${id}`), `#!/bin/bash
			cat >/dev/null
			printf '%s\\n' "$@" >"$HOME/argv"; env >"$HOME/env"; cp "\${PI_CODING_AGENT_DIR:-/nonexistent}/models.json" "$HOME/" 2>/dev/null
			echo '{"type":"message_end","message":{"role":"assistant","stopReason":"stop","content":[]}}'
			echo '{"type":"step_finish","part":{"tokens":{}}}'
		`, { mode: 0o755 });
		return dir;
	};
	const refused = [
		['no model', {}, 'custom', '', /no model/],
		['no key', {}, 'openrouter', 'm', /OPENROUTER_API_KEY is not set/],
		['no key', {}, 'zen', 'm', /OPENCODE_ZEN_API_KEY is not set/],
		['one of three missing', { ...gateway, CLOUDFLARE_ACCOUNT_ID: '' }, 'cf-ai', 'm', /CLOUDFLARE_ACCOUNT_ID is not set/],
		['no address', {}, 'custom', 'm', /custom_base_url/],
		['an API nobody knows', { ...custom, CUSTOM_API: 'soap' }, 'custom', 'm', /openai or anthropic/],
		['an unknown router', {}, 'frob', 'm', /router frob is not known/],
		['provider key missing', {}, '', 'claude-sonnet-4', /ANTHROPIC_API_KEY is not set/],
		['provider key missing', {}, '', 'openai/gpt-4.1', /OPENAI_API_KEY is not set/],
		['provider key missing', {}, '', 'gemini-2.5-pro', /GEMINI_API_KEY is not set/],
		['provider unknown', {}, '', 'llama', /no provider of that name/],
	];
	for (const agent of ['pi', 'opencode'])
		for (const [name, env, router, model, reason] of refused)
			test(`${agent}: ${name} (router ${router || 'none'}, model ${model || 'none'})`, async () => {
				const s = await session({ dir: spy(agent), agent, env, router, model });
				assert.equal(s.code, 127);
				assert.match(s.closing.json.reason, reason);
				assert.equal(fs.existsSync(path.join(s.home, 'argv')), false, 'never started');
			});
	const accepted = [
		[custom, 'custom', 'my/model:7b', 'custom/my/model:7b', ['CUSTOM_API_KEY=none']],
		[{ OPENROUTER_API_KEY: 'k' }, 'openrouter', 'claude-sonnet-4', 'openrouter/anthropic/claude-sonnet-4', ['OPENROUTER_API_KEY=k']],
		[{ OPENROUTER_API_KEY: 'k' }, 'openrouter', 'qwen/qwen3', 'openrouter/qwen/qwen3', []],
		[{ OPENCODE_ZEN_API_KEY: 'k' }, 'zen', 'gpt-4.1', 'opencode/gpt-4.1', ['OPENCODE_API_KEY=k']],
		[gateway, 'cf-ai', 'm', 'cloudflare-ai-gateway/m', ['CLOUDFLARE_API_KEY=k1', 'CLOUDFLARE_API_TOKEN=k1', 'CLOUDFLARE_GATEWAY_ID=k3']],
		[{ ANTHROPIC_API_KEY: 'k' }, '', 'claude-sonnet-4', 'anthropic/claude-sonnet-4', []],
		[{ OPENAI_API_KEY: 'k' }, '', 'openai/gpt-4.1', 'openai/gpt-4.1', []],
		[{ GEMINI_API_KEY: 'k' }, '', 'gemini-2.5-pro', 'google/gemini-2.5-pro', []],
	];
	for (const agent of ['pi', 'opencode'])
		for (const [env, router, model, want, inEnv] of accepted)
			test(`${agent}: router ${router || 'none'}, model ${model} is ${want}`, async () => {
				const s = await session({ dir: spy(agent), agent, env, router, model });
				assert.equal(s.code, 0, s.output);
				const argv = fs.readFileSync(path.join(s.home, 'argv'), 'utf8').split('\n');
				assert.equal(argv[argv.findIndex((a) => a === '--model' || a === '-m') + 1], want);
				for (const line of inEnv)
					assert.ok(fs.readFileSync(path.join(s.home, 'env'), 'utf8').split('\n').includes(line), line);
			});
	test('the key of a custom server is in no argument and no file', async () => {
		for (const agent of ['pi', 'opencode']) {
			const s = await session({ dir: spy(agent), agent, router: 'custom', model: 'm', env: { ...custom, CUSTOM_API_KEY: 'sk-canary' } });
			assert.match(fs.readFileSync(path.join(s.home, 'env'), 'utf8'), /^CUSTOM_API_KEY=sk-canary$/m);
			fs.rmSync(path.join(s.home, 'env'));
			assert.equal(grep(s.dir, 'sk-canary'), '');
			assert.doesNotMatch(s.output, /sk-canary/);
		}
	});
});

function grep(dir, text) {
	try {
		return execFileSync('grep', ['-rlF', text, dir], { encoding: 'utf8' });
	} catch {
		return '';
	}
}

describe('clone', { concurrency: 4 }, () => {
	test('a host repository: its commit, no hooks, the source untouched', async () => {
		// its own: a test beside this one serves `repo` by http, for which git writes into it
		const mine = path.join(tempDir(), 'mine');
		fs.cpSync(repo, mine, { recursive: true });
		const was = treeHash(mine);
		const s = await session({ source: mine, prompt: 'pwd; git log --oneline | wc -l; git status --porcelain; cat README.md; ls .git/hooks 2>/dev/null | wc -l' });
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /\/ws\/repo\n1\nhello\n0\n/);
		assert.equal(treeHash(mine), was);
		assert.equal(s.patch, undefined, 'nothing changed, nothing uploaded');
		assert.equal(s.closing.verb, 'done');
	});
	test('its objects are its own: no hard links, no borrowed ones', async () => {
		const s = await session({ source: repo, prompt: 'find .git/objects -type f -links +1; cat .git/objects/info/alternates; exit 0' });
		assert.doesNotMatch(s.output, /\.git\/objects\/..\//);
		assert.match(s.output, /No such file/);
	});
	test('a source of another user', { skip: asRoot ? false : 'needs root' }, async () => {
		const other = makeRepo(path.join(tempDir(), 'other'));
		execFileSync('chown', ['-R', '4321:4321', other]);
		const s = await session({ boxed: true, source: other, prompt: 'cat README.md; echo x >new; git add new; git commit -qm x && echo committed' });
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /hello\n.*committed/s);
		assert.match(String(s.patch), /^\+x$/m);
	});
	test('only the .git of the source, as the sandbox host binds it', async () => {
		const s = await session({ boxed: true, binds: [[path.join(repo, '.git'), '/source/.git']], env: { TASK_SOURCE: '/source' }, prompt: 'cat README.md' });
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /hello/);
	});
	test('a bare repository', async () => {
		const bare = path.join(tempDir(), 'bare.git');
		git('/', 'clone', '-q', '--bare', repo, bare);
		assert.equal((await session({ source: bare, prompt: 'test -f README.md' })).code, 0);
	});
	test('a branch', async () => {
		const s = await session({ source: repo, branch: 'side', prompt: 'cat side.txt; git rev-parse --abbrev-ref HEAD' });
		assert.match(s.output, /side\nside\n/);
	});
	test('a repository by http, with its whole history', async () => {
		const server = await serveRepo(repo);
		const s = await session({ repoUrl: server.url, branch: 'side', prompt: 'git log --oneline | wc -l; test -f side.txt' });
		await server.close();
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /^2$/m);
	});
	test('a repository without commits', async () => {
		const empty = path.join(tempDir(), 'empty');
		git('/', 'init', '-q', '-b', 'main', empty);
		const s = await session({ source: empty, prompt: 'echo one >first' });
		assert.equal(s.code, 0, s.output);
		assert.match(String(s.patch), /^\+one$/m);
	});
	test('a directory inside', async () => {
		const s = await session({ repoUrl: `file://${repo}`, subdir: 'sub/deep', prompt: 'pwd; echo "$TASK_DIR"; cat a.txt' });
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /\/ws\/repo\/sub\/deep\n.*\/ws\/repo\/sub\/deep\na\n/);
	});

	const refused = [
		['an option for a URL', { repoUrl: '--upload-pack=touch /tmp/pwned' }, /repo_url/],
		['a remote helper', { repoUrl: 'ext::sh -c "touch /tmp/pwned"' }, /repo_url/],
		['a control character', { repoUrl: 'https://x/\ny' }, /repo_url/],
		['a plain path', { repoUrl: '/etc' }, /repo_url/],
		['an option for a branch', { source: 'REPO', branch: '--config=x' }, /branch/],
		['a branch that is not there', { source: 'REPO', branch: 'nope' }, /git clone:.*nope/],
		['a repository that is not there', { repoUrl: 'file:///nonexistent/repo' }, /git clone:.*\/nonexistent\/repo/],
		['a server that is not there', { repoUrl: 'http://127.0.0.1:1/x.git' }, /git clone:.*127\.0\.0\.1/],
		['a directory that is no repository', { source: '/usr' }, /git clone:.*(not appear to be a git repository|Could not read)/],
		['a directory outside', { source: 'REPO', subdir: '../..' }, /dir:.*inside the repository/],
		['a directory by absolute path', { source: 'REPO', subdir: '/etc' }, /dir:/],
		['a directory that is not there', { source: 'REPO', subdir: 'nope' }, /no directory nope/],
		['a directory that is a file', { source: 'REPO', subdir: 'README.md' }, /no directory README\.md/],
	];
	for (const [name, options, reason] of refused)
		test(`${name} is the task's failure`, async () => {
			const s = await session({ prompt: 'touch "$HOME/ran"', ...options, ...(options.source === 'REPO' ? { source: repo } : {}) });
			assert.notEqual(s.code, 0);
			assert.equal(s.closing.verb, 'fail', s.output);
			assert.match(s.closing.json.reason, reason);
			assert.equal(s.closing.json.exit_code, s.code);
			assert.equal(fs.existsSync(path.join(s.home, 'ran')), false, 'the agent never started');
			assert.equal(fs.existsSync('/tmp/pwned'), false);
		});
	test('a link that leads out of the repository is no directory in it', async () => {
		const tricky = makeRepo(path.join(tempDir(), 'tricky'));
		fs.symlinkSync('/etc', path.join(tricky, 'out'));
		fs.symlinkSync('..', path.join(tricky, 'up'));
		git(tricky, 'add', '-A');
		git(tricky, 'commit', '-qm', 'links');
		for (const subdir of ['out', 'up', 'up/..']) {
			const s = await session({ source: tricky, subdir, prompt: 'touch "$HOME/ran"' });
			assert.match(s.closing.json.reason, /leads out|inside the repository/);
			assert.equal(fs.existsSync(path.join(s.home, 'ran')), false);
		}
	});
	test('a login in the URL is in no message', async () => {
		const s = await session({ repoUrl: 'http://me:secret-canary@127.0.0.1:1/x.git', prompt: 'x' });
		assert.doesNotMatch(s.output + s.closing.json.reason, /secret-canary/);
	});
});

describe('changes.patch', { concurrency: 4 }, () => {
	// every kind of change, and what the tree must be afterwards
	const work = `
		echo more >>README.md; rm gone.txt; git mv "old name.txt" "new name.txt"; chmod +x run.sh; printf '\\0\\1\\377' >bin.dat
		mkdir -p new/dir; head -c 100000 /dev/urandom >new/dir/random.bin; ln -s ../README.md new/link; printf 'no newline' >"ünï \\"q\\".txt"
		mkdir ignored; echo x >ignored/x; echo x >x.log
	`;
	const check = (s) => {
		assert.equal(s.code, 0, s.output);
		assert.ok(s.patch, 'a patch was uploaded');
		const after = treeAfter(repo, s.patch);
		fs.rmSync(path.join(s.repo, 'ignored'), { recursive: true, force: true });
		git(s.repo, 'add', '-A');
		assert.equal(after, git(s.repo, 'write-tree').trim());
		assert.doesNotMatch(String(s.patch), /x\.log|ignored\/x/);
		const verbs = s.calls.map((c) => c.verb);
		assert.ok(verbs.indexOf('7/artifacts/changes.patch') < verbs.indexOf('done'), 'uploaded before the session closes');
	};
	test('uncommitted: new, changed, deleted, renamed, binary, link, mode', async () => check(await session({ source: repo, prompt: work })));
	test('committed by the agent', async () => check(await session({ source: repo, prompt: `${work} git add -A; git commit -qm mine` })));
	test('committed in part, on another branch, the first one deleted', async () => check(await session({
		source: repo, prompt: `git checkout -qb mine; ${work} git add new; git commit -qm part; git branch -D main; git gc -q --prune=now`,
	})));
	test('of a failed session too', async () => {
		const s = await session({ source: repo, prompt: 'echo x >new; exit 5' });
		assert.equal(s.code, 5);
		assert.match(String(s.patch), /^\+x$/m);
		assert.equal(s.closing.verb, 'fail');
	});
	test('in a directory inside: the paths are the repository\'s', async () => {
		const s = await session({ source: repo, subdir: 'sub/deep', prompt: 'echo b >a.txt; echo c >../../top.txt' });
		assert.match(String(s.patch), /a\/sub\/deep\/a\.txt/);
		assert.match(String(s.patch), /b\/top\.txt/);
	});
	test('a repository that would run something when git looks at it', async () => {
		const s = await session({
			source: repo, prompt: `
			bad="touch $HOME/pwned; cat"
			git config core.fsmonitor "touch $HOME/pwned"; git config core.hooksPath "$PWD/hooks"; git config core.pager "$bad"
			git config diff.external "$HOME/ext"; printf '#!/bin/sh\\ntouch "%s/pwned"\\n' "$HOME" >"$HOME/ext"; chmod +x "$HOME/ext"
			git config diff.evil.textconv "$HOME/ext"; git config diff.evil.command "$HOME/ext"; git config filter.evil.clean "$bad"
			git config filter.evil.smudge "$bad"; git config filter.evil.process "$HOME/ext"; git config alias.add '!touch pwned'; git config core.worktree /
			git config core.sshCommand "$HOME/ext"; git config core.excludesFile "$HOME/all"; echo '*' >"$HOME/all"; echo '*' >.git/info/exclude
			cp .git/config "$HOME/.gitconfig"; echo '* -diff -text' >.git/info/attributes
			echo '* filter=evil diff=evil' >.gitattributes; echo new >new.txt
			git init -q nested; echo n >nested/n; git -C nested -c user.name=n -c user.email=n@n add n; git -C nested -c user.name=n -c user.email=n@n commit -qm n
			git -C nested config core.fsmonitor "touch $HOME/pwned"; git init -q unborn; echo u >unborn/u
			rm -f "$HOME/pwned" pwned` });
		assert.equal(s.code, 0, s.output);
		assert.equal(fs.existsSync(path.join(s.home, 'pwned')) || fs.existsSync(path.join(s.repo, 'pwned')), false, 'nothing of it ran');
		assert.match(String(s.patch), /^\+new$/m);
		assert.doesNotMatch(String(s.patch), /nested|unborn/);
		assert.match(s.output, /not in changes\.patch: nested is a repository of its own/);
	});
	test('a submodule of the base that turns hostile', async () => {
		const outer = makeRepo(path.join(tempDir(), 'outer'));
		makeRepo(path.join(outer, 'sub'));
		git(outer, 'add', 'sub');
		git(outer, 'commit', '-qm', 'with a submodule');
		const s = await session({
			source: outer, prompt: `git init -q sub; cd sub; git -c user.name=n -c user.email=n@n commit -q --allow-empty -m n
			git config core.fsmonitor "touch $HOME/pwned"; echo x >x; echo y >../y` });
		assert.equal(s.code, 0, s.output);
		assert.equal(fs.existsSync(path.join(s.home, 'pwned')), false);
		assert.match(String(s.patch), /^\+y$/m);
	});
	test('hooks and templates of the source do not run and do not come along', async () => {
		const hooked = makeRepo(path.join(tempDir(), 'hooked'), { 'a.txt': 'a\n', '.gitattributes': '* filter=evil\n' }, {
			hooks: { 'post-checkout': '#!/bin/sh\ntouch /tmp/chomp-pwned\n', 'upload-pack': '#!/bin/sh\ntouch /tmp/chomp-pwned\n' } });
		git(hooked, 'config', 'uploadpack.packObjectsHook', 'touch /tmp/chomp-pwned; cat');
		git(hooked, 'config', 'core.fsmonitor', 'touch /tmp/chomp-pwned');
		git(hooked, 'config', 'core.hooksPath', path.join(hooked, '.git/hooks'));
		git(hooked, 'config', 'filter.evil.smudge', 'touch /tmp/chomp-pwned; cat');
		fs.rmSync('/tmp/chomp-pwned', { force: true });
		const s = await session({ source: hooked, prompt: 'git config --get-all core.hooksPath; ls .git/hooks; git checkout -q -b x; git commit -q --allow-empty -m x' });
		assert.equal(fs.existsSync('/tmp/chomp-pwned'), false);
		assert.equal(s.closing.verb, 'done', s.output);
	});
	test('larger than 32 MiB is not a success', async () => {
		const s = await session({ source: repo, prompt: 'head -c 34000000 /dev/urandom >big; exit 0' });
		assert.equal(s.patch, undefined);
		assert.equal(s.code, 1);
		assert.match(s.closing.json.reason, /larger than 32 MiB/);
	});
	test('a repository that the agent destroyed is not a success', async () => {
		const s = await session({ source: repo, prompt: 'rm -rf .git/objects; echo x >new' });
		assert.equal(s.code, 1);
		assert.match(s.closing.json.reason, /changes\.patch could not be made: (fatal|error)/);
	});
	test('an upload that is refused is not a success', async () => {
		const s = await session({
			source: repo, prompt: 'echo x >new',
			reply: (rq) => (rq.path.includes('/artifacts/') ? { status: 413, body: { error: { code: 'too_large', message: 'too large' } } } : undefined),
		});
		assert.equal(s.code, 1);
		assert.match(s.closing.json.reason, /could not be uploaded/);
	});
	test('a file that cannot be read is named, the rest is saved', async () => {
		const s = await session({ boxed: true, source: repo, prompt: 'echo x >new; echo y >closed; chmod 000 closed' });
		assert.equal(s.code, 1, s.output);
		assert.match(s.closing.json.reason, /closed/);
	});
});

describe('a gate', () => {
	test('that hangs is ended after its time, and what it started with it; that is no pass', async () => {
		const hangs = makeRepo(path.join(tempDir(), 'hangs'), { 'gates/health.sh': 'echo begun\ntrap "" TERM\necho $$ >"$HOME/gate-pid"\nsleep 600 & wait; sleep 600\n' });
		const t = Date.now();
		const s = await session({ source: hangs, prompt: 'echo x >new', env: { GATE_SECONDS: '2' }, reply: (rq) => (rq.path.endsWith('/gate') ? { body: { next: 'failed', sessionId: 's1', token: null } } : undefined) });
		assert.ok(Date.now() - t < 120_000);
		assert.equal(s.code, 1, s.output);
		const verdict = s.of('gate')[0].json;
		assert.deepEqual([verdict.passed, verdict.exit_code, verdict.attempt, verdict.changed], [false, 124, 1, false]);
		assert.match(verdict.output, /^begun\n[^]*ended after its 2 s/);
		assert.equal(isAlive(Number(fs.readFileSync(path.join(s.home, 'gate-pid'), 'utf8'))), false);
		assert.equal(s.closing, undefined, 'the verdict has closed it');
	});
	test('whose verdict cannot be told is no success', async () => {
		const fine = makeRepo(path.join(tempDir(), 'fine'), { 'gates/health.sh': 'exit 0\n' });
		const s = await session({ source: fine, prompt: 'echo x >new', env: { CHOMP_RETRY_SECONDS: '1' }, reply: (rq) => (rq.path.endsWith('/gate') ? { status: 500, body: {} } : undefined) });
		assert.equal(s.code, 1);
		assert.equal(s.of('done').length, 0);
	});
});

describe('a repository that we may write to', () => {
	const bareRepo = () => {
		const bare = path.join(tempDir(), 'mine.git');
		git('/', 'clone', '-q', '--bare', repo, bare);
		return bare;
	};
	test('gets the branch; its login is nowhere but with git', async () => {
		const bare = bareRepo();
		const server = await serveWritable(bare, { user: 'me', password: 'login-canary' });
		const s = await session({
			repoUrl: server.url, agent: 'shell', model: 'bash',
			prompt: 'echo x >new; git config --get remote.origin.url; echo "url: $TASK_REPO_URL"; cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" | grep -c "login-[c]anary"; cat /proc/[0-9]*/cmdline 2>/dev/null | grep -ac "login-[c]anary"',
			env: { TASK_ID: '7' },
		});
		await server.close();
		assert.equal(s.code, 1, s.output); // grep found nothing
		assert.match(s.output, /pushed chomp\/task-7/);
		assert.match(s.output, /^http:\/\/127\.0\.0\.1:\d+\/mine\.git$/m);
		assert.match(s.output, /^url: http:\/\/127\.0\.0\.1:\d+\/mine\.git$/m);
		assert.doesNotMatch(s.output, /login-canary/);
		assert.equal(grep(s.dir, 'login-canary'), '');
		assert.equal(git(bare, 'log', '-1', '--format=%an %(trailers:key=Agent,valueonly)', 'chomp/task-7').trim(), 'shell shell/bash');
		assert.equal(git(bare, 'show', 'chomp/task-7:new'), 'x\n');
		assert.ok(server.seen.every((login) => login === 'me:login-canary'));
	});
	test('that refuses the push is no failure', async () => {
		const bare = bareRepo();
		const server = await serveWritable(bare, { user: 'me', password: 'pw' });
		git(bare, 'config', 'http.receivepack', 'false');
		const s = await session({ repoUrl: server.url, prompt: 'echo x >new' });
		await server.close();
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /not pushed: /);
		assert.equal(s.closing.verb, 'done');
		assert.match(String(s.patch), /^\+x$/m);
	});
	test('the token for github.com is for github.com, and no agent sees it', async () => {
		const s = await session({ source: repo, prompt: 'env | grep -c "gh-[c]anary"; cat /proc/[0-9]*/environ 2>/dev/null | grep -ac "gh-[c]anary"; echo x >new', env: { GITHUB_TOKEN: 'gh-canary' } });
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /^0\n0$/m);
		assert.equal(grep(s.dir, 'gh-canary'), '');
		assert.doesNotMatch(s.output, /pushed/);
	});
});

describe('the end', { concurrency: 4 }, () => {
	const answers = (table) => (rq) => table[rq.path.replace('/api/tasks/', '')];
	const conflict = { status: 409, body: { error: { code: 'not_active', message: 'task 7 is done' } } };

	test('an agent that closes the session itself: patch first, then the verb, then run-agent\'s own', async () => {
		const s = await session({ source: repo, prompt: 'echo x >new; chomp done --result "by myself" && echo closed; exit 0' });
		assert.equal(s.code, 0, s.output);
		assert.deepEqual(s.calls.map((c) => c.verb), ['7/artifacts/changes.patch', 'done', 'done']);
		assert.equal(s.calls[1].json.result, 'by myself');
	});
	test('an agent that hands over, then run-agent is told 409: no complaint', async () => {
		const s = await session({ source: repo, prompt: 'echo x >new; chomp handoff "half done"', reply: answers({ done: conflict }) });
		assert.equal(s.code, 0, s.output);
		assert.deepEqual(s.calls.map((c) => c.verb), ['7/artifacts/changes.patch', 'handoff', 'done']);
		assert.match(s.output, /closed the session itself: handoff/);
		assert.doesNotMatch(s.output, /did not take effect/);
	});
	test('an agent whose work cannot be saved is not let close', async () => {
		const s = await session({
			source: repo, prompt: 'echo x >new; chomp done || { echo "refused"; exit 4; }',
			reply: (rq) => (rq.path.includes('/artifacts/') ? { status: 413, body: { error: { message: 'too large' } } } : undefined),
		});
		assert.equal(s.of('done').length, 0);
		assert.match(s.output, /not closed: changes\.patch could not be uploaded/);
		assert.match(s.closing.json.reason, /exit code 4; changes\.patch/);
	});
	test('a callback that cannot be made: said, and the code is the agent\'s', async () => {
		for (const code of [0, 7]) {
			const s = await session({ prompt: `exit ${code}`, env: { CHOMP_API: 'http://127.0.0.1:1', CHOMP_RETRY_SECONDS: '1' } });
			assert.equal(s.code, code);
			assert.match(s.output, /callback did not take effect/);
		}
	});
	test('a callback that fails for a while is made', async () => {
		let n = 0;
		const s = await session({ prompt: 'exit 0', reply: () => (++n < 3 ? { status: 503, body: {} } : undefined) });
		assert.equal(s.code, 0);
		assert.equal(s.of('done').length, 3);
	});
	test('SIGTERM ends the agent and everything below it', async () => {
		let pids;
		const s = await session({
			source: repo,
			// a grandchild in a session of its own, one that ignores TERM
			prompt: 'echo x >new; setsid sleep 600 & sh -c \'trap "" TERM; echo "$$ $PPID" >../pids; sleep 601\' & wait',
			during: async ({ child, dir }) => {
				pids = await waitFor('the tree runs', () => fs.readFileSync(path.join(dir, 'ws/pids'), 'utf8').trim().split(' ').map(Number));
				child.kill('SIGTERM');
			},
		});
		assert.equal(s.code, 143, s.output);
		assert.match(s.closing.json.reason, /stopped by SIGTERM/);
		assert.match(String(s.patch), /^\+x$/m, 'what it did is not lost');
		for (const pid of pids)
			assert.equal(isAlive(pid), false, String(pid));
	});
	test('the time-out of the session ends it a little before the host would, work and count saved', async () => {
		const s = await session({ source: repo, prompt: 'echo x >new; trap "" TERM; for i in $(seq 600); do sleep 0.5; done', env: { CHOMP_TIMEOUT: '60' } });
		assert.equal(s.code, 137);
		assert.match(s.closing.json.reason, /ended after 4\d s: the time-out of the session is 60 s/);
		assert.match(String(s.patch), /^\+x$/m);
	});
	test('SIGTERM while cloning', async () => {
		const stuck = await import('node:net').then((net) => new Promise((r) => { const sv = net.createServer(() => {}).listen(0, '127.0.0.1', () => r(sv)); }));
		const s = await session({
			repoUrl: `http://127.0.0.1:${stuck.address().port}/x.git`, prompt: 'x',
			during: async ({ child, output }) => {
				await waitFor('the clone began', () => /Cloning into/.test(output()));
				child.kill('SIGTERM');
			},
		});
		stuck.close();
		assert.match(s.closing.json.reason, /stopped by SIGTERM, while cloning/);
		assert.notEqual(s.code, 0);
	});
	test('nothing of an earlier session in the same box is taken for this one\'s', async () => {
		const dir = boxDir({ prompt: 'chomp done; echo x >new' });
		await session({ dir, source: repo });
		fs.rmSync(path.join(dir, 'ws/repo'), { recursive: true });
		fs.writeFileSync(path.join(dir, 'prompt'), 'true');
		const s = await session({ dir, source: repo });
		assert.deepEqual(s.calls.map((c) => c.verb), ['done']);
	});
	test('in a box, by unix socket, as uid 1000', async () => {
		const s = await session({ boxed: true, socket: true, source: repo, prompt: 'id -u; pwd; touch /opt/chomp/x || touch /source/x || echo y >new' });
		assert.equal(s.code, 0, s.output);
		assert.match(s.output, /^1000\n\/workspace\/repo$/m);
		assert.match(String(s.patch), /^\+y$/m);
		assert.equal(s.closing.verb, 'done');
	});
});

describe('custom agents', { concurrency: 4 }, () => {
	const tool = 'import json,sys,os; json.dump({"argv": sys.argv[1:], "cwd": os.getcwd(), "stdin": "" if sys.stdin.isatty() else sys.stdin.read()}, open(os.environ["HOME"]+"/seen","w"))';
	const run = async (template, prompt) => {
		const dir = boxDir({ prompt });
		fs.writeFileSync(path.join(dir, 'home/tool'), `#!/usr/bin/python3\n${tool}\n`, { mode: 0o755 });
		const s = await session({ dir, agent: 'my-agent', model: 'm 1', command: template.replace('TOOL', path.join(dir, 'home/tool')), source: repo });
		return { s, seen: s.code === 0 ? JSON.parse(fs.readFileSync(path.join(dir, 'home/seen'), 'utf8')) : undefined };
	};
	const nasty = '-x "a" \'b\' $(touch /tmp/pwned) {model} {dir} *\n  two  \n\n';
	test('each placeholder is one argument, whatever it holds', async () => {
		const { s, seen } = await run('TOOL --model={model}  -p {prompt}\t{dir} {other} {', nasty);
		assert.equal(s.code, 0, s.output);
		assert.deepEqual(seen.argv, ['--model=m 1', '-p', nasty, path.join(s.dir, 'ws/repo'), '{other}', '{']);
		assert.equal(seen.cwd, path.join(s.dir, 'ws/repo'));
	});
	test('the prompt as a file', async () => {
		const { s, seen } = await run('TOOL {prompt_file}', nasty);
		assert.equal(fs.readFileSync(seen.argv[0], 'utf8'), nasty, s.output);
	});
	test('the prompt on stdin when the template does not place it', async () => {
		const { seen } = await run('TOOL --stdin', nasty + 'x'.repeat(200 * 1024));
		assert.equal(seen.stdin, nasty + 'x'.repeat(200 * 1024));
	});
	test('a prompt too long for an argument is refused with the mend', async () => {
		const { s } = await run('TOOL {prompt}', 'x'.repeat(200 * 1024));
		assert.match(s.closing.json.reason, /\{prompt_file\}/);
	});
});

describe('event streams', () => {
	// pi, played by a script: what run-agent makes of its events
	const played = (script, more = {}, history = []) => {
		const dir = boxDir({ prompt: 'x', history });
		fs.mkdirSync(path.join(dir, 'agents/pi/bin'), { recursive: true });
		fs.writeFileSync(path.join(dir, 'agents/pi/bin/pi'), `#!/bin/bash\nend() { printf '{"type":"message_end","message":{"role":"assistant","stopReason":"%s","errorMessage":"%s","content":[{"type":"text","text":"%s"}],"usage":{"input":%s,"output":%s,"cacheRead":0,"cacheWrite":0}}}\\n' "$@"; }\n${script}\n`, { mode: 0o755 });
		return session({ dir, agent: 'pi', router: 'custom', model: 'm', env: { CUSTOM_BASE_URL: 'http://127.0.0.1:9/v1', ...more }, source: repo });
	};
	test('a budget that is nearly used up is told: to the agent at its start, on the terminal when 80 % are used', async () => {
		const s = await played('cat >"$HOME/prompt"; end toolUse "" "" 850 1; sleep 5; end stop "" bye 10 1', { TOKENS_LEFT: '1000', TOKEN_BUDGET: '9000' });
		assert.match(fs.readFileSync(path.join(s.home, 'prompt'), 'utf8'), /^Of the 9000 tokens that this task may use about 1000 are left/);
		assert.match(s.output, /80 % of the token budget is used: 851 of the 1000/);
		const enough = await played('cat >"$HOME/prompt"; end stop "" bye 10 1', { TOKENS_LEFT: '9000', TOKEN_BUDGET: '9000' });
		assert.match(fs.readFileSync(path.join(enough.home, 'prompt'), 'utf8'), /^Task:\nx\n/);
		assert.doesNotMatch(enough.output, /80 %/);
	});
	test('tokens are told while it runs, at most every 2 s, and again at the end', async () => {
		const s = await played('for i in $(seq 50); do end toolUse "" "" 10 1; sleep 0.1; done; end stop "" bye 10 1');
		const updates = s.of('update');
		assert.ok(updates.length >= 2 && updates.length <= 3, String(updates.length));
		for (let i = 1; i < updates.length; i++)
			assert.ok(updates[i].at - updates[i - 1].at >= 1900);
		assert.deepEqual(s.closing.json, { id: '7', exit_code: 0, usage: { input: 510, output: 51, cache_read: 0, cache_write: 0 }, result: 'bye' });
	});
	test('no usage seen is not reported, never 0', async () => {
		const s = await played('end stop "" bye 0 0');
		assert.equal(s.of('update').length, 0);
		assert.deepEqual(s.closing.json, { id: '7', exit_code: 0, result: 'bye' });
	});
	test('code 0 with an error as the last message is failed, and the exit code says so', async () => {
		const s = await played('end stop "" hi 1 1; end error "401 wrong key" "" 0 0; exit 0');
		assert.equal(s.code, 1);
		assert.match(s.closing.json.reason, /pi: 401 wrong key/);
		assert.equal(s.closing.json.exit_code, 1);
	});
	test('no answer of the model is failed, with what pi said', async () => {
		const s = await played('echo "Warning: bad day" >&2; exit 0');
		assert.match(s.closing.json.reason, /without an answer of the model: Warning: bad day/);
	});
	test('a conversation that became too long is a handoff with the last words, three times at most', async () => {
		const long = 'end error "400 maximum context length is 128000 tokens" "as far as I came" 5 5; exit 0';
		const s = await played(long);
		assert.equal(s.closing.verb, 'handoff');
		assert.match(s.closing.json.summary, /^The conversation was too long[^]*maximum context[^]*as far as I came$/);
		assert.equal(s.of('update').at(-1).json.usage.input, 5);
		const again = await played(long, {}, Array.from({ length: 3 }, () => ({ result: 'handoff', summary: s.closing.json.summary })));
		assert.equal(again.closing.verb, 'fail');
	});
	test('a limit that says when it is over is a park, one that does not is a failure', async () => {
		const parked = await played('end error "429 rate limit reached, try again in 90s" "" 5 5; exit 0');
		assert.equal(parked.closing.verb, 'handoff');
		const wait = Date.parse(parked.closing.json.parked_until) - parked.calls.at(-1).at;
		assert.ok(wait > 60_000 && wait <= 92_000, String(wait));
		assert.equal((await played('end error "429 rate limit reached" "" 5 5; exit 0')).closing.verb, 'fail');
	});
	test('its exit code is failed too', async () => {
		const s = await played('end stop "" hi 1 1; exit 9');
		assert.equal(s.code, 9);
		assert.match(s.closing.json.reason, /pi ended with exit code 9/);
	});
	test('lines that are no events do no harm', async () => {
		const s = await played(`echo nonsense; echo '[1]'; echo 42; echo '{"type":'; echo '{"type":null}'; echo '{"type":"message_end"}'; head -c 3000000 /dev/zero | tr '\\0' x; echo; end stop "" fine 3 4`);
		assert.equal(s.code, 0, s.output.slice(0, 2000));
		assert.deepEqual(s.closing.json.usage, { input: 3, output: 4, cache_read: 0, cache_write: 0 });
	});
	test('a flood of events does not hold up the end', async () => {
		const t = Date.now();
		const s = await played('for i in $(seq 5000); do end toolUse "" "" 1 1; done; end stop "" x 1 1');
		assert.equal(s.closing.json.usage.input, 5001);
		assert.ok(Date.now() - t < 30_000);
	});
	test('a child that keeps the stream open does not keep the session open', async () => {
		const t = Date.now();
		const s = await played('sleep 60 & end stop "" x 1 1');
		assert.ok(Date.now() - t < 30_000);
		assert.equal(s.code, 0);
		assert.equal(s.closing.json.usage.input, 1);
	});
	test('control bytes of the model stay out of the terminal', async () => {
		const s = await played(`echo '{"type":"message_update","assistantMessageEvent":{"type":"text_delta","delta":"a\\u001b]52;c;aGk=\\u0007b\\u009b31mc\\r\\n"}}'; end stop "" x 1 1`);
		assert.match(s.output, /a\]52;c;aGk=b31mc\n/);
	});
});

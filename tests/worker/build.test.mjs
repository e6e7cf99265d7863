// worker-ts/ by its own tools: types, unit tests in workerd, the bundle that would be deployed, the image.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { noCloudHost, workerDir } from '../lib/cloud-host.mjs';
import { repoRoot } from '../lib/build.mjs';
import { tempDir } from '../lib/repo.mjs';

const scratch = tempDir('chomp-worker');
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));

// Nothing of a tool's own leaves this machine, or stays on it.
const env = {
	PATH: process.env.PATH,
	HOME: scratch,
	LANG: 'C.UTF-8',
	CI: '1',
	WRANGLER_SEND_METRICS: 'false',
	WRANGLER_SEND_ERROR_REPORTS: 'false',
	WRANGLER_LOG_PATH: path.join(scratch, 'wrangler'),
	VITE_CJS_IGNORE_WARNING: '1',
};

const bin = (file) => path.join(workerDir, 'node_modules', file);

function run(node, argv) {
	return new Promise((resolve) => {
		const child = spawn(node, argv, { cwd: workerDir, env, stdio: ['ignore', 'pipe', 'pipe'] });
		let text = '';
		for (const s of [child.stdout, child.stderr]) s.on('data', (d) => (text += d));
		child.on('close', (code) => resolve({ code, text }));
	});
}

// The machine's own Node beside the project's, when it is an older one that is still looked after.
function otherNode() {
	const said = spawnSync('node', ['-p', 'process.versions.node'], { encoding: 'utf8' });
	const major = Number(said.stdout?.split('.')[0]);
	return major >= 20 && major !== Number(process.versions.node.split('.')[0]) ? 'node' : undefined;
}

describe('worker-ts', { skip: noCloudHost }, () => {
	test('its types are right, strictly', async () => {
		for (const project of ['.', 'test']) {
			const said = await run(process.execPath, [bin('typescript/bin/tsc'), '--noEmit', '-p', project]);
			assert.equal(said.code, 0, said.text);
		}
	});

	test('the SDK is pinned, the image has its version, and one file alone calls it', () => {
		const about = JSON.parse(fs.readFileSync(path.join(workerDir, 'package.json')));
		const version = about.dependencies['@cloudflare/sandbox'];
		assert.match(version, /^\d+\.\d+\.\d+$/);
		assert.match(
			fs.readFileSync(path.join(workerDir, 'container/Dockerfile'), 'utf8'),
			new RegExp(`^FROM docker.io/cloudflare/sandbox:${version.replaceAll('.', '\\.')}$`, 'm'),
		);
		for (const [name, wanted] of Object.entries({ ...about.dependencies, ...about.devDependencies }))
			assert.match(wanted, /^\d[\w.-]*$/, `${name} is pinned`);
		const users = fs
			.readdirSync(path.join(workerDir, 'src'))
			.filter((f) => /getSandbox/.test(fs.readFileSync(path.join(workerDir, 'src', f), 'utf8')));
		assert.deepEqual(users, ['sdk.ts']);
	});

	for (const node of [process.execPath, otherNode()]) {
		const name = node && execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
		test(
			`unit tests in workerd, on Node ${name ?? '20 or another older one'}`,
			{ skip: !node && 'there is no other Node on PATH' },
			async (t) => {
				const report = path.join(scratch, `vitest-${name}.json`);
				const said = await run(node, [bin('vitest/vitest.mjs'), 'run', '--reporter=json', `--outputFile=${report}`]);
				assert.ok(fs.existsSync(report), said.text);
				const { testResults } = JSON.parse(fs.readFileSync(report));
				for (const { assertionResults, message } of testResults) {
					assert.ok(assertionResults.length > 0, message);
					for (const r of assertionResults)
						await t.test(r.fullName, () => assert.equal(r.status, 'passed', r.failureMessages.join('\n')));
				}
				assert.equal(said.code, 0, said.text.slice(-3000));
			},
		);
	}

	test('wrangler bundles what would be deployed, without a network or an account', async () => {
		const out = path.join(scratch, 'bundle');
		// with a Dockerfile even a dry run builds the image: that is another test's
		const config = path.join(scratch, 'wrangler.jsonc');
		const asDeployed = fs.readFileSync(path.join(workerDir, 'wrangler.jsonc'), 'utf8');
		const changed = asDeployed
			.replace('./build/image/Dockerfile', 'docker.io/cloudflare/sandbox:0.12.10')
			.replace('src/index.ts', path.join(workerDir, 'src/index.ts'));
		assert.match(changed, /docker\.io/);
		fs.writeFileSync(config, changed);
		const said = await run(process.execPath, [
			bin('wrangler/bin/wrangler.js'),
			'deploy',
			'--dry-run',
			'--config',
			config,
			'--outdir',
			out,
		]);
		assert.equal(said.code, 0, said.text);
		for (const name of ['Sandbox', 'Box', 'Register'])
			assert.match(said.text, new RegExp(`env\\.${name}\\b`), 'bound');
		const code = fs.readFileSync(path.join(out, 'index.js'), 'utf8');
		for (const name of ['Sandbox', 'Box', 'Register']) assert.match(code, new RegExp(`\\b${name}\\b`));
		assert.doesNotMatch(code, /test\/mock|engine\.mjs/);
	});
});

describe('the image', () => {
	const stage = path.join(scratch, 'image');

	test("is made from the very scripts that the local host's boxes have", () => {
		execFileSync(path.join(workerDir, 'container/stage'), [stage]);
		for (const name of ['run-agent', 'chomp', ...fs.readdirSync(path.join(repoRoot, 'scripts/adapters')).map((f) => `adapters/${f}`)])
			assert.ok(
				fs.readFileSync(path.join(stage, 'opt/chomp', name)).equals(fs.readFileSync(path.join(repoRoot, 'scripts', name))),
				name,
			);
		for (const name of ['box-start', 'box-pane', 'box-term', 'box-log'])
			assert.ok(fs.statSync(path.join(stage, 'bin', name)).mode & 0o111, `${name} can be run`);
		for (const [, from] of fs.readFileSync(path.join(stage, 'Dockerfile'), 'utf8').matchAll(/^COPY (.+) \S+$/gm))
			for (const file of from.split(' ')) assert.ok(fs.existsSync(path.join(stage, file)), `${file} is staged`);
	});

	const engine = ['docker', 'podman'].find((e) => spawnSync(e, ['info'], { stdio: 'ignore', timeout: 10_000 }).status === 0);
	const wanted = process.env.CHOMP_TEST_IMAGE === '1';
	test(
		'builds',
		{
			skip:
				(!engine && 'there is no container engine that answers') ||
				(!wanted && 'it downloads a gigabyte: asked for by CHOMP_TEST_IMAGE=1'),
		},
		() => {
			execFileSync(path.join(workerDir, 'container/stage'), [stage]);
			execFileSync(engine, ['build', '-t', 'chomp-sandbox-test', stage], { stdio: 'inherit' });
		},
	);
});

// The Worker in workerd on loopback, bundled from src/, with only @cloudflare/sandbox replaced (test/mock, test/engine).
//
//   node serve.mjs DIR CAPACITY SECRET     prints {"url","engine"} when it answers; ends with its stdin

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { startEngine } from './engine/engine.mjs';

const here = import.meta.dirname;
const [dir, capacity, secret, containers] = process.argv.slice(2);

// the image's own files, staged as its build does it
const stage = path.join(dir, 'stage');
execFileSync(path.join(here, '../container/stage'), [stage]);
fs.mkdirSync(path.join(stage, 'share/chomp'), { recursive: true });
fs.copyFileSync(path.join(stage, 'tmux.conf'), path.join(stage, 'share/chomp/tmux.conf'));

const bundle = await build({
	entryPoints: [path.join(here, '../src/index.ts')],
	bundle: true,
	write: false,
	format: 'esm',
	target: 'es2022',
	external: ['cloudflare:*', 'node:*'],
	alias: { '@cloudflare/sandbox': path.join(here, 'mock/sandbox.ts') },
	logLevel: 'error',
});
const engine = await startEngine({ dir: path.join(dir, 'containers'), stage, containers: Number(containers ?? Infinity) });
const objects = ['Sandbox', 'Box', 'Register'];
const mf = new Miniflare({
	host: '127.0.0.1',
	port: 0,
	modules: true,
	script: bundle.outputFiles[0].text,
	compatibilityDate: '2026-04-20',
	compatibilityFlags: ['nodejs_compat'],
	bindings: { CHOMP_SECRET: secret, CAPACITY: capacity, ENGINE: engine.url },
	durableObjects: Object.fromEntries(objects.map((o) => [o, { className: o, useSQLite: true }])),
	cf: false,
	telemetry: { enabled: false },
});
const url = await mf.ready;
console.log(JSON.stringify({ url: url.origin, engine: engine.url }));

process.stdin.resume();
await new Promise((resolve) => {
	process.stdin.on('end', resolve);
	process.on('SIGTERM', resolve);
});
await mf.dispose();
await engine.stop();
process.exit(0);

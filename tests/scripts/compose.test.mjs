// docker-compose.yml without an engine: the programs in it are those that chompctl starts. tests/deploy/run really runs it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from './box.mjs';

const read = (name) => fs.readFileSync(path.join(root, name), 'utf8');
const compose = read('docker-compose.yml');
const services = Object.fromEntries(
	compose.split(/^services:\n/m)[1].split(/^volumes:/m)[0].split(/^ {2}(?=\w)/m).filter((s) => s.trim()).map((s) => [s.slice(0, s.indexOf(':')), s]),
);

test('has a container for every program that chompctl starts, and one that prepares', () => {
	const programs = [...read('scripts/lib/ctl-services.sh').matchAll(/^\s+service ([a-z]+) /gm)].map((m) => m[1]);
	assert.deepEqual(Object.keys(services).sort(), [...programs, 'prepare'].sort());
	for (const name of programs) assert.match(services[name], new RegExp(`command: \\[chompctl, service, ${name}\\]`));
	assert.match(services.prepare, /command: \[chompctl, prepare\]/);
});

test('is published on loopback alone, and gives power to the sandbox host alone', () => {
	const ports = [...compose.matchAll(/^\s+- "?(.*:.*:.*\d.*)"?$/gm)].map((m) => m[1]).filter((p) => /CHOMP_PORT/.test(p));
	assert.equal(ports.length, 1);
	assert.match(ports[0], /^127\.0\.0\.1:/);
	for (const [name, text] of Object.entries(services)) assert.equal(/privileged|cap_add|security_opt|docker\.sock/.test(text), name === 'sandbox', name);
	assert.doesNotMatch(compose, /docker\.sock/);
});

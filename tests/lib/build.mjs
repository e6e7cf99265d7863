// Where the built things are: build/<variant>, the variant from VARIANT (as in the Makefile), `release` if none is named.

import fs from 'node:fs';
import path from 'node:path';

export const repoRoot = path.resolve(import.meta.dirname, '../..');
export const buildDir = path.join(repoRoot, 'build', process.env.VARIANT || 'release');

export function program(name) {
	const file = path.join(buildDir, 'bin', name);
	if (!fs.existsSync(file)) throw new Error(`${file} is not built: make -C ${repoRoot}`);
	return file;
}

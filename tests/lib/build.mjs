// Where the built programs are: CHOMP_BUILD names the directory, else the newest build/<variant> that holds the program.

import fs from 'node:fs';
import path from 'node:path';

export const repoRoot = path.resolve(import.meta.dirname, '../..');

export function program(name) {
	if (process.env.CHOMP_BUILD)
		return path.join(path.resolve(process.env.CHOMP_BUILD), name);
	const build = path.join(repoRoot, 'build');
	const found = fs.existsSync(build)
		? fs.readdirSync(build).map((v) => path.join(build, v, name)).filter((f) => fs.existsSync(f))
		: [];
	// sanitizer and coverage builds are slower and only asked for by name
	const plain = found.filter((f) => !/\/(asan|ubsan|tsan|coverage|fuzz|valgrind)\//.test(f));
	const newest = (plain.length ? plain : found).sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs)[0];
	if (!newest)
		throw new Error(`${name} is not built: make -C ${repoRoot}`);
	return newest;
}

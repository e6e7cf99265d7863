// Who runs on this machine, from /proc: to find what belongs to one instance, and to end exactly that.

import fs from 'node:fs';
import { waitFor } from './wait.mjs';

function readProc(pid, name) {
	try {
		return fs.readFileSync(`/proc/${pid}/${name}`, 'latin1');
	} catch {
		return '';
	}
}

function look(pid) {
	const stat = readProc(pid, 'stat');
	if (!stat) return null;
	const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return {
		pid,
		comm: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
		state: rest[0],
		ppid: Number(rest[1]),
		ticks: Number(rest[11]) + Number(rest[12]),
		cmdline: readProc(pid, 'cmdline'),
		get environ() {
			return readProc(pid, 'environ');
		},
		get cwd() {
			try {
				return fs.readlinkSync(`/proc/${pid}/cwd`);
			} catch {
				return '';
			}
		},
		// the files and directories it holds open
		get holds() {
			try {
				return fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
			} catch {
				return [];
			}
		},
	};
}

// Every process but zombies.
export function all() {
	return fs
		.readdirSync('/proc')
		.filter((n) => /^\d+$/.test(n))
		.map((n) => look(Number(n)))
		.filter((p) => p && p.state !== 'Z');
}

export const isAlive = (pid) => {
	const p = look(pid);
	return Boolean(p) && p.state !== 'Z';
};

// The processes that name the directory `text` in their command line, were started with it in their environment, work in it or
// (a shim, which is told nothing else) hold it open, and all their descendants.
export function belongingTo(text) {
	const list = all().filter((p) => p.pid !== process.pid && p.pid !== process.ppid);
	const is = (p) =>
		p.cmdline.includes(text) ||
		p.environ.includes(text) ||
		p.cwd.startsWith(text) ||
		(p.comm === 'chomp-shim' && p.holds.some((f) => f.startsWith(text)));
	const mine = new Set(list.filter(is).map((p) => p.pid));
	for (let grew = true; grew;) {
		grew = false;
		for (const p of list) {
			if (!mine.has(p.pid) && mine.has(p.ppid)) {
				mine.add(p.pid);
				grew = true;
			}
		}
	}
	return list.filter((p) => mine.has(p.pid));
}

export const describe = (list) =>
	list
		.map(
			(p) => `${p.pid} (parent ${p.ppid}, ${p.state}) ${p.cmdline.replaceAll('\0', ' ').slice(0, 160) || p.comm}`,
		)
		.join('\n');

export function kill(pid, signal = 'SIGKILL') {
	try {
		process.kill(pid, signal);
	} catch (e) {
		if (e.code !== 'ESRCH') throw e;
	}
}

// Ends what is left of one instance, by pid; returns what had to be ended.
export async function endAll(text) {
	const first = belongingTo(text);
	await waitFor(
		`everything of ${text} is gone`,
		() => {
			const left = belongingTo(text);
			left.forEach((p) => kill(p.pid));
			return left.length === 0;
		},
		{ context: () => describe(belongingTo(text)) },
	);
	return first;
}

// Proportional set size in KiB: shared pages are counted once in a sum over all processes.
export function pssKiB(pid) {
	const found = /^Pss:\s+(\d+) kB/m.exec(readProc(pid, 'smaps_rollup'));
	return found ? Number(found[1]) : 0;
}

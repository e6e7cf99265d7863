// Every call of @cloudflare/sandbox is in this file: version 1.0 is another library, and then this file is what changes.
//
// What it knows of 0.12, so that nobody else must:
// - any call but getState starts a new, empty container where there was none: `isUp` comes before every other look;
// - calls can hang for ever: each has a time limit;
// - the command of startProcess is pasted into a shell script and logged: it is a constant, values go by environment and files;
// - a process without a pid was not started, whatever the call says;
// - keepAlive outlives destroy().

import { getSandbox } from '@cloudflare/sandbox';
import { busy } from './answer';
import type { Env } from './env';
import { TimeLimit, within } from './limit';

// How long a call may take, ms. chomp waits 30 s for a dispatch and 10 s for the rest.
export const limits = { look: 5_000, start: 25_000, log: 8_000, end: 9_000 };

// the image's directories (worker-ts/container)
export const IN = '/var/lib/chomp/in';
const STATE_FILE = '/var/lib/chomp/box/state.json';
const START = '/usr/local/bin/box-start';
const LOG = '/usr/local/bin/box-log';
const TERMINAL = '/usr/local/bin/box-term';
const PROCESS = 'box-start';

const open = (env: Env, id: string) => getSandbox(env.Sandbox, id, { transport: 'rpc' });

// Is there a container? Never starts one.
export async function isUp(env: Env, id: string): Promise<boolean> {
	const { status } = await within(limits.look, 'getState', open(env, id).getState());
	return status === 'running' || status === 'healthy';
}

export interface Start {
	variables: Record<string, string>;
	files: Record<string, string>;
}

// Starts the container and the agent in it. Asked twice it starts one agent: box-start sees to that inside.
export async function start(env: Env, id: string, { variables, files }: Start): Promise<void> {
	const sandbox = open(env, id);
	const until = Date.now() + limits.start;
	const left = () => Math.max(1, until - Date.now());
	try {
		// a running process is no activity: without this the container sleeps, and forgets everything
		await within(left(), 'setKeepAlive', sandbox.setKeepAlive(true));
		for (const [name, content] of Object.entries(files))
			await within(left(), 'writeFile', sandbox.writeFile(`${IN}/${name}`, content));
		const process = await within(
			left(),
			'startProcess',
			sandbox.startProcess(START, { processId: PROCESS, cwd: '/workspace', env: variables }),
		);
		if (!process.pid) throw new Error('the container did not start the agent: its process has no pid');
	} catch (e) {
		throw isFull(e) ? busy('Cloudflare has no container for us now') : e;
	}
}

// The class of an error does not survive the way from one object to the other; its words do.
const isFull = (e: unknown) =>
	/ContainerUnavailable|no_container_instance_available|max_container_instances_exceeded|no container instance|Maximum number of running container/i.test(
		`${(e as Error)?.name} ${(e as { reason?: string })?.reason ?? ''} ${(e as Error)?.message}`,
	);

// What box-start wrote down. NULL: this container has never heard of a dispatch, it is not the one that we started.
export interface BoxState {
	dispatchId: string;
	state: 'running' | 'ended';
	exitCode?: number;
	reason?: string;
}

export async function readState(env: Env, id: string): Promise<BoxState | null> {
	try {
		const { content } = await within(limits.look, 'readFile', open(env, id).readFile(STATE_FILE, { encoding: 'utf-8' }));
		return JSON.parse(content) as BoxState;
	} catch (e) {
		if (/not found|no such file|ENOENT/i.test((e as Error)?.message ?? '')) return null;
		throw e;
	}
}

// Does box-start still run? 'unknown': the SDK did not say, which it does not when the process vanished without a trace.
export async function keeper(env: Env, id: string): Promise<'running' | 'gone' | 'unknown'> {
	try {
		const process = await within(limits.look, 'getProcess', open(env, id).getProcess(PROCESS));
		return process && (process.status === 'running' || process.status === 'starting') ? 'running' : 'gone';
	} catch (e) {
		if (e instanceof TimeLimit) return 'unknown';
		throw e;
	}
}

// box-log gives at most so much at a time
export const PIECE_MAX = 512 * 1024;

export interface Piece {
	start: number;
	end: number;
	bytes: Uint8Array;
}

// A piece of the terminal's log, at most PIECE_MAX, from an offset that is a whole number. NULL: this container has no log.
export async function readLog(env: Env, id: string, offset: number): Promise<Piece | null> {
	const said = await within(limits.log, 'exec', open(env, id).exec(`${LOG} ${offset}`, { timeout: limits.log }));
	if (!said.success) return null;
	const [head = '', body = ''] = said.stdout.split('\n');
	const [start = NaN, end = NaN] = head.split(' ').map(Number);
	if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) throw new Error('box-log said nonsense');
	return { start, end, bytes: Uint8Array.from(atob(body), (c) => c.charCodeAt(0)) };
}

// The terminal, as it comes from the SDK: a 101 with a socket, or a 503 while the container starts. Nothing of the caller's request
// goes into the container: its headers hold our secret.
export async function terminal(env: Env, id: string, cols: number, rows: number): Promise<Response> {
	const session = await within(limits.look, 'getSession', open(env, id).getSession('terminal'));
	const clean = new Request('http://terminal/', { headers: { Upgrade: 'websocket', Connection: 'Upgrade' } });
	return within(limits.start, 'terminal', session.terminal(clean, { cols, rows, shell: TERMINAL }));
}

export async function end(env: Env, id: string): Promise<void> {
	const sandbox = open(env, id);
	await within(limits.end, 'setKeepAlive', sandbox.setKeepAlive(false));
	await within(limits.end, 'destroy', sandbox.destroy());
}

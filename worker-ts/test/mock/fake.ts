// @cloudflare/sandbox for the unit tests: containers that are a few fields, and every call written down. As the real one, it starts
// a container for whatever touches a sandbox that has none, but for getState.

import { DurableObject } from 'cloudflare:workers';

export class Sandbox extends DurableObject {}

export interface Container {
	keepAlive: boolean;
	files: Map<string, string>;
	process: { id: string; pid?: number; status: string; command: string; env: Record<string, string> } | null;
	log: string | null;
}

export const containers = new Map<string, Container>();
export const calls: { id: string; op: string; args: unknown[] }[] = [];
// op -> what happens instead; `after` once the call has had its effect
export const faults = new Map<string, () => unknown>();
export const keepAlive = new Set<string>();

export function reset() {
	containers.clear();
	calls.length = 0;
	faults.clear();
	keepAlive.clear();
}

export const STATE = '/var/lib/chomp/box/state.json';
export const hang = () => new Promise<never>(() => {});

function wake(id: string): Container {
	if (!containers.has(id)) containers.set(id, { keepAlive: false, files: new Map(), process: null, log: null });
	return containers.get(id) as Container;
}

const ops: Record<string, (id: string, ...args: never[]) => unknown> = {
	getState: (id) => ({ status: containers.has(id) ? 'healthy' : 'stopped', lastChange: 0 }),
	setKeepAlive: (id, on: boolean) => (on ? keepAlive.add(id) : keepAlive.delete(id)),
	destroy: (id) => containers.delete(id),
	writeFile: (id, path: string, content: string) => wake(id).files.set(path, content),
	readFile(id, path: string) {
		const content = wake(id).files.get(path);
		if (content === undefined) throw new Error(`File not found: ${path}`);
		return { success: true, path, content };
	},
	startProcess(id, command: string, options: { processId: string; env: Record<string, string> }) {
		const box = wake(id);
		// what box-start does: once
		box.process ??= { id: options.processId, pid: 42, status: 'running', command, env: options.env };
		box.files.set(STATE, JSON.stringify({ dispatchId: options.env['BOX_DISPATCH'], state: 'running' }));
		box.log ??= '';
		return box.process;
	},
	getProcess: (id) => wake(id).process,
	exec(id, command: string) {
		const { log } = wake(id);
		const offset = Number(command.split(' ')[1]);
		if (log === null) return { success: false, stdout: '', exitCode: 1 };
		const start = Math.min(offset, log.length);
		const end = Math.min(start + 512 * 1024, log.length);
		return { success: true, exitCode: 0, stdout: `${start} ${end}\n${btoa(log.slice(start, end))}` };
	},
};

const call =
	(id: string, op: string) =>
	async (...args: unknown[]): Promise<unknown> => {
		calls.push({ id, op, args });
		const fault = faults.get(op);
		if (fault) return fault();
		return ops[op]?.(id, ...(args as never[]));
	};

export function getSandbox(_namespace: unknown, id: string) {
	return {
		...Object.fromEntries(Object.keys(ops).map((op) => [op, call(id, op)])),
		getSession: async (session: string) => ({
			async terminal(request: Request, options: unknown): Promise<Response> {
				calls.push({ id, op: 'terminal', args: [session, Object.fromEntries(request.headers), options] });
				const fault = faults.get('terminal');
				if (fault) return fault() as Response;
				wake(id);
				const { 0: theirs, 1: ours } = new WebSocketPair();
				ours.accept();
				ours.send('{"type":"ready"}');
				return new Response(null, { status: 101, webSocket: theirs });
			},
		}),
	};
}

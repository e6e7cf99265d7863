// @cloudflare/sandbox as the bundled Worker gets it in tests: the same calls, sent to test/engine/engine.mjs.

import { DurableObject, env } from 'cloudflare:workers';

const engine = () => (env as unknown as { ENGINE: string }).ENGINE;

export class Sandbox extends DurableObject {}

async function op<T>(id: string, name: string, ...args: unknown[]): Promise<T> {
	const said = await fetch(`${engine()}/op`, { method: 'POST', body: JSON.stringify({ id, op: name, args }) });
	const { value, error } = await said.json<{ value: T; error?: { name: string; message: string } }>();
	if (error) throw Object.assign(new Error(error.message), { name: error.name });
	return value;
}

export function getSandbox(_namespace: unknown, id: string) {
	if (!/^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/.test(id)) throw new Error(`invalid sandbox id ${id}`);
	const call =
		(name: string) =>
		(...args: unknown[]) =>
			op(id, name, ...args);
	return {
		getState: call('getState'),
		setKeepAlive: call('setKeepAlive'),
		destroy: call('destroy'),
		writeFile: call('writeFile'),
		readFile: call('readFile'),
		exec: call('exec'),
		startProcess: call('startProcess'),
		getProcess: call('getProcess'),
		getSession: async (session: string) => ({
			terminal(request: Request, { cols = 80, rows = 24, shell = 'bash' } = {}): Promise<Response> {
				if (request.headers.get('Upgrade')?.toLowerCase() !== 'websocket')
					throw new Error('terminal() requires a WebSocket upgrade request');
				const query = new URLSearchParams({ session, cols: String(cols), rows: String(rows), shell });
				// the SDK hands on every header of the request
				return fetch(`${engine()}/pty/${id}?${query}`, { headers: request.headers });
			},
		}),
	};
}

// What the unit tests share: requests with the secret, a right dispatch, a box by its ids.

import { env, exports } from 'cloudflare:workers';
import type { Env } from '../../src/env';
import { sandboxId } from '../../src/id';

export const SECRET = 'the-secret-of-the-tests';
export const theEnv = env as unknown as Env;

export const newId = () => crypto.randomUUID().replaceAll('-', '');

export async function ask(method: string, path: string, { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {}) {
	const main = (exports as unknown as { default: Fetcher }).default;
	const given = body === undefined || typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream ? body : JSON.stringify(body);
	return main.fetch(
		new Request(`https://host.example${path}`, {
			method,
			headers: { Authorization: `Bearer ${SECRET}`, ...headers },
			...(given === undefined ? {} : { body: given as BodyInit }),
		}),
	);
}

export const right = (more: Record<string, unknown> = {}) => ({
	dispatchId: newId(),
	taskId: '7',
	sessionId: 's1',
	prompt: 'do it',
	history: [],
	agent: 'shell',
	model: 'bash',
	callback: { url: 'https://chomp.example', token: 'token-of-the-session' },
	timeoutSeconds: 600,
	...more,
});

export const idOf = (dispatchId: string) => sandboxId(SECRET, dispatchId);

export async function error(said: Response): Promise<{ code: string; message: string }> {
	const { error: e } = await said.json<{ error: { code: string; message: string } }>();
	return e;
}

// Answers in the shape that docs/API.md promises, and the refusals that become one.

import { TimeLimit } from './limit';

export class Refusal extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
		readonly headers: Record<string, string> = {},
	) {
		super(message);
	}

	answer(): Response {
		return json({ error: { code: this.code, message: this.message } }, this.status, this.headers);
	}
}

export const badField = (message: string) => new Refusal(400, 'bad_field', message);
export const notFound = (message: string) => new Refusal(404, 'not_found', message);
export const tooLarge = (message: string) => new Refusal(413, 'too_large', message);
// the dispatcher comes again by itself
export const busy = (message: string, seconds = 5) =>
	new Refusal(503, 'busy', message, { 'Retry-After': String(seconds) });

const common = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
	return new Response(`${JSON.stringify(body)}\n`, {
		status,
		headers: { 'Content-Type': 'application/json', ...common, ...headers },
	});
}

export function bytes(body: Uint8Array, headers: Record<string, string>): Response {
	return new Response(body, { headers: { 'Content-Type': 'text/plain; charset=utf-8', ...common, ...headers } });
}

interface Said {
	status: number;
	code: string;
	message: string;
	headers: { [name: string]: string };
}

// An error loses its class on the way from one durable object to another, so a refusal travels as data.
export type Settled<T> = { value: T } | { refused: Said };

export async function settled<T>(what: string, work: Promise<T>): Promise<Settled<T>> {
	try {
		return { value: await work };
	} catch (e) {
		const { status, code, message, headers } = e instanceof Refusal ? e : failed(what, e);
		return { refused: { status, code, message, headers } };
	}
}

export async function unpack<T>(said: Promise<Settled<T>>): Promise<T> {
	const it = await said;
	if (!('refused' in it)) return it.value;
	const { status, code, message, headers } = it.refused;
	throw new Refusal(status, code, message, headers);
}

// What went wrong inside is for the log; what the caller can wait for is told.
export function failed(what: string, e: unknown): Refusal {
	console.error(what, String(e));
	if (e instanceof TimeLimit) return busy(`the container does not answer in time (${e.message})`);
	return new Refusal(500, 'io', "the sandbox host failed; the Worker's log says why");
}

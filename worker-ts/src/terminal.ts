// GET /ws/terminal/{sandboxId}?cols=&rows=: the SDK's own frames, untouched. There is no offset here: the SDK replays its last 256 KiB.

import { Refusal, busy, notFound, unpack } from './answer';
import { box } from './box';
import type { Call } from './router';
import * as sdk from './sdk';

function cells(url: URL, name: string, fallback: number): number {
	const text = url.searchParams.get(name) ?? '';
	const n = Number(text);
	return /^[0-9]{1,4}$/.test(text) && n >= 1 && n <= 1000 ? n : fallback;
}

export async function terminal({ request, env, id, url }: Call): Promise<Response> {
	if (request.headers.get('Upgrade')?.toLowerCase() !== 'websocket')
		throw new Refusal(400, 'bad_field', 'a WebSocket upgrade is wanted here');
	// a terminal of a dead sandbox would start an empty one
	if (!(await unpack(box(env, id).open()))) throw notFound(`there is no terminal of ${id}, or none any more`);
	const said = await sdk.terminal(env, id, cells(url, 'cols', 80), cells(url, 'rows', 24));
	if (said.status !== 101) throw busy('the container does not open a terminal yet', 1);
	return said;
}

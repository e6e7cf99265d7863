// GET /logs/{sandboxId}?offset=: the terminal's bytes, a piece at a time.

import { badField, bytes, notFound, unpack } from './answer';
import { box } from './box';
import type { Call } from './router';
import type { Piece } from './sdk';

export function readOffset(url: URL): number {
	const text = url.searchParams.get('offset');
	if (text === null) return 0;
	if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(Number(text)))
		throw badField('offset: a number of bytes is wanted');
	return Number(text);
}

export async function logs({ env, id, url }: Call): Promise<Response> {
	const piece = await unpack<Piece | null>(box(env, id).log(readOffset(url)));
	if (!piece) throw notFound(`there is no log of ${id}, or none any more`);
	return bytes(piece.bytes, { 'X-Log-Start': String(piece.start), 'X-Log-End': String(piece.end) });
}

// Neither a recording nor the times to make one from.
export function recording({ id }: Call): Response {
	throw notFound(`this host has no recording of ${id}`);
}

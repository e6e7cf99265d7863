// POST /kill/{sandboxId or dispatchId}: answered when the container is gone.

import { json, unpack } from './answer';
import { box } from './box';
import { sandboxId } from './id';
import type { Call } from './router';

export async function kill({ env, ctx, id }: Call): Promise<Response> {
	// Both kinds of id look alike. A sandbox that we know has a record; what has none is a dispatchId, perhaps one still to come.
	const known = await box(env, id).known();
	const target = known ? id : await sandboxId(env.CHOMP_SECRET ?? '', id);
	const killed = box(env, target).kill(target);
	ctx.waitUntil(killed);
	await unpack(killed);
	return json({ status: 'destroyed' });
}

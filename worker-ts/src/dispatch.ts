// POST /dispatch: a box with an agent in it, once per dispatchId.

import { AGENTS } from './agents';
import { json, Refusal, unpack } from './answer';
import { box } from './box';
import type { Call } from './router';
import { sandboxId } from './id';
import { readDispatch } from './schema';

// what keeps the agent in, for people
const BOUNDARY = 'a container on Cloudflare, in a virtual machine of its own; it reaches the internet';

export async function dispatch({ request, env, ctx }: Call): Promise<Response> {
	const d = await readDispatch(request);
	const agent = d.variables['AGENT'] ?? '';
	if (!AGENTS.includes(agent) && !d.variables['AGENT_COMMAND'])
		throw new Refusal(400, 'unknown_agent', `agent: there is no adapter for ${agent}, and no command was given`);
	const id = await sandboxId(env.CHOMP_SECRET ?? '', d.dispatchId);
	const started = box(env, id).dispatch(id, d);
	// a caller that hangs up must not leave half a start behind
	ctx.waitUntil(started);
	await unpack(started);
	return json({ sandboxId: id, status: 'started', boundary: BOUNDARY });
}

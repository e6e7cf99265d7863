// The edge worker: chomp's sandbox host protocol (docs/PROTOCOL.md) in front of Cloudflare's containers.

import type { Env } from './env';
import { route } from './router';

export { Sandbox } from '@cloudflare/sandbox';
export { Box } from './box';
export { Register } from './register';

export default {
	fetch: (request, env, ctx) => route(request, env, ctx),
} satisfies ExportedHandler<Env>;

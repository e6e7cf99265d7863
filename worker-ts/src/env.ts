// What the configuration gives the Worker.

import type { Sandbox } from '@cloudflare/sandbox';
import type { Box } from './box';
import type { Register } from './register';

export interface Env {
	Sandbox: DurableObjectNamespace<Sandbox>;
	Box: DurableObjectNamespace<Box>;
	Register: DurableObjectNamespace<Register>;
	// what chomp shows in `Authorization: Bearer`; a secret, `wrangler secret put CHOMP_SECRET`
	CHOMP_SECRET?: string;
	// boxes at one time; the same number as max_instances
	CAPACITY?: string;
}

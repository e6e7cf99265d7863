// GET /health: open to anybody; touches no sandbox.

import about from '../package.json';
import { json } from './answer';
import { register } from './register';
import type { Call } from './router';

export async function health({ env }: Call): Promise<Response> {
	return json({ status: 'ok', service: 'chomp-worker-ts', version: about.version, ...(await register(env).count()) });
}

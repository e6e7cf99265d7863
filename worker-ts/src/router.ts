// Which path is whose. Everything is refused here that can be refused without looking at a sandbox: every id that is asked for
// makes a durable object, and one that nobody started would be waste.

import { Refusal, failed, notFound } from './answer';
import { authorize } from './auth';
import { dispatch } from './dispatch';
import type { Env } from './env';
import { health } from './health';
import { isId } from './id';
import { kill } from './kill';
import { logs, recording } from './logs';
import { status } from './status';
import { terminal } from './terminal';

export interface Call {
	request: Request;
	env: Env;
	ctx: ExecutionContext;
	url: URL;
	// the sandbox's (or the dispatch's), '' where the path has none
	id: string;
}

interface Route {
	// ends in '/': an id follows
	path: string;
	method: string;
	run: (call: Call) => Response | Promise<Response>;
	open?: boolean;
}

const routes: Route[] = [
	{ path: '/dispatch', method: 'POST', run: dispatch },
	{ path: '/status/', method: 'GET', run: status },
	{ path: '/kill/', method: 'POST', run: kill },
	{ path: '/logs/', method: 'GET', run: logs },
	{ path: '/recording/', method: 'GET', run: recording },
	{ path: '/film/', method: 'GET', run: recording },
	{ path: '/ws/terminal/', method: 'GET', run: terminal },
	{ path: '/health', method: 'GET', run: health, open: true },
];

const leads = ({ path: prefix }: Route, path: string) =>
	prefix.endsWith('/') ? path.startsWith(prefix) && path.length > prefix.length : path === prefix;

async function answer(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
	const url = new URL(request.url);
	const route = routes.find((r) => leads(r, url.pathname));
	if (!route?.open) await authorize(request, env);
	if (!route) throw notFound('no such path');
	if (request.method !== route.method)
		throw new Refusal(405, 'method', `${route.method} is wanted here`, { Allow: route.method });
	const id = route.path.endsWith('/') ? url.pathname.slice(route.path.length) : '';
	if (id !== '' && !isId(id)) throw new Refusal(400, 'bad_id', 'an id of 32 hex digits is wanted');
	return route.run({ request, env, ctx, url, id });
}

export async function route(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
	try {
		return await answer(request, env, ctx);
	} catch (e) {
		if (e instanceof Refusal) return e.answer();
		return failed(`request.failed ${request.method} ${new URL(request.url).pathname}`, e).answer();
	}
}

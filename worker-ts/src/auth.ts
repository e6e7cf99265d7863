// Who may call: whoever shows the secret. Compared in constant time, as hashes, so that the length does not show either.

import { Refusal } from './answer';
import type { Env } from './env';

const sha256 = (text: string) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));

export async function authorize(request: Request, env: Env): Promise<void> {
	// a page in somebody's browser has no business here, whatever it can show
	if (request.headers.has('Origin')) throw new Refusal(403, 'forbidden', 'requests of web pages are not answered');
	if (!env.CHOMP_SECRET)
		throw new Refusal(503, 'busy', 'CHOMP_SECRET is not set: chompctl cloudflare setup', { 'Retry-After': '60' });
	const [, shown] = /^bearer (.*)$/i.exec(request.headers.get('Authorization') ?? '') ?? [];
	const [is, wanted] = await Promise.all([sha256(shown ?? ''), sha256(env.CHOMP_SECRET)]);
	const equal = crypto.subtle.timingSafeEqual(is, wanted);
	if (shown === undefined || !equal)
		throw new Refusal(401, 'no_token', "Authorization: Bearer <the host's secret> is wanted", {
			'WWW-Authenticate': 'Bearer',
		});
}

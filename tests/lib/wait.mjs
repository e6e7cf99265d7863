// Waiting for a condition with a deadline. No test sleeps and hopes; the deadlines are generous because a slow machine is
// not a fault.

import { setTimeout as sleep } from 'node:timers/promises';

export const DEADLINE_MS = Number(process.env.CHOMP_TEST_DEADLINE_MS || 60_000);

// Calls `condition` until it gives something true and returns that. What it throws counts as "not yet" and is told when the
// time is up, together with `what` and, if given, what `context` returns.
export async function waitFor(what, condition, { deadlineMs = DEADLINE_MS, everyMs = 50, context } = {}) {
	const until = Date.now() + deadlineMs;
	let last;
	for (;;) {
		try {
			const value = await condition();
			if (value) return value;
			last = undefined;
		} catch (e) {
			last = e;
		}
		if (Date.now() >= until) {
			const more = context ? `\n${await context()}` : '';
			throw new Error(`not in ${deadlineMs} ms: ${what}${last ? ` (last: ${last.message})` : ''}${more}`, {
				cause: last,
			});
		}
		await sleep(everyMs);
	}
}

// Holds when `read` gave the same value for `quietMs` in a row: for "it has stopped" where only silence can show it.
export async function waitForSilence(what, read, { quietMs = 3000, deadlineMs = DEADLINE_MS } = {}) {
	let seen = await read();
	let since = Date.now();
	return waitFor(
		what,
		async () => {
			const now = await read();
			if (now !== seen) {
				seen = now;
				since = Date.now();
			}
			return Date.now() - since >= quietMs;
		},
		{ deadlineMs, everyMs: 100 },
	);
}

export { sleep };

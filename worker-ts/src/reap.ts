// When a box is ended that nobody ended: a forgotten container with keepAlive costs money until somebody notices.

import type { BoxRecord } from './box';

// run-agent ends the agent before its time-out; this is for one that cannot
const OVERTIME_MS = 0;
// between the agent's end and ours: chomp copies the rest of the log, and then kills
const KEEP_ENDED_MS = 10 * 60_000;
// how long after its end a box is looked at once more
const MAKE_SURE_MS = 60_000;
// and how long a killed dispatch is remembered
export const KEEP_RECORD_MS = 7 * 24 * 3_600_000;

export function reapAt(record: BoxRecord): number {
	if (record.destroyed) return (record.endedAt ?? 0) + MAKE_SURE_MS;
	if (record.phase === 'ended') return Math.min((record.endedAt ?? 0) + KEEP_ENDED_MS, record.timeoutAt + KEEP_ENDED_MS);
	if (record.phase === 'killed') return Date.now() + MAKE_SURE_MS;
	return record.timeoutAt + OVERTIME_MS;
}

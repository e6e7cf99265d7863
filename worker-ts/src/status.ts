// GET /status/{sandboxId}: the box and the agent in it, without waking what is dead.

import { json, unpack } from './answer';
import { box, type Look, type BoxRecord } from './box';
import type { Call } from './router';

export async function status({ env, id }: Call): Promise<Response> {
	const seen = await unpack<Look | null>(box(env, id).look());
	if (!seen) return json({ sandboxId: id, alive: false, running: false });
	const { record, alive } = seen;
	return json({ sandboxId: id, alive, running: alive && record.phase === 'started', ...ending(record), ...times(record) });
}

function ending(record: BoxRecord) {
	const reason = record.reason ?? (record.phase === 'killed' ? 'killed' : undefined);
	return {
		...(record.exitCode === undefined ? {} : { exitCode: record.exitCode }),
		...(reason === undefined ? {} : { reason }),
		...(record.error === undefined ? {} : { error: record.error }),
	};
}

const time = (ms: number) => new Date(ms).toISOString();

function times(record: BoxRecord) {
	return {
		...(record.startedAt > 0 ? { startedAt: time(record.startedAt) } : {}),
		...(record.endedAt === undefined ? {} : { endedAt: time(record.endedAt) }),
	};
}

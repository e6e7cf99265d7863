// One box: what is known of it, and one change at a time. A durable object of its own per sandbox, because a dispatch and a kill of
// the same box may come at once, from different machines, and the kill must win.
//
//   (nothing) --dispatch--> starting --> started --> ended
//        any of them --kill--> killed, for good                  (by time: ended, see reap.ts)
//
// What is stored is small, and goes a week after the end: until then a killed dispatch stays killed.

import { DurableObject } from 'cloudflare:workers';
import { busy, Refusal, settled, type Settled } from './answer';
import type { Env } from './env';
import { KEEP_RECORD_MS, reapAt } from './reap';
import { register } from './register';
import type { Dispatch } from './schema';
import * as sdk from './sdk';
import { TimeLimit } from './limit';

export interface BoxRecord {
	id: string;
	phase: 'starting' | 'started' | 'ended' | 'killed';
	startedAt: number;
	timeoutAt: number;
	endedAt?: number;
	exitCode?: number;
	reason?: string;
	error?: string;
	// the container was made sure to be gone
	destroyed?: boolean;
}

export interface Look {
	record: BoxRecord;
	alive: boolean;
}

// how long box-start may take to write its first word
const FIRST_WORD_MS = 15_000;

const killedBefore = () => new Refusal(409, 'killed', 'this dispatch was killed; use a new dispatchId');

export class Box extends DurableObject<Env> {
	private queue: Promise<unknown> = Promise.resolve();
	private record: BoxRecord | undefined;

	constructor(ctx: DurableObjectState, env: Env) {
		super(ctx, env);
		void ctx.blockConcurrencyWhile(async () => {
			this.record = await ctx.storage.get<BoxRecord>('record');
		});
	}

	/* ---- asked from outside ---- */

	async dispatch(id: string, d: Dispatch): Promise<Settled<void>> {
		return settled(
			'box.dispatch',
			this.inTurn(() => this.start(id, d)),
		);
	}

	// Answers when the container is gone. Also of a box that nobody has dispatched yet: then it never will be.
	async kill(id: string): Promise<Settled<void>> {
		// said before its turn comes, so that a dispatch under way stops at its next step
		await this.put({ ...(this.record ?? { id, startedAt: 0, timeoutAt: 0 }), phase: 'killed' });
		return settled(
			'box.kill',
			this.inTurn(() => this.end()),
		);
	}

	async known(): Promise<boolean> {
		return this.record !== undefined;
	}

	// The record as it is known, after a look at a box that may still run.
	async look(): Promise<Settled<Look | null>> {
		return settled('box.look', this.lookNow());
	}

	async log(offset: number): Promise<Settled<sdk.Piece | null>> {
		return settled('box.log', this.readLog(offset));
	}

	// May its terminal be opened? Only that of a container that is there.
	async open(): Promise<Settled<boolean>> {
		return settled('box.open', this.mayOpen());
	}

	override async alarm(): Promise<void> {
		await this.inTurn(() => this.reap());
	}

	/* ---- one at a time ---- */

	private inTurn<T>(work: () => Promise<T>): Promise<T> {
		const mine = this.queue.then(work);
		this.queue = mine.catch(() => {});
		return mine;
	}

	private async put(record: BoxRecord): Promise<void> {
		this.record = record;
		await this.ctx.storage.put('record', record);
		await this.ctx.storage.setAlarm(reapAt(record));
	}

	private get killed(): boolean {
		return this.record?.phase === 'killed';
	}

	/* ---- starting ---- */

	private async start(id: string, d: Dispatch): Promise<void> {
		if (this.killed) throw killedBefore();
		if (this.record && this.record.phase !== 'starting') return;
		const now = Date.now();
		const timeoutAt = this.record?.timeoutAt ?? now + d.timeoutSeconds * 1000;
		const record: BoxRecord = { id, phase: 'starting', startedAt: now, timeoutAt };
		if (!(await register(this.env).take(id, reapAt({ ...record, phase: 'ended', endedAt: timeoutAt }))))
			throw new Refusal(429, 'limit', 'every box of this host is in use', { 'Retry-After': '5' });
		if (!this.killed) await this.put(record);
		try {
			if (!this.killed) await sdk.start(this.env, id, contents(d));
		} catch (e) {
			await this.notStarted(e);
		}
		if (this.killed) {
			// its destroy may have come before what we did since
			await this.end();
			throw killedBefore();
		}
		await this.put({ ...record, phase: 'started', startedAt: Date.now() });
	}

	// Slow is not failed: what hangs may yet start, so the box keeps its place and the same dispatch is taken again.
	private async notStarted(e: unknown): Promise<never> {
		if (this.killed) {
			await this.end();
			throw killedBefore();
		}
		if (e instanceof TimeLimit) throw busy(`the container is slow to start (${e.message}); the same dispatch again`);
		await this.forget();
		throw e;
	}

	// As if it had never been asked for; a later dispatch begins anew.
	private async forget(): Promise<void> {
		const id = this.record?.id;
		if (id === undefined) return;
		await sdk.end(this.env, id).catch((e: unknown) => console.error('box.not_ended', id, String(e)));
		await register(this.env).release(id);
		this.record = undefined;
		await this.ctx.storage.deleteAll();
		await this.ctx.storage.deleteAlarm();
	}

	/* ---- looking ---- */

	private async lookNow(): Promise<Look | null> {
		const known = this.record;
		if (!known || known.phase === 'starting') return known ? { record: known, alive: true } : null;
		const alive = !known.destroyed && (await sdk.isUp(this.env, known.id));
		if (known.phase === 'started') await this.lookAt(known, alive);
		return { record: this.record ?? known, alive: alive && !this.record?.destroyed };
	}

	// A piece of the terminal's log from there on; null when there is none, or none any more.
	private async readLog(offset: number): Promise<sdk.Piece | null> {
		const known = this.record;
		if (!known || known.startedAt === 0) return null;
		if (!known.destroyed && (await sdk.isUp(this.env, known.id))) return sdk.readLog(this.env, known.id, offset);
		const kept = await this.ctx.storage.get<sdk.Piece>('log');
		if (!kept) return null;
		const start = Math.min(Math.max(offset, kept.start), kept.end);
		return { start, end: kept.end, bytes: kept.bytes.slice(start - kept.start) };
	}

	private async mayOpen(): Promise<boolean> {
		const known = this.record;
		if (!known || known.destroyed || (known.phase !== 'started' && known.phase !== 'ended')) return false;
		return sdk.isUp(this.env, known.id);
	}

	// A box that runs, as far as we know: has it ended, and how?
	private async lookAt(known: BoxRecord, alive: boolean): Promise<void> {
		const ended = (more: Partial<BoxRecord>) => this.put({ ...known, ...more, phase: 'ended', endedAt: Date.now() });
		if (!alive) {
			await ended({ destroyed: true });
			await register(this.env).release(known.id);
			return;
		}
		const said = await sdk.readState(this.env, known.id);
		if (this.record !== known) return;
		if (said === null && Date.now() - known.startedAt < FIRST_WORD_MS) return;
		if (said === null) {
			// the platform gave us a new, empty container: the work is lost, and this one is nobody's
			await ended({ error: 'the container was replaced, and what was in it is lost' });
			await this.inTurn(() => this.end());
		} else if (said.state === 'ended') {
			await ended({ exitCode: said.exitCode ?? 1, reason: said.reason ?? 'exit' });
		} else {
			await this.lookAtKeeper(known, ended);
		}
	}

	private async lookAtKeeper(known: BoxRecord, ended: (more: Partial<BoxRecord>) => Promise<void>): Promise<void> {
		const keeper = await sdk.keeper(this.env, known.id);
		if (keeper === 'running' || this.record !== known) return;
		if (keeper === 'unknown') throw busy('the container does not say how its process is');
		const said = await sdk.readState(this.env, known.id);
		if (this.record !== known) return;
		if (said?.state === 'ended') await ended({ exitCode: said.exitCode ?? 1, reason: said.reason ?? 'exit' });
		else await ended({ reason: 'error', exitCode: 1, error: 'what watches the agent in the box was ended' });
	}

	/* ---- ending ---- */

	private async end(): Promise<void> {
		const record = this.record;
		if (!record) return;
		// never dispatched: there is no container, and to ask would make one's object
		if (record.startedAt > 0 && !record.destroyed) await sdk.end(this.env, record.id);
		await register(this.env).release(record.id);
		await this.put({ ...(this.record ?? record), destroyed: true, endedAt: record.endedAt ?? Date.now() });
	}

	// Nobody came for the rest of the log before its box must go: the newest piece stays with us, as long as the record.
	private async keepLog(id: string): Promise<void> {
		try {
			if (!(await sdk.isUp(this.env, id))) return;
			const size = (await sdk.readLog(this.env, id, Number.MAX_SAFE_INTEGER))?.end ?? 0;
			const last = await sdk.readLog(this.env, id, Math.max(0, size - sdk.PIECE_MAX));
			if (last) await this.ctx.storage.put('log', last);
		} catch (e) {
			console.error('box.log_lost', id, String(e));
		}
	}

	// The alarm: whatever the box's time has come for.
	private async reap(): Promise<void> {
		const record = this.record;
		if (!record) return;
		if (!record.destroyed) {
			if (record.phase === 'started' || record.phase === 'starting')
				await this.put({ ...record, phase: 'ended', endedAt: Date.now(), reason: 'timeout', exitCode: 124 });
			console.log('box.reaped', record.id, record.phase);
			await this.keepLog(record.id);
			await this.end();
		} else if (Date.now() >= (record.endedAt ?? 0) + KEEP_RECORD_MS) {
			await this.ctx.storage.deleteAll();
			this.record = undefined;
		} else {
			// a call that we gave up on may have started it again after all
			if (record.startedAt > 0 && (await sdk.isUp(this.env, record.id))) await sdk.end(this.env, record.id);
			await this.ctx.storage.setAlarm((record.endedAt ?? 0) + KEEP_RECORD_MS);
		}
	}
}

// Prompt, history and token by file: a prompt is longer than a variable can be, and a token must not be in one.
function contents(d: Dispatch): sdk.Start {
	return {
		variables: { ...d.variables, BOX_DISPATCH: d.dispatchId },
		files: { prompt: d.prompt, 'history.json': d.history, token: `${d.token}\n` },
	};
}

export const box = (env: Env, id: string) => env.Box.get(env.Box.idFromName(id));

// How many boxes there are. One object for all of them: that is what a limit takes. Its entries expire, so that none can be
// forgotten here for ever.

import { DurableObject } from 'cloudflare:workers';
import type { Env } from './env';

const PREFIX = 'box:';
export const CAPACITY_DEFAULT = 5;

export class Register extends DurableObject<Env> {
	get capacity(): number {
		const asked = Number(this.env.CAPACITY);
		return Number.isInteger(asked) && asked > 0 ? asked : CAPACITY_DEFAULT;
	}

	// true: there is room, and it is taken until `until` (ms) or the release. Who has a place keeps it.
	async take(id: string, until: number): Promise<boolean> {
		const living = await this.living();
		if (!living.includes(id) && living.length >= this.capacity) return false;
		await this.ctx.storage.put(PREFIX + id, until);
		return true;
	}

	async release(id: string): Promise<void> {
		await this.ctx.storage.delete(PREFIX + id);
	}

	async count(): Promise<{ active: number; capacity: number }> {
		return { active: (await this.living()).length, capacity: this.capacity };
	}

	private async living(): Promise<string[]> {
		const entries = await this.ctx.storage.list<number>({ prefix: PREFIX });
		const now = Date.now();
		const expired = [...entries].filter(([, until]) => until <= now).map(([key]) => key);
		if (expired.length > 0) await this.ctx.storage.delete(expired.slice(0, 128));
		return [...entries].filter(([, until]) => until > now).map(([key]) => key.slice(PREFIX.length));
	}
}

export const register = (env: Env) => env.Register.get(env.Register.idFromName('register'));

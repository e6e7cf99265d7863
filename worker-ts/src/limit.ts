// Calls of the SDK can hang for ever (a process that left no exit file): none is awaited without a time limit.

export class TimeLimit extends Error {}

export async function within<T>(ms: number, what: string, call: Promise<T>): Promise<T> {
	let timer: ReturnType<typeof setTimeout> | null = null;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new TimeLimit(`${what}: no answer in ${ms / 1000} s`)), ms);
	});
	// what comes after the time is up is nobody's any more
	call.catch(() => {});
	try {
		return await Promise.race([call, late]);
	} finally {
		clearTimeout(timer);
	}
}

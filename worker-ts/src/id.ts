// Sandbox ids: the first 32 hex digits of HMAC-SHA256(secret, dispatchId). chomp computes the same when an answer is lost.

const hex = (data: ArrayBuffer) => [...new Uint8Array(data)].map((b) => b.toString(16).padStart(2, '0')).join('');

export const isId = (text: string) => /^[0-9a-f]{32}$/.test(text);

export async function sandboxId(secret: string, dispatchId: string): Promise<string> {
	const encode = (text: string) => new TextEncoder().encode(text);
	const key = await crypto.subtle.importKey('raw', encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
	return hex(await crypto.subtle.sign('HMAC', key, encode(dispatchId))).slice(0, 32);
}

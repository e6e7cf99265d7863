// The body of a dispatch: every field's grammar and limit, the same as the local host's (fcgi/sandbox/proto.c).

import { badField, Refusal, tooLarge } from './answer';
import { isId } from './id';

export const BODY_MAX = 2 * 1024 * 1024;
const PROMPT_MAX = 256 * 1024;
const TEXT_MAX = 4096;
const ID_MAX = 64;
const ENV_MAX = 64;
const ENV_VALUE_MAX = 32 * 1024;
// what one execve can carry besides is shared by all variables
const ENV_TOTAL_MAX = 256 * 1024;
const TIMEOUT_DEFAULT_S = 4 * 3600;
const TIMEOUT_MAX_S = 7 * 24 * 3600;

export interface Dispatch {
	dispatchId: string;
	// what run-agent reads (docs/PROTOCOL.md, "What run-agent finds in the box"), less the paths of files
	variables: Record<string, string>;
	prompt: string;
	history: string;
	token: string;
	timeoutSeconds: number;
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
	typeof value === 'object' && value !== null && !Array.isArray(value);
const size = (text: string) => new TextEncoder().encode(text).length;

/* ---- reading ---- */

async function readBody(request: Request): Promise<Uint8Array> {
	const tooLong = () => tooLarge(`a body of at most ${BODY_MAX} bytes is wanted`);
	if (Number(request.headers.get('Content-Length') ?? 0) > BODY_MAX) throw tooLong();
	const pieces: Uint8Array[] = [];
	let length = 0;
	for await (const piece of request.body ?? []) {
		length += piece.length;
		if (length > BODY_MAX) throw tooLong();
		pieces.push(piece);
	}
	const whole = new Uint8Array(length);
	let at = 0;
	for (const piece of pieces) {
		whole.set(piece, at);
		at += piece.length;
	}
	return whole;
}

async function readJson(request: Request): Promise<Fields> {
	const body = await readBody(request);
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
	} catch {
		throw new Refusal(400, 'bad_json', 'the body is not JSON');
	}
	if (!isObject(value)) throw new Refusal(400, 'bad_json', 'a JSON object is wanted');
	return value;
}

/* ---- grammars ---- */

// no control characters
const isLine = (text: string) => !/[\u0000-\u001f\u007f]/.test(text);
// a line that git cannot take for an option
const isArgument = (text: string) => !text.startsWith('-') && isLine(text);
const isName = (text: string) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text);
// "ext::command" and its kind name a program to run; no repository is written so
const isRepo = (text: string) => isArgument(text) && !text.includes(' ') && !text.includes('::') && !/^ssh:\/\/-/.test(text);
const isInside = (text: string) => !text.startsWith('/') && isArgument(text) && !text.split('/').includes('..');
const isUrl = (text: string) => /^https?:\/\/[^\s"\\]+$/.test(text) && isLine(text);
const isToken = (text: string) => /^[A-Za-z0-9\-_.~+/=:]+$/.test(text) && text.length <= 1024;
const isSession = (text: string) => /^s[0-9]{1,19}$/.test(text);
const isNumber = (text: string) => /^[0-9]{1,19}$/.test(text);

// Names that the box sets itself, and names that change how a loader or a shell behaves.
const reserved =
	/^(AGENT|AGENT_COMMAND|BASHOPTS|BASH_.*|CDPATH|CHOMP_.*|ENV|GCONV_PATH|GLIBC_.*|GLOBIGNORE|HOME|HOSTALIASES|IFS|LANG|LANGUAGE|LC_.*|LD_.*|LOCALDOMAIN|LOCPATH|LOGNAME|MALLOC_.*|MODEL|NLSPATH|PATH|PROMPT_COMMAND|PS4|PWD|OLDPWD|RESOLV_.*|RES_OPTIONS|ROUTER|SESSION_ID|SHELL|SHELLOPTS|TASK_.*|TERM|TMPDIR|TMUX.*|TZDIR|USER)$/;

interface Field {
	wanted: string;
	ok?: (text: string) => boolean;
	max?: number;
}

// Empty text in an optional field is a missing one.
function text(from: Fields, key: string, field: Field): string | undefined {
	const value = from[key];
	const max = field.max ?? TEXT_MAX;
	if (value === undefined || value === null || value === '') {
		if (value === undefined || value === '') return undefined;
		throw badField(`${key}: ${field.wanted} is wanted`);
	}
	if (typeof value !== 'string' || !value.isWellFormed() || value.includes('\0') || size(value) > max)
		throw badField(`${key}: at most ${max} bytes of text without NUL are wanted`);
	if (field.ok && !field.ok(value)) throw badField(`${key}: ${field.wanted} is wanted`);
	return value;
}

function required(from: Fields, key: string, field: Field): string {
	const value = text(from, key, field);
	if (value === undefined) throw badField(`${key} is missing: ${field.wanted} is wanted`);
	return value;
}

/* ---- the parts ---- */

function taskId(body: Fields): string {
	const value = body['taskId'];
	if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
	return required(body, 'taskId', { wanted: "a task's number", ok: isNumber, max: ID_MAX });
}

function place(body: Fields, repo: string | undefined): string | undefined {
	const dir = text(body, 'dir', { wanted: 'a path', ok: isLine });
	if (dir !== undefined && repo === undefined)
		throw new Refusal(400, 'dir_needs_local', 'dir: this host sees no directory of yours; give a repoUrl');
	if (dir !== undefined && !isInside(dir)) throw badField('dir: a path inside the clone, without .., is wanted');
	return dir;
}

function network(body: Fields): void {
	const asked = text(body, 'network', { wanted: 'none, internet or host', ok: (v) => /^(none|internet|host)$/.test(v) });
	// said rather than ignored: who asks for a closed box must not get an open one
	if (asked === 'none') throw badField('network: this host makes no box without a network; use internet, or host local');
}

function history(body: Fields): string {
	const value = body['history'] ?? [];
	if (!Array.isArray(value) || !value.every(isObject)) throw badField('history: an array of objects is wanted');
	return JSON.stringify(value);
}

function callback(body: Fields): { url: string; token: string } {
	const value = body['callback'];
	if (!isObject(value)) throw badField('callback is missing: an object with url and token is wanted');
	return {
		url: required(value, 'url', { wanted: 'an http or https URL', ok: isUrl }),
		token: required(value, 'token', { wanted: 'a token', ok: isToken }),
	};
}

function variables(body: Fields): Record<string, string> {
	const env = body['env'] ?? {};
	if (!isObject(env)) throw badField('env: an object of texts is wanted');
	const names = Object.keys(env);
	if (names.length > ENV_MAX) throw badField(`env: at most ${ENV_MAX} names`);
	const out: Record<string, string> = {};
	let total = 0;
	for (const name of names) {
		if (!/^[A-Z][A-Z0-9_]{0,63}$/.test(name)) throw badField(`env: ${JSON.stringify(name.slice(0, 64))} is not a name like API_KEY`);
		if (reserved.test(name)) throw badField(`env: ${name} is not to be set from outside`);
		const value = env[name];
		if (typeof value !== 'string' || !value.isWellFormed() || value.includes('\0') || size(value) > ENV_VALUE_MAX)
			throw badField(`env: ${name}: at most ${ENV_VALUE_MAX} bytes of text without NUL are wanted`);
		total += size(name) + size(value);
		out[name] = value;
	}
	if (total > ENV_TOTAL_MAX) throw badField(`env: at most ${ENV_TOTAL_MAX} bytes in all`);
	return out;
}

function timeout(body: Fields): number {
	const value = body['timeoutSeconds'] ?? TIMEOUT_DEFAULT_S;
	const seconds = typeof value === 'string' && /^[0-9]{1,9}$/.test(value) ? Number(value) : value;
	if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 1 || seconds > TIMEOUT_MAX_S)
		throw badField(`timeoutSeconds: a number from 1 to ${TIMEOUT_MAX_S} is wanted`);
	return seconds;
}

/* ---- the whole ---- */

export async function readDispatch(request: Request): Promise<Dispatch> {
	return parseDispatch(await readJson(request));
}

function parseDispatch(body: Fields): Dispatch {
	const dispatchId = required(body, 'dispatchId', { wanted: '32 hex digits', ok: isId, max: ID_MAX });
	const repo = text(body, 'repoUrl', { wanted: 'the URL of a repository', ok: isRepo });
	const back = callback(body);
	const seconds = timeout(body);
	const line = (key: string) => text(body, key, { wanted: 'one line of text', ok: isLine });
	const command = line('command');
	const dir = place(body, repo);
	network(body);
	return {
		dispatchId,
		prompt: required(body, 'prompt', { wanted: 'text', max: PROMPT_MAX }),
		history: history(body),
		token: back.token,
		timeoutSeconds: seconds,
		variables: {
			...variables(body),
			CHOMP_API: back.url,
			TASK_ID: taskId(body),
			SESSION_ID: required(body, 'sessionId', { wanted: 's and a number', ok: isSession, max: ID_MAX }),
			AGENT: required(body, 'agent', { wanted: "an agent's id", ok: isName, max: ID_MAX }),
			MODEL: line('model') ?? '',
			ROUTER: text(body, 'router', { wanted: "a router's id", ok: isName, max: ID_MAX }) ?? '',
			TASK_REPO_URL: repo ?? '',
			TASK_BRANCH: text(body, 'branch', { wanted: 'the name of a branch', ok: isArgument }) ?? '',
			CHOMP_TIMEOUT: String(seconds),
			...(dir === undefined ? {} : { TASK_SUBDIR: dir }),
			...(command === undefined ? {} : { AGENT_COMMAND: command }),
		},
	};
}

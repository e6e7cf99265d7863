// Holds answers to the contract, fcgi/api/openapi.json. Every instance that the tests start is held to it (instance.mjs): an
// answer that is not as documented makes the request that got it fail.
//
//   theContract()                of this clone
//   contractOf(document)         { check(method, path, answer, headers), operations, valid, document }
//                                check throws with what is wrong; headers are those of the request
//
// The document leaves room for members of adopted states that chomp does not know; the tests' own state has none, so here
// every object is closed: a member that is served and not documented is a failure.

import fs from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { repoRoot } from './build.mjs';

const ID = 'contract:';
const escaped = (key) => key.replaceAll('~', '~0').replaceAll('/', '~1');

function close(schema) {
	if (schema.properties && schema.required && schema.additionalProperties === undefined) schema.additionalProperties = false;
	return schema;
}

export function contractOf(document) {
	const doc = structuredClone(document);
	for (const name of ['Task', 'Session', 'State']) close(doc.components.schemas[name]);
	const ajv = new Ajv({ strict: false, allErrors: true });
	addFormats(ajv);
	ajv.addSchema({ $id: ID, ...doc });
	const compiled = new Map();
	const validator = (pointer) => {
		if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: `${ID}#${pointer}` }));
		return compiled.get(pointer);
	};
	const templates = Object.keys(doc.paths).map((path) => ({
		path,
		literal: !path.includes('{'),
		match: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[^}]*\}/g, '[^/]+')}$`),
	}));
	const operations = templates.flatMap(({ path }) =>
		Object.keys(doc.paths[path])
			.filter((m) => /^(get|post|put|delete|patch)$/.test(m))
			.map((m) => `${m.toUpperCase()} ${path}`),
	);

	const valid = (pointer, value, what) => {
		const fits = validator(pointer);
		if (!fits(value)) throw new Error(`${what}: not as documented: ${ajv.errorsText(fits.errors)}\n${JSON.stringify(value).slice(0, 2000)}`);
	};

	const resolved = (pointer, response) =>
		response.$ref ? [response.$ref.slice(1), response.$ref.slice(2).split('/').reduce((at, k) => at[k], doc)] : [pointer, response];

	function checkBody(what, pointer, response, type, answer, accept) {
		const media = response.content?.[type];
		if (!response.content && answer.body?.length === 0) return;
		if (!media || (type === 'text/html' && !/text\/html/.test(accept))) throw new Error(`${what}: ${type || 'no type'} is not documented`);
		if (media.schema && type === 'application/json') valid(`${pointer}/content/${escaped(type)}/schema`, answer.json(), what);
	}

	function check(method, route, answer, headers = {}) {
		const at = route.replace(/\?.*$/, '');
		const what = `${method} ${at} ${answer.status}`;
		const type = (answer.headers['content-type'] || '').replace(/;.*/, '');
		const accept = Object.entries(headers).find(([k]) => k.toLowerCase() === 'accept')?.[1] ?? '';
		const found = templates.find((t) => t.literal && t.match.test(at)) || templates.find((t) => t.match.test(at));
		const operation = found && doc.paths[found.path][(method === 'HEAD' ? 'GET' : method).toLowerCase()];
		if (!operation) {
			// no such address, or not by that method: only a refusal will do
			if (answer.status < 400) throw new Error(`${what}: served and not documented`);
			if (type === 'application/json' && method !== 'HEAD') valid('/components/schemas/Error', answer.json(), what);
			return;
		}
		const range = `${String(answer.status)[0]}XX`;
		const key = operation.responses[answer.status] ? String(answer.status) : range;
		if (!operation.responses[key]) throw new Error(`${what}: this status is not documented`);
		const [pointer, response] = resolved(`/paths/${escaped(found.path)}/${method.toLowerCase()}/responses/${key}`, operation.responses[key]);
		if (method !== 'HEAD') checkBody(what, pointer, response, type, answer, accept);
		for (const [name, header] of Object.entries(response.headers || {})) {
			const value = answer.headers[name.toLowerCase()];
			if (header.schema?.const !== undefined && value !== header.schema.const) throw new Error(`${what}: ${name} is ${value}`);
		}
	}

	return { check, operations, valid, document: doc };
}

let ours;
export function theContract() {
	ours ??= contractOf(JSON.parse(fs.readFileSync(path.join(repoRoot, 'fcgi/api/openapi.json'), 'utf8')));
	return ours;
}

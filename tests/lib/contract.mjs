// Holds answers to the contract that an instance serves (GET /api/openapi.json).
//
//   await heldTo(chomp)          from now on every answer of chomp.api to /api/… and /metrics is checked; resolves with the contract
//   contractOf(document)         { check(method, path, answer), operations }; check throws with what is wrong
//
// The document leaves room for members of adopted states that chomp does not know; the tests' own state has none, so here
// every object is closed: a member that is served and not documented is a failure.

import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

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

	function check(method, route, answer) {
		const path = route.replace(/\?.*$/, '');
		const what = `${method} ${path} ${answer.status}`;
		const type = (answer.headers['content-type'] || '').replace(/;.*/, '');
		const found = templates.find((t) => t.literal && t.match.test(path)) || templates.find((t) => t.match.test(path));
		const operation = found && doc.paths[found.path][method.toLowerCase()];
		if (!operation) {
			if (answer.status < 400) throw new Error(`${what}: served and not documented`);
			valid('/components/schemas/Error', answer.json(), what);
			return;
		}
		const range = `${String(answer.status)[0]}XX`;
		const key = operation.responses[answer.status] ? String(answer.status) : range;
		let pointer = `/paths/${escaped(found.path)}/${method.toLowerCase()}/responses/${key}`;
		let response = operation.responses[key];
		if (!response) throw new Error(`${what}: this status is not documented`);
		if (response.$ref) {
			pointer = response.$ref.slice(1);
			response = pointer.slice(1).split('/').reduce((at, k) => at[k], doc);
		}
		const media = response.content?.[type];
		if (!media) throw new Error(`${what}: ${type || 'no type'} is not documented`);
		if (media.schema && type === 'application/json') valid(`${pointer}/content/${escaped(type)}/schema`, answer.json(), what);
		for (const [name, header] of Object.entries(response.headers || {})) {
			const value = answer.headers[name.toLowerCase()];
			if (header.schema?.const !== undefined && value !== header.schema.const) throw new Error(`${what}: ${name} is ${value}`);
		}
	}

	return { check, operations, valid, document: doc };
}

export async function heldTo(chomp) {
	const said = await chomp.api.get('/api/openapi.json');
	if (said.status !== 200) throw new Error(`no contract: ${said.status} ${said.text}`);
	const contract = contractOf(said.json());
	const { call } = chomp.api;
	const checked = async (method, route, ...rest) => {
		const answer = await call(method, route, ...rest);
		if (/^\/(api\/|metrics)/.test(route)) contract.check(method, route, answer);
		return answer;
	};
	chomp.api.call = checked;
	chomp.api.get = (route, options) => checked('GET', route, undefined, options);
	chomp.api.post = (route, body, options) => checked('POST', route, body, options);
	return contract;
}

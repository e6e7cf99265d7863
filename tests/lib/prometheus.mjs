// The Prometheus text format 0.0.4, strictly: https://prometheus.io/docs/instrumenting/exposition_formats/
//
//   parsePrometheus(text)   Map of series ('name{a="b"}') to number; throws with the line that is wrong

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const sample = new RegExp(`^(${NAME})(\\{${LABEL}(?:,${LABEL})*\\})? (\\S+)( -?\\d+)?$`);
const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`);
const types = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);

export function parsePrometheus(text) {
	const series = new Map();
	const said = new Set(); // 'TYPE name' …
	const closed = new Set();
	let family;
	const wrong = (line, why) => {
		throw new Error(`${why}: ${JSON.stringify(line)}`);
	};
	const enter = (name, line) => {
		if (name === family) return;
		if (family) closed.add(family);
		if (closed.has(name)) wrong(line, 'a family torn apart');
		family = name;
	};

	if (!text.endsWith('\n')) wrong(text.slice(-80), 'no line feed at the end');
	for (const line of text.slice(0, -1).split('\n')) {
		if (line === '') continue;
		if (line.startsWith('#')) {
			const [, what, name, rest] = comment.exec(line) || wrong(line, 'an odd comment');
			enter(name, line);
			if (said.has(`${what} ${name}`)) wrong(line, 'said twice');
			said.add(`${what} ${name}`);
			if (what === 'TYPE' && !types.has(rest)) wrong(line, 'an unknown type');
			continue;
		}
		const [, name, labels = '', value] = sample.exec(line) || wrong(line, 'no sample');
		enter(name, line);
		if (!said.has(`TYPE ${name}`)) wrong(line, 'a sample before its TYPE');
		if (!/^([+-]?(\d+\.?\d*([eE][+-]?\d+)?|Inf)|NaN)$/.test(value)) wrong(line, 'no number');
		if (series.has(name + labels)) wrong(line, 'a series twice');
		series.set(name + labels, Number(value.replace('Inf', 'Infinity')));
	}
	return series;
}

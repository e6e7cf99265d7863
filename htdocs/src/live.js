// A running session's terminal, on a task's page or in its sheet: loaded when the first one is shown (terminal.js). It is there
// while its session runs, and until somebody who reads back in it lets go; then the kept output takes over.

const LOOK_MS = 3000;
const { terminal: script, terminalNeeds: needs, terminalSheet } = document.body.dataset;
let loaded = null;
let shown = null; // { terminal, place, session }
let opening = '';

function load() {
	const sheet = document.createElement('link');
	sheet.rel = 'stylesheet';
	sheet.href = terminalSheet;
	document.head.append(sheet);
	const ready = new Promise((resolve) => (sheet.onload = sheet.onerror = resolve));
	return Promise.all([import(script), ready, ...needs.split(' ').map((name) => import(name))]); // at once
}

async function follow() {
	const place = document.getElementById('live');
	const session = document.getElementById('kept')?.dataset.live ?? '';
	const wanted = place && session && isShown(place) ? `${place.dataset.task} ${session}` : '';
	if (shown && (shown.place !== place || !isShown(shown.place) ||
		(wanted ? wanted !== shown.session : shown.terminal.ended && !shown.terminal.busy))) {
		shown.terminal.close();
		shown.place.hidden = true;
		shown = null;
	}
	if (!wanted || shown || opening === wanted) return;
	opening = wanted;
	try {
		const [{ open }] = await (loaded ??= load());
		if (opening !== wanted || !place.isConnected) return;
		shown = { terminal: open(place), place, session: wanted };
		place.addEventListener('terminal', follow);
	} catch (error) {
		console.warn(`no terminal: ${error.message}`); // the kept output has to do
		return;
	}
	opening = '';
}
// The place itself is hidden until a terminal opens in it.
const isShown = (place) => place.isConnected && place.parentElement.checkVisibility();

if (script) {
	document.addEventListener('htmx:afterSettle', follow);
	document.addEventListener('sheet', follow);
	setInterval(follow, LOOK_MS);
	follow();
}

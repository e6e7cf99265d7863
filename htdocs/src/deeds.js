// What somebody did by a form: told when it is done, told why when it is not, and taken back where it can be.

import { say } from './toast.js';
import { close } from './sheets.js';

// ---- one tap, one post ----
document.addEventListener('submit', (event) => {
	const form = event.target;
	if (form.method !== 'post') return;
	if (form.dataset.sent) event.preventDefault();
	form.dataset.sent = '1';
});
const again = (form) => delete form.dataset?.sent;
addEventListener('pageshow', () => document.querySelectorAll('form[data-sent]').forEach(again));
document.addEventListener('htmx:afterRequest', ({ detail }) => again(detail.elt.closest?.('form') ?? detail.elt));

// ---- heard in any case ----
// What was tapped may have been merged away by a push before its own answer came. htmx then tells an element that is in no page.
document.addEventListener('htmx:beforeRequest', ({ detail }) => {
	const { xhr, elt } = detail;
	let heard = true;
	xhr.addEventListener('readystatechange', () => {
		if (xhr.readyState === XMLHttpRequest.DONE) heard = elt.isConnected;
	});
	xhr.addEventListener('loadend', () => {
		if (heard) return;
		const tell = (name) => document.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
		if (xhr.status === 0) tell('htmx:sendError');
		else if (!detail.successful) tell('htmx:responseError');
		tell('htmx:afterRequest');
	});
});

// ---- what is said ----
const inSheet = (elt) => elt.closest('dialog');
const FIELDS = ['prompt', 'dir', 'repo_url', 'branch', 'model', 'router', 'host', 'network', 'priority', 'token_budget', 'on_budget', 'gate', 'gate_loops', 'gate_edits'];

// A task that nobody had worked on comes back with every word, under a new number.
async function undelete(task) {
	const words = Object.fromEntries(FIELDS.filter((f) => task[f] !== null && task[f] !== undefined).map((f) => [f, task[f]]));
	if (task.platform) words.agent = task.platform;
	if (task.review?.wanted) words.review = true;
	try {
		const said = await fetch('/api/tasks', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(words) });
		const answer = await said.json();
		if (!said.ok) throw new Error(answer.error.message);
		document.body.dispatchEvent(new CustomEvent('refreshTasks', { bubbles: true }));
		say(`Back as task ${answer.id}`);
	} catch (error) {
		say(`Failed: ${error.message}`, { error: true });
	}
}

const DONE = {
	'/api/tasks': (task, elt) => {
		close();
		const runs = task.status === 'active';
		say(runs ? `Task ${task.id} is starting` : 'Task queued', { label: 'Open', act: () => open(task.id) });
	},
	'/api/tasks/run': (task) => say(`Task ${task.id} is starting`),
	'/api/tasks/cancel': (task) => say(`Task ${task.id} is stopped and held. Run it when you are ready`),
	'/api/tasks/retry': (task) => say(`Task ${task.id} is queued again. ▶︎ starts it`),
	'/api/tasks/handoff': (task) => say(`Task ${task.id} is handed off. ▶︎ starts the next agent`),
	'/api/tasks/approve': (task) => say(`Task ${task.id} is approved`),
	'/api/tasks/sendback': (task) => say(`Task ${task.id} goes back to the queue`),
	'/api/tasks/delete': (task, elt) => {
		if (inSheet(elt)) close();
		else if (!document.getElementById('tasks')) location.assign('/');
		if (task.sessions.length > 0) say(`Task ${task.id} deleted`);
		else say(`Task ${task.id} deleted`, { label: 'Undo', act: () => undelete(task) });
	},
	'/api/config/keys': (answer) => say(answer.set ? 'Key saved' : 'Key removed'),
	'/api/config/agents': (agent, elt) => say(elt.querySelector('[name=delete]') ? 'Agent removed' : 'Agent installed'),
	'/api/config/settings': () => say('Saved'),
};
function open(id) {
	history.pushState({ sheet: true }, '', `#task-${id}`);
	dispatchEvent(new PopStateEvent('popstate'));
}

// Before its refreshTasks is heard: a task that is deleted in its sheet is not asked for any more.
document.addEventListener('htmx:beforeOnLoad', ({ detail: { requestConfig, xhr, elt } }) => {
	if (requestConfig.path !== '/api/tasks/delete' || xhr.status !== 200) return;
	const region = elt.closest('#detail');
	if (region) region.dataset.gone = '1';
});

document.addEventListener('htmx:afterRequest', ({ detail }) => {
	const { requestConfig, successful, xhr, elt } = detail;
	const done = DONE[requestConfig.path];
	if (requestConfig.verb === 'get' || !successful || !done) return;
	const form = elt.closest('form');
	for (const fold of [form?.closest('details')]) fold?.removeAttribute('open');
	if (requestConfig.path.startsWith('/api/config/')) form?.reset();
	done(JSON.parse(xhr.responseText), elt);
});

// A fold that is opened takes the keyboard to what it asks; Cancel in it folds it again.
document.addEventListener('toggle', ({ target }) => {
	if (target.open && target.matches('.ask, .ask-small, .key-edit, .install') && target.contains(document.activeElement))
		target.querySelector('textarea, input:not([type=hidden]), form button')?.focus();
}, true);
document.addEventListener('click', ({ target }) => {
	if (target.closest?.('[data-fold]')) target.closest('details').open = false;
});

// The errors of every request are shown: what somebody did and was refused, as a toast; that the server is away, as a banner
// that stays until it is back.

import { say } from './toast.js';

const notice = document.getElementById('notice');
const tell = (text) => {
	if (notice.textContent !== text) notice.textContent = text;
};
const LOGGED_OUT = 'You are logged out. Load this page again to log in';

function reason(xhr) {
	if (xhr.status === 401) return LOGGED_OUT;
	try {
		return JSON.parse(xhr.responseText).error.message;
	} catch {
		return `chomp answered ${xhr.status}; try again in a moment`;
	}
}

document.addEventListener('htmx:responseError', ({ detail }) => {
	const { xhr, requestConfig, target } = detail;
	const asked = requestConfig.triggeringEvent?.type;
	const byHand = requestConfig.verb !== 'get' || asked === 'click' || asked === 'submit' || asked === 'open';
	if (byHand) say(requestConfig.verb === 'get' ? reason(xhr) : `Failed: ${reason(xhr)}`, { error: true });
	if (xhr.status === 401) tell(LOGGED_OUT);
	else if (xhr.status >= 500) tell(`${reason(xhr)}; trying again`);
	else if (target?.id === 'detail' && xhr.status === 404) gone(target, reason(xhr));
});
// The task of an open sheet was deleted elsewhere.
function gone(target, text) {
	const word = document.createElement('p');
	word.className = 'alert';
	word.textContent = text;
	const link = document.createElement('a');
	link.className = 'btn btn-secondary';
	link.href = '/';
	link.dataset.close = '';
	link.textContent = 'Close';
	target.replaceChildren(word, link);
}

const AWAY = 'chomp does not answer; trying again';
for (const name of ['htmx:sendError', 'htmx:timeout'])
	document.addEventListener(name, ({ detail }) => {
		tell(AWAY);
		if (detail.requestConfig.verb !== 'get') say('Failed: chomp does not answer. Nothing may have changed; look before you try again', { error: true });
	});
addEventListener('offline', () => tell('You are offline; chomp is asked again when you are back'));
addEventListener('online', () => document.body.dispatchEvent(new CustomEvent('refreshTasks', { bubbles: true })));
document.addEventListener('htmx:afterRequest', ({ detail }) => {
	if (detail.successful || detail.xhr.status === 304) tell('');
});

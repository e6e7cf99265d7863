// How answers become part of the page.
//
// - A region says what it has (If-None-Match); the unchanged answer, 304, touches nothing.
// - What has changed is merged in (Idiomorph): nodes that stay keep focus, selection, spinner and scroll.
// - Fields, open folds and the live terminal are somebody's own: an answer does not change them.
// - A region remembers the address it shows, so that a refresh asks for the same tab, search and pages again.

const OWN = 'input, textarea, select, #live';
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.matches?.(OWN) && old.id);
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === 'open' && node.localName === 'details');

const isRegion = (elt) => elt.id === 'tasks' || elt.id === 'detail' || elt.id === 'balance';

document.addEventListener('htmx:configRequest', (event) => {
	const { elt, verb, headers } = event.detail;
	if (verb !== 'get') return;
	if (!elt.checkVisibility() || elt.dataset.gone) { // a sheet that is closed, a task that was deleted in it
		event.preventDefault();
		return;
	}
	if (!isRegion(elt)) return;
	if (elt.dataset.at) event.detail.path = elt.dataset.at;
	if (elt.dataset.etag) headers['If-None-Match'] = elt.dataset.etag;
});

// The output's box is reversed: scrollTop is 0 at its end and negative above it.
const boxes = (region) => [...region.querySelectorAll('#output, .long-scroll, .diff-lines')];
let held = new Map();
document.addEventListener('htmx:beforeSwap', (event) => {
	const { xhr, target, shouldSwap, requestConfig } = event.detail;
	if (!shouldSwap || !isRegion(target)) return;
	// An answer to a question that is no longer asked: the region shows something else by now.
	if (requestConfig.elt === target && target.dataset.at && requestConfig.path !== target.dataset.at) {
		event.detail.shouldSwap = false;
		return;
	}
	target.dataset.etag = xhr.getResponseHeader('ETag') ?? '';
	held = new Map(boxes(target).map((box) => [box, box.id === 'output'
		? box.scrollTop < -4 && box.scrollHeight - box.clientHeight + box.scrollTop
		: box.scrollTop]));
});
document.addEventListener('htmx:afterSwap', (event) => {
	const { target, pathInfo } = event.detail;
	for (const [box, top] of held)
		if (top && box.isConnected) box.scrollTop = box.id === 'output' ? top - (box.scrollHeight - box.clientHeight) : top;
	held = new Map();
	if (target.id !== 'tasks') return;
	target.dataset.at = pathInfo.finalRequestPath;
	const query = new URLSearchParams(pathInfo.finalRequestPath.split('?')[1]);
	const tab = query.get('tab') ?? 'active';
	for (const link of document.querySelectorAll('#tabs .tab'))
		if (link.id === `tab-${tab}`) link.setAttribute('aria-current', 'page');
		else link.removeAttribute('aria-current');
	if (event.detail.requestConfig.elt !== target) {
		query.delete('pages');
		if (!query.get('q')) query.delete('q');
		if (tab === 'active') query.delete('tab');
		history.replaceState(history.state, '', `/${query.size ? `?${query}` : ''}${location.hash}`);
	}
});

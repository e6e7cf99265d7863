// What the pages do beyond links and forms.  Everything works without it.
//
// - A poll says what it has (If-None-Match); the unchanged answer, 304, touches nothing.
// - Ages count on between polls.
// - What somebody has in hand (a field, an open fold, selected text) is not swapped away; the next poll brings it.
// - Where the output was scrolled to stays in view.
// - The errors of requests that have no page of their own are told.
(() => {
	'use strict';

	const notice = (text) => {
		const at = document.getElementById('notice');
		if (at && at.textContent !== text)
			at.textContent = text;
	};

	// ---- polls ----
	document.addEventListener('htmx:configRequest', (event) => {
		const { elt, verb, headers } = event.detail;
		if (verb === 'get' && elt.dataset.etag)
			headers['If-None-Match'] = elt.dataset.etag;
	});

	const inHand = (region) => {
		const focused = document.activeElement;
		if (focused && region.contains(focused) && focused.matches('input, select, textarea'))
			return true;
		if (region.querySelector('details[open]'))
			return true;
		const selection = document.getSelection();
		return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
	};

	document.addEventListener('htmx:beforeSwap', (event) => {
		const { elt, xhr, target, shouldSwap } = event.detail;
		if (!shouldSwap)
			return;
		if (inHand(target)) {
			event.detail.shouldSwap = false;
			return;
		}
		const etag = xhr.getResponseHeader('ETag');
		if (etag)
			elt.dataset.etag = etag;
		else
			delete elt.dataset.etag;
	});

	// ---- the output ----
	// The box is reversed: scrollTop is 0 at its end and negative above it.
	let held = null;
	document.addEventListener('htmx:beforeSwap', (event) => {
		const box = event.detail.target.querySelector('#output');
		const above = box ? box.scrollHeight - box.clientHeight + box.scrollTop : 0;
		held = box && box.scrollTop < -4 ? above : null;
	});
	document.addEventListener('htmx:afterSwap', (event) => {
		const box = event.detail.target.querySelector('#output');
		if (box && held !== null)
			box.scrollTop = held - (box.scrollHeight - box.clientHeight);
	});

	// ---- ages ----
	const born = new WeakMap();
	const age = (s) => (s < 60 ? `${s}s` : s < 3600 ? `${Math.floor(s / 60)}m ${s % 60}s` : `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`);
	setInterval(() => {
		for (const at of document.querySelectorAll('[data-age]')) {
			if (!born.has(at))
				born.set(at, Date.now() - Number(at.dataset.age) * 1000);
			const text = age(Math.max(0, Math.floor((Date.now() - born.get(at)) / 1000)));
			if (at.firstChild && at.firstChild.data !== text)
				at.firstChild.data = text;
		}
	}, 1000);

	// ---- errors ----
	// What went wrong with a tap is told for a while; that the server is away, until it is back.
	const TOLD_MS = 10000;
	let toldUntil = 0;
	document.addEventListener('htmx:beforeRequest', (event) => {
		if (event.detail.requestConfig.verb !== 'get') {
			toldUntil = 0;
			notice('');
		}
	});
	document.addEventListener('htmx:responseError', (event) => {
		const { xhr, requestConfig } = event.detail;
		let text = `chomp answered ${xhr.status}; trying again`;
		try {
			text = JSON.parse(xhr.responseText).error.message;
		} catch {
			// no JSON: the number has to do
		}
		if (requestConfig.verb !== 'get')
			toldUntil = Date.now() + TOLD_MS;
		notice(xhr.status === 401 ? 'You are logged out: load this page again' : text);
	});
	for (const name of ['htmx:sendError', 'htmx:timeout'])
		document.addEventListener(name, () => notice('chomp does not answer; trying again'));
	document.addEventListener('htmx:afterRequest', (event) => {
		const { successful, xhr } = event.detail;
		if ((successful || xhr.status === 304) && Date.now() >= toldUntil)
			notice('');
	});

	// ---- one tap, one post ----
	document.addEventListener('submit', (event) => {
		const form = event.target;
		if (form.dataset.sent)
			event.preventDefault();
		form.dataset.sent = '1';
	});
	const again = (form) => delete form.dataset.sent;
	addEventListener('pageshow', () => document.querySelectorAll('form[data-sent]').forEach(again));
	document.addEventListener('htmx:afterRequest', (event) => again(event.detail.elt));
})();

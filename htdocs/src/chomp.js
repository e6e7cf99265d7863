// What the pages do beyond links and forms.  Everything works without it.
//
// - Changes are pushed (/events); while the push is down, or output grows without a terminal, the pages poll.
// - A running session's terminal is opened (terminal.js, loaded then).
// - A refresh says what it has (If-None-Match); the unchanged answer, 304, touches nothing.
// - Ages count on between polls.
// - What somebody has in hand (a field, an open fold, selected text) is not swapped away; it is asked for again soon.
// - Where the output was scrolled to stays in view.
// - The errors of requests that have no page of their own are told.
(() => {
	'use strict';

	const notice = (text) => {
		const at = document.getElementById('notice');
		if (at && at.textContent !== text)
			at.textContent = text;
	};

	// ---- push ----
	// One connection a tab, closed while nobody looks. A storm of changes is one refresh in STORM_MS.
	const POLL_MS = 3000;
	const MINUTE_MS = 60_000;
	const STORM_MS = 250;
	const AGAIN_MS = 5000;
	let push = null;
	let pushed = false; // it is up
	let refreshed = 0;
	let due = 0;
	const refresh = () => {
		if (due)
			return;
		due = setTimeout(() => {
			due = 0;
			refreshed = Date.now();
			document.body.dispatchEvent(new CustomEvent('refreshTasks', { bubbles: true }));
		}, Math.max(0, refreshed + STORM_MS - Date.now()));
	};
	const hangUp = () => {
		push?.close();
		push = null;
		pushed = false;
	};
	const listen = () => {
		if (push || document.hidden || !document.querySelector('[hx-trigger*=refreshTasks]'))
			return;
		push = new EventSource('/events');
		push.onopen = () => {
			pushed = true;
			refresh(); // what happened before
		};
		push.onerror = () => {
			pushed = false;
			if (push.readyState === EventSource.CLOSED) {
				hangUp();
				setTimeout(listen, AGAIN_MS);
			}
		};
		push.addEventListener('refreshTasks', refresh);
	};
	document.addEventListener('visibilitychange', () => {
		if (document.hidden)
			hangUp();
		else {
			refresh();
			listen();
		}
	});
	addEventListener('pagehide', hangUp);
	addEventListener('pageshow', listen);
	listen();

	// ---- polls ----
	// Without the push: lists and tasks every 3 s, counters every 60 s. With it, nothing.
	let terminal = null;
	const growing = () => !terminal && document.querySelector('[data-grows]');
	const began = Date.now();
	const polled = new WeakMap();
	const skipped = new WeakSet(); // regions whose last answer was not swapped in
	setInterval(() => {
		if (document.hidden)
			return;
		for (const region of document.querySelectorAll('[hx-trigger*=poll]')) {
			const soon = skipped.has(region) || (region.id === 'detail' && growing());
			if (pushed && !soon)
				continue;
			const ms = soon || region.id !== 'balance' ? POLL_MS : MINUTE_MS;
			if (Date.now() - (polled.get(region) ?? began) < ms - 100)
				continue;
			polled.set(region, Date.now());
			skipped.delete(region);
			region.dispatchEvent(new CustomEvent('poll'));
		}
	}, POLL_MS);

	// ---- what is swapped in, and what is not ----
	document.addEventListener('htmx:configRequest', (event) => {
		const { elt, verb, headers } = event.detail;
		if (verb === 'get' && elt.dataset.etag)
			headers['If-None-Match'] = elt.dataset.etag;
	});

	// A task's page is two regions, one above and one below its terminal.
	const regionsOf = (target) => (target.id === 'detail' ? [target, document.getElementById('detail-rest')] : [target]);
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
		if (regionsOf(target).some(inHand)) {
			skipped.add(target);
			event.detail.shouldSwap = false;
			return;
		}
		const etag = xhr.getResponseHeader('ETag');
		if (etag)
			elt.dataset.etag = etag;
		else
			delete elt.dataset.etag;
	});

	// ---- where it was scrolled to ----
	// The output's box is reversed: scrollTop is 0 at its end and negative above it.
	let held = [];
	const boxes = (target) => regionsOf(target).flatMap((r) => [...r.querySelectorAll('#output, .long-scroll')]);
	document.addEventListener('htmx:beforeSwap', (event) => {
		held = boxes(event.detail.target).map((box) => (box.id === 'output'
			? box.scrollTop < -4 && box.scrollHeight - box.clientHeight + box.scrollTop
			: box.scrollTop));
	});
	document.addEventListener('htmx:afterSwap', (event) => {
		boxes(event.detail.target).forEach((box, i) => {
			if (held[i])
				box.scrollTop = box.id === 'output' ? held[i] - (box.scrollHeight - box.clientHeight) : held[i];
		});
	});

	// ---- the terminal ----
	// It is there while its session runs, and until somebody who reads back in it lets go; then the kept output takes over.
	const live = document.getElementById('live');
	let session = '';
	let opening = '';
	const load = () => {
		const sheet = document.createElement('link');
		sheet.rel = 'stylesheet';
		sheet.href = live.dataset.sheet;
		document.head.append(sheet);
		const ready = new Promise((resolve) => (sheet.onload = sheet.onerror = resolve));
		const needs = live.dataset.needs.split(' ').map((name) => import(name)); // at once, not one after the other
		return Promise.all([import(live.dataset.script), ready, ...needs]);
	};
	let loaded = null;
	const follow = async () => {
		const wanted = document.getElementById('kept')?.dataset.live || '';
		if (terminal && (wanted ? wanted !== session : terminal.ended && !terminal.busy)) {
			terminal.close();
			terminal = null;
		}
		if (!wanted || terminal || opening === wanted)
			return;
		opening = wanted;
		try {
			const [{ open }] = await (loaded ??= load());
			session = wanted;
			terminal = open(live);
		} catch (error) {
			console.warn(`no terminal: ${error.message}`); // the kept output has to do
		}
	};
	if (live?.dataset.script) {
		document.addEventListener('htmx:afterSettle', follow);
		live.addEventListener('terminal', follow);
		setInterval(follow, POLL_MS);
		follow();
	}

	// ---- ages ----
	// That nothing has been heard of an agent for a while is no change that anybody announces: it is asked for when it is due.
	const born = new WeakMap();
	const staleAt = new WeakMap();
	const ask = (at) => {
		if (!staleAt.has(at))
			staleAt.set(at, Date.now() + Number(at.dataset.stale) * 1000);
		if (document.hidden || Date.now() < staleAt.get(at))
			return;
		at.removeAttribute('data-stale');
		const region = at.closest('[hx-trigger*=poll]');
		delete region?.dataset.etag;
		region?.dispatchEvent(new CustomEvent('poll'));
	};
	const age = (s) => (s < 60 ? `${s}s` : s < 3600 ? `${Math.floor(s / 60)}m ${s % 60}s` : `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`);
	setInterval(() => {
		for (const at of document.querySelectorAll('[data-age]')) {
			if (!born.has(at))
				born.set(at, Date.now() - Number(at.dataset.age) * 1000);
			const text = age(Math.max(0, Math.floor((Date.now() - born.get(at)) / 1000)));
			if (at.firstChild && at.firstChild.data !== text)
				at.firstChild.data = text;
		}
		document.querySelectorAll('[data-stale]').forEach(ask);
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

// The sheets: a task, a new task, the settings. Each is a <dialog> over the list (a task's stands beside it where there is room)
// and has an address (/#task-12), so that links and Back work. Without a script they are pages of their own.

const wide = matchMedia('(min-width: 64rem)');
const home = document.getElementById('tasks');
const sheet = (name) => document.getElementById(`${name}-sheet`);
const SHEETS = ['detail', 'create', 'settings'];

// From an address of ours to the sheet that shows it.
function sheetOf(href) {
	const { pathname, search, origin } = new URL(href, location.href);
	if (origin !== location.origin) return null;
	const task = /^\/partials\/detail\/(\d+)$/.exec(pathname);
	if (task) return { hash: `#task-${task[1]}`, ask: new URLSearchParams(search).get('ask') };
	return { '/partials/create': { hash: '#new' }, '/partials/settings': { hash: '#settings' } }[pathname] ?? null;
}
function wantedBy(hash) {
	const task = /^#task-(\d+)$/.exec(hash);
	if (task) return { name: 'detail', at: `/partials/detail/${task[1]}` };
	return { '#new': { name: 'create' }, '#settings': { name: 'settings' } }[hash] ?? null;
}

function show(name, at) {
	const dialog = sheet(name);
	const content = document.getElementById(name);
	const beside = name === 'detail' && wide.matches;
	const other = at && content.dataset.at !== at;
	if (other) {
		content.dataset.at = at;
		delete content.dataset.etag;
		delete content.dataset.gone;
		content.replaceChildren();
	}
	if (dialog.open && dialog.matches(':modal') === beside) dialog.close();
	const opened = !dialog.open;
	if (opened) {
		dialog.returnTo = document.activeElement;
		if (beside) dialog.show();
		else dialog.showModal();
	}
	if (opened || other) content.dispatchEvent(new CustomEvent('open'));
	document.dispatchEvent(new Event('sheet'));
}

// What the address says is what is open.
function follow() {
	const wanted = wantedBy(location.hash);
	for (const name of SHEETS) {
		const dialog = sheet(name);
		if (dialog.open && wanted?.name !== name && !(name === 'detail' && wide.matches && wanted)) shut(dialog);
	}
	if (wanted) show(wanted.name, wanted.at);
	document.dispatchEvent(new Event('sheet'));
}
function shut(dialog) {
	dialog.close();
	if (dialog.id === 'create-sheet') document.getElementById('create').replaceChildren();
	if (dialog.returnTo?.isConnected) dialog.returnTo.focus({ preventScroll: true });
}

let ask = null; // the question that a link came with (?ask=delete)
function go(to) {
	ask = to.ask;
	if (location.hash !== to.hash) history.pushState({ sheet: true }, '', to.hash);
	follow();
}

// One step back when that is where the sheet came from; a deep link has nothing behind it.
export function close() {
	if (history.state?.sheet) history.back();
	else {
		history.replaceState(null, '', location.pathname + location.search);
		follow();
	}
}

if (home) {
	document.addEventListener('click', (event) => {
		if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
		const link = event.target.closest('a[href]');
		if (link?.dataset.close !== undefined) {
			event.preventDefault();
			close();
			return;
		}
		const to = link ? !link.target && sheetOf(link.href) : cardAt(event);
		if (!to) return;
		event.preventDefault();
		go(to);
	});
	// The whole card of platforms opens the settings; its title is the link for the keyboard.
	const cardAt = ({ target }) => {
		const card = target.closest('[data-opens]');
		return card && document.getSelection().isCollapsed && sheetOf(card.dataset.opens);
	};

	for (const name of SHEETS) {
		const dialog = sheet(name);
		dialog.addEventListener('cancel', (event) => {
			event.preventDefault(); // Escape, or Android's back: by way of the address
			if (event.target === dialog) close();
		});
		let down = false; // pressed on the backdrop, not dragged there from a field
		const outside = ({ clientX: x, clientY: y, target }) => {
			const box = dialog.getBoundingClientRect();
			return target === dialog && (x < box.left || x > box.right || y < box.top || y > box.bottom);
		};
		dialog.addEventListener('pointerdown', (event) => (down = outside(event)));
		dialog.addEventListener('click', (event) => down && outside(event) && close());
		pullDown(dialog);
	}
	document.addEventListener('keydown', (event) => {
		const detail = sheet('detail');
		if (event.key === 'Escape' && !event.defaultPrevented && detail.open && !document.querySelector('dialog:modal')) close();
	});
	wide.addEventListener('change', () => {
		if (sheet('detail').open) {
			sheet('detail').close();
			follow();
		}
	});
	addEventListener('popstate', follow);
	document.addEventListener('htmx:afterSettle', ({ target }) => {
		if (!ask || target.id !== 'detail') return;
		const question = document.getElementById(`ask-${ask}`);
		ask = null;
		if (!question) return;
		question.open = true;
		question.scrollIntoView({ block: 'nearest' });
		question.querySelector('button, textarea')?.focus();
	});
	document.addEventListener('DOMContentLoaded', follow); // when htmx listens
}

// Pulled down by its top, a sheet closes.
function pullDown(dialog) {
	const FAR = 80;
	let from = null;
	dialog.addEventListener('touchstart', ({ touches: [touch], target }) => {
		const top = touch.clientY - dialog.getBoundingClientRect().top;
		from = dialog.matches(':modal') && (top < 32 || (dialog.scrollTop <= 0 && !target.closest('input, textarea, select, .terminal, .live-frame, .diff-lines, .long-scroll')))
			? { x: touch.clientX, y: touch.clientY } : null;
	}, { passive: true });
	dialog.addEventListener('touchend', ({ changedTouches: [touch] }) => {
		if (from && touch.clientY - from.y > FAR && Math.abs(touch.clientX - from.x) < FAR) close();
		from = null;
	}, { passive: true });
}

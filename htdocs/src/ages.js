// Ages count on between refreshes. data-age: seconds at the moment the node came, or was changed; data-stale: seconds until a
// silence counts.

const born = new WeakMap();
const age = (s) => (s < 60 ? `${s}s` : s < 3600 ? `${Math.floor(s / 60)}m ${s % 60}s` : `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`);

function count() {
	for (const at of document.querySelectorAll('[data-age]')) {
		let b = born.get(at);
		if (b?.said !== at.dataset.age) {
			b = { said: at.dataset.age, since: Date.now() - Number(at.dataset.age) * 1000 };
			born.set(at, b);
		}
		const text = age(Math.max(0, Math.floor((Date.now() - b.since) / 1000)));
		if (at.firstChild && at.firstChild.data !== text) at.firstChild.data = text;
	}
}

// That nothing has been heard of an agent for a while is no change that anybody announces: it is asked for when it is due.
const staleAt = new WeakMap();
function askForStale() {
	for (const at of document.querySelectorAll('[data-stale]')) {
		let due = staleAt.get(at);
		if (due?.said !== at.dataset.stale) {
			due = { said: at.dataset.stale, at: Date.now() + Number(at.dataset.stale) * 1000 };
			staleAt.set(at, due);
		}
		if (document.hidden || Date.now() < due.at) continue;
		at.removeAttribute('data-stale');
		const region = at.closest('[hx-trigger*=poll]');
		delete region?.dataset.etag;
		region?.dispatchEvent(new CustomEvent('poll'));
	}
}

count();
document.addEventListener('htmx:afterSwap', count);
setInterval(() => {
	count();
	askForStale();
}, 1000);

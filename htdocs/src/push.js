// Changes are pushed (/events): every region that listens for refreshTasks asks again. While the push is down the regions are
// polled. One connection a tab, closed while nobody looks. A storm of changes is one refresh in STORM_MS.

const POLL_MS = 3000;
const MINUTE_MS = 60_000;
const STORM_MS = 250;
const AGAIN_MS = 5000;

let push = null;
let pushed = false; // it is up
let refreshed = 0;
let due = 0;

function refresh() {
	if (due) return;
	due = setTimeout(() => {
		due = 0;
		refreshed = Date.now();
		document.body.dispatchEvent(new CustomEvent('refreshTasks', { bubbles: true }));
	}, Math.max(0, refreshed + STORM_MS - Date.now()));
}
function hangUp() {
	push?.close();
	push = null;
	pushed = false;
}
function listen() {
	if (push || document.hidden || !document.querySelector('[hx-trigger*=refreshTasks]')) return;
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
}
document.addEventListener('visibilitychange', () => {
	if (document.hidden) hangUp();
	else {
		refresh();
		listen();
	}
});
addEventListener('pagehide', hangUp);
addEventListener('pageshow', listen);
listen();

// Without the push: lists and tasks every 3 s, the card on top every 60 s. With it, nothing but what nobody announces: output
// that grows where no terminal shows it, a platform that is being checked for the first time.
const began = Date.now();
const polled = new WeakMap();
const growing = () => !document.querySelector('#live[data-open]') && document.querySelector('[data-grows]');
const unannounced = (region) => (region.id === 'detail' && growing()) || (region.id === 'balance' && region.querySelector('[data-unchecked]'));
setInterval(() => {
	if (document.hidden) return;
	for (const region of document.querySelectorAll('[hx-trigger*=poll]')) {
		const soon = unannounced(region);
		if ((pushed && !soon) || !region.checkVisibility()) continue;
		const ms = soon || region.id !== 'balance' ? POLL_MS : MINUTE_MS;
		if (Date.now() - (polled.get(region) ?? began) < ms - 100) continue;
		polled.set(region, Date.now());
		region.dispatchEvent(new CustomEvent('poll'));
	}
}, POLL_MS);

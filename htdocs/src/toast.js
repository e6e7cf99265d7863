// What has just happened, told for a while above everything: in the top layer, and by a live region.
//
//   say('Task queued')
//   say('Task 7 is done already', { error: true })
//   say('Task 7 deleted', { label: 'Undo', act() {…} })

const TOLD_MS = 3000;
const TOLD_LONG_MS = 10_000; // what somebody may want to act on, or has to read
const place = document.getElementById('toast');
let timer = 0;

export function hush() {
	clearTimeout(timer);
	if (place.matches(':popover-open')) place.hidePopover();
}

export function say(text, { error = false, label, act } = {}) {
	hush();
	// What a modal dialog does not hold cannot be touched.
	const host = [...document.querySelectorAll('dialog:modal')].pop() ?? document.body;
	if (place.parentNode !== host) host.append(place);
	place.classList.toggle('toast-error', error);
	const words = document.createElement('span');
	words.textContent = text;
	words.dir = 'auto';
	place.replaceChildren(words);
	if (label) {
		const button = document.createElement('button');
		button.type = 'button';
		button.textContent = label;
		button.addEventListener('click', () => {
			hush();
			act();
		});
		place.append(button);
	}
	place.showPopover();
	timer = setTimeout(hush, error || label ? TOLD_LONG_MS : TOLD_MS);
}

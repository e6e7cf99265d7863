// The wizard by thumb and by keyboard: a swipe goes a step on or back, Ctrl+Enter in the task goes on. The steps themselves are
// forms that the server answers.

import { say } from './toast.js';

const FAR = 60;
const form = () => document.querySelector('.wizard');
function press(step) {
	const at = form();
	const button = step && [...at.querySelectorAll(`button[name=step][value="${step}"]`)].pop();
	if (button) button.click();
}

document.addEventListener('keydown', (event) => {
	if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.closest?.('.wizard textarea')) {
		event.preventDefault();
		event.target.form.querySelector('.btn-primary').click();
	}
});
document.addEventListener('invalid', (event) => {
	if (event.target.id !== 'prompt') return;
	event.preventDefault();
	event.target.focus();
	say('Enter a task', { error: true });
}, true);

let from = null;
document.addEventListener('touchstart', ({ touches: [touch], target }) => {
	from = target.closest?.('#create') && !target.closest('input, textarea, select') ? { x: touch.clientX, y: touch.clientY } : null;
}, { passive: true });
document.addEventListener('touchend', ({ changedTouches: [touch] }) => {
	if (!from || !form()) return;
	const [dx, dy] = [touch.clientX - from.x, touch.clientY - from.y];
	from = null;
	if (Math.abs(dx) < FAR || Math.abs(dx) < 2 * Math.abs(dy)) return;
	press(dx > 0 ? form().dataset.back : form().dataset.forward);
}, { passive: true });

// A step that has just come is read from its top.
document.addEventListener('htmx:afterSettle', ({ target }) => {
	if (target.id !== 'create') return;
	target.closest('dialog')?.scrollTo(0, 0);
	(target.querySelector('.choice-on, [autofocus], .choice') ?? target.querySelector('.btn-primary'))?.focus();
});

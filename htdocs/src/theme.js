// Runs before anything is painted: the theme that was chosen, and whether this is the first page of the browser session,
// which begins with the boot screen.  A plain script, so that neither comes a frame too late.
(() => {
	'use strict';
	const root = document.documentElement;
	const dark = matchMedia('(prefers-color-scheme: dark)');
	const kept = (store, name) => {
		try {
			return store().getItem(name);
		} catch {
			return null; // storage is switched off: the system's theme, and no boot screen
		}
	};
	const keep = (store, name, value) => {
		try {
			store().setItem(name, value);
		} catch {
			// it holds for this page then
		}
	};

	let chosen = kept(() => localStorage, 'theme');
	const isDark = () => (chosen ? chosen === 'dark' : dark.matches);
	const show = () => {
		if (chosen) root.dataset.theme = chosen;
		document.getElementById('theme')?.setAttribute('aria-pressed', String(isDark()));
		for (const meta of document.querySelectorAll('meta[name=theme-color]'))
			if (chosen) meta.content = isDark() ? '#09090b' : '#ffffff';
		document.dispatchEvent(new Event('theme'));
	};
	show();
	document.addEventListener('DOMContentLoaded', show);
	dark.addEventListener('change', show);
	document.addEventListener('click', (event) => {
		if (!event.target.closest?.('#theme')) return;
		chosen = isDark() ? 'light' : 'dark';
		keep(() => localStorage, 'theme', chosen);
		show();
	});

	// Never in the way: the page is there below it, and any touch or key ends it.
	if (kept(() => sessionStorage, 'booted') || matchMedia('(prefers-reduced-motion: reduce)').matches) return;
	keep(() => sessionStorage, 'booted', '1');
	if (!kept(() => sessionStorage, 'booted')) return;
	root.classList.add('booting');
	const end = () => root.classList.remove('booting');
	for (const name of ['pointerdown', 'keydown', 'wheel']) addEventListener(name, end, { once: true, passive: true });
	setTimeout(end, 2500);
})();

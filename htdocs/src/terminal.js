// The live terminal of a task's page: xterm.js on a line of terminal-link.js.
//
//   const terminal = open(place)     place: #live of cgi-templates/detail.cs
//   terminal.ended                   the session is over and its last byte is shown
//   terminal.busy                    somebody reads back or has marked text in it
//   terminal.close()                 away with it
//
// `place` hears a "terminal" event whenever the state changes.

import { Terminal } from './xterm.js';
import { FitAddon } from './xterm-fit.js';
import { connect } from './terminal-link.js';

const WORDS = {
	waiting: 'Waiting for the sandbox',
	connecting: 'Connecting',
	live: 'Live',
	reconnecting: 'Connection lost, reconnecting',
	refused: 'You are logged out: load this page again',
};

// xterm writes rules into <style> elements and colours into style attributes, which our policy (style-src 'self') refuses
// in every renderer. The object model may set both: its rules go into constructed sheets, its attributes through cssText.
// So no document of ours needs inline style. tests/e2e/terminal.test.mjs fails on any violation.
function withoutInlineStyle(make) {
	const sheets = [];
	const create = document.createElement;
	document.createElement = (name, options) => {
		if (name !== 'style') return create.call(document, name, options);
		const sheet = new CSSStyleSheet();
		sheets.push(sheet);
		return Object.defineProperty(create.call(document, 'template'), 'textContent', { set: (text) => sheet.replaceSync(text) });
	};
	try {
		make();
	} finally {
		delete document.createElement;
	}
	document.adoptedStyleSheets.push(...sheets);
	return () => {
		document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => !sheets.includes(s));
	};
}
const setAttribute = Element.prototype.setAttribute;
HTMLSpanElement.prototype.setAttribute = function (name, value) {
	if (name === 'style') this.style.cssText = value; // lint-ok: xterm's colours of a cell
	else setAttribute.call(this, name, value);
};

const FONT = 13;
const FONT_MIN = 7;

const dark = matchMedia('(prefers-color-scheme: dark)');
const theme = () => {
	const background = dark.matches ? '#0c0c0f' : '#18181b';
	return { background, foreground: '#4ade80', cursor: '#4ade80', cursorAccent: background, selectionBackground: '#52525b' };
};

export function open(place) {
	const screen = place.querySelector('.live-screen');
	const state = place.querySelector('.live-state');
	const who = place.querySelector('.live-pen');
	const take = place.querySelector('#take-pen');
	const keys = place.querySelector('.live-keys');
	const away = new AbortController();
	const { signal } = away;
	let word = '';
	let mine = false;
	let theirs = null; // { cols, rows } of who types, when that is not us
	let unshown = 0;
	let over = false;
	let link = null;

	const term = new Terminal({
		fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--font-mono') || 'monospace',
		fontSize: FONT,
		lineHeight: 1.2,
		scrollback: 10_000,
		disableStdin: true,
		cursorInactiveStyle: 'outline',
		theme: theme(),
		// an address that an agent hides behind its words is not opened
		linkHandler: { activate() {} },
	});
	const fit = new FitAddon();
	term.loadAddon(fit);
	place.hidden = false;
	place.dataset.open = '';
	const unstyle = withoutInlineStyle(() => term.open(screen));

	// How much there is room for, in letters of this size.
	function room(font) {
		const now = fit.proposeDimensions();
		const scale = term.options.fontSize / font;
		return now ? { cols: Math.max(2, Math.floor(now.cols * scale)), rows: Math.max(1, Math.floor(now.rows * scale)) } : { cols: term.cols, rows: term.rows };
	}
	// Who types has the window filled. Who watches is shown the other one's columns and rows, since the agent draws for them:
	// in smaller letters where they do not fit, and to be scrolled where they still do not.
	function arrange() {
		let font = FONT;
		let size = room(FONT);
		if (theirs) {
			font = Math.max(FONT_MIN, Math.min(FONT, Math.floor(FONT * Math.min(size.cols / theirs.cols, size.rows / theirs.rows))));
			size = theirs;
		}
		screen.toggleAttribute('data-theirs', theirs !== null);
		if (term.options.fontSize !== font) term.options.fontSize = font;
		if (term.cols !== size.cols || term.rows !== size.rows) term.resize(size.cols, size.rows);
	}
	arrange();

	const watch = new ResizeObserver(() => requestAnimationFrame(() => {
		if (signal.aborted) return;
		arrange();
		link?.resize();
	}));

	function show() {
		const here = word === 'live' || word === 'waiting' || word === 'connecting';
		who.textContent = over || !here ? '' : mine ? 'You may type. Ctrl+] leaves the terminal.' : word === 'live' ? 'You are watching.' : '';
		take.hidden = mine || over || word !== 'live';
		keys.hidden = !mine || over || word !== 'live';
		term.options.disableStdin = keys.hidden;
		place.dataset.state = over ? 'ended' : word;
		place.dispatchEvent(new Event('terminal'));
	}
	function say(text) {
		if (state.textContent !== text) state.textContent = text;
	}
	function finish() {
		terminal.ended = over && unshown === 0;
		show();
	}

	const terminal = {
		ended: false,
		get busy() {
			const { viewportY, baseY } = term.buffer.active;
			return term.hasSelection() || viewportY < baseY;
		},
		close() {
			away.abort();
			watch.disconnect();
			link.close();
			term.dispose();
			unstyle();
			screen.replaceChildren();
			delete place.dataset.open;
			who.textContent = '';
			take.hidden = true;
			keys.hidden = true;
		},
	};
	link = connect(place.dataset.task, {
		size: () => room(FONT),
		bytes(data, seen) {
			unshown++;
			term.write(data, () => {
				unshown--;
				seen();
				if (over && unshown === 0) finish();
			});
		},
		restart: () => term.reset(),
		lost: (n) => term.write(`\r\n\x1b[7m ${n} bytes are no longer kept \x1b[0m\r\n`),
		state(now, code) {
			word = now;
			over = now === 'ended' || now === 'refused';
			say(now === 'ended' ? (code === null ? 'Ended' : `Ended with exit code ${code}`) : WORDS[now] || now);
			finish();
		},
		pen(now) {
			mine = now;
			if (mine) {
				theirs = null;
				arrange();
				link.resize();
			}
			show();
		},
		sized(cols, rows) {
			theirs = { cols, rows };
			arrange();
		},
	});
	watch.observe(screen);

	// What xterm says by itself (answers to the agent's questions) is meant for the moment: while old bytes are shown only
	// what a key, the mouse or the clipboard has made is passed on. Who watches has no input at all.
	term.onData((text) => {
		if (!link.replaying || window.event?.isTrusted) link.type(text);
	});
	term.onBinary((text) => link.type(Uint8Array.from(text, (c) => c.charCodeAt(0))));
	term.attachCustomKeyEventHandler((event) => {
		if (event.type !== 'keydown') return true;
		if (event.ctrlKey && event.key === ']') {
			event.preventDefault();
			term.blur();
			document.getElementById('close')?.focus();
			return false;
		}
		return mine || event.key !== 'Tab'; // a watcher's Tab goes on to the next control
	});

	take.addEventListener('click', () => {
		link.takePen();
		term.focus();
	}, { signal });
	keys.addEventListener('pointerdown', (event) => event.preventDefault(), { signal }); // a keyboard that is out stays out
	keys.addEventListener('click', ({ target }) => {
		const arrow = term.modes.applicationCursorKeysMode ? '\x1bO' : '\x1b[';
		const key = { esc: '\x1b', tab: '\t', interrupt: '\x03', up: `${arrow}A`, down: `${arrow}B` }[target.dataset.key];
		if (key) term.input(key);
	}, { signal });
	dark.addEventListener('change', () => (term.options.theme = theme()), { signal });
	addEventListener('online', () => link.again(), { signal });
	document.addEventListener('visibilitychange', () => document.hidden || link.again(), { signal });
	return terminal;
}

// Every page, light and dark, full of ordinary and of hostile words: readable (axe), within the window, nothing executed.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { axe, clean, fits, open, settled, shot, startBrowser } from './browser.mjs';

const chomp = await shared({ after });
const browser = await startBrowser();
after(() => browser.close());

const HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)> "\' &lt; <?cs var:title ?> \u202eevil\u202c \u001b[31mred 😀 ';
const WORD = 'W'.repeat(10_000);

const make = async (prompt, more = {}) => (await chomp.create({ prompt, agent: 'shell', ...more })).id;
const id = {
	running: await make('chomp update --tokens 148000; echo reading src/auth/session.ts; sleep 3000', { run: true }),
	silent: await make('sleep 3000', { run: true }),
	waiting: await make('Write integration tests for the billing API', { branch: 'main', repo_url: 'https://example.org/me/acme-api' }),
	done: await make(`echo working; chomp update --tokens 64000; chomp done --summary 'All 37 tests pass'`, { run: true }),
	failed: await make('echo no such bucket >&2; exit 3', { run: true }),
	hostile: await make(`cat <<'EOF'\n${HOSTILE}\n${WORD}\nEOF\nchomp fail "$(cat <<'EOF'\n${HOSTILE}${WORD}\nEOF\n)"`, { run: true }),
	waitingHostile: await make(HOSTILE + WORD, { model: `${HOSTILE.replace('\u001b', '')}x`, dir: '/<b>"', repo_url: `https://example.org/${'r'.repeat(3000)}`, branch: '<i>' }),
};
// An agent and keys that are hostile too.
await chomp.api.post('/api/config/agents', { id: 'x'.repeat(64), name: HOSTILE.replace('\u001b', '').slice(0, 100), command: `${'c'.repeat(3000)} <b>`, models: ['m'.repeat(250)], color: '#0ea5e9' });
await chomp.api.post('/api/config/keys', { key: 'OPENROUTER_API_KEY', value: `<script>${'k'.repeat(3000)}"'<b>` });
await chomp.until(id.done, 'done');
await chomp.until(id.failed, 'failed');
await chomp.until(id.hostile, 'failed');
await chomp.until(id.running, (t) => t.tokens === 148000 && t.sessions[0].dispatch.state === 'started');

// Every screen and state: an address, and what to do there.  Sheets are looked at over the list, pages by themselves.
const AGENT = `agent=${encodeURIComponent(HOSTILE)}`;
const VALUES = `prompt=${encodeURIComponent(HOSTILE + WORD)}&dir=${encodeURIComponent(HOSTILE)}&${AGENT}&model=${encodeURIComponent(HOSTILE)}&branch=%22%3E&repo_url=${WORD}`;
const folds = (page) => page.evaluate(() => document.querySelectorAll('details:not(.ask-small)').forEach((d) => (d.open = true)));
const screens = {
	active: ['/'], completed: ['/?tab=completed'], search: ['/?tab=completed&q=%3Cb%3E%22'],
	running: [`/#task-${id.running}`], waiting: [`/#task-${id.waiting}`, folds], done: [`/#task-${id.done}`, folds], failed: [`/#task-${id.failed}`],
	ask: [`/partials/detail/${id.failed}?ask=delete`], hostile: [`/#task-${id.hostile}`, folds], 'waiting-hostile': [`/#task-${id.waitingHostile}`, folds],
	create: ['/#new', folds], 'create-2': ['/partials/create?step=2'], 'create-3': ['/partials/create?step=3&agent=pi', folds], 'create-4': ['/partials/create?step=4&prompt=x&agent=pi'],
	'hostile-1': [`/partials/create?step=1&prompt=${encodeURIComponent(HOSTILE)}&branch=%22%3E`], 'hostile-4': [`/partials/create?step=4&${VALUES.slice(0, 6000)}`], 'hostile-2': [`/partials/create?step=2&${AGENT}`],
	settings: ['/#settings', folds], 'settings-page': ['/partials/settings'], login: ['/login'], error: ['/partials/detail/999999'],
};
const show = async (page, [route, act]) => {
	await page.goto('about:blank'); // an address that differs by its # alone loads nothing
	await page.goto(chomp.url + route);
	const sheet = { '#task': '#detail', '#new': '#create', '#sett': '#settings' }[new URL(chomp.url + route).hash.slice(0, 5)];
	if (sheet) await page.locator(`${sheet} > *`).first().waitFor();
	await settled(page);
	await act?.(page);
	await page.evaluate(() => document.fonts.ready);
};
const fitsSheets = async (page, what) => {
	await fits(page, what);
	const wide = await page.evaluate(() => [...document.querySelectorAll('dialog[open]')].filter((d) => d.scrollWidth > d.clientWidth + 1).map((d) => `${d.id || d.localName}: ${d.scrollWidth} of ${d.clientWidth}`));
	assert.deepEqual(wide, [], what);
};

for (const colorScheme of ['light', 'dark']) {
	describe(colorScheme, () => {
		let page;
		before(async () => {
			page = await open(browser, chomp, { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme });
			page.expected = /404/; // the page of an error
		});
		after(() => page?.context().close());

		for (const what of Object.keys(screens)) {
			test(`${what}: no fault found by axe, nothing wider than the window, nothing executed`, async () => {
				await page.setViewportSize({ width: 390, height: 844 });
				await show(page, screens[what]);
				await shot(page, `${what}-${colorScheme}-390`);
				assert.deepEqual(await axe(page), []);
				for (const width of colorScheme === 'light' ? [320, 360, 600, 1280] : []) {
					await page.setViewportSize({ width, height: 800 });
					await fitsSheets(page, `${what} at ${width}`);
				}
				if (colorScheme === 'light') await shot(page, `${what}-1280`);
				clean(page);
			});
		}
	});
}

test('a word of 10,000 characters costs no time', async () => {
	const page = await open(browser, chomp, { viewport: { width: 390, height: 844 } });
	await page.goto(`${chomp.url}/partials/detail/${id.hostile}`);
	await page.evaluate(() => document.fonts.ready);
	const ms = await page.evaluate(() => {
		const main = document.querySelector('main');
		main.hidden = true;
		void main.offsetHeight;
		const from = performance.now();
		main.hidden = false;
		void main.offsetHeight;
		return performance.now() - from;
	});
	assert.ok(ms < 300, `${ms} ms for one layout`);
	await page.context().close();
});

test('at 390 px and 200 % text everything still fits', async () => {
	const page = await open(browser, chomp, { viewport: { width: 390, height: 844 } });
	page.expected = /404/;
	for (const what of Object.keys(screens)) {
		await show(page, screens[what]);
		await page.evaluate(() => (document.documentElement.style.fontSize = '200%'));
		await fitsSheets(page, `${what} at 200 %`);
		await shot(page, `${what}-200-percent`);
	}
	clean(page);
	await page.context().close();
});

test('a reader who wants no motion gets none', async () => {
	const page = await open(browser, chomp, { reducedMotion: 'reduce' });
	assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.spinner')).animationName), 'none');
	await page.context().close();
});

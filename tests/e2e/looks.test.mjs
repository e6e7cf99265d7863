// Every page, light and dark, full of ordinary and of hostile words: readable (axe), within the window, nothing executed.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { axe, clean, fits, open, shot, startBrowser } from './browser.mjs';

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
await chomp.until(id.done, 'done');
await chomp.until(id.failed, 'failed');
await chomp.until(id.hostile, 'failed');
await chomp.until(id.running, (t) => t.tokens === 148000 && t.sessions[0].dispatch.state === 'started');

const pages = () => ({
	active: '/', completed: '/?tab=completed', running: `/partials/detail/${id.running}`, waiting: `/partials/detail/${id.waiting}`,
	done: `/partials/detail/${id.done}`, failed: `/partials/detail/${id.failed}`, ask: `/partials/detail/${id.failed}?ask=delete`,
	hostile: `/partials/detail/${id.hostile}`, 'waiting-hostile': `/partials/detail/${id.waitingHostile}`, create: '/partials/create',
	filled: `/partials/create?prompt=${encodeURIComponent(HOSTILE)}&agent=${encodeURIComponent(HOSTILE)}&model=x&branch=%22%3E`,
	login: '/login', error: '/partials/detail/999999',
});

for (const colorScheme of ['light', 'dark']) {
	describe(colorScheme, () => {
		let page;
		before(async () => {
			page = await open(browser, chomp, { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme });
			page.expected = /404/; // the page of an error
		});
		after(() => page?.context().close());

		for (const what of Object.keys(pages())) {
			test(`${what}: no fault found by axe, fits from 320 to 1280 px, nothing executed`, async () => {
				await page.setViewportSize({ width: 390, height: 844 });
				await page.goto(chomp.url + pages()[what]);
				await page.evaluate(() => document.fonts.ready);
				await shot(page, `${what}-${colorScheme}-390`);
				assert.deepEqual(await axe(page), []);
				for (const width of [320, 360, 600, 1280]) {
					await page.setViewportSize({ width, height: 800 });
					await fits(page, `${what} at ${width}`);
				}
				await shot(page, `${what}-${colorScheme}-1280`);
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
	for (const [what, route] of Object.entries(pages())) {
		await page.goto(chomp.url + route);
		await page.evaluate(() => (document.documentElement.style.fontSize = '200%'));
		await fits(page, `${what} at 200 %`);
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

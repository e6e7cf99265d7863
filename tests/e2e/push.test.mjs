// Changes are pushed: what one browser does the other shows at once. Polling is for when the push is down.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { waitFor, waitForSilence } from '../lib/wait.mjs';
import { desktop, phone, startBrowser, withPage as inPage, wizard } from './browser.mjs';

const chomp = await shared({ after });
const browser = await startBrowser();
after(() => browser.close());

const withPage = (options, fn) => inPage(browser, chomp, options, fn);
const asked = (page, what) => {
	const list = [];
	page.on('request', (r) => new URL(r.url()).pathname === what && list.push(r.url()));
	return list;
};
const listening = (page) => page.waitForResponse((r) => r.url().endsWith('/events') && r.status() === 200);

test('a task that one browser creates is in the other at once, without a poll', () => withPage(desktop, (one) => withPage(phone, async (two) => {
	const up = listening(one);
	await one.reload();
	await up;
	await one.waitForLoadState('load');
	await one.evaluate(() => {
		new MutationObserver(() => document.querySelector('.card') && (window.shownAt ??= Date.now())).observe(document.getElementById('tasks'), { childList: true, subtree: true });
	});
	let began = 0;
	two.on('request', (r) => r.method() === 'POST' && new URL(r.url()).pathname === '/api/tasks' && (began = Date.now()));
	await wizard(two, { prompt: 'news for the other one' });
	await one.waitForFunction(() => window.shownAt);
	const ms = await one.evaluate(() => window.shownAt) - began;
	console.log(`# tap in one browser to the card in the other: ${ms} ms`);
	assert.ok(ms < 3000, `${ms} ms`);
	assert.match(await one.locator('#balance').innerText(), /TASKS\s+1/i);
	const [task] = (await chomp.api.get('/api/tasks')).json().tasks;
	await chomp.post('delete', { id: task.id });
	await one.locator('.card').waitFor({ state: 'detached' });
})));

test('while the push is up nothing is polled; a silence is asked about once, when it is due', () => withPage(desktop, async (page) => {
	const { id } = await chomp.create({ prompt: 'echo here; read -r _', agent: 'shell', run: true });
	await chomp.until(id, (t) => t.sessions[0].dispatch?.state === 'started');
	await page.clock.install();
	const asked = [];
	page.on('request', (r) => new URL(r.url()).pathname.startsWith('/partials/') && asked.push(r.url()));
	const up = listening(page);
	await page.reload();
	await up;
	await page.locator('[data-stale]').waitFor({ state: 'attached' });
	const quiet = () => waitForSilence('the page asks for nothing', () => asked.length, { quietMs: 1500 });
	await quiet(); // what happened at the start is told
	asked.length = 0;
	await page.clock.fastForward(4 * 60_000);
	await quiet();
	assert.deepEqual(asked, [], 'four minutes with the push');
	await page.clock.fastForward(70_000);
	await waitFor('the list is asked for', () => asked.some((url) => url.includes('/partials/tasks')));
	await quiet();
	assert.equal(asked.filter((url) => url.includes('/partials/tasks')).length, 1, asked.join(' '));
	await chomp.post('delete', { id });
	await page.locator(`#task-${id}`).waitFor({ state: 'detached' });
}));

test('while the push is down the page polls, and it finds the push again by itself', () => withPage(desktop, async (page) => {
	page.expected = /ERR_|502|503/;
	await page.route('**/events', (route) => route.abort());
	await page.reload();
	const made = await chomp.create({ prompt: 'found by a poll', agent: 'shell' });
	await page.locator(`#task-${made.id}`).waitFor();
	const up = listening(page);
	await page.unroute('**/events');
	await up;
	for (const pid of chomp.pids('relay'))
		process.kill(pid, 'SIGKILL');
	await listening(page);
	await chomp.post('delete', { id: made.id });
	await page.locator(`#task-${made.id}`).waitFor({ state: 'detached' });
}));

test('a hidden tab listens to nothing, a tab that is looked at again is up to date at once', () => withPage(desktop, async (page) => {
	const up = listening(page);
	await page.reload();
	await up;
	const hide = (hidden) => page.evaluate((h) => {
		Object.defineProperty(document, 'hidden', { configurable: true, get: () => h });
		document.dispatchEvent(new Event('visibilitychange'));
	}, hidden);
	await hide(true);
	const lists = asked(page, '/partials/tasks');
	const made = await chomp.create({ prompt: 'while nobody looked', agent: 'shell' });
	await page.waitForTimeout(4000);
	assert.deepEqual(lists, [], 'it asks for nothing');
	assert.equal(await page.locator(`#task-${made.id}`).count(), 0);
	const again = listening(page);
	await hide(false);
	await again;
	await page.locator(`#task-${made.id}`).waitFor();
	await chomp.post('delete', { id: made.id });
	await waitFor('the list is empty', async () => (await page.locator('.card').count()) === 0);
}));

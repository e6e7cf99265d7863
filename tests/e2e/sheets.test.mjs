// Sheets, links and the keyboard; the theme, the boot screen, installing; settings; a server that goes and comes back.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';
import { desktop, phone, seen, settled, sheetIsOpen, sheetsAreShut, startBrowser, toast, withPage as inPage } from './browser.mjs';

const chomp = await shared({ after });
const browser = await startBrowser();
after(() => browser.close());
const withPage = (options, fn) => inPage(browser, chomp, options, fn);
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
const first = await chomp.create({ prompt: 'the first one', agent: 'shell' });
const second = await chomp.create({ prompt: 'the second one', agent: 'shell' });

test('a sheet has an address: links, Back and forward, closing by hand, by the backdrop and by a pull', () => withPage(phone, async (page) => {
	await page.goto(`${chomp.url}/#task-${second.id}`);
	await seen('the task of the link', page, 'About this task');
	await page.tap('#close');
	await sheetsAreShut(page);
	assert.equal(new URL(page.url()).hash, '', 'a deep link has nothing behind it to go back to');
	await page.tap(`#open-${first.id}`);
	await sheetIsOpen(page, 'detail');
	assert.equal(new URL(page.url()).hash, `#task-${first.id}`);
	await page.goBack();
	await sheetsAreShut(page);
	await page.goForward();
	await sheetIsOpen(page, 'detail');
	await page.touchscreen.tap(200, 30);
	await sheetsAreShut(page);
	await page.tap('#balance .metric >> nth=0');
	await sheetIsOpen(page, 'settings');
	const client = await page.context().newCDPSession(page);
	for (const [type, y] of [['touchStart', 112], ['touchMove', 300], ['touchEnd']])
		await client.send('Input.dispatchTouchEvent', { type, touchPoints: y ? [{ x: 195, y }] : [] });
	await sheetsAreShut(page);
}));

test('by keyboard at 1280 px: the task beside the list, a new task, the focus led in and back', () => withPage(desktop, async (page) => {
	await page.focus(`#open-${first.id}`);
	await page.keyboard.press('Enter');
	await sheetIsOpen(page, 'detail');
	await page.locator('#detail-title').waitFor();
	const [list, detail] = await Promise.all(['#tasks', '#detail-sheet'].map((at) => page.locator(at).boundingBox()));
	assert.ok(detail.x >= list.x + list.width, 'beside, not over');
	assert.equal(await page.locator('dialog:modal').count(), 0);
	await page.keyboard.press('Escape');
	await sheetsAreShut(page);
	assert.equal(await focused(page), `open-${first.id}`, 'the focus is back where it was');
	await page.focus('#new-task');
	await page.keyboard.press('Enter');
	await sheetIsOpen(page, 'create');
	await page.locator('#prompt').waitFor();
	await settled(page);
	await waitFor('the field has the focus', async () => (await focused(page)) === 'prompt');
	await page.keyboard.type('made by keyboard');
	await page.keyboard.press('Control+Enter');
	await seen('the agents', page, 'Step 2 of 4');
	await settled(page);
	await page.keyboard.press('Enter');
	await seen('the models', page, 'Models for Shell');
	await settled(page);
	await page.keyboard.press('Enter');
	await seen('the review', page, 'Step 4 of 4');
	await settled(page);
	for (let i = 0; i < 20; i++) {
		assert.ok(await page.evaluate(() => document.activeElement === document.body || document.querySelector('#create-sheet').contains(document.activeElement)), 'the focus stays in the sheet');
		await page.keyboard.press('Tab');
	}
	await page.focus('.wizard .btn-primary');
	await page.keyboard.press('Enter');
	await toast(page, /Task queued/);
	await sheetsAreShut(page);
	const [made] = (await chomp.api.get('/api/tasks?status=queued')).json().tasks;
	assert.equal(made.prompt, 'made by keyboard');
	await chomp.post('delete', { id: made.id });
}));

test('the theme follows the system until one is chosen, and is remembered', () => withPage({ ...phone, colorScheme: 'dark' }, async (page) => {
	const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
	assert.equal(await paper(), 'rgb(9, 9, 11)');
	await page.tap('#theme');
	assert.equal(await paper(), 'rgb(255, 255, 255)');
	await page.reload();
	assert.equal(await paper(), 'rgb(255, 255, 255)');
	assert.equal(await page.getAttribute('#theme', 'aria-pressed'), 'false');
	assert.equal(await page.getAttribute('meta[name=theme-color]', 'content'), '#ffffff');
	const order = await page.evaluate(() => [...document.head.querySelectorAll('script, link[rel=stylesheet]')].map((e) => e.src || e.href));
	assert.match(order[0], /theme\./, 'known before anything is painted');
}));

test('the boot screen plays once a session, over a page that is there, and ends at a touch', () => withPage({ ...phone, reducedMotion: 'no-preference' }, async (page) => {
	await page.goto('about:blank');
	const fresh = await page.context().newPage(); // a session of its own
	await fresh.goto(chomp.url, { waitUntil: 'commit' });
	await fresh.locator('.booting .boot-word').waitFor();
	assert.match(await fresh.locator('#tasks').innerText(), /the first one/, 'the data is in the page already');
	await fresh.tap(`#open-${first.id}`);
	await sheetIsOpen(fresh, 'detail');
	assert.equal(await fresh.locator('.booting').count(), 0);
	await fresh.reload();
	assert.equal(await fresh.locator('.booting').count(), 0, 'once');
	await fresh.close();
}));

test('it can be installed', () => withPage(phone, async (page) => {
	const client = await page.context().newCDPSession(page);
	const { errors, data } = await client.send('Page.getAppManifest');
	assert.deepEqual(errors, []);
	const manifest = JSON.parse(data);
	assert.deepEqual([manifest.name, manifest.start_url, manifest.display], ['chomp', '/', 'standalone']);
	for (const { src } of manifest.icons)
		assert.equal((await chomp.api.get(src)).status, 200, src);
	const { installabilityErrors } = await client.send('Page.getInstallabilityErrors');
	assert.deepEqual(installabilityErrors.filter((e) => e.errorId !== 'in-incognito'), []);
}));

test('settings: keys, agents, the queue; two browsers, and signing out everywhere', () => withPage(phone, (page) => withPage(desktop, async (other) => {
	page.expected = other.expected = /401|ERR_ABORTED|Failed to load/;
	await page.tap('#open-settings');
	await sheetIsOpen(page, 'settings');
	await page.tap('#edit-OPENROUTER_API_KEY summary');
	await page.fill('#value-OPENROUTER_API_KEY', 'sk-or-0123456789abcdef');
	assert.equal(await page.getAttribute('#value-OPENROUTER_API_KEY', 'type'), 'password');
	await page.tap('#edit-OPENROUTER_API_KEY button');
	await toast(page, /Key saved/);
	await seen('that it is there', page, '1 of 5 keys configured');
	assert.equal(await page.inputValue('#value-OPENROUTER_API_KEY'), '', 'no key stays in a field');
	await page.tap('[aria-label="Remove OpenRouter API Key"]');
	await page.tap('button:text-is("Remove")');
	await toast(page, /Key removed/);
	await page.tap('.install > summary');
	await page.fill('#agent-id', 'my-agent');
	await page.fill('#agent-name', 'My Agent');
	await page.fill('#agent-command', 'my-agent {prompt}');
	await page.tap('.install-form .btn-green-wide');
	await toast(page, /Agent installed/);
	await page.tap('[aria-label="Remove My Agent"]');
	await page.tap('#agent-row-my-agent button');
	await toast(page, /Agent removed/);
	await page.tap('#set-paused');
	await page.locator('#set-paused[aria-checked=true]').waitFor();
	await page.fill('#gate_loops', '5');
	await page.press('#gate_loops', 'Enter');
	await waitFor('both are set', async () => {
		const { settings } = (await chomp.api.get('/api/config')).json();
		return settings.paused && settings.gate_loops === 5;
	});
	await page.tap('#ask-everywhere summary');
	await page.tap('#sign-out-everywhere');
	await page.waitForURL(`${chomp.url}/login`);
	await other.goto(chomp.url);
	await other.waitForURL(`${chomp.url}/login`);
})));

test('a server that goes is told, and that it is back, without a reload', () => withPage(phone, async (page) => {
	page.expected = /ERR_|htmx:|50[234]|Response Status/;
	await page.evaluate(() => (window.sameDocument = true));
	await chomp.ctl(['down']);
	await waitFor('the word', async () => /does not answer|trying again/.test(await page.locator('#notice').innerText()));
	await page.tap(`#run-${first.id}`);
	await toast(page, /Failed: chomp does not answer|Failed: /);
	assert.equal((await chomp.ctl(['up'])).code, 0);
	await waitFor('silence', async () => (await page.locator('#notice').innerText()) === '');
	const made = await chomp.create({ prompt: 'after the pause', agent: 'shell' });
	await page.locator(`#task-${made.id}`).waitFor();
	assert.ok(await page.evaluate(() => window.sameDocument));
}));

test('on a slow line the first answer is useful, and nothing moves as the rest comes', () => withPage(phone, async (page) => {
	const client = await page.context().newCDPSession(page);
	await client.send('Network.enable');
	await client.send('Network.emulateNetworkConditions', { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 20_000 });
	await page.addInitScript(() => {
		window.moved = [];
		new PerformanceObserver((list) => list.getEntries().forEach((e) => window.moved.push(`${e.value} ${e.sources.map((s) => s.node?.id || s.node?.className || s.node?.nodeName)}`)))
			.observe({ type: 'layout-shift', buffered: true });
	});
	await page.goto(chomp.url, { waitUntil: 'commit' });
	await seen('the tasks', page, 'the first one');
	await page.waitForLoadState('load');
	await page.tap(`#open-${first.id}`);
	await page.locator('#detail-title').waitFor();
	assert.deepEqual(await page.evaluate(() => window.moved), []);
}));

// The dashboard in a browser with JavaScript, by touch on a phone: create, run, follow, done.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { startStepper } from '../lib/box-scripts.mjs';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';
import { clean, desktop, fits, open, phone, seen, shot, startBrowser } from './browser.mjs';

const chomp = await shared({ after });
const browser = await startBrowser();
after(() => browser.close());
const box = await startStepper();
after(() => box.close());

const name = (what) => `${what}-${randomBytes(6).toString('hex')}`;

// Without the push the pages poll.
const polls = async (page) => {
	page.expected = /ERR_FAILED|htmx:sendError|htmx:afterRequest/;
	await page.route('**/events', (route) => route.abort());
	await page.reload();
};

async function withPage(options, fn) {
	const page = await open(browser, chomp, options);
	try {
		await fn(page);
		clean(page);
	} finally {
		await page.context().close();
	}
}

test('an empty dashboard says so, in the design', () => withPage(phone, async (page) => {
	await seen('the empty list', page, 'Nothing here yet');
	await fits(page, 'the empty dashboard');
	assert.match(await page.evaluate(() => document.fonts.ready.then(() => getComputedStyle(document.body).fontFamily)), /Sora/);
	assert.ok(await page.evaluate(() => document.fonts.check('600 16px Sora')), 'Sora has come');
	await shot(page, 'empty-390');
	await page.tap('text=Completed');
	await seen('the other tab', page, 'Nothing completed yet');
	assert.equal(await page.locator('.tab[aria-current=page]').innerText(), 'Completed');
}));

test('create, run, follow the output as it grows, done: nothing is reloaded', () => withPage(phone, async (page) => {
	const go = name('go');
	await page.tap('#new-task');
	await page.fill('#prompt', box.script(`echo first words; wait_for ${go}; echo last words`));
	await page.selectOption('#agent', 'shell');
	await shot(page, 'create-390');
	await fits(page, 'the form');
	await page.tap('text=Add and run');
	await page.waitForURL(`${chomp.url}/`);
	const card = page.locator('.card-running');
	await card.waitFor();
	await seen('the badge', page, 'ACTIVE');
	await seen('no number out of nowhere', page, 'Tokens not reported');
	assert.equal(await page.locator('progress').count(), 0);
	await shot(page, 'active-390');
	await card.tap();
	await page.waitForURL(/\/partials\/detail\/\d+$/);
	await page.evaluate(() => (window.sameDocument = true));
	await seen('the output', page, 'first words');
	assert.doesNotMatch(await page.locator('#live').innerText(), /last words/);
	const age = await page.locator('.detail-age').innerText();
	await waitFor('the age counts on', async () => (await page.locator('.detail-age').innerText()) !== age);
	await shot(page, 'detail-390');
	box.release(go);
	await seen('the end', page, '✓ DONE');
	await seen('all of the output', page, 'last words');
	await seen('the exit code', page, 'exit code 0');
	assert.ok(await page.evaluate(() => window.sameDocument), 'the page was never reloaded');
	await page.tap('text=Close');
	await page.waitForURL(/tab=completed/);
	assert.match(await page.locator('.card-ended').first().innerText(), /✓/);
	await shot(page, 'completed-390');
}));

test('▶ and ✕ act in place, and the counters and the title follow', () => withPage(phone, async (page) => {
	const go = name('go');
	const run = await chomp.create({ prompt: box.script(`wait_for ${go}`), agent: 'shell' });
	const drop = await chomp.create({ prompt: 'drop me', agent: 'shell' });
	await page.reload();
	await page.evaluate(() => (window.sameDocument = true));
	await page.tap(`#run-${run.id}`);
	await page.locator(`#task-${run.id} .card-running`).waitFor();
	await waitFor('the title counts', async () => (await page.title()) === '(1) chomp');
	assert.match(await page.locator('#balance').innerText(), /LIVE\s+1\s+TASKS/i);
	await page.tap(`#delete-${drop.id}`);
	await page.locator(`#task-${drop.id}`).waitFor({ state: 'detached' });
	assert.equal((await chomp.api.get(`/api/tasks/${drop.id}`)).status, 404);
	box.release(go);
	await page.locator(`#task-${run.id}`).waitFor({ state: 'detached' });
	await waitFor('the title follows', async () => (await page.title()) === 'chomp');
	assert.ok(await page.evaluate(() => window.sameDocument), 'the page was never reloaded');
}));

test('a poll that brings nothing new touches nothing, one that does keeps the focus', () => withPage(desktop, async (page) => {
	const one = await chomp.create({ prompt: 'stay as you are', agent: 'shell' });
	await waitFor('a minute with time left: ages are new every minute', () => Date.now() % 60_000 < 40_000);
	await polls(page);
	const said = [];
	page.on('response', (r) => r.url().includes('/partials/tasks') && said.push(r.status()));
	await page.focus(`#run-${one.id}`);
	await page.evaluate(() => (document.querySelector('.card').same = true));
	await waitFor('two polls', () => said.length >= 2);
	assert.deepEqual([...new Set(said)], [304]);
	assert.ok(await page.evaluate(() => document.querySelector('.card').same), 'the card is the same node');
	const two = await chomp.create({ prompt: 'another one', agent: 'shell' });
	await page.locator(`#task-${two.id}`).waitFor();
	assert.equal(await page.evaluate(() => document.activeElement.id), `run-${one.id}`);
	for (const t of [one, two])
		await chomp.post('delete', { id: t.id });
}));

test('what somebody has in hand is not swapped away', () => withPage(desktop, async (page) => {
	const made = await chomp.create({ prompt: 'x', agent: 'shell' });
	await page.goto(`${chomp.url}/partials/detail/${made.id}`);
	await page.click('summary');
	await page.fill('#model', 'half a wo');
	const said = [];
	page.on('response', (r) => r.url().includes('/partials/detail') && said.push(r.status()));
	await chomp.create({ prompt: 'makes a new version', agent: 'shell' });
	await waitFor('two answers that bring something', () => said.filter((s) => s === 200).length >= 2);
	assert.equal(await page.inputValue('#model'), 'half a wo');
	await page.fill('#model', 'bash');
	await page.click('text=▶︎ Run');
	await chomp.until(made.id, (t) => t.status !== 'queued');
	assert.equal((await chomp.task(made.id)).sessions[0].model, 'bash');
	await chomp.until(made.id, (t) => t.status !== 'active');
}));

test('without a terminal the output stays where it was scrolled to while it grows', () => withPage(desktop, async (page) => {
	page.expected = /ERR_FAILED/;
	await page.route('**/assets/xterm.*', (route) => route.abort());
	const [more, end] = [name('more'), name('end')];
	const made = await chomp.create({ prompt: box.script(`seq 1 500; wait_for ${more}; seq 501 600; wait_for ${end}`), agent: 'shell', run: true });
	await page.goto(`${chomp.url}/partials/detail/${made.id}`);
	await waitFor('the output', async () => /\b500\n/.test(await page.locator('#output').innerText()));
	assert.ok(await page.evaluate(() => Math.abs(document.getElementById('output').scrollTop) < 2), 'it shows its end');
	const top = () => page.evaluate(() => {
		const b = document.getElementById('output');
		return Math.round(b.scrollHeight - b.clientHeight + b.scrollTop);
	});
	await page.evaluate(() => (document.getElementById('output').scrollTop = -3000));
	const before = await top();
	box.release(more);
	await waitFor('more output', async () => /\b600\b/.test(await page.locator('#output').innerText()));
	assert.ok(Math.abs(await top() - before) <= 2, `${await top()} is not ${before}`);
	box.release(end);
	await chomp.until(made.id, 'done');
}));

describe('when something goes wrong', () => {
	test('a tap that comes too late is told why', () => withPage(phone, async (page) => {
		const made = await chomp.create({ prompt: 'x', agent: 'shell' });
		page.expected = /ERR_FAILED|htmx:sendError|htmx:afterRequest|404/;
		// Before the page is there: a refresh already under way would take the card away.
		await page.route('**/partials/**', (route) => route.abort());
		await page.reload();
		await chomp.post('delete', { id: made.id });
		await page.tap(`#run-${made.id}`);
		await waitFor('the reason', async () => /there is no task/.test(await page.locator('#notice').innerText()));
		await shot(page, 'notice-390');
	}));

	test('a server that is away is told, and that it is back', () => withPage(phone, async (page) => {
		await polls(page);
		await page.route('**/partials/**', (route) => route.abort());
		await waitFor('the word', async () => /does not answer/.test(await page.locator('#notice').innerText()));
		await page.unroute('**/partials/**');
		await waitFor('silence', async () => (await page.locator('#notice').innerText()) === '');
	}));

	test('a task that does not exist is a page with a way back', () => withPage(phone, async (page) => {
		page.expected = /404/;
		const said = await page.goto(`${chomp.url}/partials/detail/999999`);
		assert.equal(said.status(), 404);
		await seen('the word', page, 'there is no task 999999');
		await shot(page, 'error-390');
		await page.tap('text=To the tasks');
		await page.waitForURL(`${chomp.url}/`);
	}));
});

test('a first visit weighs at most 120 KB, all of it from here', () => withPage(phone, async (page) => {
	const client = await page.context().newCDPSession(page);
	await client.send('Network.enable');
	await client.send('Network.setCacheDisabled', { cacheDisabled: true });
	const bytes = new Map();
	const urls = new Map();
	client.on('Network.requestWillBeSent', (e) => urls.set(e.requestId, e.request.url));
	client.on('Network.loadingFinished', (e) => urls.has(e.requestId) && bytes.set(urls.get(e.requestId), e.encodedDataLength));
	await page.reload({ waitUntil: 'networkidle' });
	const total = [...bytes.values()].reduce((a, b) => a + b, 0);
	assert.ok(bytes.size >= 5, [...bytes.keys()].join());
	assert.ok(total <= 120_000, JSON.stringify([...bytes]));
	assert.deepEqual([...bytes.keys()].filter((u) => !u.startsWith(chomp.url)), []);
}));

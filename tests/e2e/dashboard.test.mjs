// The dashboard in a browser with JavaScript, by touch on a phone: create, run, follow, stop, hand on, take back.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { startStepper } from '../lib/box-scripts.mjs';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';
import { desktop, fits, phone, seen, settled, sheetIsOpen, sheetsAreShut, shot, startBrowser, toast, withPage as inPage, wizard } from './browser.mjs';

const chomp = await shared({ after });
const browser = await startBrowser();
after(() => browser.close());
const box = await startStepper();
after(() => box.close());
await chomp.openSteppers();

const name = (what) => `${what}-${randomBytes(6).toString('hex')}`;
const withPage = (options, fn) => inPage(browser, chomp, options, fn);
const sameDocument = (page) => page.evaluate(() => window.sameDocument === true);
const mark = (page) => page.evaluate(() => (window.sameDocument = true));

// Without the push the pages poll.
const polls = async (page) => {
	page.expected = /ERR_FAILED|htmx:sendError|htmx:afterRequest/;
	await page.route('**/events', (route) => route.abort());
	await page.reload();
};

test('an empty dashboard says so, in the design', () => withPage(phone, async (page) => {
	await seen('the empty list', page, 'Nothing here yet');
	await fits(page, 'the empty dashboard');
	assert.match(await page.evaluate(() => document.fonts.ready.then(() => getComputedStyle(document.body).fontFamily)), /Sora/);
	assert.ok(await page.evaluate(() => document.fonts.check('600 16px Sora')), 'Sora has come');
	await shot(page, 'empty-390');
	await mark(page);
	await page.tap('text=Completed');
	await seen('the other tab', page, 'Nothing completed yet');
	assert.equal(await page.locator('.tab[aria-current=page]').innerText(), 'Completed');
	assert.equal(new URL(page.url()).search, '?tab=completed');
	assert.ok(await sameDocument(page));
}));

test('create, run, follow the output as it grows, done: nothing is reloaded', () => withPage(phone, async (page) => {
	const go = name('go');
	await mark(page);
	await wizard(page, { prompt: box.script(`echo first words; wait_for ${go}; echo last words`), agent: 'shell', button: 'Add and run' });
	await toast(page, /Task \d+ is starting/);
	const card = page.locator('.card-running');
	await card.waitFor();
	await seen('the badge', page, 'ACTIVE');
	await seen('no number out of nowhere', page, 'Tokens not reported');
	assert.equal(await page.locator('progress').count(), 0);
	await card.tap();
	await sheetIsOpen(page, 'detail');
	assert.match(new URL(page.url()).hash, /^#task-\d+$/);
	await seen('the output', page, 'first words');
	assert.doesNotMatch(await page.locator('#live').innerText(), /last words/);
	const age = await page.locator('.detail-age').innerText();
	await waitFor('the age counts on', async () => (await page.locator('.detail-age').innerText()) !== age);
	box.release(go);
	await seen('the end', page, '✓ DONE');
	await seen('all of the output', page, 'last words');
	await seen('the exit code', page, 'exit code 0');
	await page.tap('#close');
	await sheetsAreShut(page);
	await page.tap('#tab-completed');
	await waitFor('its card', async () => /✓/.test(await page.locator('.card-ended').first().innerText()));
	assert.ok(await sameDocument(page), 'the page was never reloaded');
}));

test('the wizard keeps every word, back and forth, through a refusal, and by swipe', () => withPage(phone, async (page) => {
	page.expected = /400/;
	const step = async (n) => {
		await seen(`step ${n}`, page, `Step ${n} of 4`);
		await settled(page);
	};
	await page.tap('#new-task');
	await sheetIsOpen(page, 'create');
	await page.tap('.wizard .btn-primary');
	await toast(page, /Enter a task/);
	await page.fill('#prompt', 'my long <thought>\nin two lines');
	await page.fill('#dir', '/srv/my "project"');
	await page.tap('.wizard summary');
	await page.fill('#branch', '--upload-pack=x');
	await page.fill('#priority', '7');
	await page.tap('.wizard .btn-primary');
	await step(2);
	await page.tap('button[name=choose][value=opencode]');
	await step(3);
	await page.tap('button[name=choose][value="gpt-4.1"]');
	await step(4);
	const swipe = async (from, to) => {
		const client = await page.context().newCDPSession(page);
		const touch = (type, x) => client.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x, y: 700 }] });
		await touch('touchStart', from);
		await touch('touchMove', to);
		await touch('touchEnd');
	};
	await swipe(60, 260);
	await step(3);
	await page.click('.pair button[name=step]'); // by mouse: Chromium takes the first tap for the end of the fling
	await step(2);
	assert.equal(await page.locator('.choice-on .choice-name').innerText(), 'OpenCode');
	await page.click('.pair button[name=step]');
	await step(1);
	assert.equal(await page.inputValue('#prompt'), 'my long <thought>\nin two lines');
	assert.equal(await page.inputValue('#dir'), '/srv/my "project"');
	assert.equal(await page.inputValue('#branch'), '--upload-pack=x');
	await swipe(260, 60);
	await step(2);
	await page.click('button[name=choose][value=opencode]');
	await step(3);
	await seen('its models', page, 'Models for OpenCode');
	await page.click('button[name=choose][value="gpt-4.1"]');
	await step(4);
	await page.click('.wizard button:text-is("Add to Queue")');
	await toast(page, /branch: must not begin with a dash/);
	for (const n of [3, 2, 1]) {
		await page.click('.wizard :is(.pair, .stack) button[name=step]');
		await step(n);
	}
	await page.fill('#branch', '');
	await page.click('.wizard .btn-primary');
	await step(2);
	await page.click('.wizard button[name=skip]');
	await step(4);
	await page.click('.wizard button:text-is("Add to Queue")');
	await toast(page, /Task queued/);
	await sheetsAreShut(page);
	const [task] = (await chomp.api.get('/api/tasks?status=queued')).json().tasks;
	assert.equal(task.prompt.replaceAll('\r', ''), 'my long <thought>\nin two lines');
	assert.equal(task.dir, '/srv/my "project"');
	assert.equal(task.priority, 7);
	await chomp.post('delete', { id: task.id });
}));

test('▶ and ✕ act in place, ✕ can be taken back, and the counters and the title follow', () => withPage(phone, async (page) => {
	const go = name('go');
	const run = await chomp.create({ prompt: box.script(`wait_for ${go}`), agent: 'shell' });
	const drop = await chomp.create({ prompt: 'drop me', agent: 'shell', dir: '/srv/x', priority: 3 });
	await page.reload();
	await mark(page);
	await page.tap(`#run-${run.id}`);
	await page.locator(`#task-${run.id} .card-running`).waitFor();
	await waitFor('the title counts', async () => (await page.title()) === '(1) chomp');
	assert.match(await page.locator('#balance').innerText(), /LIVE\s+1\s+TASKS/i);
	await page.tap(`#delete-${drop.id}`);
	await page.locator(`#task-${drop.id}`).waitFor({ state: 'detached' });
	assert.equal((await chomp.api.get(`/api/tasks/${drop.id}`)).status, 404);
	await page.tap('#toast button:text-is("Undo")');
	await toast(page, /Back as task/);
	const [back] = (await chomp.api.get('/api/tasks?status=queued')).json().tasks;
	assert.deepEqual([back.prompt, back.dir, back.priority, back.platform], ['drop me', '/srv/x', 3, 'shell']);
	await page.locator(`#delete-${back.id}`).waitFor();
	await chomp.post('delete', { id: back.id });
	box.release(go);
	await page.locator(`#task-${run.id}`).waitFor({ state: 'detached' });
	await waitFor('the title follows', async () => (await page.title()) === 'chomp');
	assert.ok(await sameDocument(page), 'the page was never reloaded');
}));

test('stop, hand off, retry and delete take two taps, and none of them is a dialog of the browser', () => withPage(phone, async (page) => {
	const made = await chomp.create({ prompt: 'sleep 3000', agent: 'shell', run: true });
	await page.goto(`${chomp.url}/#task-${made.id}`);
	await sheetIsOpen(page, 'detail');
	await page.tap('#ask-handoff summary');
	await page.fill('#handoff-summary', 'half of it\nis done');
	await page.tap(`#handoff-${made.id}`);
	await toast(page, /handed off/);
	await seen('what the next one is told', page, 'half of it\nis done');
	await page.tap('#run');
	await toast(page, /is starting/);
	await page.tap('#ask-cancel summary');
	assert.equal((await chomp.task(made.id)).status, 'active', 'one tap does nothing');
	await page.tap(`#cancel-${made.id}`);
	await seen('that it is held', page, 'HELD');
	await chomp.run(made.id);
	await chomp.post('fail', { id: made.id, reason: 'no such bucket' });
	await seen('the reason', page, 'no such bucket');
	await page.tap('#ask-retry summary');
	await page.tap(`#retry-${made.id}`);
	await seen('the queue again', page, 'QUEUED');
	await page.tap('#ask-delete summary');
	assert.equal((await chomp.api.get(`/api/tasks/${made.id}`)).status, 200);
	await page.tap(`#delete-${made.id}`);
	await toast(page, /deleted/);
	await sheetsAreShut(page);
	assert.equal((await chomp.api.get(`/api/tasks/${made.id}`)).status, 404);
}));

test('an answer that comes after a push has taken away what was tapped is told all the same', () => withPage(phone, async (page) => {
	const made = await chomp.create({ prompt: 'sleep 3000', agent: 'shell' });
	await page.locator(`#run-${made.id}`).waitFor();
	await page.route('**/api/tasks/run', async (route) => {
		const answer = await route.fetch();
		await page.locator(`#run-${made.id}`).waitFor({ state: 'detached' });
		await route.fulfill({ response: answer });
	});
	await page.tap(`#run-${made.id}`);
	await toast(page, new RegExp(`Task ${made.id} is starting`));
	await chomp.post('delete', { id: made.id });
}));

test('the diff of a task: files, counts, lines, and the patch to take away', () => withPage(phone, async (page) => {
	const patch = 'diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1,2 +1,3 @@\n same\n-<old>\n+<new>\n+more\n';
	const made = await chomp.create({ prompt: `printf '%s' '${patch}' >/tmp/p; chomp artifact /tmp/p changes.patch`, agent: 'shell', run: true });
	await chomp.until(made.id, 'done');
	await page.goto(`${chomp.url}/#task-${made.id}`);
	await waitFor('the sums', async () => /1 file \+2 −1/.test(await page.locator('.diff-sum').innerText()));
	await page.tap('.diff-file summary');
	assert.equal(await page.locator('.diff-add').innerText(), '+<new>\n+more\n');
	const coming = page.waitForEvent('download');
	await page.tap('#file-changes\\.patch');
	assert.equal((await coming).suggestedFilename(), `task-${made.id}-changes.patch`);
}));

test('a poll that brings nothing new touches nothing, one that does keeps focus, selection and scroll', () => withPage(desktop, async (page) => {
	const one = await chomp.create({ prompt: 'stay as you are', agent: 'shell' });
	for (let i = 0; i < 12; i++)
		await chomp.create({ prompt: `one of many ${i}`, agent: 'shell' });
	await waitFor('a minute with time left: ages are new every minute', () => Date.now() % 60_000 < 40_000);
	await polls(page);
	const said = [];
	page.on('response', (r) => r.url().includes('/partials/tasks') && said.push(r.status()));
	await page.focus(`#run-${one.id}`);
	await page.evaluate((id) => {
		const card = document.querySelector(`#task-${id}`);
		card.same = true;
		getSelection().selectAllChildren(card.querySelector('.row-title'));
		scrollTo(0, 200);
		window.shifts = [];
		new PerformanceObserver((list) => window.shifts.push(...list.getEntries().flatMap((e) => e.sources.map((s) => s.node?.outerHTML ?? s.node?.data)))).observe({ type: 'layout-shift' });
	}, one.id);
	await waitFor('two polls', () => said.length >= 2);
	assert.deepEqual([...new Set(said)], [304]);
	const state = () => page.evaluate((id) => ({
		same: document.querySelector(`#task-${id}`).same, focus: document.activeElement.id, selected: String(getSelection()), top: scrollY, shifts: window.shifts,
	}), one.id);
	const want = { same: true, focus: `run-${one.id}`, selected: 'stay as you are', top: 200, shifts: [] };
	assert.deepEqual(await state(), want);
	const two = await chomp.create({ prompt: 'another one', agent: 'shell' });
	await page.locator(`#task-${two.id}`).waitFor();
	assert.deepEqual({ ...await state(), shifts: [] }, want);
	for (const t of (await chomp.api.get('/api/tasks?status=queued')).json().tasks)
		await chomp.post('delete', { id: t.id });
}));

test('what somebody has in hand stays while the sheet follows its task', () => withPage(desktop, async (page) => {
	const made = await chomp.create({ prompt: 'sleep 3000', agent: 'shell', run: true });
	await page.goto(`${chomp.url}/#task-${made.id}`);
	await page.click('#ask-handoff summary');
	await page.fill('#handoff-summary', 'half a wo');
	await chomp.post('update', { id: made.id, tokens: 1234 });
	await seen('the new number', page, '1k');
	assert.equal(await page.inputValue('#handoff-summary'), 'half a wo');
	assert.equal(await page.evaluate(() => document.activeElement.id), 'handoff-summary');
	await page.keyboard.type('rd');
	assert.equal(await page.inputValue('#handoff-summary'), 'half a word');
	await chomp.post('cancel', { id: made.id });
	await chomp.post('delete', { id: made.id });
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
		await page.reload();
		page.expected = /ERR_FAILED|htmx:sendError|htmx:afterRequest|404/;
		await page.route('**/partials/**', (route) => route.abort());
		await chomp.post('delete', { id: made.id });
		await page.tap(`#run-${made.id}`);
		await toast(page, /Failed: there is no task/);
		await shot(page, 'toast-error-390');
	}));

	test('the task of an open sheet that is deleted elsewhere is told', () => withPage(phone, async (page) => {
		const made = await chomp.create({ prompt: 'x', agent: 'shell' });
		page.expected = /404/;
		await page.goto(`${chomp.url}/#task-${made.id}`);
		await sheetIsOpen(page, 'detail');
		await page.locator('#detail-title').waitFor();
		await chomp.post('delete', { id: made.id });
		await waitFor('the word', async () => /there is no task/.test(await page.locator('#detail').innerText()));
		await page.tap('#detail [data-close]');
		await sheetsAreShut(page);
	}));

	test('a task that does not exist is a page with a way back', () => withPage(phone, async (page) => {
		page.expected = /404/;
		const said = await page.goto(`${chomp.url}/partials/detail/999999`);
		assert.equal(said.status(), 404);
		await seen('the word', page, 'there is no task 999999');
		await page.tap('text=To the tasks');
		await page.waitForURL(`${chomp.url}/`);
	}));
});

test('a first visit weighs at most 120 KB, all of it from here, and the terminal comes when it is opened', () => withPage(phone, async (page) => {
	const client = await page.context().newCDPSession(page);
	await client.send('Network.enable');
	await client.send('Network.setCacheDisabled', { cacheDisabled: true });
	const bytes = new Map();
	const urls = new Map();
	client.on('Network.requestWillBeSent', (e) => urls.set(e.requestId, e.request.url));
	client.on('Network.loadingFinished', (e) => urls.has(e.requestId) && bytes.set(urls.get(e.requestId), e.encodedDataLength));
	await page.reload({ waitUntil: 'load' });
	await waitFor('the last script', () => [...bytes.keys()].some((u) => /wizard/.test(u)));
	const total = [...bytes.values()].reduce((a, b) => a + b, 0);
	console.log(`# first visit: ${total} bytes in ${bytes.size} files`);
	assert.ok(bytes.size >= 5, [...bytes.keys()].join());
	assert.ok(total <= 120_000, JSON.stringify([...bytes]));
	assert.deepEqual([...bytes.keys()].filter((u) => !u.startsWith(chomp.url)), []);
	assert.deepEqual([...bytes.keys()].filter((u) => /xterm/.test(u)), []);
}));

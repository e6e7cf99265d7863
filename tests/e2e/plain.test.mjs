// The same without JavaScript: links, forms, and a page that loads itself again while its task runs.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { startStepper } from '../lib/box-scripts.mjs';
import { shared } from '../lib/instance.mjs';
import { clean, desktop, open, phone, seen, shot, startBrowser } from './browser.mjs';

const chomp = await shared({ after });
const browser = await startBrowser();
after(() => browser.close());
const box = await startStepper();
after(() => box.close());

const name = (what) => `${what}-${randomBytes(6).toString('hex')}`;

async function withPage(options, fn) {
	const page = await open(browser, chomp, { javaScriptEnabled: false, ...options });
	try {
		await fn(page);
		clean(page);
	} finally {
		await page.context().close();
	}
}

test('create, run, follow, done, delete', () => withPage(phone, async (page) => {
	const go = name('go');
	await page.tap('#new-task');
	await page.fill('#prompt', box.script(`echo first words; wait_for ${go}; echo last words`));
	await page.selectOption('#agent', 'shell');
	await page.tap('text=Add to Queue');
	await page.waitForURL(`${chomp.url}/`);
	await page.tap('.btn-run');
	await page.tap('.card-running');
	await seen('the output, by the page loading itself again', page, 'first words');
	await seen('that it runs', page, 'RUNNING');
	box.release(go);
	await seen('the end', page, '✓ DONE');
	await seen('all of the output', page, 'last words');
	await shot(page, 'plain-detail-390', { fullPage: true });
	const detail = page.url();
	await page.tap('text=Retry');
	await seen('the queue again', page, 'QUEUED');
	assert.equal(page.url(), detail, 'a form leads back to the page it was on');
	await page.tap('text=Delete Task');
	await seen('a question first', page, 'There is no way back');
	await page.tap('text=Keep it');
	await seen('nothing has happened', page, 'QUEUED');
	await page.tap('text=Delete Task');
	await page.tap('text=Delete for good');
	await page.waitForURL(`${chomp.url}/`);
	await seen('it is gone', page, 'Nothing here yet');
}));

test('run with another agent and model, cancel, and ✕ of a task that was worked on asks', () => withPage(desktop, async (page) => {
	const made = await chomp.create({ prompt: 'sleep 600', agent: 'pi' });
	await page.goto(`${chomp.url}/partials/detail/${made.id}`);
	await page.click('summary');
	await page.selectOption('#agent', 'shell');
	await page.fill('#model', 'bash');
	await page.click('text=▶︎ Run');
	await seen('that it runs', page, 'Shell · bash');
	await page.click('text=Cancel run');
	await seen('that it is held', page, 'HELD');
	await seen('the session', page, 'CANCELLED');
	await page.click('text=‹ Tasks');
	await page.click(`[aria-label="Delete task ${made.id}"]`);
	await page.click('text=Delete for good');
	await seen('it is gone', page, 'Nothing here yet');
}));

test('a refused task keeps every word', () => withPage(phone, async (page) => {
	page.expected = /400/;
	await page.tap('#new-task');
	await page.fill('#prompt', 'my long <thought>\nin two lines');
	await page.tap('summary');
	await page.fill('#branch', '--upload-pack=x');
	await page.tap('text=Add to Queue');
	await seen('why', page, 'branch: must not begin with a dash');
	assert.equal(await page.inputValue('#prompt'), 'my long <thought>\nin two lines');
	assert.equal(await page.inputValue('#branch'), '--upload-pack=x');
	await page.fill('#branch', '');
	await page.tap('text=Add to Queue');
	await page.waitForURL(`${chomp.url}/`);
	await seen('the list', page, 'my long <thought>');
	await chomp.post('delete', { id: (await chomp.api.get('/api/tasks')).json().tasks[0].id });
}));

test('log in by the token, log out; a wrong token is told', () => withPage({ ...phone, login: false }, async (page) => {
	page.expected = /401/;
	await page.goto(chomp.url);
	await page.waitForURL(`${chomp.url}/login`);
	await shot(page, 'login-390');
	await page.fill('#token', 'wrong');
	await page.tap('button:has-text("Log in")');
	await seen('the refusal', page, 'that is not the owner');
	await page.fill('#token', chomp.token);
	await page.tap('button:has-text("Log in")');
	await page.waitForURL(`${chomp.url}/`);
	await page.tap('text=Log out');
	await page.waitForURL(`${chomp.url}/login`);
	await page.goto(chomp.url);
	await page.waitForURL(`${chomp.url}/login`);
}));

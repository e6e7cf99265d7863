// The same without JavaScript: links, forms, and a page that loads itself again while its task runs.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { startStepper } from '../lib/box-scripts.mjs';
import { shared } from '../lib/instance.mjs';
import { waitFor } from '../lib/wait.mjs';
import { desktop, phone, seen, shot, startBrowser, withPage as inPage } from './browser.mjs';

const chomp = await shared({ after });
const browser = await startBrowser();
after(() => browser.close());
const box = await startStepper();
after(() => box.close());
await chomp.openSteppers();

const name = (what) => `${what}-${randomBytes(6).toString('hex')}`;
const withPage = (options, fn) => inPage(browser, chomp, { javaScriptEnabled: false, ...options }, fn);

test('create, run, follow, done, retry, delete', () => withPage(phone, async (page) => {
	const go = name('go');
	await page.tap('#new-task');
	await page.fill('#prompt', box.script(`echo first words; wait_for ${go}; echo last words`));
	await page.tap('.wizard .btn-primary');
	await page.tap('button[name=choose][value=shell]');
	await page.tap('button[name=choose][value=bash]');
	await seen('the review', page, 'Step 4 of 4');
	await page.tap('button:text-is("Add to Queue")');
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
	await page.tap('#ask-retry summary');
	await page.tap('#ask-retry button');
	await seen('the queue again', page, 'QUEUED');
	assert.equal(page.url(), detail, 'a form leads back to the page it was on');
	await page.tap('#ask-delete summary');
	await seen('a question first', page, 'There is no way back');
	await page.tap('#ask-delete summary');
	await seen('nothing has happened', page, 'QUEUED');
	await page.tap('#ask-delete summary');
	await page.tap('text=Delete for good');
	await page.waitForURL(`${chomp.url}/`);
	await seen('it is gone', page, 'Nothing here yet');
}));

test('run with another agent and model, hand off, cancel, and ✕ of a task that was worked on asks', () => withPage(desktop, async (page) => {
	const made = await chomp.create({ prompt: 'sleep 600', agent: 'pi' });
	await page.goto(`${chomp.url}/partials/detail/${made.id}`);
	await page.click('.run-form summary');
	await page.selectOption('#agent', 'shell');
	await page.fill('#model', 'bash');
	await page.click('#run');
	await seen('that it runs', page, 'Shell · bash');
	await page.click('#ask-handoff summary');
	await page.fill('#handoff-summary', 'half of it');
	await page.click('#ask-handoff button');
	await seen('the summary', page, 'half of it');
	await chomp.run(made.id, { agent: 'shell', model: 'bash' });
	await page.reload();
	await page.click('#ask-cancel summary');
	await page.click('text=Stop it');
	await seen('that it is held', page, 'HELD');
	await seen('the session', page, 'CANCELLED');
	await page.click('text=‹ Tasks');
	await page.click(`[aria-label="Delete task ${made.id}"]`);
	await page.click('text=Delete for good');
	await seen('it is gone', page, 'Nothing here yet');
}));

test('the wizard goes back and forth, and a refused task keeps every word', () => withPage(phone, async (page) => {
	page.expected = /400/;
	await page.tap('#new-task');
	await page.fill('#prompt', 'my long <thought>\nin two lines');
	await page.tap('.wizard summary');
	await page.fill('#branch', '--upload-pack=x');
	await page.tap('.wizard .btn-primary');
	await page.tap('button[name=choose][value=opencode]');
	await page.tap('.pair button[name=skip]');
	await page.tap('button:text-is("Add to Queue")');
	await seen('why', page, 'branch: must not begin with a dash');
	assert.equal(await page.inputValue('#prompt'), 'my long <thought>\nin two lines');
	assert.equal(await page.inputValue('#branch'), '--upload-pack=x');
	await page.fill('#branch', '');
	await page.tap('.wizard .btn-primary');
	assert.equal(await page.locator('.choice-on .choice-name').innerText(), 'OpenCode');
	await page.tap('.choice-on');
	await page.tap('.wizard summary');
	await page.fill('#model', 'gpt-4.1');
	await page.press('#model', 'Enter');
	await seen('the review', page, 'gpt-4.1');
	await page.tap('button:text-is("Back")');
	await seen('the model again', page, 'Step 3 of 4');
	assert.equal(await page.inputValue('#model'), 'gpt-4.1');
	await page.press('#model', 'Enter');
	await page.tap('button:text-is("Add to Queue")');
	await page.waitForURL(`${chomp.url}/`);
	await seen('the list', page, 'my long <thought>');
	const [task] = (await chomp.api.get('/api/tasks')).json().tasks;
	assert.deepEqual([task.platform, task.model], ['opencode', 'gpt-4.1']);
	await chomp.post('delete', { id: task.id });
}));

test('settings: a key, an agent, a switch, a number', () => withPage(phone, async (page) => {
	await page.tap('#open-settings');
	await page.tap('#edit-OPENROUTER_API_KEY summary');
	await page.fill('#value-OPENROUTER_API_KEY', 'sk-or-0123456789abcdef');
	await page.tap('#edit-OPENROUTER_API_KEY button');
	await seen('that it is there', page, '1 of 5 keys configured');
	await page.tap('[aria-label="Remove OpenRouter API Key"]');
	await page.tap('button:text-is("Remove")');
	await seen('that it is gone', page, '0 of 5 keys configured');
	await page.tap('.install > summary');
	await page.fill('#agent-id', 'my-agent');
	await page.fill('#agent-name', 'My Agent');
	await page.fill('#agent-command', 'my-agent {prompt}');
	await page.tap('.install-form .btn-green-wide');
	await seen('the agent', page, 'My Agent');
	await page.tap('[aria-label="Remove My Agent"]');
	await page.tap('#agent-row-my-agent button');
	await page.locator('#agent-row-my-agent').waitFor({ state: 'detached' });
	await page.tap('#set-auto_run');
	await page.locator('#set-auto_run[aria-checked=true]').waitFor();
	await page.tap('#set-auto_run');
	await page.locator('#set-auto_run[aria-checked=false]').waitFor();
	await page.fill('#max_active', '9');
	await page.press('#max_active', 'Enter');
	await waitFor('the number', async () => (await chomp.api.get('/api/config')).json().settings.max_active === 9);
	assert.equal(new URL(page.url()).pathname, '/partials/settings');
}));

test('search among what has ended', () => withPage(phone, async (page) => {
	for (const word of ['alpha', 'beta']) {
		const made = await chomp.create({ prompt: `echo ${word}`, agent: 'shell', run: true });
		await chomp.until(made.id, 'done');
	}
	await page.goto(`${chomp.url}/?tab=completed`);
	await page.fill('#q', 'ALPHA');
	await page.press('#q', 'Enter');
	await page.waitForURL(/q=ALPHA/);
	assert.equal(await page.locator('.card-ended').count(), 1);
	await seen('the one', page, 'echo alpha');
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

// A real Chromium for the browser tests, and what every page has to keep to: no error on the console, no violation of the
// content security policy, no dialog, nothing wider than the window.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { repoRoot } from '../lib/build.mjs';
import { waitFor } from '../lib/wait.mjs';

const require = createRequire(import.meta.url);
const CHROMIUM = process.env.CHOMP_TEST_CHROMIUM || '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync'];

export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
export const desktop = { viewport: { width: 1280, height: 800 } };

export async function startBrowser() {
	const { chromium } = require('playwright-core');
	return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

// A page logged in by a fresh link, without motion unless it is asked for: nothing to wait for, no boot screen. `page.faults` collects what no page may do; clean(page) asserts that there was none.
export async function open(browser, chomp, { login = true, ...options } = {}) {
	const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(20_000);
	page.faults = [];
	page.on('console', (m) => {
		if (m.type() === 'error' && !page.expected?.test(m.text()))
			page.faults.push(`console: ${m.text()} (${m.location().url})`);
	});
	page.on('pageerror', (e) => page.faults.push(`script: ${e.message}`));
	page.on('dialog', (d) => {
		page.faults.push(`dialog: ${d.message()}`);
		d.dismiss();
	});
	page.on('requestfailed', (r) => {
		if (r.failure()?.errorText !== 'net::ERR_ABORTED' && !page.expected?.test(r.failure()?.errorText || ''))
			page.faults.push(`request: ${r.url()} ${r.failure()?.errorText}`);
	});
	if (login) {
		const said = await chomp.ctl(['url']);
		await page.goto(said.stdout.match(/http:\S+/)[0]);
		assert.equal(page.url(), `${chomp.url}/`, 'the link logs in and leads to the dashboard');
	}
	return page;
}

// A page for one test, with its faults looked at in the end.
export async function withPage(browser, chomp, options, fn) {
	const page = await open(browser, chomp, options);
	try {
		await fn(page);
		clean(page);
	} finally {
		await page.context().close();
	}
}

export function clean(page) {
	assert.deepEqual(page.faults, []);
}

export async function fits(page, what) {
	const { wide, window } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, window: innerWidth }));
	assert.ok(wide <= window, `${what}: ${wide} px wide in a window of ${window} px`);
}

export async function shot(page, name, options) {
	const dir = path.join(repoRoot, 'build/screenshots');
	fs.mkdirSync(dir, { recursive: true });
	await page.screenshot({ path: path.join(dir, `${name}.png`), ...options });
}

// axe-core by the driver's own channel: the page's policy takes no script of strangers.
export async function axe(page) {
	await page.evaluate(fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
	const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
	return violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message || n.failureSummary}`).join(' | ')}`);
}

// What is said above everything.
export const toast = (page, text) => waitFor(`the words ${text}`, async () => text.test(await page.locator('#toast').innerText()),
	{ context: async () => `${await page.locator('#toast').innerText()}\n${await page.locator('body').innerText()}` });
export const sheetIsOpen = (page, name) => page.locator(`#${name}-sheet[open]`).waitFor();
export const sheetsAreShut = (page) => waitFor('no sheet', async () => (await page.locator('dialog[open]').count()) === 0);

// An answer that has come is part of the page, with the focus and the scroll it brings.
export const settled = (page) => page.waitForFunction(() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling'));

// The wizard from its first step to its last one: what is typed, which agent, which model.
export async function wizard(page, { prompt, agent, model, button = 'Add to Queue' }) {
	const press = async (at) => {
		await page.locator(at).waitFor();
		await settled(page);
		await (page.viewportSize().width < 1000 ? page.tap(at) : page.click(at));
	};
	await press('#new-task');
	await page.fill('#prompt', prompt);
	await press('.wizard .btn-primary');
	await press(agent ? `button[name=choose][value="${agent}"]` : '.wizard button[name=skip]');
	if (agent) await press(model ? `button[name=choose][value="${model}"]` : '.wizard button[name=skip]');
	await press(`.wizard button:text-is("${button}")`);
}

export const seen = (what, page, text) => waitFor(what, async () => (await page.locator('body').innerText()).includes(text),
	{ context: async () => `${page.url()}\n${await page.locator('body').innerText()}` });

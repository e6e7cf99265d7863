// The screens beside the design's pictures: the places and colours of what they are made of, as they were measured there (390 px,
// docs/pictures holds ours). Where the design was mended (contrast, targets, words that were not so) ours is what counts.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { demo } from './demo.mjs';
import { open, phone, settled, sheetIsOpen, shot, startBrowser } from './browser.mjs';

const chomp = await demo({ after });
const browser = await startBrowser();
after(() => browser.close());
const NEAR = 4; // px

// what: [selector, { x y w h }, { light and dark colours }]; left out is not measured
const LIST = {
	'platform card': ['#balance', { x: 16, y: 64, w: 358, h: 295 }, { backgroundColor: ['#18181b', '#27272a'], borderRadius: '16px' }],
	'first platform': ['.platform', { x: 36, y: 116, w: 318, h: 32 }, { borderRadius: '8px' }],
	'last platform': ['.platform:last-child', { y: 230, h: 32 }],
	metrics: ['.metrics', { x: 36, y: 278, w: 318, h: 61 }, { borderRadius: '12px' }],
	'active tab': ['#tab-active', { x: 16, y: 377, w: 177, h: 44 }, { backgroundColor: ['#18181b', '#e4e4e7'], color: ['#ffffff', '#18181b'] }],
	'completed tab': ['#tab-completed', { x: 197, y: 377, w: 177, h: 44 }, { backgroundColor: ['#f4f4f5', '#27272a'] }],
	'first card': ['.card-running', { x: 16, y: 427, w: 358, h: 146 }, { backgroundColor: ['#fafafa', '#18181b'], borderRadius: '16px' }],
	'its title': ['.card-title', { x: 33, y: 444, h: 40 }, { fontSize: '16px', fontWeight: '600' }],
	'its badge': ['.badge', { x: 275, y: 444, w: 82, h: 25 }],
	'its agent': ['.chip', { x: 33, y: 494, h: 20 }],
	'its bar': ['progress', { x: 33, y: 550, w: 324, h: 6 }],
	'second card': ['li:nth-child(2) > .card-running', { y: 583, h: 146 }],
	waiting: ['.divider', { y: 749, h: 17 }],
	'new task': ['#new-task', { x: 16, w: 358, h: 52 }],
	page: ['html', {}, { backgroundColor: ['#ffffff', '#09090b'] }],
	'settings button': ['#open-settings > span', { x: 294, y: 12, w: 36, h: 36 }],
};
const DETAIL = {
	sheet: ['#detail-sheet', { x: 0, y: 101, w: 390, h: 743 }, { backgroundColor: ['#fafafa', '#18181b'], borderRadius: '16px 16px 0px 0px' }],
	handle: ['#detail-sheet .handle', { x: 177, y: 111, w: 36, h: 4 }, { backgroundColor: ['#d4d4d8', '#52525b'] }],
	badge: ['#detail .badge', { x: 20, y: 135, h: 25 }],
	title: ['#detail-title', { x: 20, w: 350, h: 56 }, { fontSize: '20px', fontWeight: '700' }],
	facts: ['.facts', { x: 20, w: 350, h: 130 }, { borderRadius: '12px' }],
	timeline: ['.timeline', { x: 20, w: 350 }, { borderRadius: '12px' }],
};
const CREATE = {
	sheet: ['#create-sheet', { x: 0, w: 390 }, { backgroundColor: ['#fafafa', '#18181b'] }],
	prompt: ['#prompt', { x: 20, w: 350, h: 93 }, { backgroundColor: ['#ffffff', '#27272a'], borderRadius: '12px' }],
	dir: ['#dir', { x: 20, w: 350, h: 48 }],
	next: ['.wizard .btn-primary', { x: 20, w: 350, h: 44 }, { backgroundColor: ['#18181b', '#3f3f46'], color: ['#ffffff', '#ffffff'] }],
	cancel: ['.wizard .btn-secondary', { x: 20, y: 766, w: 350, h: 45 }],
};
const SETTINGS = {
	sheet: ['#settings-sheet', { x: 0, y: 101, w: 390, h: 743 }],
	title: ['#settings-title', { x: 20, y: 135 }, { fontSize: '20px' }],
	row: ['.agent-row', { x: 20, w: 350, h: 62 }, { borderRadius: '16px' }],
};

const rgb = (hex) => `rgb(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(', ')})`;
async function compare(page, parts, dark) {
	const faults = [];
	for (const [what, [at, box, styles = {}]] of Object.entries(parts)) {
		const is = await page.locator(at).first().evaluate((e, names) => {
			const b = e.getBoundingClientRect();
			const s = getComputedStyle(e);
			return { x: b.x, y: b.y, w: b.width, h: b.height, styles: Object.fromEntries(names.map((n) => [n, s[n]])) };
		}, Object.keys(styles));
		for (const [k, want] of Object.entries(box))
			if (Math.abs(is[k] - want) > NEAR) faults.push(`${what}: ${k} is ${is[k]}, in the design ${want}`);
		for (const [k, want] of Object.entries(styles)) {
			const text = Array.isArray(want) ? rgb(want[dark ? 1 : 0]) : want;
			if (is.styles[k] !== text) faults.push(`${what}: ${k} is ${is.styles[k]}, in the design ${text}`);
		}
	}
	assert.deepEqual(faults, []);
}

for (const colorScheme of ['light', 'dark']) {
	describe(colorScheme, () => {
		const dark = colorScheme === 'dark';
		const looks = async (name, route, ready, parts) => {
			const page = await open(browser, chomp, { ...phone, colorScheme });
			try {
				await page.goto('about:blank');
				await page.goto(chomp.url + route);
				await ready(page);
				await settled(page);
				await page.evaluate(() => document.fonts.ready);
				await shot(page, `picture-${name}-${colorScheme}`);
				await compare(page, parts, dark);
			} finally {
				await page.context().close();
			}
		};
		test('the list', () => looks('active', '/', (page) => page.locator('.badge').first().waitFor(), LIST));
		test('a task', () => looks('detail', `/#task-${chomp.id.running}`, (page) => page.locator('.timeline').waitFor(), DETAIL));
		test('a new task', () => looks('create', '/#new', async (page) => {
			await sheetIsOpen(page, 'create');
			await page.locator('#prompt').waitFor();
		}, CREATE));
		test('settings', () => looks('settings', '/#settings', (page) => page.locator('.agent-row').first().waitFor(), SETTINGS));
	});
}

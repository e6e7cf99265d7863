// Lighthouse on a page of an instance, logged in: the scores, 0 … 100, and what was found.
//
//   const { scores, found } = await lighthouseOf(chomp, '/', ['accessibility'])

import { createRequire } from 'node:module';
import { freePort } from './port.mjs';
import { request } from './http.mjs';

const require = createRequire(import.meta.url);
const CHROMIUM = process.env.CHOMP_TEST_CHROMIUM || '/usr/bin/chromium';

async function cookieOf(chomp) {
	const said = await request(chomp.url, {
		method: 'POST',
		path: '/login',
		body: `token=${encodeURIComponent(chomp.token)}`,
		headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: chomp.url },
	});
	return said.headers['set-cookie'][0].split(';')[0];
}

export async function lighthouseOf(chomp, route, categories, { runs = 1 } = {}) {
	const { default: lighthouse } = await import('lighthouse');
	const { chromium } = require('playwright-core');
	const port = await freePort();
	const browser = await chromium.launch({
		executablePath: CHROMIUM,
		args: ['--no-sandbox', '--disable-gpu', `--remote-debugging-port=${port}`],
	});
	try {
		const all = [];
		for (let i = 0; i < runs; i++) {
			const { lhr } = await lighthouse(`${chomp.url}${route}`, {
				port,
				logLevel: 'error',
				onlyCategories: categories,
				extraHeaders: { Cookie: await cookieOf(chomp) },
			});
			if (lhr.runtimeError) throw new Error(`lighthouse: ${lhr.runtimeError.message}`);
			all.push(lhr);
		}
		const score = (lhr, c) => Math.round(lhr.categories[c].score * 100);
		const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
		const last = all.at(-1);
		return {
			scores: Object.fromEntries(categories.map((c) => [c, middle(all.map((lhr) => score(lhr, c)))])),
			found: Object.values(last.audits)
				.filter((a) => a.score !== null && a.score < 1 && a.scoreDisplayMode !== 'informative')
				.map((a) => `${a.id}: ${a.displayValue || a.title} ${[a.details?.items].flat().map((i) => i?.node?.snippet ?? '').join(' ').slice(0, 600)}`),
			shift: last.audits['cumulative-layout-shift']?.numericValue,
		};
	} finally {
		await browser.close();
	}
}

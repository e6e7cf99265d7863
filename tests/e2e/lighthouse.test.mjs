// Lighthouse: accessibility and best practices are whole, on the list with something on it and on a task's page. Performance is
// a mark of `make bench`: it depends on the machine.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { lighthouseOf } from '../lib/lighthouse.mjs';

const chomp = await shared({ after });
const { id } = await chomp.create({ prompt: 'sleep 3000', agent: 'shell', run: true });
for (let i = 0; i < 10; i++) await chomp.create({ prompt: `one of many ${i}`, agent: 'shell' });
await chomp.until(id, (t) => t.sessions[0].dispatch.state === 'started');

for (const route of ['/', `/partials/detail/${id}`, '/partials/settings', '/partials/create']) {
	test(`${route}: 100 in accessibility and best practices`, async () => {
		const { scores, found } = await lighthouseOf(chomp, route, ['accessibility', 'best-practices']);
		assert.deepEqual(scores, { accessibility: 100, 'best-practices': 100 }, found.join('\n'));
	});
}

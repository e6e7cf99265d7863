// Unit tests in real workerd; only @cloudflare/sandbox is replaced, by test/mock/fake.ts.

import { cloudflareTest } from '@cloudflare/vitest-pool-workers';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	plugins: [
		cloudflareTest({
			main: './src/index.ts',
			miniflare: {
				compatibilityDate: '2026-04-20',
				compatibilityFlags: ['nodejs_compat'],
				bindings: { CHOMP_SECRET: 'the-secret-of-the-tests', CAPACITY: '3' },
				durableObjects: Object.fromEntries(
					['Sandbox', 'Box', 'Register'].map((className) => [className, { className, useSQLite: true }]),
				),
				cf: false,
			},
		}),
	],
	resolve: { alias: { '@cloudflare/sandbox': new URL('test/mock/fake.ts', import.meta.url).pathname } },
	// A limit for what hangs, not for a machine that is busy.
	test: { include: ['test/unit/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
});

// The contract of a sandbox host (docs: the sandbox host protocol). One suite for every host: the local one in C and the
// Cloudflare Worker. See kit.mjs for how to point it at a host.

import { after } from 'node:test';
import { close, open } from './kit.mjs';

after(close);
await open();

await import('./host/who.mjs');
await import('./host/run.mjs');
await import('./host/kill.mjs');
await import('./host/box.mjs');
await import('./host/source.mjs');
await import('./host/badinput.mjs');
await import('./host/load.mjs');

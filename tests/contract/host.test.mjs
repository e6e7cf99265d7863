// The contract of a sandbox host (docs: the sandbox host protocol). One suite for every host: the local one in C and the
// Cloudflare Worker. See kit.mjs for how to point it at a host.

import './host/who.mjs';
import './host/run.mjs';
import './host/kill.mjs';
import './host/box.mjs';
import './host/source.mjs';
import './host/badinput.mjs';
import './host/load.mjs';

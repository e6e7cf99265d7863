// Serves one git repository over plain HTTP, the old "dumb" way: files below .git, nothing runs.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { git } from './repo.mjs';

export async function serveRepo(repo) {
	git(repo, 'update-server-info');
	const root = path.join(repo, '.git');
	const server = http.createServer((rq, res) => {
		const name = path.normalize(new URL(rq.url, 'http://x').pathname).replace(/^\/repo\.git/, '');
		const file = path.join(root, name);
		if (!file.startsWith(root) || !fs.existsSync(file) || !fs.statSync(file).isFile()) {
			res.writeHead(404);
			return res.end();
		}
		return res.end(fs.readFileSync(file));
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${server.address().port}/repo.git`,
		close: () =>
			new Promise((resolve) => {
				server.close(resolve);
				server.closeAllConnections();
			}),
	};
}

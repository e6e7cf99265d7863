// Serves one git repository over plain HTTP: serveRepo the old "dumb" way (files below .git, nothing runs), serveWritable by git's own
// CGI program, with a login, for clone and push.

import { execFileSync, spawn } from 'node:child_process';
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

// repo: a bare repository. seen: every Authorization header that came, decoded.
export async function serveWritable(repo, { user, password }) {
	git(repo, 'config', 'http.receivepack', 'true');
	const backend = path.join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend');
	const seen = [];
	const server = http.createServer((rq, res) => {
		const login = Buffer.from((rq.headers.authorization || '').replace(/^Basic /, ''), 'base64').toString();
		if (login) seen.push(login);
		if (login !== `${user}:${password}`) {
			res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' });
			return res.end();
		}
		const url = new URL(rq.url, 'http://x');
		const cgi = spawn(backend, {
			env: {
				PATH: process.env.PATH, GIT_PROJECT_ROOT: path.dirname(repo), GIT_HTTP_EXPORT_ALL: '1', GIT_CONFIG_NOSYSTEM: '1', HOME: '/nonexistent',
				GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*',
				REQUEST_METHOD: rq.method, PATH_INFO: url.pathname, QUERY_STRING: url.search.slice(1), REMOTE_USER: user,
				CONTENT_TYPE: rq.headers['content-type'] || '', HTTP_CONTENT_ENCODING: rq.headers['content-encoding'] || '', GIT_PROTOCOL: rq.headers['git-protocol'] || '',
			},
		});
		rq.pipe(cgi.stdin);
		const parts = [];
		cgi.stdout.on('data', (d) => parts.push(d));
		cgi.on('close', () => {
			const all = Buffer.concat(parts);
			const at = all.indexOf('\r\n\r\n');
			const headers = Object.fromEntries(all.subarray(0, at).toString().split('\r\n').map((l) => l.split(/: (.*)/).slice(0, 2)));
			const status = Number.parseInt(headers.Status || '200', 10);
			delete headers.Status;
			res.writeHead(status, headers);
			res.end(all.subarray(at + 4));
		});
		return undefined;
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		seen,
		url: `http://${user}:${password}@127.0.0.1:${server.address().port}/${path.basename(repo)}`,
		close: () =>
			new Promise((resolve) => {
				server.close(resolve);
				server.closeAllConnections();
			}),
	};
}

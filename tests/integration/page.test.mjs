// The first page, used the way a browser without JavaScript uses it: forms and links, nothing else.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from '../lib/instance.mjs';
import { request } from '../lib/http.mjs';

const chomp = await shared({ after });
let cookie;

const unescape = (s) =>
	s.replace(
		/&(amp|lt|gt|quot|#39|#34);/g,
		(_, n) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#34': '"' })[n],
	);

const get = (path, headers = {}) =>
	request(chomp.url, { path, headers: { Cookie: cookie, Accept: 'text/html', ...headers } });

// Forms of a page: action, method, and the fields a browser would send by itself.
function forms(html) {
	return [...html.matchAll(/<form\b([^>]*)>([^]*?)<\/form>/gi)].map(([, attrs, inner]) => {
		const attr = (text, name) => unescape(new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(text)?.[1] ?? '');
		const fields = {};
		for (const [, a] of inner.matchAll(/<input\b([^>]*)>/gi)) {
			if (attr(a, 'name') && !/type="(submit|checkbox|radio)"/i.test(a))
				fields[attr(a, 'name')] = attr(a, 'value');
		}
		for (const [, a, options] of inner.matchAll(/<select\b([^>]*)>([^]*?)<\/select>/gi)) {
			const all = [...options.matchAll(/<option\b([^>]*)>/gi)].map((o) => o[1]);
			fields[attr(a, 'name')] = attr(all.find((o) => /\bselected\b/i.test(o)) || all[0] || '', 'value');
		}
		for (const [, a, text] of inner.matchAll(/<textarea\b([^>]*)>([^]*?)<\/textarea>/gi))
			fields[attr(a, 'name')] = unescape(text);
		return {
			action: attr(attrs, 'action') || '',
			method: (attr(attrs, 'method') || 'get').toLowerCase(),
			fields,
			inner,
		};
	});
}

async function submit(form, more = {}) {
	const body = new URLSearchParams({ ...form.fields, ...more }).toString();
	let said =
		form.method === 'post'
			? await request(chomp.url, {
					method: 'POST',
					path: form.action || '/',
					body,
					headers: {
						Cookie: cookie || '',
						'Content-Type': 'application/x-www-form-urlencoded',
						Origin: chomp.url,
						Accept: 'text/html',
						'Sec-Fetch-Site': 'same-origin',
						'Sec-Fetch-Mode': 'navigate',
					},
				})
			: await get(`${form.action}?${body}`);
	const set = said.headers['set-cookie'];
	if (set) cookie = set[0].split(';')[0];
	if (said.status >= 300 && said.status < 400) said = await get(said.headers.location.replace(chomp.url, ''));
	return said;
}

const nasty = '<img src=x onerror=alert(1)> </textarea><script>alert(2)</script> "quoted" \'single\' & <?cs var:x ?>';

describe('the page, without JavaScript', () => {
	test('the login form leads to the list', async () => {
		const login = await request(chomp.url, { path: '/login' });
		const form = forms(login.text).find((f) => 'token' in f.fields);
		assert.ok(form, 'a form with a token field');
		assert.equal(form.method, 'post');
		const page = await submit(form, { token: chomp.token });
		assert.equal(page.status, 200);
		assert.match(page.headers['content-type'], /^text\/html/);
		assert.match(page.text, /<title>[^<]*chomp/i);
	});

	test('the create form makes a task, whatever its text holds, and shows it escaped', async () => {
		const page = await get('/');
		let form = forms(page.text).find((f) => 'prompt' in f.fields);
		if (!form) {
			const link = /href="([^"]*create[^"]*)"/i.exec(page.text);
			assert.ok(link, 'the page leads to a create form');
			form = forms((await get(unescape(link[1]))).text).find((f) => 'prompt' in f.fields);
		}
		assert.equal(form.method, 'post');
		const said = await submit(form, { prompt: nasty, agent: 'shell' });
		assert.equal(said.status, 200, said.text.slice(0, 300));
		const state = JSON.parse(await chomp.state());
		assert.equal(state.tasks.at(-1).prompt, nasty, 'byte for byte');
		for (const path of ['/', `/partials/detail/${state.tasks.at(-1).id}`]) {
			const shown = await get(path);
			assert.equal(shown.status, 200, path);
			assert.doesNotMatch(shown.text, /<img src=x|<script>alert|<\?cs/);
			assert.match(shown.text, /&lt;img src=x onerror=alert\(1\)&gt;/);
		}
	});

	test('a task can be run from its page, and the page shows its output and that it is done', async () => {
		const task = await chomp.create({ prompt: 'echo "shown & <kept>"', agent: 'shell' });
		const page = await get('/');
		assert.match(page.text, new RegExp(`href="[^"]*detail/${task.id}["?]`), 'the card links its detail');
		const detail = await get(`/partials/detail/${task.id}`);
		const form = forms(detail.text)
			.concat(forms(page.text))
			.find((f) => /tasks\/run/.test(f.action) && f.fields.id === task.id);
		assert.ok(form, 'a form that runs it');
		const said = await submit(form);
		assert.equal(said.status, 200, said.text.slice(0, 300));
		await chomp.until(task.id, 'done');
		const after = await get(`/partials/detail/${task.id}`);
		assert.match(after.text, /shown &amp; &lt;kept&gt;/);
		assert.match(after.text, /✓|done/i);
	});

	test('the page brings no script, style or picture from elsewhere, and no inline code', async () => {
		const page = await get('/');
		for (const [, url] of page.text.matchAll(/\b(?:src|href|action)="([^"]*)"/gi))
			assert.ok(!/^(https?:)?\/\//.test(url) || url.startsWith(chomp.url), url);
		// inside tags only: a prompt may say whatever it likes
		for (const [tag] of page.text.matchAll(/<[a-z][^>]*>/gi))
			assert.doesNotMatch(tag, /^<script(?![^>]*\bsrc=)|\son[a-z]+=|javascript:|\sstyle=/i);
	});

	test('an unknown task has a page that says so, with status 404', async () => {
		const said = await get('/partials/detail/999999');
		assert.equal(said.status, 404);
	});
});

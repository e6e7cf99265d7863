// scripts/lint-templates finds each thing that no template, style sheet or script may hold, says where, and lets the rest be.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { repoRoot } from '../lib/build.mjs';
import { tempDir } from '../lib/repo.mjs';

function lint(files) {
	const dir = files ? tempDir('lint') : repoRoot;
	for (const [name, text] of Object.entries(files || {})) {
		fs.mkdirSync(path.join(dir, path.dirname(name)), { recursive: true });
		fs.writeFileSync(path.join(dir, name), text);
	}
	const { status, stdout } = spawnSync(path.join(repoRoot, 'scripts/lint-templates'), [dir], { encoding: 'utf8' });
	if (files)
		fs.rmSync(dir, { recursive: true });
	return { status, lines: stdout.trim().split('\n').filter(Boolean) };
}

const refused = {
	'a raw value': '<?cs uvar:x ?>',
	'a raw alternative': '<?cs alt:x ?>y<?cs /alt ?>',
	'a raw name': '<?cs name:x ?>',
	'a file named by data': '<?cs linclude:x ?>',
	'an include without a literal': '<?cs include:x ?>',
	'an include from elsewhere': '<?cs include:"../x.cs" ?>',
	'escaping switched off': '<?cs escape: "none" ?>',
	'an inline script': '<script>alert(1)</script>',
	'words in a script with a src': '<script src="/x.js">alert(1)</script>',
	'an inline style sheet': '<style>p {}</style>',
	'a style attribute': '<p style="color: red">',
	'an event handler': '<p class="a" onclick="x()">',
	'an event handler of htmx': '<p hx-on:click="x()">',
	'a javascript address': '<a href="javascript:x()">',
	'a filter that needs eval': '<p hx-trigger="every 1s [x]">',
	'an attribute without quotes': '<p title=<?cs var:x ?>>',
	'an attribute in single quotes': `<p title='<?cs var:x ?>'>`,
	'a file of another host': '<img src="https://example.org/x.png">',
	'a class that leaves the flow': '<p class="a absolute">',
};
for (const [name, line] of Object.entries(refused))
	test(`${name} is refused`, () => {
		const { status, lines } = lint({ 'cgi-templates/sub/a.cs': `<p>\n${line}\n` });
		assert.equal(status, 1);
		assert.match(lines[0], /^cgi-templates\/sub\/a\.cs:2: ./);
	});

const allowed = [
	'<p title="a=<?cs var:x ?>" data-on="1">a=b <?cs if:x == "y" ?> selected<?cs /if ?></p>',
	'<script src="<?cs var:assets.js ?>" defer></script>',
	'<input value="<?cs var:x ?>"<?cs if:y ?> required<?cs /if ?>>',
	'<?cs uvar:x ?><?cs # lint-ok: made by us from digits ?>',
	'<?cs include:"partials/x.cs" ?><p class="prefixed absolutely">',
];
test('what is in order is let be', () => {
	assert.deepEqual(lint({ 'cgi-templates/a.cs': allowed.join('\n'), 'htdocs/src/a.css': 'p { position: sticky }' }), { status: 0, lines: [] });
});

test('style sheets and scripts are looked at too', () => {
	const { lines } = lint({
		'cgi-templates/a.cs': '<p>',
		'htdocs/src/a.css': 'a { position: fixed }\nb { position:absolute }\nc { background: url(https://x/y) }\n',
		'htdocs/src/a.js': 'x.innerHTML = y;\nretrieval(1);\neval(x);\n',
	});
	assert.deepEqual(lines.map((l) => l.split(': ')[0]).sort(), ['htdocs/src/a.css:1', 'htdocs/src/a.css:2', 'htdocs/src/a.css:3', 'htdocs/src/a.js:1', 'htdocs/src/a.js:3']);
});

test('`lint-ok` without a reason is no excuse', () => {
	assert.equal(lint({ 'cgi-templates/a.cs': '<?cs uvar:x ?> lint-ok:' }).status, 1);
});

test('ours are in order', () => assert.deepEqual(lint(), { status: 0, lines: [] }));

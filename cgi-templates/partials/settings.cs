<?cs # The settings, inside #settings.  See fcgi/partials/settings.c ?>
<?cs def:switch(field, on, label, help) ?>
<form class="setting" action="/api/config/settings" method="post" hx-post="/api/config/settings" hx-swap="none"><input type="hidden" name="<?cs var:field ?>" value="<?cs if:on ?>false<?cs else ?>true<?cs /if ?>"><span class="setting-main"><span id="<?cs var:field ?>-label" class="setting-name"><?cs var:label ?></span><span class="choice-note"><?cs var:help ?></span></span><button id="set-<?cs var:field ?>" class="switch" role="switch" aria-checked="<?cs if:on ?>true<?cs else ?>false<?cs /if ?>" aria-labelledby="<?cs var:field ?>-label"><span class="switch-knob" aria-hidden="true"></span></button></form>
<?cs /def ?>
<?cs def:value(field, text, label, type, help) ?>
<form class="setting" action="/api/config/settings" method="post" hx-post="/api/config/settings" hx-swap="none"><label class="setting-main" for="<?cs var:field ?>"><span class="setting-name"><?cs var:label ?></span><span class="choice-note"><?cs var:help ?></span></label><input id="<?cs var:field ?>" class="setting-field" name="<?cs var:field ?>" type="<?cs var:type ?>" value="<?cs var:text ?>" data-saved="<?cs var:text ?>" autocomplete="off" autocapitalize="off" spellcheck="false"><button class="btn-save" aria-label="Save <?cs var:label ?>">Save</button></form>
<?cs /def ?>
<?cs def:router(r) ?>
<li class="router">
<div class="router-top"><span class="<?cs var:r.dot ?> dot-big" aria-hidden="true"></span><h3 class="router-name <?cs var:r.class ?>"><?cs var:r.label ?></h3><?cs if:r.complete ?><span class="pill pill-green">Ready</span><?cs else ?><span class="pill pill-red"><?cs var:r.missing ?> missing</span><?cs /if ?></div>
<ul>
<?cs each:k = r.keys ?>
<li class="key">
<details class="key-edit" id="edit-<?cs var:k.id ?>"><summary class="key-row"><span class="key-name"><?cs var:k.label ?></span><?cs if:k.set ?><span class="key-preview"><?cs var:k.preview ?></span><span class="btn-small" aria-hidden="true">✎</span><span class="label-hidden">, replace</span><?cs else ?><span class="key-unset"><?cs var:k.id ?></span><span class="btn-small btn-plus" aria-hidden="true">+</span><span class="label-hidden">, add</span><?cs /if ?></summary>
<form class="key-form" action="/api/config/keys" method="post" hx-post="/api/config/keys" hx-swap="none"><input type="hidden" name="key" value="<?cs var:k.id ?>"><input id="value-<?cs var:k.id ?>" class="key-field" name="value" type="password" required maxlength="4096" autocomplete="off" spellcheck="false" placeholder="Paste key..." aria-label="<?cs var:k.label ?>, new value"><button class="btn-green">Save</button></form></details>
<?cs if:k.set ?><details class="ask-small"><summary class="btn-small btn-drop" aria-label="Remove <?cs var:r.label ?> <?cs var:k.label ?>">✕</summary><form action="/api/config/keys" method="post" hx-post="/api/config/keys" hx-swap="none"><input type="hidden" name="key" value="<?cs var:k.id ?>"><input type="hidden" name="value" value=""><button class="btn-red">Remove</button></form></details><?cs /if ?>
</li>
<?cs /each ?>
</ul>
</li>
<?cs /def ?>
<h1 id="settings-title" class="sheet-title">Settings</h1>
<p class="settings-sum"><?cs var:keys_set ?> of <?cs var:keys_all ?> keys configured</p>
<section class="settings-part" aria-labelledby="agents-title">
<details class="install"><summary class="label-row"><h2 id="agents-title" class="label">Agents</h2><span class="add">+ Add</span></summary>
<form class="form box install-form" action="/api/config/agents" method="post" hx-post="/api/config/agents" hx-swap="none">
<h3 class="box-title">Install Agent</h3>
<p class="field"><label for="agent-id">Id</label><input id="agent-id" class="mono" name="id" required maxlength="64" pattern="[a-z0-9]+(-[a-z0-9]+)*" title="small letters and digits, with single dashes between them" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="my-agent"></p>
<p class="field"><label for="agent-name">Display name</label><input id="agent-name" name="name" required maxlength="200" autocomplete="off" placeholder="My Agent"></p>
<p class="field"><label for="agent-command">Command</label><input id="agent-command" class="mono" name="command" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="command-help" placeholder="my-agent-cli --task {prompt}"><span id="command-help" class="help">{prompt}, {prompt_file}, {model} and {dir} are filled in; without a prompt in it, the prompt comes on stdin.</span></p>
<p class="field"><label for="agent-models">Models (comma-separated)</label><input id="agent-models" name="models" autocomplete="off" autocapitalize="off" spellcheck="false"></p>
<p class="field"><label for="agent-color">Colour</label><input id="agent-color" class="mono" name="color" pattern="#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})" title="#rrggbb" maxlength="7" autocomplete="off" spellcheck="false" value="#888888"></p>
<div class="pair"><button class="btn btn-green-wide">Install</button><button class="btn btn-secondary" type="reset" data-fold>Cancel</button></div>
</form></details>
<ul class="rows">
<?cs each:c = agents ?>
<li class="agent-row" id="agent-row-<?cs var:c.id ?>"><span class="<?cs if:c.available ?>dot dot-big dot-green<?cs else ?>dot dot-big dot-red<?cs /if ?>" aria-hidden="true"></span><div class="choice-main"><h3 class="choice-name"><bdi class="<?cs var:c.class ?>"><?cs var:c.label ?></bdi></h3><?cs if:c.mend ?><p class="choice-note">Not installed. On the host: <code><?cs var:c.mend ?></code></p><?cs elif:c.note ?><p class="choice-note" dir="auto"><?cs var:c.note ?></p><?cs /if ?></div><?cs if:c.own ?><details class="ask-small"><summary class="btn-small btn-drop" aria-label="Remove <?cs var:c.label ?>">✕</summary><form action="/api/config/agents" method="post" hx-post="/api/config/agents" hx-swap="none"><input type="hidden" name="id" value="<?cs var:c.id ?>"><input type="hidden" name="delete" value="true"><button class="btn-red">Remove</button></form></details><?cs /if ?><?cs if:c.available ?><span class="pill pill-green">Ready</span><?cs else ?><span class="pill pill-red">Missing</span><?cs /if ?></li>
<?cs /each ?>
</ul>
</section>
<section class="settings-part" aria-labelledby="keys-title">
<h2 id="keys-title" class="label">API keys</h2>
<ul class="rows">
<?cs each:r = routers ?><?cs call:router(r) ?><?cs /each ?>
</ul>
<details class="fold"><summary>Other providers and a server of your own</summary>
<ul class="rows">
<?cs each:r = more_routers ?><?cs call:router(r) ?><?cs /each ?>
</ul>
<div class="box settings-box"><?cs call:value("custom_base_url", custom_base_url, "Server address", "url", "OpenAI or Anthropic compatible") ?>
<form class="setting" action="/api/config/settings" method="post" hx-post="/api/config/settings" hx-swap="none"><label class="setting-main" for="custom_api"><span class="setting-name">It speaks</span></label><select id="custom_api" class="setting-field" name="custom_api"><option value="openai">OpenAI</option><option value="anthropic"<?cs if:anthropic ?> selected<?cs /if ?>>Anthropic</option></select><button class="btn-save" aria-label="Save what it speaks">Save</button></form>
<?cs call:value("sandbox_allow", sandbox_allow, "Boxes may reach", "text", "host:port, separated by spaces") ?></div>
</details>
</section>
<section class="settings-part" aria-labelledby="queue-title">
<h2 id="queue-title" class="label">Queue</h2>
<div class="box settings-box">
<?cs call:switch("auto_run", auto_run, "Auto-run", "Start what waits, by priority and age") ?>
<?cs call:switch("paused", paused, "Pause", "Auto-run starts nothing more") ?>
<?cs call:value("max_active", max_active, "At once", "number", "Tasks that auto-run keeps going") ?>
<form class="setting" action="/api/config/settings" method="post" hx-post="/api/config/settings" hx-swap="none"><label class="setting-main" for="default_agent"><span class="setting-name">Default agent</span><span class="choice-note">Now <bdi><?cs var:first_agent ?></bdi></span></label><select id="default_agent" class="setting-field" name="default_agent"><option value="">The first that is installed</option><?cs each:c = agents ?><option value="<?cs var:c.id ?>"<?cs if:c.chosen ?> selected<?cs /if ?>><?cs var:c.label ?></option><?cs /each ?></select><button class="btn-save" aria-label="Save default agent">Save</button></form>
</div>
</section>
<section class="settings-part" aria-labelledby="limits-title">
<h2 id="limits-title" class="label">Gates and budgets</h2>
<div class="box settings-box">
<?cs call:value("gate_loops", gate_loops, "Gate loops", "number", "Tries before a gate fails the task") ?>
<?cs call:value("token_budget", token_budget, "Token budget", "number", "Of a new task; 0 is none") ?>
<?cs call:value("session_timeout", session_timeout, "Session time-out", "text", "30m, 4h, 2d") ?>
</div>
</section>
<section class="settings-part" aria-labelledby="access-title">
<h2 id="access-title" class="label">Access</h2>
<details id="ask-everywhere" class="ask"><summary class="btn btn-danger">Sign out everywhere</summary>
<p>Every browser, this one too, has to log in again.</p>
<form action="/logout" method="post"><button id="sign-out-everywhere" class="btn btn-final" name="everywhere" value="true">Sign out all of them</button></form></details>
</section>
<div class="stack"><a id="settings-done" class="btn btn-secondary" href="/" data-close>Done</a></div>

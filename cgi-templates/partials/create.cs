<?cs # One step of the wizard, inside #create.  See fcgi/partials/create.c.  Each step is the whole form for a new task; its
   buttons lead to other steps. ?>
<?cs include:"macros.cs" ?>
<?cs def:carried() ?><?cs each:f = carried ?><input type="hidden" name="<?cs var:f.field ?>" value="<?cs var:f.text ?>">
<?cs /each ?><?cs /def ?>
<?cs def:wrong() ?><?cs if:message ?><p class="alert" role="alert"><?cs var:message ?></p><?cs /if ?><?cs /def ?>
<?cs if:is_step_one ?>
<h1 id="create-title" class="sheet-title">New Task</h1>
<p class="sheet-subtitle">Step 1 of 4 — What needs doing?</p>
<?cs call:steps(#1) ?>
<?cs call:wrong() ?>
<form class="form wizard" action="/api/tasks" method="post" hx-post="/partials/create" hx-target="#create" data-forward="2">
<?cs call:carried() ?>
<p class="field"><label class="label-hidden" for="prompt">Task</label>
<textarea id="prompt" name="prompt" rows="3" required autofocus dir="auto" placeholder="Refactor the auth module...">
<?cs var:prompt ?></textarea></p>
<p class="field"><label for="dir">Directory (optional)</label>
<input id="dir" name="dir" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="/home/me/project" value="<?cs var:dir ?>"></p>
<details class="fold"<?cs if:folded_out ?> open<?cs /if ?>>
<summary>Advanced</summary>
<p class="help">A directory is a git repository on chomp's host, worked on as a clone. With a repository URL it is a path inside that.</p>
<p class="field"><label for="repo_url">Repository URL</label>
<input id="repo_url" name="repo_url" maxlength="4096" inputmode="url" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="https://github.com/me/project" value="<?cs var:repo_url ?>"></p>
<p class="field"><label for="branch">Branch</label>
<input id="branch" name="branch" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="main" value="<?cs var:branch ?>"></p>
<div class="field-row">
<p class="field"><label for="priority">Priority</label>
<input id="priority" name="priority" type="number" min="-1000" max="1000" step="1" placeholder="0" value="<?cs var:priority ?>"></p>
<p class="field"><label for="token_budget">Token budget</label>
<input id="token_budget" name="token_budget" type="number" min="0" step="1" inputmode="numeric" placeholder="<?cs var:default_budget ?>" value="<?cs var:token_budget ?>"></p>
</div>
<p class="field"><label for="on_budget">When the budget is spent</label>
<select id="on_budget" name="on_budget"><option value="">Flag it and go on</option><option value="stop"<?cs if:stops ?> selected<?cs /if ?>>Stop the agent</option></select></p>
<p class="field"><label for="gate">Gate: a script in the repository that has to pass</label>
<input id="gate" name="gate" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="gates/health.sh, if it is there" value="<?cs var:gate ?>"></p>
<div class="field-row">
<p class="field"><label for="gate_loops">Gate loops</label>
<input id="gate_loops" name="gate_loops" type="number" min="0" max="100" step="1" inputmode="numeric" placeholder="<?cs var:default_loops ?>" value="<?cs var:gate_loops ?>"></p>
<p class="field"><label for="review">When it is done</label>
<select id="review" name="review"><option value="">Done</option><option value="true"<?cs if:reviewed ?> selected<?cs /if ?>>Wait for my review</option></select></p>
</div>
</details>
<div class="stack">
<button formaction="/partials/create" class="btn btn-primary" name="step" value="2">Next — Pick Agent</button>
<a class="btn btn-secondary" href="/" data-close>Cancel</a>
</div>
</form>
<?cs elif:is_step_two ?>
<h1 id="create-title" class="sheet-title">Pick Agent</h1>
<p class="sheet-subtitle">Step 2 of 4 — Who runs this?</p>
<?cs call:steps(#2) ?>
<?cs call:wrong() ?>
<form class="form wizard" action="/api/tasks" method="post" hx-post="/partials/create" hx-target="#create" data-back="1" data-forward="3">
<input type="hidden" name="at" value="2"><?cs if:agent ?><input type="hidden" name="agent" value="<?cs var:agent ?>"><?cs /if ?>
<?cs call:carried() ?>
<div class="choices" role="group" aria-label="Agents">
<?cs each:c = agents ?>
<button formaction="/partials/create" class="choice<?cs if:c.chosen ?> choice-on<?cs /if ?>" name="choose" value="<?cs var:c.id ?>"<?cs if:c.chosen ?> aria-current="true"<?cs /if ?>><span class="<?cs if:c.available ?>dot dot-big dot-green<?cs else ?>dot dot-big dot-red<?cs /if ?>" aria-hidden="true"></span><span class="choice-main"><bdi class="choice-name <?cs var:c.class ?>"><?cs var:c.label ?></bdi><?cs if:c.note ?><span class="choice-note"><?cs var:c.note ?></span><?cs /if ?></span><?cs if:!c.available ?><span class="label-hidden">, missing</span><?cs /if ?><span class="choice-more" aria-hidden="true">›</span></button>
<?cs /each ?>
</div>
<div class="pair"><button formaction="/partials/create" class="btn btn-secondary" name="step" value="1">Back</button><button formaction="/partials/create" class="btn btn-secondary" name="skip" value="true" aria-label="Skip: let <?cs var:default_agent ?> do it">Skip</button></div>
</form>
<?cs elif:is_step_three ?>
<h1 id="create-title" class="sheet-title">Pick Model</h1>
<p class="sheet-subtitle">Step 3 of 4 — Which model?</p>
<?cs call:steps(#3) ?>
<?cs call:wrong() ?>
<form class="form wizard" action="/api/tasks" method="post" hx-post="/partials/create" hx-target="#create" data-back="2" data-forward="4">
<button formaction="/partials/create" class="default-button" name="step" value="4" hidden></button>
<input type="hidden" name="at" value="3">
<?cs call:carried() ?>
<?cs if:agent_name ?><p class="models-for">Models for <bdi class="<?cs var:agent_class ?>"><?cs var:agent_name ?></bdi></p><?cs /if ?>
<div class="choices" role="group" aria-label="Models">
<?cs each:c = models ?>
<button formaction="/partials/create" class="choice choice-model<?cs if:c.chosen ?> choice-on<?cs /if ?>" name="choose" value="<?cs var:c.id ?>"<?cs if:c.chosen ?> aria-current="true"<?cs /if ?>><span class="dot dot-pale" aria-hidden="true"></span><bdi class="choice-main"><?cs var:c.label ?></bdi><span class="choice-more" aria-hidden="true">›</span></button>
<?cs /each ?>
</div>
<details class="fold"<?cs if:folded_out || model ?> open<?cs /if ?>>
<summary>Another model, or a router</summary>
<p class="field"><label for="model">Model</label>
<input id="model" name="model" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="the agent's default" value="<?cs var:model ?>"></p>
<p class="field"><label for="router">Router</label>
<select id="router" name="router">
<option value="">The provider's own key</option>
<?cs each:c = routers ?><option value="<?cs var:c.id ?>"<?cs if:c.chosen ?> selected<?cs /if ?>><?cs var:c.label ?></option>
<?cs /each ?></select></p>
<button formaction="/partials/create" class="btn btn-primary" name="step" value="4">Use these</button>
</details>
<div class="pair"><button formaction="/partials/create" class="btn btn-secondary" name="step" value="2">Back</button><button formaction="/partials/create" class="btn btn-secondary" name="skip" value="true" aria-label="Skip: take the agent's default model">Skip</button></div>
</form>
<?cs else ?>
<h1 id="create-title" class="sheet-title">Review</h1>
<p class="sheet-subtitle">Step 4 of 4 — Confirm &amp; queue</p>
<?cs call:steps(#4) ?>
<?cs call:wrong() ?>
<form class="form wizard" action="/api/tasks" method="post" hx-post="/api/tasks" hx-swap="none" data-back="3">
<?cs call:carried() ?>
<dl class="review">
<div><dt>Task</dt><dd class="review-task" dir="auto"<?cs # long prompts scroll in place ?> tabindex="0"><?cs var:shown_prompt ?></dd></div>
<?cs if:shown_dir ?><div><dt>Directory</dt><dd class="mono" dir="auto"><?cs var:shown_dir ?></dd></div><?cs /if ?>
<?cs if:shown_repo_url ?><div><dt>Repository</dt><dd class="mono"><bdi><?cs var:shown_repo_url ?></bdi><?cs if:shown_branch ?> at <bdi><?cs var:shown_branch ?></bdi><?cs /if ?></dd></div><?cs /if ?>
<div><dt>Agent</dt><dd><?cs if:agent_name ?><bdi class="<?cs var:agent_class ?>"><?cs var:agent_name ?></bdi><?cs else ?><?cs var:default_agent ?>, the default<?cs /if ?></dd></div>
<?cs if:shown_model ?><div><dt>Model</dt><dd class="review-plain"><bdi><?cs var:shown_model ?></bdi></dd></div><?cs /if ?>
<?cs if:router_name ?><div><dt>Router</dt><dd class="review-plain"><?cs var:router_name ?></dd></div><?cs /if ?>
<?cs if:shown_gate ?><div><dt>Gate</dt><dd class="mono"><bdi><?cs var:shown_gate ?></bdi></dd></div><?cs /if ?>
<?cs if:reviewed ?><div><dt>Review</dt><dd class="review-plain">Wait for mine</dd></div><?cs /if ?>
<?cs if:priority ?><div><dt>Priority</dt><dd class="review-plain"><?cs var:priority ?></dd></div><?cs /if ?>
<?cs if:token_budget ?><div><dt>Token budget</dt><dd class="review-plain"><?cs var:token_budget ?><?cs if:stops ?>, then stop<?cs /if ?></dd></div><?cs /if ?>
</dl>
<div class="stack">
<button class="btn btn-primary" name="run" value="false">Add to Queue</button>
<button class="btn btn-secondary" name="run" value="true">Add and run</button>
<button class="btn btn-secondary" name="step" value="3" formaction="/partials/create" hx-post="/partials/create" hx-target="#create" hx-swap="innerHTML">Back</button>
</div>
</form>
<?cs /if ?>

<?cs # One task, inside #detail.  See fcgi/partials/detail.c ?>
<?cs include:"macros.cs" ?>
<div class="detail-top">
<span class="<?cs var:badge_class ?>"><?cs if:spins ?><?cs call:spinner() ?><?cs /if ?><?cs var:badge ?></span>
<?cs if:age ?><span class="detail-age" data-age="<?cs var:age_s ?>"<?cs if:stale_in ?> data-stale="<?cs var:stale_in ?>"<?cs /if ?>><?cs var:age ?></span><?cs elif:took ?><span class="detail-age"><?cs var:took ?></span><?cs /if ?>
</div>
<?cs if:stale ?><p class="warn">⚠&#xFE0E; No sign of life for 5 minutes or more</p><?cs /if ?>
<?cs if:parked ?><p class="warn">Parked until <?cs var:parked ?></p><?cs /if ?>
<?cs if:review_word ?><p class="entry-meta"><span><?cs var:review_word ?><?cs if:review_comment ?>: <bdi><?cs var:review_comment ?></bdi><?cs /if ?></span></p><?cs /if ?>
<?cs if:detached ?><p class="warn">⚠&#xFE0E; No sandbox belongs to this task. Cancel it to queue it again.</p><?cs /if ?>
<h1 id="detail-title" class="detail-title" dir="auto" tabindex="-1"><?cs var:subject ?></h1>
<?cs if:dir ?><p class="path" dir="auto"><?cs var:dir ?></p><?cs /if ?>
<?cs if:error ?>
<section class="box box-red"><h2 class="label">Reason</h2><?cs call:long(error, error_long) ?></section>
<?cs /if ?>
<?cs if:result ?>
<section class="box"><h2 class="label">Result</h2><?cs call:long(result, result_long) ?></section>
<?cs /if ?>
<dl class="facts">
<div><dt>Agent</dt><dd><?cs if:agent ?><bdi class="<?cs var:agent_class ?>"><?cs var:agent ?></bdi><?cs else ?>the default<?cs /if ?></dd></div>
<div><dt>Started</dt><dd><?cs if:started ?><?cs var:started ?><?cs else ?>not yet<?cs /if ?></dd></div>
<div><dt>Tokens</dt><dd><?cs if:reported ?><?cs var:tokens ?><?cs if:has_bar ?> <small>of <?cs var:budget ?></small><?cs /if ?><?cs else ?>not reported<?cs /if ?></dd></div>
<div><dt>Sessions</dt><dd><?cs if:session_count ?><?cs var:session_count ?><?cs else ?>–<?cs /if ?></dd></div>
</dl>
<h2 class="label">Activity</h2>
<?cs if:subcount(sessions) ?>
<ol class="timeline">
<?cs each:s = sessions ?>
<li>
<div class="entry-top">
<h3 class="entry-title"><?cs if:s.agent ?><bdi><?cs var:s.agent ?></bdi><?cs else ?>unknown agent<?cs /if ?><?cs if:s.model ?> · <bdi><?cs var:s.model ?></bdi><?cs /if ?></h3>
<?cs if:s.pill ?><span class="<?cs var:s.pill_class ?>"><?cs var:s.pill ?></span><?cs /if ?>
</div>
<p class="entry-meta"><span><?cs var:s.started ?></span><span><?cs var:s.took ?></span><span><?cs if:s.tokens ?><?cs var:s.tokens ?> tokens<?cs else ?>tokens not reported<?cs /if ?></span><?cs if:?s.exit_code ?><span>exit code <?cs var:s.exit_code ?></span><?cs /if ?><?cs if:s.linked ?><a id="output-<?cs var:s.sid ?>" class="link entry-link" href="/api/tasks/<?cs var:id ?>/sessions/<?cs var:s.sid ?>/output">Its output</a><?cs /if ?></p>
<?cs if:s.trouble ?><p class="warn" dir="auto"><?cs var:s.trouble ?></p><?cs /if ?>
<?cs if:s.summary ?><?cs call:long(s.summary, s.summary_long) ?><?cs /if ?>
<?cs if:s.gate ?><details class="<?cs var:s.gate_class ?>"><summary><?cs var:s.gate ?> <span class="gate-more"><?cs if:s.gate_name ?><bdi><?cs var:s.gate_name ?></bdi>, <?cs /if ?>try <?cs var:s.gate_attempt ?>, exit code <?cs var:s.gate_exit ?></span></summary><?cs if:s.gate_changed ?><p class="warn">The agent changed the gate; this is the verdict of the one that counts.</p><?cs /if ?><?cs if:s.gate_output ?><pre class="gate-output" tabindex="0"><?cs var:s.gate_output ?></pre><?cs else ?><p class="none">It said nothing</p><?cs /if ?></details><?cs /if ?>
</li>
<?cs /each ?>
</ol>
<?cs else ?>
<p class="none">No session history yet</p>
<?cs /if ?>
<?cs # The live terminal: filled by live.js and terminal.js while a session runs, and never swapped; empty otherwise. ?>
<section id="live" class="live" aria-label="Terminal" hidden data-task="<?cs var:id ?>">
<div class="label-row"><h2 class="label">Sandbox</h2><p class="live-state" role="status"></p></div>
<div class="live-frame"><div class="live-screen"></div></div>
<?cs # For a phone, whose keyboard has none of these; terminal.js knows what they send ?>
<div class="live-keys" role="group" aria-label="Keys" hidden>
<button class="btn btn-secondary" type="button" data-key="esc">Esc</button>
<button class="btn btn-secondary" type="button" data-key="tab">Tab</button>
<button class="btn btn-secondary" type="button" data-key="interrupt" aria-label="Control C">^C</button>
<button class="btn btn-secondary" type="button" data-key="up" aria-label="Up">↑</button>
<button class="btn btn-secondary" type="button" data-key="down" aria-label="Down">↓</button>
</div>
<div class="live-bar"><p class="live-pen"></p><button id="take-pen" class="btn btn-secondary" type="button" hidden>Take the pen</button></div>
</section>
<?cs if:has_session ?>
<section id="kept" class="kept" aria-label="Output"<?cs if:live_session ?> data-live="<?cs var:live_session ?>"<?cs /if ?><?cs if:refresh ?> data-grows<?cs /if ?>>
<div class="label-row"><h2 class="label">Sandbox</h2><?cs if:sandbox_id ?><bdi class="sandbox-id"><?cs if:is_active ?><span class="live-dot" aria-hidden="true"></span><?cs /if ?><?cs var:sandbox_id ?></bdi><?cs /if ?></div>
<?cs if:boundary ?><p id="boundary" class="none">Box: <?cs var:boundary ?></p><?cs /if ?>
<?cs if:output_cut ?><p class="none">The last 256 KiB. <a id="all-output" class="link" href="/api/tasks/<?cs var:id ?>/sessions/<?cs var:output_sid ?>/output">All of it</a></p><?cs /if ?>
<?cs if:has_output ?>
<div id="output" class="terminal" role="region" aria-label="Output of the newest session" tabindex="0"><pre><?cs var:output ?></pre></div>
<?cs elif:is_active ?>
<p class="working"><?cs call:spinner() ?>No output yet</p>
<?cs else ?>
<p class="none">No output was kept</p>
<?cs /if ?>
</section>
<?cs /if ?>
<?cs if:has_diff ?>
<section class="diff" aria-labelledby="diff-title">
<div class="label-row"><h2 id="diff-title" class="label">Changes</h2><p class="diff-sum"><?cs var:diff_files ?> <?cs if:diff_one ?>file<?cs else ?>files<?cs /if ?> <span class="diff-plus">+<?cs var:diff_added ?></span> <span class="diff-minus">−<?cs var:diff_removed ?></span></p></div>
<?cs each:f = changes ?>
<details class="diff-file">
<summary><span class="diff-name"><bdi><?cs var:f.file ?></bdi><?cs if:f.how ?> <span class="diff-how"><?cs var:f.how ?></span><?cs /if ?></span> <?cs if:f.binary ?><span class="diff-how">binary</span><?cs else ?><span class="diff-plus">+<?cs var:f.added ?></span> <span class="diff-minus">−<?cs var:f.removed ?></span><?cs /if ?></summary>
<?cs if:subcount(f.blocks) ?><div class="diff-lines" role="region" aria-label="Changes of <?cs var:f.file ?>" tabindex="0"><pre><?cs each:b = f.blocks ?><span class="<?cs var:b.class ?>"><?cs var:b.text ?></span><?cs /each ?></pre></div><?cs else ?><p class="none">Nothing to show here; it is in the patch</p><?cs /if ?>
</details>
<?cs /each ?>
<?cs if:diff_cut ?><p class="none">Not every line is shown. The patch below has all of them.</p><?cs /if ?>
</section>
<?cs /if ?>
<?cs if:subcount(artifacts) ?>
<h2 class="label">Files</h2>
<ul class="files">
<?cs each:f = artifacts ?>
<li><a id="file-<?cs var:f.file ?>" class="link" href="/api/tasks/<?cs var:id ?>/artifacts/<?cs var:f.file ?>" download="task-<?cs var:id ?>-<?cs var:f.file ?>"><?cs var:f.file ?></a> <span><?cs var:f.size ?><?cs if:f.session ?>, from <bdi><?cs var:f.session ?></bdi><?cs /if ?></span></li>
<?cs /each ?>
</ul>
<?cs /if ?>
<details class="fold">
<summary>About this task</summary>
<dl class="more-facts">
<div><dt>Task</dt><dd>#<?cs var:id ?>, created <?cs var:created ?></dd></div>
<?cs if:used_model ?><div><dt>Model</dt><dd><bdi><?cs var:used_model ?></bdi></dd></div><?cs /if ?>
<?cs if:used_router ?><div><dt>Router</dt><dd><bdi><?cs var:used_router ?></bdi></dd></div><?cs /if ?>
<?cs if:repo_url ?><div><dt>Repository</dt><dd><bdi><?cs var:repo_url ?></bdi></dd></div><?cs /if ?>
<?cs if:branch ?><div><dt>Branch</dt><dd><bdi><?cs var:branch ?></bdi></dd></div><?cs /if ?>
<?cs if:used_gate ?><div><dt>Gate</dt><dd><bdi><?cs var:used_gate ?></bdi></dd></div><?cs /if ?>
<?cs if:budget ?><div><dt>Budget</dt><dd><?cs var:budget ?> tokens<?cs if:over ?>, exceeded<?cs /if ?></dd></div><?cs /if ?>
</dl>
<?cs if:prompt ?>
<section class="box"><h2 class="label">Prompt</h2><?cs call:long(prompt, prompt_long) ?></section>
<?cs /if ?>
</details>
<?cs if:is_queued ?>
<form class="run-form" action="/api/tasks/run" method="post" hx-post="/api/tasks/run" hx-swap="none">
<input type="hidden" name="id" value="<?cs var:id ?>">
<details class="fold">
<summary>With another agent or model</summary>
<?cs include:"partials/agent.cs" ?>
<?cs include:"partials/model.cs" ?>
</details>
<button id="run" class="btn btn-primary">▶&#xFE0E; Run</button>
</form>
<?cs /if ?>
<?cs # What cannot be taken back takes two taps: the first one unfolds the second. ?>
<div class="actions">
<?cs if:is_active ?>
<details id="ask-cancel" class="ask" name="ask"><summary class="btn btn-secondary">Cancel run</summary>
<p>The agent is stopped and its sandbox ends. The task goes back to the queue, held.</p>
<?cs call:post("cancel", id, "btn btn-final", "", "Stop it") ?></details>
<details id="ask-handoff" class="ask" name="ask"><summary class="btn btn-secondary">Hand off</summary>
<form class="form" action="/api/tasks/handoff" method="post" hx-post="/api/tasks/handoff" hx-swap="none"><input type="hidden" name="id" value="<?cs var:id ?>">
<p class="field"><label for="handoff-summary">What the next agent has to know</label><textarea id="handoff-summary" name="summary" rows="3" required maxlength="4096" dir="auto"></textarea></p>
<button id="handoff-<?cs var:id ?>" class="btn btn-primary">Hand off</button></form></details>
<?cs /if ?>
<?cs if:for_review ?>
<?cs call:post("approve", id, "btn btn-primary", "", "Approve") ?>
<details id="ask-sendback" class="ask" name="ask"><summary class="btn btn-secondary">Send back</summary>
<form class="form" action="/api/tasks/sendback" method="post" hx-post="/api/tasks/sendback" hx-swap="none"><input type="hidden" name="id" value="<?cs var:id ?>">
<p class="field"><label for="sendback-comment">What is to be done better</label><textarea id="sendback-comment" name="comment" rows="3" required maxlength="4096" dir="auto"></textarea></p>
<button id="sendback-<?cs var:id ?>" class="btn btn-primary">Send back</button></form></details>
<?cs elif:is_finished ?>
<details id="ask-retry" class="ask" name="ask"><summary class="btn btn-secondary">Retry</summary>
<p>The task goes back to the queue; what it has done so far is kept.</p>
<?cs call:post("retry", id, "btn btn-primary", "", "Queue it again") ?></details>
<?cs /if ?>
<details id="ask-delete" class="ask" name="ask"<?cs if:ask_delete ?> open<?cs /if ?>><summary class="btn btn-danger">Delete Task</summary>
<p>Its sessions, output and files go with it<?cs if:is_active ?>, and its agent is stopped<?cs /if ?>. There is no way back.</p>
<?cs call:post("delete", id, "btn btn-final", "", "Delete for good") ?></details>
<a id="close" class="btn btn-secondary" href="/<?cs if:is_finished ?>?tab=completed<?cs /if ?>" data-close>Close</a>
</div>

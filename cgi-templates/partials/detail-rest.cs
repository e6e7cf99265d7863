<?cs # One task, inside #detail-rest: what stands below the terminal, the kept output first.  See fcgi/partials/detail.c ?>
<?cs if:has_session ?>
<section id="kept" class="kept"<?cs if:live_session ?> data-live="<?cs var:live_session ?>"<?cs /if ?><?cs if:refresh ?> data-grows<?cs /if ?>>
<div class="label-row"><h2 class="label">Output</h2><?cs if:sandbox_id ?><bdi class="sandbox-id"><?cs if:is_active ?><span class="live-dot" aria-hidden="true"></span><?cs /if ?><?cs var:sandbox_id ?></bdi><?cs /if ?></div>
<?cs if:output_cut ?><p class="none">The last 256 KiB. <a id="all-output" class="link" href="/api/tasks/<?cs var:id ?>/sessions/<?cs var:output_sid ?>/output">All of it</a></p><?cs /if ?>
<?cs if:has_output ?>
<div id="output" class="terminal" role="region" aria-label="Output of the newest session" tabindex="0"><pre><?cs var:output ?></pre></div>
<?cs elif:is_active ?>
<p class="working"><?cs call:spinner() ?>No output yet</p>
<?cs else ?>
<p class="none">No output was kept</p>
<?cs /if ?>
<?cs if:boundary ?><p id="boundary" class="none">Box: <?cs var:boundary ?></p><?cs /if ?>
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
<?cs if:ask_delete ?>
<section id="ask" class="box box-red" aria-labelledby="ask-title">
<h2 id="ask-title" class="ask-title">Delete task <?cs var:id ?>?</h2>
<p>Its sessions, output and files go with it<?cs if:is_active ?>, and its agent is stopped<?cs /if ?>. There is no way back.</p>
<div class="actions">
<form action="/api/tasks/delete" method="post"><input type="hidden" name="id" value="<?cs var:id ?>"><button id="delete" class="btn btn-final">Delete for good</button></form>
<a id="keep" class="btn btn-secondary" href="/partials/detail/<?cs var:id ?>">Keep it</a>
</div>
</section>
<?cs else ?>
<?cs if:is_queued ?>
<form class="run-form" action="/api/tasks/run" method="post">
<input type="hidden" name="id" value="<?cs var:id ?>">
<details class="fold">
<summary>With another agent or model</summary>
<?cs include:"partials/agent.cs" ?>
<?cs include:"partials/model.cs" ?>
</details>
<button id="run" class="btn btn-primary">▶&#xFE0E; Run</button>
</form>
<?cs /if ?>
<div class="actions">
<?cs if:is_active ?>
<form action="/api/tasks/cancel" method="post"><input type="hidden" name="id" value="<?cs var:id ?>"><button id="cancel" class="btn btn-secondary">Cancel run</button></form>
<?cs /if ?>
<?cs if:is_finished ?>
<form action="/api/tasks/retry" method="post"><input type="hidden" name="id" value="<?cs var:id ?>"><button id="retry" class="btn btn-secondary">Retry</button></form>
<?cs /if ?>
<a id="ask-delete" class="btn btn-danger" href="/partials/detail/<?cs var:id ?>?ask=delete#ask">Delete Task</a>
<a id="close" class="btn btn-secondary" href="/<?cs if:is_finished ?>?tab=completed<?cs /if ?>">Close</a>
</div>
<?cs /if ?>

<?cs # One task, inside #detail: what stands above the terminal.  See fcgi/partials/detail.c ?>
<?cs include:"macros.cs" ?>
<div class="detail-top">
<span class="<?cs var:badge_class ?>"><?cs if:spins ?><?cs call:spinner() ?><?cs /if ?><?cs var:badge ?></span>
<?cs if:age ?><span class="detail-age" data-age="<?cs var:age_s ?>"<?cs if:stale_in ?> data-stale="<?cs var:stale_in ?>"<?cs /if ?>><?cs var:age ?></span><?cs elif:took ?><span class="detail-age"><?cs var:took ?></span><?cs /if ?>
</div>
<?cs if:stale ?><p class="warn">⚠ No sign of life for 5 minutes or more</p><?cs /if ?>
<?cs if:detached ?><p class="warn">⚠ No sandbox belongs to this task. Cancel it to queue it again.</p><?cs /if ?>
<h1 class="detail-title" dir="auto"><?cs var:subject ?></h1>
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
<div><dt>Tokens</dt><dd><?cs if:reported ?><?cs var:tokens ?><?cs else ?>not reported<?cs /if ?></dd></div>
<div><dt>Sessions</dt><dd><?cs if:session_count ?><?cs var:session_count ?><?cs else ?>–<?cs /if ?></dd></div>
</dl>
<?cs if:has_bar ?>
<progress class="bar" max="100" value="<?cs var:percent ?>" aria-label="Tokens burned of the budget"><?cs var:percent ?> %</progress>
<?cs /if ?>
<dl class="more-facts">
<div><dt>Task</dt><dd>#<?cs var:id ?>, created <?cs var:created ?></dd></div>
<?cs if:used_model ?><div><dt>Model</dt><dd><bdi><?cs var:used_model ?></bdi></dd></div><?cs /if ?>
<?cs if:used_router ?><div><dt>Router</dt><dd><bdi><?cs var:used_router ?></bdi></dd></div><?cs /if ?>
<?cs if:repo_url ?><div><dt>Repository</dt><dd><bdi><?cs var:repo_url ?></bdi></dd></div><?cs /if ?>
<?cs if:branch ?><div><dt>Branch</dt><dd><bdi><?cs var:branch ?></bdi></dd></div><?cs /if ?>
<?cs if:budget ?><div><dt>Budget</dt><dd><?cs var:budget ?> tokens<?cs if:over ?>, exceeded<?cs /if ?></dd></div><?cs /if ?>
</dl>
<?cs if:prompt ?>
<section class="box"><h2 class="label">Prompt</h2><?cs call:long(prompt, prompt_long) ?></section>
<?cs /if ?>
<h2 class="label">Activity</h2>
<?cs if:subcount(sessions) ?>
<ol class="timeline">
<?cs each:s = sessions ?>
<li>
<div class="entry-top">
<h3 class="entry-title"><?cs if:s.agent ?><bdi><?cs var:s.agent ?></bdi><?cs else ?>unknown agent<?cs /if ?><?cs if:s.model ?> · <bdi><?cs var:s.model ?></bdi><?cs /if ?></h3>
<span class="<?cs var:s.pill_class ?>"><?cs var:s.pill ?></span>
</div>
<p class="entry-meta"><span><?cs var:s.started ?></span><span><?cs var:s.took ?></span><span><?cs if:s.tokens ?><?cs var:s.tokens ?> tokens<?cs else ?>tokens not reported<?cs /if ?></span><?cs if:?s.exit_code ?><span>exit code <?cs var:s.exit_code ?></span><?cs /if ?></p>
<?cs if:s.trouble ?><p class="warn" dir="auto"><?cs var:s.trouble ?></p><?cs /if ?>
<?cs if:s.summary ?><?cs call:long(s.summary, s.summary_long) ?><?cs /if ?>
<?cs if:s.linked ?><p class="entry-meta"><a id="output-<?cs var:s.sid ?>" class="link tall" href="/api/tasks/<?cs var:id ?>/sessions/<?cs var:s.sid ?>/output">Its output</a></p><?cs /if ?>
</li>
<?cs /each ?>
</ol>
<?cs else ?>
<p class="none">No session history yet</p>
<?cs /if ?>

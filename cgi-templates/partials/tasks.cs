<?cs # The lists, inside #tasks.  running.*, waiting.*, completed.*, empty, more, more_at, tab, q ?>
<?cs include:"macros.cs" ?>
<?cs if:tab_completed && (!empty || has_q) ?>
<search><form class="search" action="/" method="get" hx-get="/partials/tasks" hx-trigger="submit, input delay:250ms" hx-target="#tasks" hx-swap="morph:innerHTML" hx-ext="morph"><input type="hidden" name="tab" value="completed"><input id="q" class="search-field" type="search" name="q" maxlength="200" value="<?cs var:q ?>" placeholder="Search" aria-label="Search completed tasks" autocomplete="off" enterkeyhint="search"></form></search>
<?cs /if ?>
<?cs if:has_cursor ?>
<p class="pages"><a class="link tall" href="/?tab=<?cs var:tab ?>">Back to the first ones</a></p>
<?cs /if ?>
<?cs if:empty ?>
<?cs if:has_q ?>
<div class="empty"><p class="empty-mark" aria-hidden="true">✓</p><p class="empty-title">Nothing found</p><p><?cs if:more ?>Not among the newest 2000; look further below<?cs else ?>No completed task says “<bdi><?cs var:q ?></bdi>”<?cs /if ?></p></div>
<?cs elif:tab_completed ?>
<div class="empty"><p class="empty-mark" aria-hidden="true">✓</p><p class="empty-title">Nothing completed yet</p><p>Completed tasks appear here</p></div>
<?cs else ?>
<div class="empty"><p class="empty-mark" aria-hidden="true">◎</p><p class="empty-title">Nothing here yet</p><p>Tap + New Task to get started</p></div>
<?cs /if ?>
<?cs /if ?>
<?cs if:subcount(running) ?>
<ul id="running" class="cards" aria-label="Running">
<?cs each:t = running ?>
<li id="task-<?cs var:t.id ?>"><a id="open-<?cs var:t.id ?>" class="card card-running" href="/partials/detail/<?cs var:t.id ?>">
<div class="card-top">
<h2 class="card-title" dir="auto"><?cs var:t.subject ?></h2>
<?cs if:t.detached ?><span class="badge badge-orange">Not attached</span>
<?cs elif:t.unknown ?><span class="badge badge-orange">Unknown</span>
<?cs elif:t.starting ?><span class="badge badge-green"><?cs call:spinner() ?>Starting</span>
<?cs else ?><span class="badge badge-green"><?cs call:spinner() ?>Active</span><?cs /if ?>
</div>
<p class="chips">
<?cs if:t.agent ?><bdi class="chip"><?cs var:t.agent ?></bdi><?cs /if ?>
<span class="chip chip-time" data-age="<?cs var:t.age_s ?>"<?cs if:t.stale_in ?> data-stale="<?cs var:t.stale_in ?>"<?cs /if ?>><?cs var:t.age ?></span>
<?cs if:t.stale ?><span class="chip chip-orange">⚠&#xFE0E; stale</span><?cs /if ?>
<?cs if:t.trouble ?><span class="chip chip-orange">⚠&#xFE0E; not started yet</span><?cs /if ?>
<?cs if:t.unknown ?><span class="chip chip-orange">⚠&#xFE0E; no contact</span><?cs /if ?>
</p>
<?cs call:tokens(t) ?>
</a></li>
<?cs /each ?>
</ul>
<?cs /if ?>
<?cs if:subcount(waiting) ?>
<h2 class="divider"><span>Waiting</span></h2>
<ul id="waiting" class="cards cards-tight" aria-label="Waiting">
<?cs each:t = waiting ?>
<li id="task-<?cs var:t.id ?>" class="card card-row">
<a id="open-<?cs var:t.id ?>" class="card-main" href="/partials/detail/<?cs var:t.id ?>">
<h3 class="row-title" dir="auto"><?cs var:t.subject ?></h3>
<p class="meta">#<?cs var:t.id ?><?cs if:t.agent ?> · <bdi><?cs var:t.agent ?></bdi><?cs /if ?><?cs if:t.held ?> · held<?cs /if ?><?cs if:t.parked ?> · parked until <?cs var:t.parked ?><?cs /if ?> · <span data-age="<?cs var:t.age_s ?>"><?cs var:t.age ?></span></p><?cs # the age last: it grows, and what stands behind it would move ?>
</a>
<?cs call:post("run", t.id, "btn-square btn-run", "Run task " + t.id, "▶︎") ?>
<?cs if:t.worked_on ?>
<a id="ask-<?cs var:t.id ?>" class="btn-square btn-drop" href="/partials/detail/<?cs var:t.id ?>?ask=delete#ask-delete" aria-label="Delete task <?cs var:t.id ?>"><span>✕</span></a>
<?cs else ?>
<?cs call:post("delete", t.id, "btn-square btn-drop", "Delete task " + t.id, "✕") ?>
<?cs /if ?>
</li>
<?cs /each ?>
</ul>
<?cs /if ?>
<?cs if:subcount(completed) ?>
<ul id="completed" class="cards cards-tight" aria-label="Completed">
<?cs each:t = completed ?>
<li id="task-<?cs var:t.id ?>"><a id="open-<?cs var:t.id ?>" class="card card-ended" href="/partials/detail/<?cs var:t.id ?>">
<?cs if:t.failed ?><span class="mark mark-red" role="img" aria-label="Failed">✗</span><?cs else ?><span class="mark mark-green" role="img" aria-label="Done">✓</span><?cs /if ?>
<div class="card-main">
<h2 class="row-title" dir="auto"><?cs var:t.subject ?></h2>
<?cs if:t.reason ?><p class="reason" dir="auto"><?cs var:t.reason ?></p><?cs /if ?>
<p class="meta meta-small"><?cs if:t.agent ?><bdi><?cs var:t.agent ?></bdi> · <?cs /if ?><?cs if:t.reported ?><?cs var:t.tokens ?> burned<?cs else ?>tokens not reported<?cs /if ?><?cs if:t.verified ?> · gate passed<?cs /if ?><?cs if:t.took ?> · <?cs var:t.took ?><?cs /if ?><?cs if:t.date ?> · <?cs var:t.date ?><?cs /if ?></p>
</div>
<?cs if:t.for_review ?><span class="badge badge-blue">Review</span><?cs /if ?>
</a></li>
<?cs /each ?>
</ul>
<?cs /if ?>
<?cs if:more ?>
<p class="pages"><a id="more" class="btn btn-secondary" href="<?cs var:more ?>"<?cs if:more_at ?> hx-get="<?cs var:more_at ?>" hx-target="#tasks" hx-swap="morph:innerHTML" hx-ext="morph"<?cs /if ?>><?cs if:searched_on ?>Search further<?cs else ?>Load more<?cs /if ?></a></p>
<?cs /if ?>

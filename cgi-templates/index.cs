<?cs include:"head.cs" ?>
<div class="stage">
<main class="column">
<?cs if:damaged ?>
<p class="alert" role="alert">The stored state is damaged: what is shown may be incomplete, and nothing can be changed. On the host: <code>scripts/chompctl doctor</code></p>
<?cs /if ?>
<section id="balance" class="platforms" aria-label="Platforms and counters" data-opens="/partials/settings" hx-get="/partials/balance" hx-trigger="refreshTasks from:body, poll, htmx:afterSwap from:#tasks" hx-ext="morph" hx-swap="morph:innerHTML">
<?cs include:"partials/balance.cs" ?>
</section>
<nav id="tabs" class="tabs" aria-label="Lists">
<a id="tab-active" class="tab" href="/"<?cs if:!tab_completed ?> aria-current="page"<?cs /if ?> hx-get="/partials/tasks?tab=active" hx-target="#tasks" hx-swap="morph:innerHTML" hx-ext="morph">Active</a>
<a id="tab-completed" class="tab" href="/?tab=completed"<?cs if:tab_completed ?> aria-current="page"<?cs /if ?> hx-get="/partials/tasks?tab=completed" hx-target="#tasks" hx-swap="morph:innerHTML" hx-ext="morph">Completed</a>
</nav>
<section id="tasks" class="list" aria-label="Tasks" hx-get="<?cs var:here ?>" hx-trigger="refreshTasks from:body, poll" hx-ext="morph" hx-swap="morph:innerHTML" data-etag="<?cs var:etag ?>">
<?cs include:"partials/tasks.cs" ?>
</section>
<p class="dock"><a id="new-task" class="btn btn-tall" href="/partials/create">+ New Task</a></p>
</main>
<?cs # The sheets, filled when they open (sheets.js); without a script their contents are pages of their own. ?>
<dialog id="detail-sheet" class="sheet sheet-detail" aria-label="Task"><div class="handle" aria-hidden="true"></div><div id="detail" class="detail" hx-get="" hx-trigger="open, refreshTasks from:body, poll" hx-ext="morph" hx-swap="morph:innerHTML"></div></dialog>
</div>
<dialog id="create-sheet" class="sheet" aria-labelledby="create-title"><div class="handle" aria-hidden="true"></div><div id="create" hx-get="/partials/create" hx-trigger="open"></div></dialog>
<dialog id="settings-sheet" class="sheet" aria-labelledby="settings-title"><div class="handle" aria-hidden="true"></div><div id="settings" hx-get="/partials/settings" hx-trigger="open, refreshTasks from:body" hx-ext="morph" hx-swap="morph:innerHTML"></div></dialog>
<?cs include:"foot.cs" ?>

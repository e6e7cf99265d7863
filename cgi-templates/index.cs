<?cs include:"head.cs" ?>
<main class="column">
<?cs if:damaged ?>
<p class="alert" role="alert">The stored state is damaged: what is shown may be incomplete, and nothing can be changed. On the host: <code>scripts/chompctl doctor</code></p>
<?cs /if ?>
<section id="balance" class="platforms" aria-label="Counters" hx-get="/partials/balance" hx-trigger="refreshTasks from:body, poll, htmx:afterSwap from:#tasks">
<?cs include:"partials/balance.cs" ?>
</section>
<nav id="tabs" class="tabs" aria-label="Lists">
<a class="tab" href="/"<?cs if:!tab_completed ?> aria-current="page"<?cs /if ?>>Active</a>
<a class="tab" href="/?tab=completed"<?cs if:tab_completed ?> aria-current="page"<?cs /if ?>>Completed</a>
</nav>
<section id="tasks" class="list" aria-label="<?cs if:tab_completed ?>Completed tasks<?cs else ?>Active tasks<?cs /if ?>" hx-get="/partials/tasks?tab=<?cs var:tab ?><?cs if:cursor ?>&amp;cursor=<?cs var:cursor ?><?cs /if ?>" hx-trigger="refreshTasks from:body, poll" data-etag="<?cs var:etag ?>">
<?cs include:"partials/tasks.cs" ?>
</section>
<p class="dock"><a id="new-task" class="btn btn-primary btn-tall" href="/partials/create">+ New Task</a></p>
</main>
<?cs include:"foot.cs" ?>

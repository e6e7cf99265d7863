<?cs include:"head.cs" ?>
<main class="column">
<p class="back"><a class="link" href="/<?cs if:is_finished ?>?tab=completed<?cs /if ?>">‹ Tasks</a></p>
<article id="detail" class="detail" hx-get="/partials/detail/<?cs var:id ?>" hx-trigger="refreshTasks from:body, poll" hx-ext="morph" hx-swap="morph:innerHTML" data-etag="<?cs var:etag ?>">
<?cs include:"partials/detail.cs" ?>
</article>
</main>
<?cs include:"foot.cs" ?>

<?cs include:"head.cs" ?>
<main class="column">
<p class="back"><a class="link" href="/<?cs if:is_finished ?>?tab=completed<?cs /if ?>">‹ Tasks</a></p>
<article id="detail" class="detail" hx-get="/partials/detail/<?cs var:id ?><?cs if:ask_delete ?>?ask=delete<?cs /if ?>" hx-trigger="every 3s, refreshTasks from:body" data-etag="<?cs var:etag ?>">
<?cs include:"partials/detail.cs" ?>
</article>
</main>
<?cs include:"foot.cs" ?>

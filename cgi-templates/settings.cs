<?cs include:"head.cs" ?>
<main class="column">
<p class="back"><a class="link" href="/">‹ Tasks</a></p>
<section id="settings" class="sheet-page" aria-labelledby="settings-title" hx-get="/partials/settings" hx-trigger="refreshTasks from:body" hx-ext="morph" hx-swap="morph:innerHTML">
<?cs include:"partials/settings.cs" ?>
</section>
</main>
<?cs include:"foot.cs" ?>

<?cs include:"head.cs" ?>
<main class="column">
<p class="back"><a class="link" href="/">‹ Tasks</a></p>
<section id="create" class="sheet-page" aria-labelledby="create-title">
<?cs include:"partials/create.cs" ?>
</section>
</main>
<?cs include:"foot.cs" ?>

<?cs include:"head.cs" ?>
<main class="column">
<section class="sheet-page" aria-labelledby="error-title">
<h1 id="error-title" class="sheet-title"><?cs var:heading ?></h1>
<p class="alert" role="alert" dir="auto"><?cs var:message ?></p>
<?cs if:advice ?><p class="help"><?cs var:advice ?><?cs if:request ?> <code><?cs var:request ?></code><?cs /if ?></p><?cs /if ?>
<div class="stack"><a class="btn btn-primary" href="/">To the tasks</a></div>
</section>
</main>
<?cs include:"foot.cs" ?>

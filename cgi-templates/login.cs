<?cs include:"head.cs" ?>
<main class="column">
<section class="sheet-page" aria-labelledby="login-title">
<h1 id="login-title" class="sheet-title">Log in</h1>
<?cs if:message ?><p class="alert" role="alert"><?cs var:message ?></p><?cs /if ?>
<form class="form" action="/login" method="post">
<input name="username" autocomplete="username" value="owner" hidden>
<p class="field"><label for="token">Owner's token</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password" autocapitalize="off" spellcheck="false" aria-describedby="token-help">
<span id="token-help" class="help">On the host, <code>scripts/chompctl token</code> prints it. <code>scripts/chompctl url</code> prints a link that logs in by itself.</span></p>
<div class="stack"><button class="btn btn-primary">Log in</button></div>
</form>
</section>
</main>
<?cs include:"foot.cs" ?>

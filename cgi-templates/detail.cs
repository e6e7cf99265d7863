<?cs include:"head.cs" ?>
<main class="column">
<p class="back"><a class="link" href="/<?cs if:is_finished ?>?tab=completed<?cs /if ?>">‹ Tasks</a></p>
<article class="detail">
<div id="detail" class="detail-part" hx-get="/partials/detail/<?cs var:id ?><?cs if:ask_delete ?>?ask=delete<?cs /if ?>" hx-trigger="refreshTasks from:body, poll" data-etag="<?cs var:etag ?>">
<?cs include:"partials/detail-top.cs" ?>
</div>
<?cs # The live terminal: made and filled by chomp.js and terminal.js while a session runs, empty otherwise. ?>
<section id="live" class="live" aria-label="Terminal" hidden data-task="<?cs var:id ?>" data-script="<?cs var:assets.terminal ?>" data-needs="<?cs var:assets.link ?> <?cs var:assets.xterm ?> <?cs var:assets.fit ?>" data-sheet="<?cs var:assets.xtermcss ?>">
<div class="label-row"><h2 class="label">Terminal</h2><p class="live-state" role="status"></p></div>
<div class="live-frame"><div class="live-screen"></div></div>
<?cs # For a phone, whose keyboard has none of these; terminal.js knows what they send ?>
<div class="live-keys" role="group" aria-label="Keys" hidden>
<button class="btn btn-secondary" type="button" data-key="esc">Esc</button>
<button class="btn btn-secondary" type="button" data-key="tab">Tab</button>
<button class="btn btn-secondary" type="button" data-key="interrupt" aria-label="Control C">^C</button>
<button class="btn btn-secondary" type="button" data-key="up" aria-label="Up">↑</button>
<button class="btn btn-secondary" type="button" data-key="down" aria-label="Down">↓</button>
</div>
<div class="live-bar"><p class="live-pen"></p><button id="take-pen" class="btn btn-secondary" type="button" hidden>Take the pen</button></div>
</section>
<div id="detail-rest" class="detail-part">
<?cs include:"partials/detail-rest.cs" ?>
</div>
</article>
</main>
<?cs include:"foot.cs" ?>

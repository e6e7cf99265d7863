<?cs # The card on top, inside #balance.  platforms.*, checked, is_live, live, total, burned.
   A fragment brings the page's title along: htmx puts it where it belongs. ?>
<?cs if:brings_title ?><title><?cs var:title ?></title>
<?cs /if ?><div class="platforms-top">
<h2 class="platforms-title"><a id="open-platforms" href="/partials/settings">Platforms</a></h2>
<p class="platforms-checked"><?cs if:checked ?>checked <span data-age="<?cs var:checked_s ?>"><?cs var:checked ?></span> ago <?cs /if ?><span class="platforms-more" aria-hidden="true">›</span></p>
</div>
<?cs if:subcount(platforms) ?><ul class="platform-rows">
<?cs each:p = platforms ?><li class="platform"<?cs if:p.unchecked ?> data-unchecked<?cs /if ?>><span class="<?cs var:p.dot ?>" aria-hidden="true"></span><span class="platform-name <?cs var:p.class ?>"><?cs var:p.label ?></span><span class="platform-word <?cs var:p.word_class ?>"<?cs if:p.reason ?> title="<?cs var:p.reason ?>"<?cs /if ?>><?cs var:p.word ?></span><?cs if:p.credits ?><span class="platform-credits">$<?cs var:p.credits ?></span><?cs /if ?></li>
<?cs /each ?></ul><?cs /if ?>
<dl class="metrics">
<div class="metric"><dt>Live</dt><dd><?cs if:is_live ?><span class="live-dot" aria-hidden="true"></span><?cs /if ?><?cs var:live ?></dd></div>
<div class="metric"><dt>Tasks</dt><dd><?cs var:total ?></dd></div>
<div class="metric"><dt>Burned</dt><dd><?cs var:burned ?></dd></div>
</dl>

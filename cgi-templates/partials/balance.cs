<?cs # The counters, inside #balance.  is_live, live, total, burned.  The platforms' rows will stand above them.
   A fragment brings the page's title along: htmx puts it where it belongs. ?>
<?cs if:brings_title ?><title><?cs var:title ?></title>
<?cs /if ?><dl class="metrics">
<div class="metric"><dt>Live</dt><dd><?cs if:is_live ?><span class="live-dot" aria-hidden="true"></span><?cs /if ?><?cs var:live ?></dd></div>
<div class="metric"><dt>Tasks</dt><dd><?cs var:total ?></dd></div>
<div class="metric"><dt>Burned</dt><dd><?cs var:burned ?></dd></div>
</dl>

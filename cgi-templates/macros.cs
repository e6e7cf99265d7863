<?cs # What cards and sheets share ?>
<?cs def:spinner() ?><span class="spinner" aria-hidden="true"></span><?cs /def ?>
<?cs # The counts are text: a report is a number, no report is said in words, never shown as 0 ?>
<?cs def:tokens(t) ?>
<?cs if:t.reported ?>
<p class="tokens"><?cs var:t.tokens ?> tokens burned<?cs if:t.has_bar ?> of <?cs var:t.budget ?><?cs /if ?><?cs if:t.over ?> <span class="chip chip-orange">over budget</span><?cs /if ?></p>
<?cs if:t.has_bar ?>
<progress class="<?cs var:t.bar_class ?>" max="100" value="<?cs var:t.percent ?>" aria-label="Tokens burned of the budget"><?cs var:t.percent ?> %</progress>
<?cs /if ?>
<?cs else ?>
<p class="tokens">Tokens not reported</p>
<?cs /if ?>
<?cs /def ?>
<?cs # A button that posts one field, the task's id: a plain form, taken over by htmx where there is a script ?>
<?cs def:post(verb, id, class, label, text) ?><form action="/api/tasks/<?cs var:verb ?>" method="post" hx-post="/api/tasks/<?cs var:verb ?>" hx-swap="none"><input type="hidden" name="id" value="<?cs var:id ?>"><button id="<?cs var:verb ?>-<?cs var:id ?>" class="<?cs var:class ?>"<?cs if:label ?> aria-label="<?cs var:label ?>"<?cs /if ?>><span><?cs var:text ?></span></button></form><?cs /def ?>
<?cs # Text of any length: what is long scrolls in place, and can then be reached by the keyboard ?>
<?cs def:long(text, scrolls) ?><p class="long<?cs if:scrolls ?> long-scroll<?cs /if ?>" dir="auto"<?cs if:scrolls ?> tabindex="0"<?cs /if ?>><?cs var:text ?></p><?cs /def ?>
<?cs # The four segments of the wizard ?>
<?cs def:steps(n) ?><ol class="steps" aria-hidden="true"><?cs loop:i = #1, #4 ?><li<?cs if:#i <= #n ?> class="step-done"<?cs /if ?>></li><?cs /loop ?></ol><?cs /def ?>

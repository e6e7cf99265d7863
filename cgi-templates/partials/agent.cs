<?cs # Who runs it.  agents.*, default_agent ?>
<p class="field"><label for="agent">Agent</label>
<select id="agent" name="agent">
<option value="">Default<?cs if:default_agent ?> (<?cs var:default_agent ?>)<?cs /if ?></option>
<?cs each:c = agents ?><option value="<?cs var:c.id ?>"<?cs if:c.chosen ?> selected<?cs /if ?>><?cs var:c.label ?></option>
<?cs /each ?></select></p>

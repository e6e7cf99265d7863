<?cs # Which model, by which router.  models.*, model, routers.* ?>
<p class="field"><label for="model">Model (optional)</label>
<input id="model" name="model" list="models" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="the agent's default" value="<?cs var:model ?>"></p>
<datalist id="models"><?cs each:c = models ?><option value="<?cs var:c.id ?>"></option><?cs /each ?></datalist>
<p class="field"><label for="router">Router</label>
<select id="router" name="router">
<option value="">The provider's own key</option>
<?cs each:c = routers ?><option value="<?cs var:c.id ?>"<?cs if:c.chosen ?> selected<?cs /if ?>><?cs var:c.label ?></option>
<?cs /each ?></select></p>

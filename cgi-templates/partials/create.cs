<?cs # The form for a new task, inside #create.  message, and the fields: prompt dir repo_url branch, folded_out, agent.cs, model.cs ?>
<h1 id="create-title" class="sheet-title">New Task</h1>
<p class="sheet-subtitle">What needs doing?</p>
<?cs if:message ?><p class="alert" role="alert"><?cs var:message ?></p><?cs /if ?>
<form class="form" action="/api/tasks" method="post">
<p class="field"><label for="prompt">Task</label>
<textarea id="prompt" name="prompt" rows="5" required autofocus dir="auto" placeholder="Refactor the auth module…">
<?cs var:prompt ?></textarea></p>
<?cs include:"partials/agent.cs" ?>
<p class="field"><label for="dir">Directory (optional)</label>
<input id="dir" name="dir" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="dir-help" placeholder="/home/me/project" value="<?cs var:dir ?>">
<span id="dir-help" class="help">A git repository on chomp's host, worked on as a clone. With a repository URL: a path inside it.</span></p>
<details class="fold"<?cs if:folded_out ?> open<?cs /if ?>>
<summary>Repository, model, router</summary>
<p class="field"><label for="repo_url">Repository URL (optional)</label>
<input id="repo_url" name="repo_url" maxlength="4096" inputmode="url" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="https://github.com/me/project" value="<?cs var:repo_url ?>"></p>
<p class="field"><label for="branch">Branch (optional)</label>
<input id="branch" name="branch" maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="main" value="<?cs var:branch ?>"></p>
<?cs include:"partials/model.cs" ?>
</details>
<div class="stack">
<button class="btn btn-primary" name="run" value="true">Add and run</button>
<button class="btn btn-secondary" name="run" value="false">Add to Queue</button>
<a class="btn btn-secondary" href="/">Cancel</a>
</div>
</form>

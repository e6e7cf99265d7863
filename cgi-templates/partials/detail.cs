<?cs # The fragment that refreshes a task's page: #detail, and past the terminal, which is not touched, #detail-rest. ?>
<?cs include:"partials/detail-top.cs" ?>
<div id="detail-rest" class="detail-part" hx-swap-oob="innerHTML">
<?cs include:"partials/detail-rest.cs" ?>
</div>

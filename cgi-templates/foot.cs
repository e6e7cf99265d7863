<?cs # The end of every page.  owner ?>
<footer class="foot">
<span>Times are UTC</span>
<?cs if:owner ?>
<form action="/logout" method="post"><button class="link">Log out</button></form>
<?cs /if ?>
</footer>
</div>
<?cs # What has just happened, and what can be done about it (toast.js): above everything, and told to screen readers ?>
<div id="toast" class="toast" role="status" aria-live="polite" popover="manual"></div>
</body>
</html>

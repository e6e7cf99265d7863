<?cs # The end of every page.  owner ?>
<footer class="foot">
<span>Times are UTC</span>
<?cs if:owner ?>
<form action="/logout" method="post"><button class="link">Log out</button></form>
<?cs /if ?>
</footer>
</div>
</body>
</html>

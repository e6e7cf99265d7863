<?cs # The top of every page.  title, home, answers_form, refresh, assets.* (htdocs/build) ?><!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title><?cs var:title ?></title>
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<meta name="description" content="A queue of tasks for coding agents.">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" content="#ffffff" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#09090b" media="(prefers-color-scheme: dark)">
<meta name="robots" content="noindex">
<?cs # Under no-referrer browsers send plain forms with "Origin: null", which is refused.  A form leads back to the page it
   was on; where that was the answer to a form itself, there is no page to go back to but the first. ?>
<meta name="referrer" content="<?cs if:answers_form ?>origin<?cs else ?>same-origin<?cs /if ?>">
<?cs if:assets.css ?>
<script src="<?cs var:assets.theme ?>"></script>
<link rel="stylesheet" href="<?cs var:assets.css ?>">
<link rel="preload" href="<?cs var:assets.sora400 ?>" as="font" type="font/woff2" crossorigin>
<link rel="preload" href="<?cs var:assets.sora600 ?>" as="font" type="font/woff2" crossorigin>
<link rel="preload" href="<?cs var:assets.sora700 ?>" as="font" type="font/woff2" crossorigin>
<?cs # htmx without eval, injected styles and history; 204 and 304 change nothing, errors are shown by errors.js. ?>
<meta name="htmx-config" content="{&quot;allowEval&quot;:false,&quot;includeIndicatorStyles&quot;:false,&quot;allowScriptTags&quot;:false,&quot;historyEnabled&quot;:false,&quot;attributesToSettle&quot;:[&quot;class&quot;],&quot;timeout&quot;:15000,&quot;responseHandling&quot;:[{&quot;code&quot;:&quot;[23]04&quot;,&quot;swap&quot;:false},{&quot;code&quot;:&quot;[23]..&quot;,&quot;swap&quot;:true},{&quot;code&quot;:&quot;...&quot;,&quot;swap&quot;:false,&quot;error&quot;:true}]}">
<script src="<?cs var:assets.htmx ?>" defer></script>
<script src="<?cs var:assets.morph ?>" defer></script>
<?cs each:m = assets.modules ?><script type="module" src="<?cs var:m ?>"></script>
<?cs /each ?>
<?cs else ?>
<link rel="stylesheet" href="/css/chomp.css">
<?cs /if ?>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="apple-touch-icon" href="/icon-180.png">
<link rel="manifest" href="/manifest.webmanifest" crossorigin="use-credentials">
<?cs if:refresh ?>
<noscript><meta http-equiv="refresh" content="3"></noscript>
<?cs /if ?>
</head>
<body data-terminal="<?cs var:assets.terminal ?>" data-terminal-needs="<?cs var:assets.link ?> <?cs var:assets.xterm ?> <?cs var:assets.fit ?>" data-terminal-sheet="<?cs var:assets.xtermcss ?>">
<?cs if:home ?><div class="boot" aria-hidden="true"><p class="boot-word">chomp<span class="gold">.</span></p><div class="boot-track"><div class="boot-bar"></div></div></div><?cs /if ?>
<div class="app">
<header class="topbar">
<?cs if:home ?><h1 class="wordmark">chomp<span class="gold" aria-hidden="true">.</span></h1><?cs else ?><a class="wordmark" href="/">chomp<span class="gold" aria-hidden="true">.</span></a><?cs /if ?>
<div class="topbar-buttons">
<?cs if:home ?><a id="new-task-top" class="btn-round" href="/partials/create" aria-label="New task"><span aria-hidden="true">+</span></a><?cs /if ?>
<?cs if:owner ?><a id="open-settings" class="btn-round" href="/partials/settings" aria-label="Settings"><span aria-hidden="true">⚙&#xFE0E;</span></a><?cs /if ?>
<button id="theme" class="btn-round needs-script" type="button" aria-label="Dark theme" aria-pressed="false"><span class="on-light" aria-hidden="true">☾</span><span class="on-dark" aria-hidden="true">☀&#xFE0E;</span></button>
</div>
</header>
<div id="notice" class="notice" role="alert"></div>

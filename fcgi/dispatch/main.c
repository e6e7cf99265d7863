/*
 * chomp-dispatch: makes the store's intents true at the sandbox host.  One per CHOMP_VAR: the lock
 * file says so.
 *
 * CHOMP_VAR, CHOMP_CALLBACK_URL (what boxes on this machine are told). CHOMP_SANDBOX_URL and CHOMP_SANDBOX_SECRET_FILE:
 * a unix socket is the host of this machine; http(s) is one beside it, the usual one of tasks that name none, whose boxes
 * are told CHOMP_PUBLIC_CALLBACK_URL. SIGTERM, SIGINT: stop, status 0.  SIGUSR1: start nothing new, go on
 * with the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/env.h"
#include "core/file.h"
#include "core/instance.h"
#include "core/log.h"
#include "dispatch/access.h"
#include "dispatch/dispatcher.h"
#include "dispatch/httpc.h"
#include "dispatch/loop.h"
#include "dispatch/upkeep.h"

struct app {
	const char *var;
	struct arena arena;
	struct access access[SITES];
	struct dispatcher d;
	struct httpc *h;
	int lock;
};

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static enum err take_lock(struct app *app, struct errinfo *e)
{
	(void)make_dir(AT_FDCWD, arena_printf(&app->arena, "%s/run", app->var), 0755);
	(void)make_dir(AT_FDCWD, arena_printf(&app->arena, "%s/run/dispatch", app->var), 0755);
	/* The workers make it too; it is watched from the start. */
	(void)make_dir(AT_FDCWD, arena_printf(&app->arena, "%s/run/worker", app->var), 0700);
	return instance_lock(arena_printf(&app->arena, "%s/run/dispatch/lock", app->var),
			     &app->lock, e);
}

static enum err need(const char *name, const char **out, struct errinfo *e)
{
	*out = env_text(name, NULL);
	return *out != NULL ? ERR_OK : err_set(e, ERR_BAD_INPUT, 0, "%s is not set", name);
}

/* The host of this machine: its own secret need not be there yet. */
static enum err open_here(struct app *app, const char *url, const char *file, struct errinfo *e)
{
	struct arena *a = &app->arena;

	if (url == NULL)
		url = arena_printf(a, "unix:%s/run/sandbox/sandbox.sock", app->var);
	return access_init(&app->access[SITE_HERE], url,
			   file != NULL ? file : arena_printf(a, "%s/secrets/%s", app->var, SECRET_HOST),
			   file != NULL, e);
}

static enum err open_access(struct app *app, struct errinfo *e)
{
	struct dispatcher *d = &app->d;
	const char *url = env_text("CHOMP_SANDBOX_URL", NULL);
	const char *file = env_text("CHOMP_SANDBOX_SECRET_FILE", NULL);
	const char *here = NULL;
	enum err rc = need("CHOMP_CALLBACK_URL", &here, e);

	d->at[SITE_HERE].callback_url = here;
	d->usual = url != NULL && strncmp(url, "unix:", 5) != 0 ? SITE_AWAY : SITE_HERE;
	if (rc != ERR_OK)
		return rc;
	if (d->usual == SITE_HERE)
		return open_here(app, url, file, e);
	d->at[SITE_AWAY].callback_url = env_text("CHOMP_PUBLIC_CALLBACK_URL", here);
	if ((rc = open_here(app, NULL, NULL, e)) != ERR_OK)
		return rc;
	/* Without a name for it there is none: the secret of this machine's host is not shown elsewhere. */
	return access_init(&app->access[SITE_AWAY], url, file != NULL ? file : "", file != NULL, e);
}

static enum err open_all(struct app *app, struct errinfo *e)
{
	struct dispatcher *d = &app->d;
	enum err rc;

	if ((rc = need("CHOMP_VAR", &app->var, e)) != ERR_OK ||
	    (rc = open_access(app, e)) != ERR_OK ||
	    (rc = platforms_configure(&d->platforms, e)) != ERR_OK || (rc = take_lock(app, e)) != ERR_OK)
		return rc;
	(void)make_dir(AT_FDCWD, arena_printf(&app->arena, "%s/log", app->var), 0755);
	(void)make_dir(AT_FDCWD, arena_printf(&app->arena, "%s/log/sessions", app->var), 0700);
	if ((rc = httpc_open(&app->h, app->access, e)) != ERR_OK ||
	    (rc = store_open(&d->store, app->var, STORE_WRITER, e)) != ERR_OK)
		return rc;
	d->var = app->var;
	for (int i = 0; i < SITES; i++)
		d->at[i].secret = app->access[i].secret;
	d->send = httpc_send;
	d->to = app->h;
	d->wall_ms = clock_wall_ms;
	d->mono_ms = clock_mono_ms;
	const struct access *usual = &app->access[d->usual];
	log_event(LOG_INFO, "dispatch.ready", LOG_S("host", usual->socket != NULL ? usual->socket : usual->base),
		  LOG_I("secret", usual->secret[0] != '\0'), LOG_S("callback", d->at[d->usual].callback_url));
	return ERR_OK;
}

static void close_all(struct app *app)
{
	if (app->h != NULL)
		httpc_close(app->h);
	dispatcher_release(&app->d);
	if (app->d.store != NULL)
		store_close(app->d.store);
	for (int i = 0; i < SITES; i++)
		access_release(&app->access[i]);
	if (app->lock >= 0)
		close(app->lock);
	arena_reset(&app->arena);
}

int main(void)
{
	struct app app = { .lock = -1 };
	struct errinfo e = { 0 };
	enum err rc;

	block_signals();
	/* Large buffers come and go; give their pages back. */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 128 * 1024);
	log_init("dispatch");
	rc = open_all(&app, &e);
	if (rc == ERR_OK)
		rc = loop_run(&app.d, app.h, &e);
	if (rc == ERR_OK) {
		upkeep_end(&app.d);
		log_event(LOG_INFO, "dispatch.stopped");
	} else {
		log_err(LOG_ERROR, "dispatch.start_failed", &e);
	}
	close_all(&app);
	return rc == ERR_OK ? 0 : 1;
}

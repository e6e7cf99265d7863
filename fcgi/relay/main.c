/*
 * chomp-relay: terminals and "something changed" for browsers.  Reads the store, never changes a task.
 * It wakes for connections, for a longer task log and for changed secrets, and for nothing else.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env.h"
#include "core/log.h"
#include "relay/events.h"
#include "relay/relay.h"
#include "relay/terminal.h"
#include "store/store.h"

enum { AGAIN_MS = 250, LOG_REST_MS = 10 /* a storm of changes is taken in a hundred times a second */ };

static int accept_conn(void *app, const struct upgrade *u, struct conn *c, void **owner,
		       const struct conn_ops **ops)
{
	struct relay *r = app;

	if (u->websocket && strncmp(u->path, "/ws/terminal/", 13) == 0)
		return terminal_accept(r, u, c, owner, ops);
	if (!u->websocket && strcmp(u->path, "/events") == 0)
		return events_accept(r, u, c, owner, ops);
	return 404;
}

static void stop(void *app)
{
	struct relay *r = app;

	wsock_quit(r->loop);
}

static const struct wsock_ops ops = { accept_conn, stop };

/* ---- what is watched ---- */
struct watched {
	struct relay *relay;
	int log_fd, secrets_fd;
};

static void drain(int fd)
{
	char buf[4096];

	while (read(fd, buf, sizeof buf) > 0) {
	}
}

static void log_grew(void *arg)
{
	struct watched *w = arg;
	struct relay *r = w->relay;
	struct errinfo e;

	drain(w->log_fd);
	if (store_catch_up(r->store, &e) != ERR_OK) {
		log_err(LOG_WARN, "relay.catch_up_failed", &e);
		wsock_timer_set(r->loop, &r->again, AGAIN_MS, log_grew, w); /* nobody else may write for long */
	}
	if (store_version(r->store) == r->version)
		return;
	r->version = store_version(r->store);
	events_changed(r);
	terminal_changed(r);
}

static void secrets_changed(void *arg)
{
	struct watched *w = arg;

	drain(w->secrets_fd);
	events_recheck(w->relay);
	terminal_recheck(w->relay);
}

static int watch_fd(struct arena *a, const char *var, const char *const *paths, uint32_t mask)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	for (size_t i = 0; fd >= 0 && paths[i] != NULL; i++) {
		if (inotify_add_watch(fd, arena_printf(a, "%s/%s", var, paths[i]), mask) < 0) {
			log_event(LOG_ERROR, "relay.watch_failed", LOG_S("path", paths[i]), LOG_S("why", strerror(errno)));
			close(fd);
			fd = -1;
		}
	}
	return fd;
}

static enum err watch(struct relay *r, struct arena *a, struct watched *w, struct errinfo *e)
{
	static const char *const logs[] = { "state", NULL };
	static const char *const secrets[] = { "secrets", "secrets/signed_out", NULL };
	enum err rc;

	if (mkdir(arena_printf(a, "%s/secrets/signed_out", r->app.var), 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_IO, errno, "make secrets/signed_out");
	w->relay = r;
	w->log_fd = watch_fd(a, r->app.var, logs, IN_MODIFY | IN_MOVED_TO);
	w->secrets_fd = watch_fd(a, r->app.var, secrets, IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE | IN_DELETE);
	if (w->log_fd < 0 || w->secrets_fd < 0)
		return err_set(e, ERR_IO, 0, "state/ and secrets/ cannot be watched");
	if ((rc = wsock_watch(r->loop, w->log_fd, LOG_REST_MS, log_grew, w, e)) != ERR_OK)
		return rc;
	return wsock_watch(r->loop, w->secrets_fd, 0, secrets_changed, w, e);
}

/* As the dispatcher reads them (fcgi/dispatch/main.c). */
static void find_hosts(struct relay *r, struct arena *a)
{
	const char *url = env_text("CHOMP_SANDBOX_URL", NULL), *file = env_text("CHOMP_SANDBOX_SECRET_FILE", NULL);
	struct relay_host *here = &r->at[SITE_HERE];

	here->url = arena_printf(a, "unix:%s/run/sandbox/sandbox.sock", r->app.var);
	here->secret_file = arena_printf(a, "%s/secrets/sandbox_secret", r->app.var);
	if (url != NULL && strncmp(url, "unix:", 5) != 0) {
		r->at[SITE_AWAY] = (struct relay_host){ url, file };
		r->usual = SITE_AWAY;
		return;
	}
	if (url != NULL)
		here->url = url;
	if (file != NULL)
		here->secret_file = file;
}

static enum err prepare(struct relay *r, struct arena *a, struct watched *w, struct errinfo *e)
{
	enum err rc = app_configure(&r->app, a, e);

	if (rc != ERR_OK)
		return rc;
	find_hosts(r, a);
	if ((rc = store_open(&r->store, r->app.var, STORE_WRITER, e)) != ERR_OK)
		return rc;
	r->version = store_version(r->store);
	if (mkdir(arena_printf(a, "%s/run/relay", r->app.var), 0750) < 0 && errno != EEXIST)
		return err_set(e, ERR_IO, errno, "make run/relay");
	if ((rc = wsock_open(&r->loop, arena_printf(a, "%s/run/relay/relay.sock", r->app.var), &ops, r, e)) != ERR_OK)
		return rc;
	return watch(r, a, w, e);
}

int main(void)
{
	static struct relay r;
	struct watched w = { 0 };
	struct arena a = { 0 };
	struct errinfo e;
	sigset_t set;

	log_init("relay");
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (prepare(&r, &a, &w, &e) != ERR_OK) {
		log_err(LOG_ERROR, "relay.start_failed", &e);
		return 1;
	}
	log_event(LOG_INFO, "relay.ready", LOG_S("host", r.at[r.usual].url));
	wsock_run(r.loop);
	log_event(LOG_INFO, "relay.stopped", LOG_I("viewers", r.viewer_count));
	wsock_close(r.loop);
	store_close(r.store);
	arena_reset(&a);
	return 0;
}

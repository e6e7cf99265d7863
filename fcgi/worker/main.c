/*
 * chomp-worker: the FastCGI pool.  The parent opens the store (which indexes the log), makes the secrets that are missing
 * and the socket, and forks; the children share the index until they change it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/env.h"
#include "core/log.h"
#include "http/auth.h"
#include "http/fcgi_io.h"
#include "store/secret.h"
#include "store/store.h"
#include "worker/prefork.h"
#include "worker/serve.h"

enum { WORKERS_DEFAULT = 8 };

struct pool_context {
	struct app app;
	struct secret_cache secrets;
	struct arena arena; /* of the configuration */
	int listener, workers;
};

static volatile sig_atomic_t stopping;

static void on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

/* ---- a child ---- */
static int serve(void *arg)
{
	struct pool_context *c = arg;
	struct sigaction sa = { .sa_handler = on_stop };
	sigset_t stop, unblocked;
	struct errinfo e;

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGUSR1);
	sigaddset(&stop, SIGCHLD);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	sigemptyset(&unblocked);
	if (store_after_fork(c->app.store, &e) != ERR_OK) {
		log_err(LOG_ERROR, "worker.start_failed", &e);
		return 1;
	}
	fcgi_serve(c->listener, &unblocked, &stopping, serve_body_limit, serve_request, &c->app);
	return 0;
}

/* ---- the parent ---- */
static void catch_up(void *arg)
{
	struct pool_context *c = arg;
	struct errinfo e;

	if (store_catch_up(c->app.store, &e) != ERR_OK) /* damage: children serve reads and say so */
		log_err(LOG_WARN, "worker.catch_up_failed", &e);
}

static enum err make_dirs(struct pool_context *c, struct errinfo *e)
{
	static const char *const dirs[] = { "state", "secrets", "secrets/codes", "log", "log/sessions", "run", "run/worker" };

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		const char *path = arena_printf(&c->arena, "%s/%s", c->app.var, dirs[i]);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_set(e, ERR_IO, errno, "make %s", path);
	}
	return ERR_OK;
}

static enum err prepare(struct pool_context *c, struct errinfo *e)
{
	static const char *const secrets[] = { SECRET_OWNER, SECRET_COOKIE, SECRET_AGENT, SECRET_HOST };
	enum err rc;

	if ((rc = app_configure(&c->app, &c->arena, e)) != ERR_OK ||
	    (rc = env_int("CHOMP_WORKERS", WORKERS_DEFAULT, 1, WORKERS_MAX, &c->workers, e)) != ERR_OK ||
	    (rc = make_dirs(c, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		if ((rc = secret_ensure(c->app.var, secrets[i], e)) != ERR_OK)
			return rc;
	}
	if ((rc = store_open(&c->app.store, c->app.var, STORE_OWNER, e)) != ERR_OK)
		return rc;
	c->app.throttle = throttle_new();
	c->app.secrets = &c->secrets;
	return prefork_listen(arena_printf(&c->arena, "%s/run/worker/worker.sock", c->app.var), &c->listener, e);
}

int main(int argc, char **argv)
{
	struct pool_context c = { .listener = -1 };
	struct errinfo e;

	(void)argc;
	log_init("worker");
	signal(SIGPIPE, SIG_IGN);
	if (prepare(&c, &e) != ERR_OK) {
		log_err(LOG_ERROR, "pool.start_failed", &e);
		return 1;
	}
	log_event(LOG_INFO, "pool.started", LOG_I("workers", c.workers));
	enum prefork_end end = prefork_run(c.workers, catch_up, serve, &c);
	store_close(c.app.store);
	log_event(LOG_INFO, "pool.stopped");
	if (end == PREFORK_RENEW) {
		(void)prefork_renew(argv, c.listener, &e);
		log_err(LOG_ERROR, "pool.renew_failed", &e); /* whoever supervises us starts what is there */
		return 1;
	}
	arena_reset(&c.arena);
	return 0;
}

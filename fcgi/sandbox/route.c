#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mac.h"
#include "core/number.h"
#include "sandbox/exchange.h"
#include "sandbox/proto.h"

struct exchange *exchange_new(struct life *life, int capacity)
{
	struct exchange *x = memset(xmalloc(sizeof *x), 0, sizeof *x);

	strbuf_init(&x->out);
	x->life = life;
	x->capacity = capacity;
	x->file = -1;
	return x;
}

void exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	life_forget(x->life, &x->wait);
	if (x->file >= 0)
		close(x->file);
	if (x->body != NULL)
		explicit_bzero(x->body, x->body_len); /* it held keys */
	free(x->body);
	strbuf_release(&x->out);
	arena_reset(&x->arena);
	free(x);
}

/* ---- answers ---- */
static const char *reason_phrase(int status)
{
	static const struct {
		int status;
		const char *text;
	} table[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 421, "Misdirected Request" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (table[i].status == status)
			return table[i].text;
	}
	return "Status";
}

static void head(struct exchange *x, int status, const char *type, int64_t len, const char *more)
{
	strbuf_printf(&x->out,
		      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %lld\r\n"
		      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s\r\n",
		      status, reason_phrase(status), type, (long long)len, more);
}

static void answered(struct exchange *x)
{
	x->answered = true;
	x->ready(x);
}

static void send_json(struct exchange *x, int status, const struct strbuf *body, const char *more)
{
	head(x, status, "application/json", (int64_t)body->len + 1, more);
	strbuf_add(&x->out, body->buf, body->len);
	strbuf_putc(&x->out, '\n');
	answered(x);
}

void exchange_error(struct exchange *x, const struct errinfo *e, const char *allow)
{
	struct strbuf body;
	char more[96] = "";

	strbuf_init(&body);
	answer_error(&body, e);
	if (e->code == ERR_METHOD)
		(void)snprintf(more, sizeof more, "Allow: %.40s\r\n", allow);
	else if (e->code == ERR_NO_TOKEN)
		(void)snprintf(more, sizeof more, "WWW-Authenticate: Bearer\r\n");
	else if (e->code == ERR_LIMIT)
		(void)snprintf(more, sizeof more, "Retry-After: 5\r\n");
	else if (e->code == ERR_BUSY)
		(void)snprintf(more, sizeof more, "Retry-After: 1\r\n");
	if (err_status(e->code) >= 500)
		log_err(LOG_ERROR, "request.failed", e);
	send_json(x, err_status(e->code), &body, more);
	strbuf_release(&body);
}

/* ---- what is asked ---- */
static void started(struct life_wait *w, enum err rc, const struct errinfo *e)
{
	struct exchange *x = (struct exchange *)w;
	struct strbuf body;

	if (rc != ERR_OK) {
		exchange_error(x, e, NULL);
		return;
	}
	strbuf_init(&body);
	answer_started(&body, w->id, w->boundary);
	send_json(x, 200, &body, "");
	strbuf_release(&body);
}

static void destroyed(struct life_wait *w, enum err rc, const struct errinfo *e)
{
	struct exchange *x = (struct exchange *)w;
	struct strbuf body;

	if (rc != ERR_OK) {
		exchange_error(x, e, NULL);
		return;
	}
	strbuf_init(&body);
	answer_destroyed(&body);
	send_json(x, 200, &body, "");
	strbuf_release(&body);
}

static void do_dispatch(struct exchange *x, const char *id)
{
	struct errinfo e = { 0 };
	struct dispatch *d = arena_alloc(&x->arena, sizeof *d);

	(void)id;
	if (dispatch_parse(&x->arena, x->body != NULL ? x->body : "", x->body_len, d, &e) !=
	    ERR_OK) {
		exchange_error(x, &e, NULL);
		return;
	}
	x->wait.done = started;
	life_dispatch(x->life, &x->arena, d, &x->wait);
}

static void do_kill(struct exchange *x, const char *id)
{
	x->wait.done = destroyed;
	life_kill(x->life, id, &x->wait);
}

static void do_status(struct exchange *x, const char *id)
{
	struct errinfo e = { 0 };
	struct status st;
	struct strbuf body;

	if (life_status(x->life, &x->arena, id, &st, &e) != ERR_OK) {
		exchange_error(x, &e, NULL);
		return;
	}
	strbuf_init(&body);
	answer_status(&body, &st);
	send_json(x, 200, &body, "");
	strbuf_release(&body);
}

static void do_health(struct exchange *x, const char *id)
{
	struct strbuf body;

	(void)id;
	strbuf_init(&body);
	answer_health(&body, life_count(x->life), x->capacity);
	send_json(x, 200, &body, "");
	strbuf_release(&body);
}

typedef enum err open_fn(struct life *l, const char *id, int *fd, off_t *size, struct errinfo *e);

/* A piece of a file, from ?offset= on. */
static void send_file(struct exchange *x, const char *id, open_fn *open_it, const char *type, int64_t max)
{
	struct errinfo e = { 0 };
	char more[96];
	off_t size = 0;
	int64_t from = 0;

	if (x->offset != NULL && number_parse(x->offset, 0, NUMBER_MAX, &from) < 0)
		(void)err_set(&e, ERR_BAD_INPUT, 0, "offset: a number of bytes is wanted");
	else
		(void)open_it(x->life, id, &x->file, &size, &e);
	if (e.code != ERR_OK) {
		exchange_error(x, &e, NULL);
		return;
	}
	if (from > size)
		from = size;
	x->file_at = from;
	x->file_left = size - from < max ? size - from : max;
	(void)snprintf(more, sizeof more, "X-Log-Start: %lld\r\nX-Log-End: %lld\r\n",
		       (long long)from, (long long)from + (long long)x->file_left);
	head(x, 200, type, x->file_left, more);
	answered(x);
}

static void do_logs(struct exchange *x, const char *id)
{
	send_file(x, id, life_log, "text/plain; charset=utf-8", LOG_ANSWER_MAX);
}

static void do_film(struct exchange *x, const char *id)
{
	send_file(x, id, life_film, "text/plain; charset=utf-8", LOG_ANSWER_MAX);
}

static void do_recording(struct exchange *x, const char *id)
{
	send_file(x, id, life_recording, "application/x-asciicast", INT64_MAX);
}

/* Upgrades never come here (connection.c). */
static void do_terminal(struct exchange *x, const char *id)
{
	struct errinfo e = { 0 };

	(void)id;
	err_set(&e, ERR_BAD_INPUT, 0, "a WebSocket upgrade is wanted here");
	exchange_error(x, &e, NULL);
}

/* ---- routes ---- */
static const struct route {
	const char *path; /* ends in '/': an id follows */
	const char *method;
	void (*run)(struct exchange *, const char *id);
	bool open; /* to anybody */
} routes[] = {
	{ "/dispatch", "POST", do_dispatch, false },   { "/status/", "GET", do_status, false },
	{ "/kill/", "POST", do_kill, false },          { "/logs/", "GET", do_logs, false },
	{ "/recording/", "GET", do_recording, false }, { "/film/", "GET", do_film, false },
	{ "/ws/terminal/", "GET", do_terminal, false }, { "/health", "GET", do_health, true },
};

static const struct route *find_route(const char *path, const char **id)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		size_t len = strlen(routes[i].path);
		*id = path + len;
		if (routes[i].path[len - 1] != '/'
			    ? strcmp(path, routes[i].path) == 0
			    : strncmp(path, routes[i].path, len) == 0 && **id != '\0')
			return &routes[i];
	}
	return NULL;
}

/* A browser page must not reach us: not by a foreign name that resolves to loopback, and not across
 * origins. */
static enum err check_browser(const struct exchange *x, bool tcp, struct errinfo *e)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

	if (x->origin != NULL)
		return err_set(e, ERR_FORBIDDEN, 0, "requests of web pages are not answered");
	if (!tcp)
		return ERR_OK;
	for (size_t i = 0; x->host != NULL && i < sizeof names / sizeof names[0]; i++) {
		size_t len = strlen(names[i]);
		if (strncmp(x->host, names[i], len) == 0 &&
		    (x->host[len] == '\0' || x->host[len] == ':'))
			return ERR_OK;
	}
	return err_set(e, ERR_MISDIRECTED, 0, "this host is not known by that name");
}

static bool authorized(const struct exchange *x, const char *secret)
{
	const char *given = x->authorization;

	if (secret == NULL)
		return true;
	return given != NULL && strncasecmp(given, "Bearer ", 7) == 0 &&
	       secret_equal(given + 7, secret);
}

enum err route_check(const struct exchange *x, const char *secret, bool tcp, const char **allow,
		     struct errinfo *e)
{
	const char *id = NULL;
	const struct route *r = find_route(x->path, &id);

	/* With a secret, the secret decides: only without one does the name a request came under
	 * matter. */
	enum err rc = check_browser(x, tcp && secret == NULL, e);
	if (rc != ERR_OK)
		return rc;
	if ((r == NULL || !r->open) && !authorized(x, secret))
		return err_set(e, ERR_NO_TOKEN, 0,
			       "Authorization: Bearer <the host's secret> is wanted");
	if (r == NULL)
		return err_set(e, ERR_NOT_FOUND, 0, "no such path");
	*allow = r->method;
	if (strcmp(x->method, r->method) != 0)
		return err_set(e, ERR_METHOD, 0, "%s is wanted here", r->method);
	if (*id != '\0' && !sandbox_id_valid(id)) /* a dispatch's id has the same form */
		return err_wire(e, ERR_BAD_INPUT, "bad_id", "an id of 32 hex digits is wanted");
	return ERR_OK;
}

void route_run(struct exchange *x)
{
	const char *id = NULL;
	const struct route *r = find_route(x->path, &id);

	assert(r != NULL); /* route_check came first */
	r->run(x, id);
}

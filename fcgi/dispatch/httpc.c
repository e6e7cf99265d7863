/*
 * Calls of one kind share a queue: a host that hangs on a hundred status calls must not keep a kill
 * waiting.  A 401 makes us read the secret again and, when it is another one now, send the call
 * once more.
 */
#include "dispatch/httpc.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/number.h"

enum { FDS_MAX = 4, IDLE_CONNECTIONS = 16 };
_Static_assert((int)BEARER_MAX >= (int)SECRET_MAX, "a header line holds either");

struct queue {
	struct call *first, **last;
	struct call *running; /* linked by next */
	size_t waiting, count;
};

struct httpc {
	CURLM *multi;
	struct access *access; /* by site */
	unsigned generation;   /* of the secrets */
	struct queue queues[CALL_KINDS];
};

void call_free(struct call *c)
{
	free(c->path);
	if (c->bearer != NULL)
		explicit_bzero(c->bearer, strlen(c->bearer));
	free(c->bearer);
	strbuf_release(&c->body);
	strbuf_release(&c->answer);
	free(c);
}

/* ---- open, close ---- */
static struct curl_slist *add_header(struct curl_slist *list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(list, line);

	if (longer == NULL)
		abort();
	return longer;
}

/* libcurl borrows the list until the transfer has ended; each has its own, as the secret may change
 * in between. */
static struct curl_slist *headers_of(const struct httpc *h, const struct call *c)
{
	const char *bearer = c->bearer != NULL ? c->bearer : h->access[c->site].secret;
	struct curl_slist *list = NULL;
	char line[BEARER_MAX + 32];

	if (bearer[0] != '\0') {
		(void)snprintf(line, sizeof line, "Authorization: Bearer %s", bearer);
		list = add_header(list, line);
		explicit_bzero(line, sizeof line);
	}
	if (c->post) {
		list = add_header(list, "Content-Type: application/json");
		/* Before a long body libcurl would ask, and wait a second for the permission. */
		list = add_header(list, "Expect:");
	}
	return list;
}

enum err httpc_open(struct httpc **out, struct access *x, struct errinfo *e)
{
	struct httpc *h = xmalloc(sizeof *h);

	memset(h, 0, sizeof *h);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (h->multi = curl_multi_init()) == NULL) {
		free(h);
		return err_set(e, ERR_IO, 0, "libcurl cannot be started");
	}
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
	h->access = x;
	for (int i = 0; i < CALL_KINDS; i++)
		h->queues[i].last = &h->queues[i].first;
	*out = h;
	return ERR_OK;
}

static void drop_handle(struct httpc *h, struct call *c)
{
	curl_multi_remove_handle(h->multi, c->handle);
	curl_easy_cleanup(c->handle);
	curl_slist_free_all(c->headers);
	c->handle = c->headers = NULL;
}

static void drop_calls(struct httpc *h, struct call *c)
{
	while (c != NULL) {
		struct call *next = c->next;
		if (c->handle != NULL)
			drop_handle(h, c);
		call_free(c);
		c = next;
	}
}

void httpc_close(struct httpc *h)
{
	for (int i = 0; i < CALL_KINDS; i++) {
		drop_calls(h, h->queues[i].first);
		drop_calls(h, h->queues[i].running);
	}
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	free(h);
}

/* ---- what comes ---- */
static size_t on_body(char *p, size_t one, size_t len, void *arg)
{
	struct call *c = arg;
	long status = 0;

	(void)one; /* always 1 */
	curl_easy_getinfo(c->handle, CURLINFO_RESPONSE_CODE, &status);
	if (c->take != NULL && status == 200) {
		if (c->take(c, p, len))
			return len;
		c->cut = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (c->answer.len + len > c->answer_max) {
		c->too_long = true;
		return CURL_WRITEFUNC_ERROR;
	}
	strbuf_add(&c->answer, p, len);
	return len;
}

/* `line` is one header line with its end, no NUL. */
static bool header_number(const char *line, size_t len, const char *name, int64_t *out)
{
	char value[24];
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0)
		return false;
	while (n < len && (line[n] == ' ' || line[n] == '\t'))
		n++;
	while (len > n && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	if (len - n >= sizeof value)
		return true;
	memcpy(value, line + n, len - n);
	value[len - n] = '\0';
	(void)number_parse(value, 0, INT64_MAX, out); /* nonsense counts as not said */
	return true;
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct call *c = arg;

	(void)one;
	if (!header_number(line, len, "X-Log-Start:", &c->log_start))
		(void)header_number(line, len, "X-Log-End:", &c->log_end);
	return len;
}

/* ---- sending ---- */
static void set_options(struct httpc *h, struct call *c, CURL *easy)
{
	const struct access *x = &h->access[c->site];
	bool host = c->bearer == NULL, local = host ? x->local : c->local;
	struct strbuf url;

	strbuf_init(&url);
	strbuf_printf(&url, "%s%s", host ? x->base : "", c->path);
	curl_easy_setopt(easy, CURLOPT_URL, url.buf); /* copied */
	strbuf_release(&url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (host && x->socket != NULL)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, x->socket);
	if (local) /* a proxy of the environment is for the world outside */
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(host ? HTTPC_CONNECT_MS : c->limit_ms));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)c->limit_ms);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "chomp-dispatch/" CHOMP_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, c);
	if (c->post) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, c->body.buf); /* not copied */
	}
}

static void start(struct httpc *h, struct call *c)
{
	struct queue *q = &h->queues[c->kind];
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		abort();
	c->handle = easy;
	c->headers = headers_of(h, c);
	c->generation = h->generation;
	c->status = 0;
	c->retry_after_ms = c->log_start = c->log_end = -1;
	strbuf_reset(&c->answer);
	set_options(h, c, easy);
	c->next = q->running;
	q->running = c;
	q->count++;
	curl_multi_add_handle(h->multi, easy);
}

static void start_waiting(struct httpc *h, struct queue *q)
{
	while (q->first != NULL && q->count < HTTPC_PARALLEL) {
		struct call *c = q->first;
		q->first = c->next;
		if (q->first == NULL)
			q->last = &q->first;
		q->waiting--;
		start(h, c);
	}
}

void httpc_send(void *to, struct call *c)
{
	struct httpc *h = to;
	struct queue *q = &h->queues[c->kind];

	c->next = NULL;
	*q->last = c;
	q->last = &c->next;
	q->waiting++;
	start_waiting(h, q);
}

size_t httpc_open_calls(const struct httpc *h, enum call_kind kind)
{
	return h->queues[kind].count + h->queues[kind].waiting;
}

/* ---- waiting and ending ---- */
void httpc_wait(struct httpc *h, struct httpc_fd *fds, unsigned count, int64_t timeout_ms)
{
	struct curl_waitfd extra[FDS_MAX];
	int ms = timeout_ms < 0 || timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;

	for (unsigned i = 0; i < count && i < FDS_MAX; i++)
		extra[i] = (struct curl_waitfd){ .fd = fds[i].fd, .events = CURL_WAIT_POLLIN };
	curl_multi_poll(h->multi, extra, count, ms, NULL);
	for (unsigned i = 0; i < count && i < FDS_MAX; i++)
		fds[i].readable = (extra[i].revents & CURL_WAIT_POLLIN) != 0;
}

static void explain(struct call *c, CURLcode rc)
{
	long sys = 0;

	curl_easy_getinfo(c->handle, CURLINFO_OS_ERRNO, &sys);
	if (c->too_long)
		(void)snprintf(c->why, sizeof c->why, "its answer is longer than %zu bytes",
			       c->answer_max);
	else if (rc == CURLE_OPERATION_TIMEDOUT)
		(void)snprintf(c->why, sizeof c->why, "no answer in time");
	else if (sys != 0)
		(void)snprintf(c->why, sizeof c->why, "%s", strerror((int)sys));
	else
		(void)snprintf(c->why, sizeof c->why, "%s", curl_easy_strerror(rc));
}

static void read_result(struct call *c, CURLcode rc)
{
	long status = 0;
	curl_off_t seconds = 0;

	curl_easy_getinfo(c->handle, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c->handle, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds > 0)
		c->retry_after_ms = seconds > 86400 ? 86400 * 1000 : (int64_t)seconds * 1000;
	if (rc == CURLE_OK || c->cut)
		c->status = (int)status;
	else
		explain(c, rc);
}

static void unlink_running(struct queue *q, const struct call *c)
{
	struct call **at = &q->running;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	q->count--;
}

/* Whether another secret than the one this call showed is known by now. */
static bool secret_changed(struct httpc *h, const struct call *c)
{
	if (c->generation == h->generation && access_reread(&h->access[c->site])) {
		log_event(LOG_INFO, "host.secret_changed");
		h->generation++;
	}
	return c->generation != h->generation;
}

static void end_call(struct httpc *h, struct call *c, CURLcode rc)
{
	struct queue *q = &h->queues[c->kind];

	read_result(c, rc);
	drop_handle(h, c);
	unlink_running(q, c);
	if (c->status == 401 && c->bearer == NULL && !c->again && secret_changed(h, c)) {
		c->again = true;
		httpc_send(h, c);
		return;
	}
	c->done(c);
	call_free(c);
	start_waiting(h, q);
}

void httpc_work(struct httpc *h)
{
	CURLMsg *m;
	int left;

	curl_multi_perform(h->multi, &left);
	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct call *c = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode rc = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		end_call(h, c, rc);
	}
}

#include "http/fcgi_io.h"

#include <errno.h>
#include <fcgiapp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/log.h"
#include "core/number.h"
#include "core/rand.h"

enum { COPY_CHUNK = 64 * 1024 };

/* ---- the request ---- */
static const char *param(FCGX_Request *io, struct request *rq, const char *name)
{
	const char *v = FCGX_GetParam(name, io->envp);

	return v != NULL ? arena_strdup(&rq->arena, v) : "";
}

static void read_head(FCGX_Request *io, struct request *rq)
{
	char *uri;

	rand_hex(rq->id, 4);
	rq->method = param(io, rq, "REQUEST_METHOD");
	uri = arena_strdup(&rq->arena, param(io, rq, "REQUEST_URI"));
	char *mark = strchr(uri, '?');
	if (mark != NULL)
		*mark++ = '\0';
	rq->path = uri;
	rq->query = mark != NULL ? mark : "";
	rq->content_type = param(io, rq, "CONTENT_TYPE");
	rq->host = param(io, rq, "HTTP_HOST");
	rq->origin = param(io, rq, "HTTP_ORIGIN");
	rq->fetch_site = param(io, rq, "HTTP_SEC_FETCH_SITE");
	rq->authorization = param(io, rq, "HTTP_AUTHORIZATION");
	rq->cookie = param(io, rq, "HTTP_COOKIE");
	rq->accept = param(io, rq, "HTTP_ACCEPT");
	rq->if_none_match = param(io, rq, "HTTP_IF_NONE_MATCH");
	rq->idempotency_key = param(io, rq, "HTTP_IDEMPOTENCY_KEY");
	rq->referer = param(io, rq, "HTTP_REFERER");
	rq->remote_addr = param(io, rq, "REMOTE_ADDR");
	rq->htmx = *param(io, rq, "HTTP_HX_REQUEST") != '\0';
	rq->door = strcmp(param(io, rq, "CHOMP_LISTENER"), "callback") == 0 ? DOOR_CALLBACK : DOOR_WEB;
	rq->body = arena_strdup(&rq->arena, "");
}

static enum err read_body(FCGX_Request *io, struct request *rq, size_t limit, struct errinfo *e)
{
	const char *declared = param(io, rq, "CONTENT_LENGTH");
	int64_t want = 0;

	if (*declared != '\0' && number_parse(declared, 0, NUMBER_MAX, &want) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "Content-Length is not a number");
	if ((uint64_t)want > limit)
		return err_set(e, ERR_TOO_LARGE, 0, "the body has more than %zu bytes", limit);
	if (want == 0)
		return ERR_OK;
	rq->body = arena_alloc(&rq->arena, (size_t)want + 1);
	int got = FCGX_GetStr(rq->body, (int)want, io->in);
	if (got != want || FCGX_GetError(io->in) != 0)
		return err_set(e, ERR_BAD_INPUT, 0, "the body ended early");
	rq->body_len = (size_t)got;
	return ERR_OK;
}

/* ---- the response ---- */
struct fcgi_sink {
	struct sink sink; /* first: what the stream sees */
	FCGX_Stream *out;
};

static int sink_write(struct sink *s, const char *p, size_t len)
{
	struct fcgi_sink *mine = (struct fcgi_sink *)s;

	while (len > 0) {
		int n = len > COPY_CHUNK ? COPY_CHUNK : (int)len;
		if (FCGX_PutStr(p, n, mine->out) != n)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_file(const struct response *rs, struct sink *out)
{
	char buf[COPY_CHUNK];
	int64_t left = rs->fd_len, off = rs->fd_off;

	while (left > 0) {
		ssize_t n = pread(rs->fd, buf, left < COPY_CHUNK ? (size_t)left : COPY_CHUNK, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		if (out->write(out, buf, (size_t)n) < 0)
			return -1;
		off += n;
		left -= n;
	}
	return 0;
}

/* nginx passes the line on as it is, and some clients want a reason phrase (RFC 9110, 15). */
static const char *reason(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} table[] = {
		{ 200, "OK" }, { 303, "See Other" }, { 304, "Not Modified" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 409, "Conflict" }, { 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
		{ 421, "Misdirected Request" }, { 429, "Too Many Requests" }, { 500, "Internal Server Error" },
		{ 503, "Service Unavailable" }, { 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (table[i].status == status)
			return table[i].phrase;
	}
	return "Other";
}

static void send_head(const struct request *rq, const struct response *rs, struct sink *out)
{
	struct strbuf head;

	strbuf_init(&head);
	strbuf_printf(&head, "Status: %d %s\r\n", rs->status, reason(rs->status));
	if (rs->status != 304 && rs->status != 204)
		strbuf_printf(&head, "Content-Type: %s\r\n", rs->type);
	for (int i = 0; i < rs->header_count; i++)
		strbuf_printf(&head, "%s: %s\r\n", rs->headers[i].name, rs->headers[i].value);
	if (rs->fd >= 0)
		strbuf_printf(&head, "Content-Length: %lld\r\n", (long long)rs->fd_len);
	else if (rs->stream == NULL && rs->status != 304)
		strbuf_printf(&head, "Content-Length: %zu\r\n", rs->body.len);
	strbuf_printf(&head, "X-Request-Id: %s\r\n\r\n", rq->id);
	(void)out->write(out, head.buf, head.len);
	strbuf_release(&head);
}

static void send_response(FCGX_Request *io, const struct request *rq, struct response *rs)
{
	struct fcgi_sink s = { .sink.write = sink_write, .out = io->out };

	send_head(rq, rs, &s.sink);
	if (strcmp(rq->method, "HEAD") == 0 || rs->status == 304)
		return;
	if (rs->stream != NULL)
		(void)rs->stream(&s.sink, rs->stream_arg); /* a client that left needs no answer */
	else if (rs->fd >= 0)
		(void)send_file(rs, &s.sink);
	else
		(void)s.sink.write(&s.sink, rs->body.buf, rs->body.len);
}

static void handle(FCGX_Request *io, body_limit_fn *limit, serve_fn *serve, void *arg)
{
	struct request rq = { 0 };
	struct response rs;
	struct errinfo e;

	response_init(&rs);
	read_head(io, &rq);
	if (read_body(io, &rq, limit(&rq, arg), &e) != ERR_OK)
		response_error(&rs, &e);
	else
		serve(&rq, &rs, arg);
	send_response(io, &rq, &rs);
	response_release(&rs);
	arena_reset(&rq.arena);
}

void fcgi_serve(int listener, const sigset_t *unblocked, const volatile sig_atomic_t *stop,
		body_limit_fn *limit, serve_fn *serve, void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int waiting = epoll_create1(EPOLL_CLOEXEC);
	FCGX_Request io;

	/* Exclusive: a connection wakes one worker.  With poll it woke all, and all but one went for nothing. */
	if (FCGX_Init() != 0 || /* leaves signal handlers alone that the caller has installed */
	    waiting < 0 || epoll_ctl(waiting, EPOLL_CTL_ADD, listener, &ev) < 0) {
		log_event(LOG_ERROR, "http.init_failed");
		return;
	}
	FCGX_InitRequest(&io, listener, FCGI_FAIL_ACCEPT_ON_INTR);
	while (!*stop) {
		if (epoll_pwait(waiting, &ev, 1, -1, unblocked) < 0)
			continue; /* the only place a stop signal can land */
		/* Accept reads the request's head and can hang on half of one: the alarm's default action ends
		 * the process, and the pool's parent starts another. */
		alarm(REQUEST_LIMIT_S);
		int rc = FCGX_Accept_r(&io);
		if (rc == 0) {
			handle(&io, limit, serve, arg);
			FCGX_Finish_r(&io);
			FCGX_Free(&io, 1);
		}
		alarm(0);
		if (rc < 0 && rc != -EAGAIN) {
			log_event(LOG_WARN, "http.accept_failed", LOG_I("rc", rc));
			FCGX_Free(&io, 1);
			FCGX_InitRequest(&io, listener, FCGI_FAIL_ACCEPT_ON_INTR);
		}
	}
	close(waiting);
}

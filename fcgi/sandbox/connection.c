/*
 * libwebsockets reads heads and bodies and tells when a connection can be written; everything else
 * is decided in route.c.  What we found in its source (4.1.6) and guard against:
 *
 * - A POST without Content-Length has "100 MiB to come", and chunked bodies are not decoded: bytes
 *   of the next request would be taken for body.  Transfer-Encoding is refused, a POST without a
 *   length is answered and the connection closed.
 * - Content-Length goes through atoll: we check its digits ourselves.
 * - Between request and answer more bytes may arrive (pipelining): reading is paused, or poll would
 *   spin.
 * - An Upgrade it does not know is answered in HTML, h2c is taken: anything but websocket is refused
 *   here.
 */
#include "sandbox/connection.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/number.h"
#include "sandbox/exchange.h"
#include "sandbox/terminal.h"

enum { WRITE_S = 30, DISCARD_MAX = 64 * 1024 * 1024 };

struct connection { /* libwebsockets zeroes and frees it; lives as long as the connection */
	struct exchange *x;
	bool close_after; /* the framing after this request is not to be trusted */
	bool reading;     /* body bytes are for x */
	struct terminal *terminal; /* after an upgrade, and then there is no x */
};

/* ---- one request ---- */
static void forget(struct connection *c)
{
	exchange_free(c->x);
	c->x = NULL;
	c->reading = false;
	c->close_after = false;
}

static void on_ready(struct exchange *x)
{
	/* The library does not write on a connection whose reading is paused. */
	(void)lws_rx_flow_control(x->connection, 1);
	lws_callback_on_writable(x->connection);
}

static void run(struct lws *wsi, struct connection *c)
{
	(void)lws_rx_flow_control(wsi, 0);
	lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, WRITE_S);
	route_run(c->x);
}

static const char *header(struct exchange *x, struct lws *wsi, enum lws_token_indexes which)
{
	int len = lws_hdr_total_length(wsi, which);

	if (len <= 0)
		return NULL;
	char *text = arena_alloc(&x->arena, (size_t)len + 1);
	return lws_hdr_copy(wsi, text, len + 1, which) >= 0 ? text : NULL;
}

static const char *method_of(struct lws *wsi)
{
	static const struct {
		enum lws_token_indexes token;
		const char *name;
	} methods[] = {
		{ WSI_TOKEN_GET_URI, "GET" },         { WSI_TOKEN_POST_URI, "POST" },
		{ WSI_TOKEN_PUT_URI, "PUT" },         { WSI_TOKEN_DELETE_URI, "DELETE" },
		{ WSI_TOKEN_HEAD_URI, "HEAD" },       { WSI_TOKEN_PATCH_URI, "PATCH" },
		{ WSI_TOKEN_OPTIONS_URI, "OPTIONS" },
	};

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (lws_hdr_total_length(wsi, methods[i].token) > 0)
			return methods[i].name;
	}
	return "?";
}

static void fill(struct exchange *x, struct lws *wsi, const char *path)
{
	char value[32];

	x->method = method_of(wsi);
	x->path = arena_strdup(&x->arena, path);
	x->authorization = header(x, wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	x->host = header(x, wsi, WSI_TOKEN_HOST);
	x->origin = header(x, wsi, WSI_TOKEN_ORIGIN);
	const char *arg = lws_get_urlarg_by_name(wsi, "offset=", value, (int)sizeof value);
	if (arg != NULL)
		x->offset = arena_strdup(&x->arena, arg);
}

/* How much body follows.  Anything doubtful is refused, and the connection with it. */
static enum err body_length(struct connection *c, struct exchange *x, struct lws *wsi, int64_t *len,
			    struct errinfo *e)
{
	const char *text = header(x, wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);

	*len = 0;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
		c->close_after = true;
		return err_set(e, ERR_BAD_INPUT, 0,
			       "Content-Length is wanted, not Transfer-Encoding");
	}
	if (text != NULL && number_parse(text, 0, NUMBER_MAX, len) < 0) {
		c->close_after = true;
		return err_set(e, ERR_BAD_INPUT, 0, "Content-Length: one number is wanted");
	}
	if (text == NULL && strcmp(x->method, "GET") != 0)
		c->close_after = true; /* no body, by the book; the library thinks otherwise */
	if (*len > DISCARD_MAX)
		c->close_after = true;
	if (*len > BODY_MAX)
		return err_set(e, ERR_TOO_LARGE, 0, "a body of at most %d bytes is wanted",
			       BODY_MAX);
	return ERR_OK;
}

/* A client that sends "Expect: 100-continue" holds its body back for a second otherwise. */
static int invite_body(struct lws *wsi)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	unsigned char buf[LWS_PRE + sizeof go_on];

	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_EXPECT) == 0)
		return 0;
	memcpy(buf + LWS_PRE, go_on, sizeof go_on);
	return lws_write(wsi, buf + LWS_PRE, sizeof go_on - 1, LWS_WRITE_HTTP) < 0 ? -1 : 0;
}

static int on_request(struct connections *s, struct lws *wsi, struct connection *c,
		      const char *path)
{
	struct errinfo e = { 0 };
	const char *allow = NULL;
	int64_t len = 0;

	forget(c);
	struct exchange *x = c->x = exchange_new(s->life, s->capacity);
	x->connection = wsi;
	x->ready = on_ready;
	fill(x, wsi, path);
	enum err framing = body_length(c, x, wsi, &len, &e);
	enum err rc = framing != ERR_OK && framing != ERR_TOO_LARGE
			      ? framing
			      : route_check(x, s->secret, s->tcp, &allow, &e);
	if (rc == ERR_OK)
		rc = framing;
	if (rc != ERR_OK) {
		exchange_error(x, &e, allow); /* the library throws the body away, however long it
						 takes to come */
		return 0;
	}
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 &&
	    (len > 0 || strcmp(x->method, "POST") == 0)) {
		x->body = xmalloc((size_t)len + 1);
		c->reading = true;
		return invite_body(wsi);
	}
	run(wsi, c);
	return 0;
}

static int on_body(struct connection *c, const void *p, size_t len)
{
	struct exchange *x = c->x;

	if (!c->reading || len == 0)
		return 0; /* refused already */
	if (x->body_len + len > BODY_MAX)
		return -1;
	memcpy(x->body + x->body_len, p, len);
	x->body_len += len;
	return 0;
}

static int on_body_end(struct lws *wsi, struct connection *c)
{
	if (!c->reading)
		return 0;
	c->reading = false;
	run(wsi, c);
	return 0;
}

/* ---- sending ---- */

/* The next piece of the answer; 0 at its end, -1 when the log cannot be read. */
static ssize_t next_piece(struct exchange *x, size_t *at, unsigned char *to)
{
	size_t left = x->out.len - *at;

	if (left > 0) {
		size_t n = left < CONNECTION_CHUNK ? left : CONNECTION_CHUNK;
		memcpy(to, x->out.buf + *at, n);
		*at += n;
		return (ssize_t)n;
	}
	if (x->file_left == 0)
		return 0;
	ssize_t n = pread(x->file, to,
			  x->file_left < CONNECTION_CHUNK ? (size_t)x->file_left : CONNECTION_CHUNK,
			  x->file_at);
	if (n <= 0)
		return -1; /* shorter than promised: only a broken connection tells the truth */
	x->file_at += n;
	x->file_left -= n;
	return n;
}

static int on_writable(struct lws *wsi, struct connection *c)
{
	static unsigned char buf[LWS_PRE + CONNECTION_CHUNK];
	struct exchange *x = c->x;
	size_t at = 0;

	if (x == NULL || !x->answered)
		return 0;
	ssize_t n = next_piece(x, &at, buf + LWS_PRE);
	if (n < 0)
		return -1;
	if (n > 0 && lws_write(wsi, buf + LWS_PRE, (size_t)n, LWS_WRITE_HTTP) < 0)
		return -1;
	memmove(x->out.buf, x->out.buf + at, x->out.len - at);
	x->out.len -= at;
	if (x->out.len > 0 || x->file_left > 0) {
		lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, WRITE_S);
		lws_callback_on_writable(wsi);
		return 0;
	}
	bool close_now = c->close_after;
	forget(c);
	if (close_now)
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* ---- terminals ---- */
static int query_number(struct lws *wsi, const char *name, int64_t min, int64_t max, int64_t *out)
{
	char value[32];
	const char *text = lws_get_urlarg_by_name(wsi, name, value, (int)sizeof value);

	return text == NULL ? 0 : number_parse(text, min, max, out);
}

/* Checked like any request; *out is the terminal of an upgrade that may go on. */
static enum err open_terminal(struct connections *s, struct lws *wsi, struct exchange *x,
			      struct terminal **out, struct errinfo *e)
{
	static const char prefix[] = "/ws/terminal/";
	struct terminal_want want = { .offset = -1 };
	const char *allow;
	int64_t cols = 0, rows = 0;
	enum err rc = route_check(x, s->secret, s->tcp, &allow, e);

	if (rc != ERR_OK)
		return rc;
	if (strncmp(x->path, prefix, sizeof prefix - 1) != 0)
		return err_set(e, ERR_NOT_FOUND, 0, "no terminal at this path");
	if (query_number(wsi, "cols=", 1, TERMINAL_CELLS_MAX, &cols) < 0 ||
	    query_number(wsi, "rows=", 1, TERMINAL_CELLS_MAX, &rows) < 0 ||
	    query_number(wsi, "offset=", 0, NUMBER_MAX, &want.offset) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "cols, rows, offset: whole numbers are wanted");
	want.id = x->path + sizeof prefix - 1;
	want.cols = (int)cols;
	want.rows = (int)rows;
	return terminal_new(s->feeds, &want, out, e);
}

/* 0: go on; the terminal waits in the connection's opaque pointer until the handshake is through. */
static int on_upgrade(struct connections *s, struct lws *wsi, const char *to)
{
	struct exchange *x = exchange_new(s->life, s->capacity);
	struct terminal *terminal = NULL;
	struct errinfo e = { 0 };
	enum err rc = ERR_BAD_INPUT;

	if (strcmp(to, "websocket") == 0) {
		const char *path = header(x, wsi, WSI_TOKEN_GET_URI);
		fill(x, wsi, path != NULL ? path : "");
		rc = open_terminal(s, wsi, x, &terminal, &e);
	}
	exchange_free(x);
	lws_set_opaque_user_data(wsi, terminal);
	if (rc == ERR_OK)
		return 0;
	return lws_return_http_status(wsi, (unsigned)err_status(rc), NULL) < 0 ? -1 : 1;
}

static void take_terminal(struct lws *wsi, struct connection *c)
{
	c->terminal = lws_get_opaque_user_data(wsi);
	lws_set_opaque_user_data(wsi, NULL);
	terminal_open(c->terminal, wsi);
}

/* The handshake never came through. */
static void drop_terminal(struct lws *wsi)
{
	terminal_free(lws_get_opaque_user_data(wsi));
	lws_set_opaque_user_data(wsi, NULL);
}

/* ---- the library's calls ---- */
size_t connection_size(void)
{
	return sizeof(struct connection);
}

int connection_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len)
{
	struct connections *s = lws_context_user(lws_get_context(wsi));
	struct connection *c = user;

	switch ((int)reason) {
	case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
		return s->open >= CONNECTIONS_MAX;
	case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
		s->open++;
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		if (s->open > 0)
			s->open--;
		drop_terminal(wsi);
		return 0;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return on_upgrade(s, wsi, in);
	case LWS_CALLBACK_ESTABLISHED:
		take_terminal(wsi, c);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return terminal_receive(c->terminal, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return terminal_writable(c->terminal);
	case LWS_CALLBACK_CLOSED:
		terminal_free(c->terminal);
		c->terminal = NULL;
		return 0;
	case LWS_CALLBACK_HTTP:
		return on_request(s, wsi, c, in);
	case LWS_CALLBACK_HTTP_BODY:
		return on_body(c, in, len);
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return on_body_end(wsi, c);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return on_writable(wsi, c);
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		if (c != NULL)
			forget(c);
		return 0;
	default:
		return 0;
	}
}

int connection_garbage(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t len)
{
	static const char no[] =
		"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: "
		"61\r\n"
		"Connection: close\r\n\r\n"
		"{\"error\":{\"code\":\"bad_request\",\"message\":\"this is no HTTP\"}}\n";
	unsigned char buf[LWS_PRE + sizeof no];

	(void)user;
	(void)in;
	(void)len;
	if (reason != LWS_CALLBACK_RAW_RX)
		return 0;
	memcpy(buf + LWS_PRE, no, sizeof no);
	(void)lws_write(wsi, buf + LWS_PRE, sizeof no - 1, LWS_WRITE_RAW);
	return -1;
}

#include "relay/wsock.h"

#include <errno.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/strbuf.h"
#include "relay/wsframe.h"

enum { HEADER_MAX = 8192, PING_S = 30, DEAD_S = 45, HANDSHAKE_S = 10, VIEWER_PIECE = 1024, KEY = 24 /* characters of a Sec-WebSocket-Key */,
       TX_PACKET = WSOCK_PIECE + WSFRAME_HEAD_MAX /* else what is sent is cut to rx_buffer_size */ };

struct watch {
	lws_sorted_usec_list_t rest; /* lws hands it back: first, so that it is the watch */
	struct lws *wsi;
	int64_t rest_ms;
	void (*fn)(void *);
	void *arg;
};

struct wsock {
	struct lws_context *context;
	struct lws_vhost *vhost;
	const struct wsock_ops *ops;
	void *app;
	int signals;
	bool quit;
};

/* A WebSocket that we opened and whose frames we read ourselves (wsframe.h). */
struct own {
	char *request; /* until it is sent */
	char accept[WSFRAME_ACCEPT + 4]; /* the encoder wants more room than it fills */
	char *answer; /* until it is whole */
	size_t answer_len;
	struct wsframe_reader reader;
	char pong[WSFRAME_CONTROL_MAX];
	int pong_len; /* -1: none is owed */
	bool heard, ping, paused;
};

struct conn {
	struct lws *wsi;
	const struct conn_ops *ops;
	void *owner;
	struct own *own; /* NULL: the library does it */
	bool stream, closing, opened;
	int close_code;
	char *secret; /* outgoing: sent in the handshake, then wiped */
	bool *failed; /* while wsock_connect runs: set instead of calling `closed` */
};

/* What the library keeps per connection: the conn is ours, since it must outlive a failed handshake. */
struct slot {
	struct conn *c;
};

static struct wsock *wsock_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

/* ---- heads ---- */
static const char *header(struct arena *a, struct lws *wsi, enum lws_token_indexes token)
{
	int len = lws_hdr_total_length(wsi, token);

	if (len <= 0 || len > HEADER_MAX)
		return "";
	char *buf = arena_alloc(a, (size_t)len + 1);
	return lws_hdr_copy(wsi, buf, len + 1, token) == len ? buf : "";
}

/* Headers the library has no token for. */
static const char *custom_header(struct arena *a, struct lws *wsi, const char *name)
{
	int name_len = (int)strlen(name), len = lws_hdr_custom_length(wsi, name, name_len);

	if (len <= 0 || len > HEADER_MAX)
		return "";
	char *buf = arena_alloc(a, (size_t)len + 1);
	return lws_hdr_custom_copy(wsi, buf, len + 1, name, name_len) >= 0 ? buf : "";
}

/* The library cuts the query into its fragments; put it together again. */
static const char *query_of(struct arena *a, struct lws *wsi)
{
	char *all = arena_strdup(a, ""), part[HEADER_MAX];

	for (int i = 0; lws_hdr_copy_fragment(wsi, part, sizeof part, WSI_TOKEN_HTTP_URI_ARGS, i) > 0; i++)
		all = arena_printf(a, "%s%s%s", all, i > 0 ? "&" : "", part);
	return all;
}

static void read_head(struct arena *a, struct lws *wsi, bool websocket, struct upgrade *u)
{
	u->path = header(a, wsi, WSI_TOKEN_GET_URI);
	u->query = query_of(a, wsi);
	u->host = header(a, wsi, WSI_TOKEN_HOST);
	u->origin = header(a, wsi, WSI_TOKEN_ORIGIN);
	u->cookie = header(a, wsi, WSI_TOKEN_HTTP_COOKIE);
	u->authorization = header(a, wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	u->fetch_site = custom_header(a, wsi, "sec-fetch-site:");
	u->last_event_id = custom_header(a, wsi, "last-event-id:");
	u->websocket = websocket;
}

static struct conn *new_conn(struct lws *wsi)
{
	struct conn *c = xmalloc(sizeof *c);

	memset(c, 0, sizeof *c);
	c->wsi = wsi;
	return c;
}

static void free_conn(struct conn *c)
{
	if (c->secret != NULL) {
		explicit_bzero(c->secret, strlen(c->secret));
		free(c->secret);
	}
	if (c->own != NULL) {
		if (c->own->request != NULL)
			explicit_bzero(c->own->request, strlen(c->own->request)); /* the secret */
		free(c->own->request);
		free(c->own->answer);
		free(c->own);
	}
	free(c);
}

/* The status of a refusal, or 0 and slot->c is set. */
static int accept_conn(struct lws *wsi, struct slot *slot, bool websocket)
{
	struct wsock *w = wsock_of(wsi);
	struct arena a = { 0 };
	struct upgrade u;

	read_head(&a, wsi, websocket, &u);
	struct conn *c = new_conn(wsi);
	c->stream = !websocket;
	int status = w->ops->accept(w->app, &u, c, &c->owner, &c->ops);
	arena_reset(&a);
	if (status != 0) {
		free_conn(c);
		return status;
	}
	slot->c = c;
	return 0;
}

/* ---- events common to all ---- */
static void gone(struct slot *slot)
{
	struct conn *c = slot->c;

	if (c == NULL)
		return;
	slot->c = NULL;
	c->wsi = NULL;
	if (c->failed != NULL)
		*c->failed = true;
	else
		c->ops->closed(c->owner, c->close_code);
	free_conn(c);
}

static int received(struct lws *wsi, struct conn *c, const char *p, size_t len)
{
	if (c == NULL || c->closing)
		return 0;
	bool last = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
	c->ops->receive(c->owner, p, len, lws_frame_is_binary(wsi) == 0, lws_is_first_fragment(wsi) != 0, last);
	return 0;
}

static int writable(struct lws *wsi, struct conn *c)
{
	if (c == NULL)
		return 0;
	if (c->close_code < 0)
		return -1;
	if (c->closing) {
		if (!c->stream)
			lws_close_reason(wsi, (enum lws_close_status)c->close_code, NULL, 0);
		return -1;
	}
	c->ops->writable(c->owner);
	return c->close_code < 0 ? -1 : 0;
}

/* ---- WebSockets ---- */
static int on_upgrade(struct lws *wsi)
{
	struct slot probe = { 0 };

	/* Room for the conn exists only after the upgrade: it waits in the connection's opaque pointer. */
	int status = accept_conn(wsi, &probe, true);
	if (status == 0) {
		lws_set_opaque_user_data(wsi, probe.c);
		return 0;
	}
	if (lws_return_http_status(wsi, (unsigned)status, NULL) < 0)
		return -1;
	return 1;
}

static void first_open(struct slot *slot, struct lws *wsi)
{
	slot->c = lws_get_opaque_user_data(wsi);
	lws_set_opaque_user_data(wsi, NULL);
	if (slot->c == NULL)
		return;
	slot->c->wsi = wsi;
	slot->c->opened = true;
	slot->c->ops->open(slot->c->owner);
}

/* Accepted and dropped before the handshake was through. */
static void drop_waiting(struct lws *wsi)
{
	struct slot waiting = { lws_get_opaque_user_data(wsi) };

	lws_set_opaque_user_data(wsi, NULL);
	gone(&waiting);
}

static int on_viewer(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct slot *slot = user;

	switch ((int)reason) {
	case LWS_CALLBACK_ESTABLISHED:
		first_open(slot, wsi);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return received(wsi, slot->c, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return writable(wsi, slot->c);
	case LWS_CALLBACK_CLOSED:
		gone(slot);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		drop_waiting(wsi);
		return 0;
	default:
		return 0;
	}
}

/* ---- WebSockets to the host ---- */
static int add_bearer(struct lws *wsi, struct conn *c, unsigned char **at, size_t room)
{
	char value[600];

	if (c == NULL || c->secret == NULL)
		return 0;
	int n = snprintf(value, sizeof value, "Bearer %s", c->secret);
	int rc = n < 0 || (size_t)n >= sizeof value ||
		 lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, (unsigned char *)value, n, at, *at + room);
	explicit_bzero(value, sizeof value);
	return rc ? -1 : 0;
}

static int on_host(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct conn *c = lws_get_opaque_user_data(wsi);

	(void)user;
	switch ((int)reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return add_bearer(wsi, c, in, len);
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		if (c != NULL && c->closing)
			return -1; /* nobody waits for it any more */
		if (c != NULL) {
			c->wsi = wsi;
			c->opened = true;
			c->ops->open(c->owner);
		}
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return received(wsi, c, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return writable(wsi, c);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		if (c != NULL && len >= 2)
			c->close_code = ((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1];
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		drop_waiting(wsi); /* the same pointer: cleared before `closed` is called, once */
		return 0;
	default:
		return 0;
	}
}

/* ---- WebSockets to the host whose frames we read ourselves ---- */
static void write_raw(struct conn *c, unsigned char *p, size_t len)
{
	if (lws_write(c->wsi, p, len, LWS_WRITE_RAW) < 0)
		c->close_code = -1;
}

static void own_frame(struct conn *c, enum wsframe_op op, bool last, const char *p, size_t len)
{
	static unsigned char buf[LWS_PRE + WSFRAME_HEAD_MAX + WSOCK_PIECE];
	unsigned char mask[4];

	rand_bytes(mask, sizeof mask);
	write_raw(c, buf + LWS_PRE, wsframe_write(buf + LWS_PRE, op, last, mask, p, len));
}

static void own_request(struct conn *c, const char *host, const char *path)
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	struct strbuf s;
	char random[16], key[KEY + 4], text[KEY + 4 + sizeof magic];
	unsigned char sum[20];

	rand_bytes(random, sizeof random);
	(void)lws_b64_encode_string(random, (int)sizeof random, key, (int)sizeof key);
	(void)snprintf(text, sizeof text, "%s%s", key, magic);
	(void)lws_SHA1((unsigned char *)text, strlen(text), sum);
	(void)lws_b64_encode_string((const char *)sum, (int)sizeof sum, c->own->accept, (int)sizeof c->own->accept);
	strbuf_init(&s);
	strbuf_printf(&s,
		      "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
		      path, host, key);
	if (c->secret != NULL)
		strbuf_printf(&s, "Authorization: Bearer %s\r\n", c->secret);
	strbuf_puts(&s, "\r\n");
	c->own->request = s.buf;
}

static int own_writable(struct lws *wsi, struct conn *c)
{
	unsigned char buf[LWS_PRE + HEADER_MAX];
	struct own *o = c->own;
	size_t len = o->request != NULL ? strlen(o->request) : 0;
	char code[2] = { (char)(c->close_code >> 8), (char)(c->close_code & 0xFF) };

	if (c->close_code < 0 || len > HEADER_MAX || (c->closing && !c->opened))
		return -1;
	if (len > 0) {
		memcpy(buf + LWS_PRE, o->request, len);
		write_raw(c, buf + LWS_PRE, len);
		explicit_bzero(buf, sizeof buf);
		explicit_bzero(o->request, len);
		free(o->request);
		o->request = NULL;
	} else if (c->closing) {
		own_frame(c, WSFRAME_CLOSE, true, code, sizeof code);
		return -1;
	} else if (o->pong_len >= 0) {
		own_frame(c, WSFRAME_PONG, true, o->pong, (size_t)o->pong_len);
		o->pong_len = -1;
		lws_callback_on_writable(wsi);
	} else if (o->ping) {
		own_frame(c, WSFRAME_PING, true, "", 0);
		o->ping = false;
		lws_callback_on_writable(wsi);
	} else if (c->opened) {
		c->ops->writable(c->owner);
	}
	return c->close_code < 0 ? -1 : 0;
}

static int own_connected(struct lws *wsi, struct conn *c)
{
	c->wsi = wsi;
	if (c->closing)
		return -1; /* nobody waits for it any more; the next line would call off its end */
	lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, HANDSHAKE_S);
	lws_callback_on_writable(wsi);
	return 0;
}

/* Collect the head of the answer; *p and *len become what follows it.  -1: refused. */
static int own_answer(struct lws *wsi, struct conn *c, const char **p, size_t *len)
{
	struct own *o = c->own;
	size_t room = WSFRAME_ANSWER_MAX - o->answer_len, n = *len < room ? *len : room, before = o->answer_len;

	if (o->answer == NULL)
		o->answer = xmalloc(WSFRAME_ANSWER_MAX);
	memcpy(o->answer + o->answer_len, *p, n);
	o->answer_len += n;
	int head = wsframe_answer(o->answer, o->answer_len, o->accept);
	if (head < 0)
		return -1;
	if (head == 0) {
		*len = 0;
		return 0;
	}
	*p += (size_t)head - before;
	*len -= (size_t)head - before;
	free(o->answer);
	o->answer = NULL;
	c->opened = true;
	lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
	lws_set_timer_usecs(wsi, PING_S * LWS_US_PER_SEC);
	c->ops->open(c->owner);
	return 0;
}

static int own_control(struct lws *wsi, struct conn *c, const struct wsframe_part *part)
{
	struct own *o = c->own;

	if (part->op == WSFRAME_PING && o->pong_len < 0) {
		memcpy(o->pong, part->p, part->len);
		o->pong_len = (int)part->len;
		lws_callback_on_writable(wsi);
	} else if (part->op == WSFRAME_CLOSE) {
		if (part->len >= 2)
			c->close_code = (unsigned char)part->p[0] << 8 | (unsigned char)part->p[1];
		return -1;
	}
	return 0;
}

static int own_received(struct lws *wsi, struct conn *c, const char *p, size_t len)
{
	struct own *o = c->own;
	struct wsframe_part part;

	o->heard = true;
	if (c->closing)
		return c->opened ? 0 : -1;
	if (!c->opened && own_answer(wsi, c, &p, &len) < 0)
		return -1;
	while (c->opened && !c->closing) {
		switch (wsframe_read(&o->reader, &p, &len, &part)) {
		case WSFRAME_IS_NOTHING:
			return 0;
		case WSFRAME_IS_BAD:
			return -1;
		case WSFRAME_IS_CONTROL:
			if (own_control(wsi, c, &part) < 0)
				return -1;
			break;
		case WSFRAME_IS_DATA:
			c->ops->receive(c->owner, part.p, part.len, part.text, part.first, part.last);
			break;
		}
	}
	return 0;
}

/* A peer that said nothing between two pings is dead; one that we do not listen to is not. */
static int own_tick(struct lws *wsi, struct conn *c)
{
	struct own *o = c->own;

	if (!o->heard && !o->paused)
		return -1;
	o->heard = false;
	o->ping = true;
	lws_callback_on_writable(wsi);
	lws_set_timer_usecs(wsi, PING_S * LWS_US_PER_SEC);
	return 0;
}

static int on_own(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct conn *c = lws_get_opaque_user_data(wsi);

	(void)user;
	if (c == NULL)
		return 0;
	switch ((int)reason) {
	case LWS_CALLBACK_RAW_CONNECTED:
		return own_connected(wsi, c);
	case LWS_CALLBACK_RAW_RX:
		return own_received(wsi, c, in, len);
	case LWS_CALLBACK_RAW_WRITEABLE:
		return own_writable(wsi, c);
	case LWS_CALLBACK_TIMER:
		return own_tick(wsi, c);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
	case LWS_CALLBACK_RAW_CLOSE:
		drop_waiting(wsi);
		return 0;
	default:
		return 0;
	}
}

/* ---- event streams ---- */
static int stream_head(struct lws *wsi)
{
	unsigned char buf[LWS_PRE + 512], *start = buf + LWS_PRE, *p = start, *end = buf + sizeof buf;

	if (lws_add_http_common_headers(wsi, 200, "text/event-stream", LWS_ILLEGAL_HTTP_CONTENT_LEN, &p, end) ||
	    lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CACHE_CONTROL, (const unsigned char *)"no-store", 8, &p, end) ||
	    lws_finalize_write_http_header(wsi, start, &p, end))
		return -1;
	lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
	return 0;
}

static int on_get(struct lws *wsi, struct slot *slot)
{
	int status = accept_conn(wsi, slot, false);

	if (status != 0)
		return lws_return_http_status(wsi, (unsigned)status, NULL) < 0 || lws_http_transaction_completed(wsi) ? -1 : 0;
	if (stream_head(wsi) < 0)
		return -1;
	slot->c->opened = true;
	slot->c->ops->open(slot->c->owner);
	return 0;
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct slot *slot = user;

	switch ((int)reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return on_upgrade(wsi);
	case LWS_CALLBACK_HTTP:
		return on_get(wsi, slot);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return slot != NULL ? writable(wsi, slot->c) : 0;
	case LWS_CALLBACK_CLOSED_HTTP:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
		if (slot != NULL)
			gone(slot);
		return 0;
	default:
		/* A client that names no subprotocol gets the first protocol, and none has to name one. */
		return on_viewer(wsi, reason, user, in, len);
	}
}

/* ---- descriptors ---- */
static void on_rested(lws_sorted_usec_list_t *rest)
{
	struct watch *watch = (struct watch *)(void *)rest;

	lws_rx_flow_control(watch->wsi, 1);
}

static int on_watch(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct watch *watch = lws_get_opaque_user_data(wsi);

	(void)user;
	(void)in;
	(void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE && watch != NULL) {
		watch->fn(watch->arg);
		if (watch->rest_ms > 0) {
			lws_rx_flow_control(wsi, 0);
			lws_sul_schedule(lws_get_context(wsi), 0, &watch->rest, on_rested, watch->rest_ms * LWS_US_PER_MS);
		}
	} else if (reason == LWS_CALLBACK_RAW_CLOSE_FILE && watch != NULL) {
		/* WSI_DESTROY follows, and goes to the first protocol: it must not find our pointer. */
		lws_set_opaque_user_data(wsi, NULL);
		lws_sul_cancel(&watch->rest);
		free(watch);
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
	{ .name = "http", .callback = on_http, .per_session_data_size = sizeof(struct slot),
	  .rx_buffer_size = VIEWER_PIECE, .tx_packet_size = TX_PACKET },
	{ .name = "host", .callback = on_host, .rx_buffer_size = WSOCK_PIECE, .tx_packet_size = TX_PACKET },
	{ .name = "own", .callback = on_own, .tx_packet_size = TX_PACKET },
	{ .name = "watch", .callback = on_watch },
	{ 0 },
};

enum err wsock_watch(struct wsock *w, int fd, int64_t rest_ms, void (*fn)(void *), void *arg, struct errinfo *e)
{
	lws_sock_file_fd_type desc = { .filefd = fd };
	struct watch *watch = xmalloc(sizeof *watch);

	memset(watch, 0, sizeof *watch);
	watch->rest_ms = rest_ms;
	watch->fn = fn;
	watch->arg = arg;
	struct lws *wsi = lws_adopt_descriptor_vhost(w->vhost, LWS_ADOPT_RAW_FILE_DESC, desc, "watch", NULL);
	if (wsi == NULL) {
		free(watch);
		return err_set(e, ERR_IO, 0, "a descriptor cannot be watched");
	}
	watch->wsi = wsi;
	lws_set_opaque_user_data(wsi, watch);
	return ERR_OK;
}

/* ---- timers ---- */
struct timer_room {
	lws_sorted_usec_list_t sul;
};
_Static_assert(sizeof(struct timer_room) <= sizeof((struct wsock_timer *)0)->room, "room for the library's timer");

static void on_timer(lws_sorted_usec_list_t *sul)
{
	struct wsock_timer *t = (struct wsock_timer *)(void *)sul;

	t->fn(t->arg);
}

void wsock_timer_set(struct wsock *w, struct wsock_timer *t, int64_t ms, void (*fn)(void *), void *arg)
{
	lws_sorted_usec_list_t *sul = (lws_sorted_usec_list_t *)(void *)t->room;

	t->fn = fn;
	t->arg = arg;
	lws_sul_schedule(w->context, 0, sul, on_timer,
			 ms < 0 ? (lws_usec_t)LWS_SET_TIMER_USEC_CANCEL : (lws_usec_t)ms * LWS_US_PER_MS);
}

/* ---- opening, sending, closing ---- */
/* "http://host:port" into its parts; NULL when it is none. */
static const char *split_url(struct arena *a, const char *url, struct lws_client_connect_info *i)
{
	if (strncmp(url, "unix:", 5) == 0) {
		i->address = arena_printf(a, "+%s", url + 5);
		i->host = "localhost";
		return i->address;
	}
	bool tls = strncmp(url, "https://", 8) == 0;
	if (!tls && strncmp(url, "http://", 7) != 0)
		return NULL;
	char *name = arena_strdup(a, url + (tls ? 8 : 7));
	name[strcspn(name, "/")] = '\0';
	i->host = arena_strdup(a, name);
	char *colon = strrchr(name, ':');
	i->port = colon != NULL ? (int)strtol(colon + 1, NULL, 10) : tls ? 443 : 80;
	if (colon != NULL)
		*colon = '\0';
	i->ssl_connection = tls ? LCCSCF_USE_SSL : 0;
	i->address = name;
	return name;
}

struct conn *wsock_connect(struct wsock *w, const char *url, const char *path, const char *secret, void *owner,
			   const struct conn_ops *ops)
{
	struct lws_client_connect_info i = { .context = w->context, .vhost = w->vhost, .path = path,
					     .local_protocol_name = "host", .ietf_version_or_minus_one = -1 };
	struct arena a = { 0 };
	struct conn *c = NULL;
	bool failed = false;

	if (split_url(&a, url, &i) != NULL) {
		c = new_conn(NULL);
		c->failed = &failed;
		c->owner = owner;
		c->ops = ops;
		c->secret = secret != NULL ? xstrdup(secret) : NULL;
		if (i.ssl_connection == 0) { /* its raw client cannot do TLS */
			i.method = "RAW";
			i.local_protocol_name = "own";
			c->own = memset(xmalloc(sizeof *c->own), 0, sizeof *c->own);
			c->own->pong_len = -1;
			own_request(c, i.host, path);
		}
		i.opaque_user_data = c;
		/* The library may tell on_host of a failure before it returns, or not: then c is still ours. */
		struct lws *wsi = lws_client_connect_via_info(&i);
		if (!failed && wsi == NULL)
			free_conn(c);
		if (failed || wsi == NULL)
			c = NULL;
		else
			c->failed = NULL;
	}
	arena_reset(&a);
	return c;
}

void conn_want_write(struct conn *c)
{
	if (c->wsi != NULL && c->opened)
		lws_callback_on_writable(c->wsi);
}

bool conn_ready(struct conn *c)
{
	return c->wsi != NULL && c->opened && !c->closing && c->close_code >= 0 && lws_send_pipe_choked(c->wsi) == 0;
}

bool conn_backed_up(const struct conn *c)
{
	return c->wsi != NULL && lws_partial_buffered(c->wsi) != 0;
}

void conn_send(struct conn *c, const char *p, size_t len, bool text, bool first, bool last)
{
	static unsigned char buf[LWS_PRE + WSOCK_PIECE];

	if (c->own != NULL) {
		own_frame(c, !first ? WSFRAME_MORE : text ? WSFRAME_TEXT : WSFRAME_BINARY, last, p, len);
		return;
	}
	int how = c->stream ? LWS_WRITE_HTTP
			    : lws_write_ws_flags(text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY, first, last);

	memcpy(buf + LWS_PRE, p, len);
	if (lws_write(c->wsi, buf + LWS_PRE, len, (enum lws_write_protocol)how) < 0) {
		c->close_code = -1;
		lws_callback_on_writable(c->wsi); /* which ends it */
	}
}

void conn_pause(struct conn *c, bool pause)
{
	if (c->wsi == NULL || !c->opened)
		return;
	if (c->own != NULL)
		c->own->paused = pause;
	lws_rx_flow_control(c->wsi, pause ? 0 : 1);
}

void conn_close(struct conn *c, int code)
{
	if (c->closing)
		return;
	c->closing = true;
	c->close_code = code;
	if (c->wsi == NULL)
		return;
	if (c->opened)
		lws_callback_on_writable(c->wsi); /* the close frame goes out from there */
	else
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
}

/* ---- the loop ---- */
static void on_signal(void *arg)
{
	struct wsock *w = arg;
	struct signalfd_siginfo si;

	while (read(w->signals, &si, sizeof si) == (ssize_t)sizeof si)
		w->ops->stop(w->app);
}

static void lws_says(int level, const char *line)
{
	char text[200];

	(void)snprintf(text, sizeof text, "%.199s", line);
	text[strcspn(text, "\n")] = '\0';
	log_event(level == LLL_ERR ? LOG_WARN : LOG_DEBUG, "lws.note", LOG_S("text", text));
}

/* The library sizes its tables by the limit of descriptors, which may be millions. */
static void limit_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max < 2 * WSOCK_CONNECTIONS ? r.rlim_max : 2 * WSOCK_CONNECTIONS;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static bool listen_on(struct wsock *w, const char *path)
{
	static const lws_retry_bo_t alive = { .secs_since_valid_ping = PING_S, .secs_since_valid_hangup = DEAD_S };
	struct lws_context_creation_info info = { 0 };

	info.protocols = protocols;
	info.user = w;
	info.iface = path;
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
		       LWS_SERVER_OPTION_UNIX_SOCK | LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_VALIDATE_UTF8 |
		       LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	info.timeout_secs = 10;
	info.pt_serv_buf_size = WSOCK_PIECE; /* of which raw connections leave LWS_PRE free */
	info.retry_and_idle_policy = &alive;
	w->context = lws_create_context(&info);
	if (w->context == NULL)
		return false;
	mode_t old = umask(0117); /* 0660 from the first moment */
	w->vhost = lws_create_vhost(w->context, &info);
	umask(old);
	return w->vhost != NULL;
}

enum err wsock_open(struct wsock **out, const char *path, const struct wsock_ops *ops, void *app,
		    struct errinfo *e)
{
	struct wsock *w = xmalloc(sizeof *w);
	sigset_t set;

	memset(w, 0, sizeof *w);
	*out = NULL;
	w->ops = ops;
	w->app = app;
	limit_descriptors();
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_says);
	if (unlink(path) < 0 && errno != ENOENT) {
		free(w);
		return err_set(e, ERR_IO, errno, "remove the old %s", path);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!listen_on(w, path) || w->signals < 0) {
		if (w->context != NULL)
			lws_context_destroy(w->context);
		free(w);
		return err_set(e, ERR_IO, 0, "cannot listen on %s", path);
	}
	*out = w;
	return wsock_watch(w, w->signals, 0, on_signal, w, e);
}

void wsock_run(struct wsock *w)
{
	while (!w->quit && lws_service(w->context, 0) >= 0) {
	}
}

void wsock_quit(struct wsock *w)
{
	w->quit = true;
	lws_cancel_service(w->context);
}

void wsock_close(struct wsock *w)
{
	lws_context_destroy(w->context);
	free(w);
}

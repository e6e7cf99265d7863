#include "watch/net.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/strbuf.h"

enum { PIECE = 16 * 1024, TEXT_MAX = 64 * 1024, PING_S = 15, DEAD_S = 25, WATCHED_MAX = 4 };

struct watched {
	struct net *net;
	void (*fn)(void *);
};

struct net {
	lws_sorted_usec_list_t timer; /* first: on_timer finds the rest behind it */
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct lws *line;
	const struct net_ops *ops;
	void *owner;
	void (*then)(void *);
	char *host, *token; /* host:port as in the URL */
	bool tls, open, hang_up, quit;
	bool told; /* the end of the last connection */
	int code;
	struct strbuf in;               /* a text message being put together */
	struct strbuf typing, controls; /* on their way out; each control with its newline */
	struct watched watched[WATCHED_MAX];
	size_t watched_count;
};

/* ---- the WebSocket ---- */
static int add_bearer(struct net *n, struct lws *line, unsigned char **at, size_t room)
{
	char value[600];
	int len = snprintf(value, sizeof value, "Bearer %s", n->token);
	int bad = len < 0 || (size_t)len >= sizeof value ||
		  lws_add_http_header_by_token(line, WSI_TOKEN_HTTP_AUTHORIZATION,
					       (unsigned char *)value, len, at, *at + room);

	explicit_bzero(value, sizeof value);
	return bad ? -1 : 0;
}

static void received(struct net *n, struct lws *line, const char *p, size_t len)
{
	if (n->hang_up)
		return;
	if (lws_frame_is_binary(line)) {
		n->ops->bytes(n->owner, p, len);
		return;
	}
	if (lws_is_first_fragment(line))
		strbuf_reset(&n->in);
	if (n->in.len + len > TEXT_MAX)
		return;
	strbuf_add(&n->in, p, len);
	if (lws_is_final_fragment(line) && lws_remaining_packet_payload(line) == 0)
		n->ops->text(n->owner, n->in.buf, n->in.len);
}

static void drop_front(struct strbuf *sb, size_t n)
{
	memmove(sb->buf, sb->buf + n, sb->len - n);
	sb->len -= n;
	sb->buf[sb->len] = '\0';
}

static int write_one(struct net *n, struct lws *line)
{
	static unsigned char buf[LWS_PRE + PIECE];
	const char *newline = memchr(n->controls.buf, '\n', n->controls.len);
	bool text = newline != NULL;
	struct strbuf *from = text ? &n->controls : &n->typing;
	size_t len = text                    ? (size_t)(newline - n->controls.buf)
		     : n->typing.len < PIECE ? n->typing.len
					     : PIECE;

	if (n->hang_up) {
		lws_close_reason(line, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		return -1;
	}
	if (len == 0 || len > PIECE)
		return 0;
	memcpy(buf + LWS_PRE, from->buf, len);
	drop_front(from, len + text);
	if (lws_write(line, buf + LWS_PRE, len, text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) < 0)
		return -1;
	if (n->controls.len > 0 || n->typing.len > 0)
		lws_callback_on_writable(line);
	return 0;
}

static void gone(struct net *n, struct lws *line)
{
	if (n->line != line || line == NULL)
		return;
	n->line = NULL;
	n->told = true;
	n->open = n->hang_up = false;
	strbuf_reset(&n->typing);
	strbuf_reset(&n->controls);
	n->ops->closed(n->owner, n->code);
}

static int on_line(struct lws *line, enum lws_callback_reasons reason, void *user, void *in,
		   size_t len)
{
	struct net *n = lws_context_user(lws_get_context(line));

	(void)user;
	switch ((int)reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return add_bearer(n, line, in, len);
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		n->line = line;
		n->open = true;
		n->ops->open(n->owner);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		received(n, line, in, len);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return write_one(n, line);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		if (len >= 2)
			n->code = ((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1];
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		n->code = (int)lws_http_client_http_response(line);
		n->line = line;
		gone(n, line);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
		gone(n, line);
		return 0;
	default:
		return 0;
	}
}

void net_connect(struct net *n, const char *path)
{
	struct arena a = { 0 };
	char *name = arena_strdup(&a, n->host), *colon = strrchr(name, ':');
	bool has_port = colon != NULL && strchr(colon, ']') == NULL;
	struct lws_client_connect_info i = { .context = n->context,
					     .vhost = n->vhost,
					     .address = name,
					     .host = n->host,
					     .path = path,
					     .local_protocol_name = "line",
					     .ietf_version_or_minus_one = -1,
					     .ssl_connection = n->tls ? LCCSCF_USE_SSL : 0 };

	i.port = has_port ? (int)strtol(colon + 1, NULL, 10) : n->tls ? 443 : 80;
	if (has_port)
		*colon = '\0';
	n->code = 0;
	n->told = false;
	/* A failure at once may or may not have been told to on_line. */
	bool failed = lws_client_connect_via_info(&i) == NULL;
	arena_reset(&a);
	if (failed && !n->told)
		n->ops->closed(n->owner, 0);
}

bool net_connected(const struct net *n)
{
	return n->open && !n->hang_up;
}

void net_hang_up(struct net *n)
{
	if (!net_connected(n))
		return;
	n->hang_up = true;
	lws_callback_on_writable(n->line);
}

void net_send(struct net *n, const char *p, size_t len, bool text)
{
	if (!net_connected(n))
		return;
	strbuf_add(text ? &n->controls : &n->typing, p, len);
	if (text)
		strbuf_putc(&n->controls, '\n');
	lws_callback_on_writable(n->line);
}

/* ---- descriptors and the timer ---- */
static int on_watched(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		      size_t len)
{
	struct watched *w = lws_get_opaque_user_data(wsi);

	(void)user;
	(void)in;
	(void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE && w != NULL)
		w->fn(w->net->owner);
	return 0;
}

bool net_watch(struct net *n, int fd, void (*fn)(void *owner))
{
	lws_sock_file_fd_type desc = { .filefd = fd };

	if (n->watched_count == WATCHED_MAX)
		return false;
	struct watched *w = &n->watched[n->watched_count++];
	*w = (struct watched){ n, fn };
	struct lws *wsi = lws_adopt_descriptor_vhost(n->vhost, LWS_ADOPT_RAW_FILE_DESC, desc,
						     "watched", NULL);
	if (wsi != NULL)
		lws_set_opaque_user_data(wsi, w);
	return wsi != NULL;
}

static void on_timer(lws_sorted_usec_list_t *sul)
{
	struct net *n = (struct net *)(void *)sul;

	n->then(n->owner);
}

void net_after(struct net *n, int64_t ms, void (*fn)(void *owner))
{
	n->then = fn;
	lws_sul_schedule(n->context, 0, &n->timer, on_timer, (lws_usec_t)ms * LWS_US_PER_MS);
}

/* ---- the loop ---- */
static const struct lws_protocols protocols[] = {
	{ .name = "line", .callback = on_line, .rx_buffer_size = PIECE, .tx_packet_size = PIECE },
	{ .name = "watched", .callback = on_watched },
	{ 0 },
};

static bool make_loop(struct net *n)
{
	static const lws_retry_bo_t alive = { .secs_since_valid_ping = PING_S,
					      .secs_since_valid_hangup = DEAD_S };
	struct lws_context_creation_info info = { 0 };

	lws_set_log_level(0, NULL);
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.protocols = protocols;
	info.user = n;
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	info.timeout_secs = 10;
	info.fd_limit_per_thread = 64;
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
		       (n->tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0);
	info.retry_and_idle_policy = &alive;
	n->context = lws_create_context(&info);
	n->vhost = n->context != NULL ? lws_create_vhost(n->context, &info) : NULL;
	return n->vhost != NULL;
}

struct net *net_new(const char *url, const char *token, const struct net_ops *ops, void *owner)
{
	bool tls = strncmp(url, "https://", 8) == 0;

	if (!tls && strncmp(url, "http://", 7) != 0)
		return NULL;
	struct net *n = xmalloc(sizeof *n);
	memset(n, 0, sizeof *n);
	n->ops = ops;
	n->owner = owner;
	n->tls = tls;
	n->host = xstrdup(url + (tls ? 8 : 7));
	n->host[strcspn(n->host, "/")] = '\0';
	n->token = xstrdup(token);
	strbuf_init(&n->in);
	strbuf_init(&n->typing);
	strbuf_init(&n->controls);
	if (*n->host != '\0' && make_loop(n))
		return n;
	net_free(n);
	return NULL;
}

void net_free(struct net *n)
{
	n->line = NULL; /* nobody is told any more */
	if (n->context != NULL)
		lws_context_destroy(n->context);
	explicit_bzero(n->token, strlen(n->token));
	free(n->token);
	free(n->host);
	strbuf_release(&n->in);
	strbuf_release(&n->typing);
	strbuf_release(&n->controls);
	free(n);
}

void net_run(struct net *n)
{
	while (!n->quit && lws_service(n->context, 0) >= 0) {
	}
}

void net_quit(struct net *n)
{
	n->quit = true;
	lws_cancel_service(n->context);
}

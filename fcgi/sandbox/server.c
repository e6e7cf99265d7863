/*
 * libwebsockets reads heads and bodies and tells when a connection can be written; everything else is decided in
 * route.c.  What we found in its source (4.1.6) and guard against:
 *   - a POST without Content-Length has "100 MiB to come", chunked bodies are not decoded: bytes of the next request would
 *     be taken for body.  Transfer-Encoding is refused, a POST without length is answered and the connection closed;
 *   - Content-Length goes through atoll: we check its digits ourselves;
 *   - between request and answer more bytes may arrive (pipelining): reading is paused, or poll would spin;
 *   - an Upgrade it does not know is answered in HTML, h2c is taken: both refused here.
 */
#include "sandbox/server.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/log.h"
#include "core/number.h"
#include "sandbox/exchange.h"

enum { CHUNK = 32 * 1024, CONNECTIONS_MAX = 512, FDS_MAX = 4096, HEAD_S = 10, WRITE_S = 30, DISCARD_MAX = 64 * 1024 * 1024 };

struct server {
	const struct server_conf *conf;
	struct life *life;
	struct lws_context *context;
	int signals;
	bool tcp, stop;
	int connections;
};

struct connection { /* libwebsockets zeroes and frees it; lives as long as the connection */
	struct exchange *x;
	bool close_after; /* the framing after this request is not to be trusted */
	bool reading;     /* body bytes are for x */
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
static enum err body_length(struct connection *c, struct exchange *x, struct lws *wsi, int64_t *len, struct errinfo *e)
{
	const char *text = header(x, wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);

	*len = 0;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
		c->close_after = true;
		return err_set(e, ERR_BAD_INPUT, 0, "Content-Length is wanted, not Transfer-Encoding");
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
		return err_set(e, ERR_TOO_LARGE, 0, "a body of at most %d bytes is wanted", BODY_MAX);
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

static int on_request(struct server *s, struct lws *wsi, struct connection *c, const char *path)
{
	struct errinfo e = { 0 };
	const char *allow = NULL;
	int64_t len = 0;

	forget(c);
	struct exchange *x = c->x = exchange_new(s->life, s->conf->capacity);
	x->connection = wsi;
	x->ready = on_ready;
	fill(x, wsi, path);
	enum err framing = body_length(c, x, wsi, &len, &e);
	enum err rc = framing != ERR_OK && framing != ERR_TOO_LARGE
			      ? framing
			      : route_check(x, s->conf->secret, s->tcp, &allow, &e);
	if (rc == ERR_OK)
		rc = framing;
	if (rc != ERR_OK) {
		exchange_error(x, &e, allow); /* the library throws the body away, however long it takes to come */
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
		size_t n = left < CHUNK ? left : CHUNK;
		memcpy(to, x->out.buf + *at, n);
		*at += n;
		return (ssize_t)n;
	}
	if (x->file_left == 0)
		return 0;
	ssize_t n = pread(x->file, to, x->file_left < CHUNK ? (size_t)x->file_left : CHUNK, x->file_at);
	if (n <= 0)
		return -1; /* shorter than promised: only a broken connection tells the truth */
	x->file_at += n;
	x->file_left -= n;
	return n;
}

static int on_writable(struct lws *wsi, struct connection *c)
{
	static unsigned char buf[LWS_PRE + CHUNK];
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

/* ---- the library's calls ---- */
static struct server *server_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct server *s = server_of(wsi);
	struct connection *c = user;

	switch ((int)reason) {
	case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
		return s->connections >= CONNECTIONS_MAX;
	case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
		s->connections++;
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		if (s->connections > 0)
			s->connections--;
		return 0;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return -1;
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

/* What the library's parser cannot take for HTTP comes here, as raw bytes. */
static int on_garbage(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	static const char no[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 61\r\n"
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

static int on_life(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	(void)user;
	(void)in;
	(void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		life_step(server_of(wsi)->life);
	return 0;
}

static int on_signal(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct server *s = server_of(wsi);
	struct signalfd_siginfo info;

	(void)user;
	(void)in;
	(void)len;
	if (reason != LWS_CALLBACK_RAW_RX_FILE)
		return 0;
	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGUSR1) {
			log_event(LOG_INFO, "host.drain", LOG_I("boxes", life_count(s->life)));
			life_drain(s->life);
		} else {
			s->stop = true;
		}
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
	{ .name = "http", .callback = on_http, .per_session_data_size = sizeof(struct connection) },
	{ .name = "garbage", .callback = on_garbage },
	{ .name = "life", .callback = on_life },
	{ .name = "signal", .callback = on_signal },
	{ 0 },
};

/* ---- listening ---- */
static bool is_loopback(const char *address, size_t len)
{
	return (len == 9 && strncmp(address, "127.0.0.1", 9) == 0) || (len == 9 && strncmp(address, "localhost", 9) == 0);
}

enum err server_check_listen(const struct server_conf *conf, struct errinfo *e)
{
	const char *colon = strrchr(conf->listen, ':');
	int64_t port = 0;

	if (strncmp(conf->listen, "unix:", 5) == 0) {
		if (conf->listen[5] != '/' || strlen(conf->listen + 5) >= sizeof((struct sockaddr_un *)0)->sun_path)
			return err_set(e, ERR_BAD_INPUT, 0, "--listen: an absolute path of at most 107 bytes is wanted");
		return ERR_OK;
	}
	if (colon == NULL || colon == conf->listen || number_parse(colon + 1, 1, 65535, &port) < 0)
		return err_set(e, ERR_BAD_INPUT, 0, "--listen: unix:/path or 127.0.0.1:PORT is wanted");
	if (conf->secret == NULL && !is_loopback(conf->listen, (size_t)(colon - conf->listen)))
		return err_set(e, ERR_BAD_INPUT, 0, "--listen: without a secret only a unix socket or 127.0.0.1 is allowed");
	return ERR_OK;
}

/* What a killed predecessor left is removed (the library does it when binding); what serves, or is no socket, stays. */
static enum err check_stale(const char *path, struct errinfo *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct stat st;

	if (lstat(path, &st) < 0)
		return ERR_OK;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_BAD_INPUT, 0, "--listen: %.150s is there and is no socket", path);
	memcpy(to.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served = fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return served ? err_set(e, ERR_BAD_INPUT, 0, "--listen: another process serves %.150s", path) : ERR_OK;
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
	r.rlim_cur = r.rlim_max < FDS_MAX ? r.rlim_max : FDS_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static struct lws_vhost *listen_on(struct server *s, char *address, size_t size)
{
	struct lws_context_creation_info info = { 0 };
	bool is_unix = strncmp(s->conf->listen, "unix:", 5) == 0;
	const char *from = is_unix ? s->conf->listen + 5 : s->conf->listen;
	size_t len = is_unix ? strlen(from) : (size_t)(strrchr(from, ':') - from);

	if (len >= size)
		return NULL;
	memcpy(address, from, len);
	address[len] = '\0';
	info.protocols = protocols;
	info.user = s;
	info.iface = address;
	info.port = is_unix ? 0 : (int)strtol(from + len + 1, NULL, 10);
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
		       LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG |
		       (is_unix ? LWS_SERVER_OPTION_UNIX_SOCK : 0);
	info.listen_accept_role = "raw-skt";
	info.listen_accept_protocol = "garbage";
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	info.timeout_secs = HEAD_S;
	info.keepalive_timeout = 60;
	info.pt_serv_buf_size = CHUNK;
	info.max_http_header_data = 16 * 1024;
	s->context = lws_create_context(&info);
	if (s->context == NULL)
		return NULL;
	mode_t old = umask(0117); /* 0660 from the first moment */
	struct lws_vhost *vhost = lws_create_vhost(s->context, &info);
	umask(old);
	return vhost;
}

static bool adopt(struct lws_vhost *vhost, int fd, const char *protocol)
{
	lws_sock_file_fd_type desc = { .filefd = fd };

	return lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, desc, protocol, NULL) != NULL;
}

static int signal_descriptor(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum err server_run(const struct server_conf *conf, struct life *life, struct errinfo *e)
{
	struct server s = { .conf = conf, .life = life, .tcp = strncmp(conf->listen, "unix:", 5) != 0 };
	char address[sizeof((struct sockaddr_un *)0)->sun_path];

	if (!s.tcp && check_stale(conf->listen + 5, e) != ERR_OK)
		return e->code;
	limit_descriptors();
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_says);
	struct lws_vhost *vhost = listen_on(&s, address, sizeof address);
	s.signals = signal_descriptor();
	/* The library closes what it adopted: give it a copy of life's. */
	int copy = dup(life_fd(life));
	if (vhost == NULL || s.signals < 0 || copy < 0 || !adopt(vhost, s.signals, "signal") ||
	    !adopt(vhost, copy, "life")) {
		if (s.context != NULL)
			lws_context_destroy(s.context);
		return err_set(e, ERR_IO, 0, "cannot listen on %.150s", conf->listen);
	}
	log_event(LOG_INFO, "host.ready", LOG_S("listen", conf->listen), LOG_I("boxes", life_count(life)),
		  LOG_I("capacity", conf->capacity), LOG_I("secret", conf->secret != NULL));
	while (!s.stop && !life_drained(life) && lws_service(s.context, 0) >= 0) {
	}
	lws_context_destroy(s.context);
	if (!s.tcp)
		(void)unlink(conf->listen + 5);
	return ERR_OK;
}

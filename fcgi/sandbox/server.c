/*
 * Listening, and the loop that carries connections, boxes and signals.
 */
#include "sandbox/server.h"

#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/log.h"
#include "sandbox/address.h"
#include "sandbox/connection.h"
#include "sandbox/feed.h"

enum { FDS_MAX = 8192, HEAD_S = 10, KEEPALIVE_S = 60, PING_S = 30, DEAD_S = 45, HEAD_MAX = 16 * 1024,
       TX_PACKET = 80 * 1024 /* a terminal's chunk and its frame's head go out in one piece */ };

struct server {
	struct connections
		connections; /* first: connection.c finds it as the context's user data */
	const char *listen;
	struct lws_context *context;
	int signals;
	bool stop;
};

static struct server *server_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

static int on_life(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		   size_t len)
{
	(void)user;
	(void)in;
	(void)len;
	struct connections *c = &server_of(wsi)->connections;
	if (reason != LWS_CALLBACK_RAW_RX_FILE)
		return 0;
	life_step(c->life);
	feeds_check(c->feeds); /* a box may have ended: its viewers are told */
	return 0;
}

static int on_feeds(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len)
{
	(void)user;
	(void)in;
	(void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		feeds_step(server_of(wsi)->connections.feeds);
	return 0;
}

static int on_signal(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		     size_t len)
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
			struct life *life = s->connections.life;
			log_event(LOG_INFO, "host.drain", LOG_I("boxes", life_count(life)));
			life_drain(life);
		} else {
			s->stop = true;
		}
	}
	return 0;
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
	static struct lws_protocols protocols[] = {
		/* without tx_packet_size what is sent is cut to rx_buffer_size */
		{ .name = "http",
		  .callback = connection_http,
		  .rx_buffer_size = 4096,
		  .tx_packet_size = TX_PACKET },
		{ .name = "garbage", .callback = connection_garbage },
		{ .name = "life", .callback = on_life },
		{ .name = "feeds", .callback = on_feeds },
		{ .name = "signal", .callback = on_signal },
		{ 0 },
	};
	static const lws_retry_bo_t alive = { .secs_since_valid_ping = PING_S,
					      .secs_since_valid_hangup = DEAD_S };
	struct lws_context_creation_info info = { 0 };
	bool is_unix = strncmp(s->listen, "unix:", 5) == 0;
	const char *from = is_unix ? s->listen + 5 : s->listen;
	size_t len = is_unix ? strlen(from) : (size_t)(strrchr(from, ':') - from);

	if (len >= size)
		return NULL;
	memcpy(address, from, len);
	address[len] = '\0';
	protocols[0].per_session_data_size = connection_size();
	info.protocols = protocols;
	info.user = s;
	info.iface = address;
	info.port = is_unix ? 0 : (int)strtol(from + len + 1, NULL, 10);
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
		       LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND | LWS_SERVER_OPTION_DISABLE_IPV6 |
		       LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG |
		       (is_unix ? LWS_SERVER_OPTION_UNIX_SOCK : 0);
	info.listen_accept_role = "raw-skt";
	info.listen_accept_protocol = "garbage";
	info.gid = -1;
	info.uid = -1;
	info.timeout_secs = HEAD_S;
	info.keepalive_timeout = KEEPALIVE_S;
	info.pt_serv_buf_size = CONNECTION_CHUNK;
	info.max_http_header_data = HEAD_MAX;
	info.retry_and_idle_policy = &alive;
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

	return lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, desc, protocol, NULL) !=
	       NULL;
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

/* Everything in place; NULL when not. */
static struct lws_vhost *begin(struct server *s)
{
	char address[sizeof((struct sockaddr_un *)0)->sun_path];
	struct lws_vhost *vhost = listen_on(s, address, sizeof address);

	s->signals = signal_descriptor();
	if (vhost == NULL || s->signals < 0 || !adopt(vhost, s->signals, "signal"))
		return NULL;
	/* The library closes what it adopted: it gets copies. */
	int life = dup(life_fd(s->connections.life)), feeds = dup(feeds_fd(s->connections.feeds));
	if (life < 0 || feeds < 0 || !adopt(vhost, life, "life") || !adopt(vhost, feeds, "feeds"))
		return NULL;
	return vhost;
}

enum err server_run(const struct server_conf *conf, struct life *life, struct errinfo *e)
{
	bool is_unix = strncmp(conf->listen, "unix:", 5) == 0;
	struct server s = { .listen = conf->listen,
			    .connections = { .life = life,
					     .feeds = feeds_new(life),
					     .secret = conf->secret,
					     .capacity = conf->capacity,
					     .tcp = !is_unix } };

	if (is_unix && address_check_stale(conf->listen + 5, e) != ERR_OK)
		return e->code;
	limit_descriptors();
	lws_set_log_level(LLL_ERR | LLL_WARN, lws_says);
	if (s.connections.feeds == NULL || begin(&s) == NULL) {
		if (s.context != NULL)
			lws_context_destroy(s.context);
		feeds_free(s.connections.feeds);
		return err_set(e, ERR_IO, 0, "cannot listen on %.150s", conf->listen);
	}
	log_event(LOG_INFO, "host.ready", LOG_S("listen", conf->listen),
		  LOG_I("boxes", life_count(life)), LOG_I("capacity", conf->capacity),
		  LOG_I("secret", conf->secret != NULL));
	while (!s.stop && !life_drained(life) && lws_service(s.context, 0) >= 0) {
	}
	lws_context_destroy(s.context);
	feeds_free(s.connections.feeds);
	if (is_unix)
		(void)unlink(conf->listen + 5);
	return ERR_OK;
}

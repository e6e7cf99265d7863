/*
 * The relay's event loop and its connections: WebSockets that browsers open, WebSockets the relay opens to a sandbox
 * host, and event streams (Server-Sent Events).  The only user of libwebsockets.
 *
 * One thread.  A `struct conn` lives from accept or wsock_connect until its `closed` call, during which it is still
 * valid and after which it is gone.
 */
#ifndef CHOMP_RELAY_WSOCK_H
#define CHOMP_RELAY_WSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

enum {
	WSOCK_PIECE = 64 * 1024, /* largest piece of a message handed to `receive`, and to conn_send */
	WSOCK_CONNECTIONS = 4096,
};

struct wsock;
struct conn;

/* The head of a request; text is "" when missing, and dies with the call. */
struct upgrade {
	const char *path, *query;
	const char *host, *origin, *cookie, *authorization, *fetch_site, *last_event_id;
	bool websocket; /* else a plain GET, answered by an event stream */
};

struct conn_ops {
	void (*open)(void *owner);
	/* One piece of a message.  The connection stays; call conn_close to end it. */
	void (*receive)(void *owner, const char *p, size_t len, bool text, bool first, bool last);
	/* There is room: send one piece, if there is any. */
	void (*writable)(void *owner);
	/* Ended, or never came to be (code 0). */
	void (*closed)(void *owner, int code);
};

struct wsock_ops {
	/* 0: taken; then *owner and *ops serve it.  Else the HTTP status of the refusal. */
	int (*accept)(void *app, const struct upgrade *u, struct conn *c, void **owner, const struct conn_ops **ops);
	void (*stop)(void *app); /* SIGTERM, SIGINT */
};

/* Listens on a unix socket (0660; a stale one is removed).  Stop signals must be blocked by the caller. */
enum err wsock_open(struct wsock **out, const char *path, const struct wsock_ops *ops, void *app,
		    struct errinfo *e);
void wsock_run(struct wsock *w); /* until wsock_quit */
void wsock_quit(struct wsock *w);
void wsock_close(struct wsock *w);

/* Call fn(arg) when fd is readable, and not again for rest_ms (0: at once).  The loop owns fd from now on. */
enum err wsock_watch(struct wsock *w, int fd, int64_t rest_ms, void (*fn)(void *), void *arg, struct errinfo *e);

/* A one-shot timer; memory is the caller's and must be all zero at first.  ms < 0 cancels. */
struct wsock_timer {
	uint64_t room[12];
	void (*fn)(void *);
	void *arg;
};
void wsock_timer_set(struct wsock *w, struct wsock_timer *t, int64_t ms, void (*fn)(void *), void *arg);

/*
 * Open a WebSocket.  url: "unix:/path", "http://host:port" or "https://…"; path with its query; secret (may be NULL) is sent
 * as bearer.  NULL when it failed at once: `closed` is not called then.
 */
struct conn *wsock_connect(struct wsock *w, const char *url, const char *path, const char *secret, void *owner,
			   const struct conn_ops *ops);

void conn_want_write(struct conn *c);
/*
 * One piece (at most WSOCK_PIECE bytes), inside `writable` or when conn_ready.  What the socket does not take is kept, and
 * then the connection is backed up.  Event streams ignore the flags.
 */
void conn_send(struct conn *c, const char *p, size_t len, bool text, bool first, bool last);
bool conn_ready(struct conn *c);
bool conn_backed_up(const struct conn *c);
void conn_pause(struct conn *c, bool pause); /* stop reading: the brake */
void conn_close(struct conn *c, int code);   /* soon; `closed` follows */

#endif

/*
 * The loop of chomp-watch: one WebSocket to chomp, descriptors, one timer.  The room's only user of
 * libwebsockets.
 */
#ifndef CHOMP_WATCH_NET_H
#define CHOMP_WATCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net;

struct net_ops {
	void (*open)(void *owner);
	void (*bytes)(void *owner, const char *p, size_t len);
	void (*text)(void *owner, const char *p, size_t len); /* a whole message */
	/* Gone: a close code (1000 and up), the HTTP status of a refusal, or 0 when nobody
	 * answered. */
	void (*closed)(void *owner, int code);
};

/* url: http://host[:port] or https://…; token is sent as bearer.  NULL: the url is none, or no loop
 * could be made. */
struct net *net_new(const char *url, const char *token, const struct net_ops *ops, void *owner);
void net_free(struct net *n);

/* `closed` always follows, unless the loop is left before. */
void net_connect(struct net *n, const char *path);
bool net_connected(const struct net *n);
void net_hang_up(struct net *n);
/* Queued; what does not leave before the connection ends is dropped. */
void net_send(struct net *n, const char *p, size_t len, bool text);

/* Call fn(owner) when fd is readable.  The loop owns fd from now on.  false: it cannot be watched.
 */
bool net_watch(struct net *n, int fd, void (*fn)(void *owner));
/* Call fn(owner) once, after ms; a later call replaces it. */
void net_after(struct net *n, int64_t ms, void (*fn)(void *owner));

void net_run(struct net *n); /* until net_quit */
void net_quit(struct net *n);

#endif

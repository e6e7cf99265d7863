/*
 * The WebSocket of the host: WS /ws/terminal/{sandboxId}?cols=&rows=&offset= (docs/PROTOCOL.md),
 * one per connection, on libwebsockets' callbacks that server.c passes on.
 *
 * A connection reads the log from its offset at its own pace; nothing is held in memory for it. Any
 * connection may type: who may is decided by the relay.
 */
#ifndef CHOMP_SANDBOX_TERMINAL_H
#define CHOMP_SANDBOX_TERMINAL_H

#include "sandbox/feed.h"

struct lws;
struct terminal;

struct terminal_want {
	const char *id;
	int64_t offset; /* -1: the last TERMINAL_REPLAY bytes */
	int cols, rows; /* 0: leave the size alone */
};

enum { TERMINAL_REPLAY = 1024 * 1024, TERMINAL_INPUT_MAX = 64 * 1024, TERMINAL_CELLS_MAX = 1000 };

/* ERR_NOT_FOUND when there is no such sandbox. */
enum err terminal_new(struct feeds *feeds, const struct terminal_want *want, struct terminal **out,
		      struct errinfo *e);
void terminal_free(struct terminal *t); /* NULL is fine */

void terminal_open(struct terminal *t, struct lws *wsi);
/* 0, or -1 to close the connection. */
int terminal_receive(struct terminal *t, const char *p, size_t len);
int terminal_writable(struct terminal *t);

#endif

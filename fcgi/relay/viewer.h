/* A viewer's own data: terminal.c moves it, frames.c reads and writes its messages. */
#ifndef CHOMP_RELAY_VIEWER_H
#define CHOMP_RELAY_VIEWER_H

#include "core/strbuf.h"
#include "relay/relay.h"
#include "relay/replay.h"

enum {
	TEXT_MESSAGE_MAX = 4096, /* control messages, either way */
	INPUT_MAX = 64 * 1024,	 /* one message of typing; also what waits for the host */
	MESSAGES_PER_S = 2000,
	SIZE_MAX_CELLS = 1000,
	PIECES_MAX = 256 * 1024,
};

enum link { LINK_WAITING, LINK_CONNECTING, LINK_LIVE, LINK_RECONNECTING, LINK_ENDED };

/*
 * A piece of a message from the host that the browser has no room for.  The host is told to wait while there is one; what
 * has been read already comes all the same, PIECES_MAX bytes at most.
 */
struct piece {
	struct piece *next;
	size_t len;
	bool text, first, last;
	char data[];
};

struct viewer {
	struct viewer *next, **prev;
	struct relay *relay;
	struct conn *browser, *host; /* host: NULL while there is none */
	struct credentials credentials;
	int64_t task;
	enum site site;
	char sid[24], sandbox[80]; /* of the session that is shown; sandbox "" until it is started */
	enum link link;
	int64_t offset; /* of the next byte this viewer wants, -1: whatever the host thinks best */
	int cols, rows;
	bool pen;
	bool told_size; /* the browser knows the size of who has the pen */
	bool over;   /* the session has ended: the host is asked for the rest, once */
	bool opened; /* the present connection to the host came through */
	bool ready;  /* the host has said so: what comes now is live */
	struct replay replay;
	struct piece *pieces, **pieces_end; /* from the host, on their way to the browser */
	size_t pieces_len;
	bool in_binary; /* a binary message has begun and not ended: no text may come between */
	struct strbuf notes; /* our own control messages, waiting for the browser; each with its newline */
	/* a text message being put together, from the browser and from the host */
	struct strbuf from_browser, from_host;
	size_t input_len; /* of the binary message being received from the browser */
	struct strbuf input;	/* typing that waits for the host */
	struct strbuf controls; /* control messages that wait for the host, each with its newline */
	struct wsock_timer retry;
	int tries;
	int64_t second; /* for the rate */
	int messages;
	int exit_code;
};

/* ---- frames.c ---- */
/* A control message for the browser. */
__attribute__((format(printf, 2, 3))) void viewer_note(struct viewer *v, const char *fmt, ...);
void viewer_tell_link(struct viewer *v);

/* Its size is a new one: the terminal and the others learn it, if it has the pen. */
void viewer_resized(struct viewer *v);

/* A whole control message from the browser, and from the host. */
void viewer_browser_text(struct viewer *v, const char *p, size_t len);
enum host_word { HOST_NONSENSE, HOST_OTHER, HOST_AT, HOST_READY, HOST_EXIT };
enum host_word viewer_host_text(struct viewer *v, const char *p, size_t len);

/* ---- pen.c ---- */
void pen_take(struct viewer *v);  /* from whoever has it */
void pen_offer(struct viewer *v); /* take it when nobody has it */
struct viewer *pen_holder(const struct viewer *v); /* NULL: nobody */
void pen_resized(struct viewer *v); /* v has it: the others are to be told its size */
void pen_leave(struct viewer *v); /* before it goes: the longest watching viewer inherits nothing, the pen is free */

#endif

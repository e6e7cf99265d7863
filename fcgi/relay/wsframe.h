/*
 * The client's end of a WebSocket as bytes (RFC 6455): the server's answer to the handshake, frames out, frames in.
 * Knows no socket.  The library's own client looks at every byte on its own, which at a flood costs more than everything
 * else on the way from the box to the browser.
 */
#ifndef CHOMP_RELAY_WSFRAME_H
#define CHOMP_RELAY_WSFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WSFRAME_HEAD_MAX = 14,
	WSFRAME_CONTROL_MAX = 125, /* payload of a ping, pong or close */
	WSFRAME_ANSWER_MAX = 4096,
	WSFRAME_ACCEPT = 28, /* characters of a Sec-WebSocket-Accept */
};

/* Length of the answer's head when it is an upgrade that fits `accept`; 0: not all there yet; -1: refused. */
int wsframe_answer(const char *p, size_t len, const char *accept);

enum wsframe_op { WSFRAME_MORE = 0, WSFRAME_TEXT = 1, WSFRAME_BINARY = 2, WSFRAME_CLOSE = 8, WSFRAME_PING = 9, WSFRAME_PONG = 10 };

/* One masked frame into out (WSFRAME_HEAD_MAX + len bytes); its length. */
size_t wsframe_write(unsigned char *out, enum wsframe_op op, bool last, const unsigned char mask[4], const char *p,
		     size_t len);

struct wsframe_reader { /* all zero is the start */
	unsigned char head[10];
	size_t head_len;
	bool inside; /* the head is complete, its payload is coming */
	uint64_t left;
	bool open, text, begun; /* a message has begun and not ended; its kind; some of it was handed out */
	char control[WSFRAME_CONTROL_MAX];
	size_t control_len;
};

enum wsframe_kind { WSFRAME_IS_NOTHING, WSFRAME_IS_DATA, WSFRAME_IS_CONTROL, WSFRAME_IS_BAD };

struct wsframe_part {
	const char *p; /* in what was given, or in the reader; until the next call */
	size_t len;
	bool text, first, last; /* of data: what of a message it is */
	enum wsframe_op op;	/* of a control frame */
};

/*
 * Take the next part out of *p, *len, which are moved on.  NOTHING: all is used up.  BAD: the peer breaks the protocol,
 * and nothing after this makes sense.
 */
enum wsframe_kind wsframe_read(struct wsframe_reader *r, const char **p, size_t *len, struct wsframe_part *out);

#endif

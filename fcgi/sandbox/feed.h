/*
 * What a sandbox's terminal shows, for any number of readers: its log, how it grows, how it ended,
 * and the way to type. One descriptor to wait for; a reader keeps an offset and nothing else.
 */
#ifndef CHOMP_SANDBOX_FEED_H
#define CHOMP_SANDBOX_FEED_H

#include <stdbool.h>
#include <sys/types.h>

#include "sandbox/life.h"

struct feeds;
struct feed;

struct feeds *feeds_new(struct life *life); /* NULL: no epoll */
void feeds_free(struct feeds *f);
int feeds_fd(const struct feeds *f); /* readable: call feeds_step */

/* Call news(reader) for the readers of every log that grew. */
void feeds_step(struct feeds *f);
/* The same for every box that ended; after life_step. */
void feeds_check(struct feeds *f);

struct feed_reader {
	struct feed_reader *next, **link;
	struct feed *feed;
	void (*news)(struct feed_reader *r);
};

/* ERR_NOT_FOUND: no such sandbox.  ERR_BUSY: its shim does not answer yet. */
enum err feed_join(struct feeds *f, const char *id, struct feed_reader *r, struct errinfo *e);
void feed_leave(struct feed_reader *r); /* harmless when it has not joined */

off_t feed_size(struct feed *f);
/* Bytes read, 0 when there are none (yet), -1 with errno. */
ssize_t feed_read(struct feed *f, void *buf, size_t len, off_t at);
bool feed_ended(const struct feed *f, int *code); /* no more bytes will come; code -1: not known */

/* Bytes typed, or -1 with errno: EAGAIN means later. */
ssize_t feed_type(struct feed *f, const char *p, size_t len);
int feed_resize(struct feed *f, int cols, int rows); /* 0, or -1: the box has ended */

#endif

#include "sandbox/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/ctl.h"

enum { AT_ONCE = 16 };

struct feeds {
	struct life *life;
	int epoll; /* of every feed's ctl */
	struct feed *all;
};

struct feed {
	struct feed *next;
	struct feeds *feeds;
	char id[SANDBOX_ID];
	int log, ctl, master; /* -1: none */
	bool ended;
	int code;
	struct feed_reader *readers;
};

struct feeds *feeds_new(struct life *life)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return NULL;
	struct feeds *f = memset(xmalloc(sizeof *f), 0, sizeof *f);
	f->life = life;
	f->epoll = fd;
	return f;
}

void feeds_free(struct feeds *f)
{
	if (f == NULL)
		return;
	close(f->epoll);
	free(f);
}

int feeds_fd(const struct feeds *f)
{
	return f->epoll;
}

/* ---- one feed ---- */
static enum err open_log(struct feed *f, struct errinfo *e)
{
	off_t size;

	return life_log(f->feeds->life, f->id, &f->log, &size, e);
}

static void hang_up(struct feed *f)
{
	if (f->ctl >= 0) {
		/* Closing alone would not take it out while a child that has not come to its exec holds a copy. */
		(void)epoll_ctl(f->feeds->epoll, EPOLL_CTL_DEL, f->ctl, NULL);
		close(f->ctl);
	}
	if (f->master >= 0)
		close(f->master);
	f->ctl = f->master = -1;
}

/* -1 with errno: EAGAIN when the shim is busy, else it listens not yet or no more, which life tells in time. */
static int connect_shim(struct feed *f)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = f };

	if (f->ctl >= 0)
		return 0;
	f->ctl = life_ctl(f->feeds->life, f->id);
	if (f->ctl < 0)
		return -1;
	if (epoll_ctl(f->feeds->epoll, EPOLL_CTL_ADD, f->ctl, &ev) == 0)
		return 0;
	hang_up(f);
	errno = EAGAIN;
	return -1;
}

static void look(struct feed *f)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct status st;

	if (!f->ended && life_status(f->feeds->life, &a, f->id, &st, &e) == ERR_OK && !st.running &&
	    (!st.alive || st.ended[0] != '\0')) {
		f->ended = true;
		f->code = st.has_code ? (int)st.exit_code : -1;
	}
	arena_reset(&a);
}

static void free_feed(struct feed *f)
{
	hang_up(f);
	if (f->log >= 0)
		close(f->log);
	free(f);
}

enum err feed_join(struct feeds *feeds, const char *id, struct feed_reader *r, struct errinfo *e)
{
	struct feed *f = feeds->all;

	while (f != NULL && strcmp(f->id, id) != 0)
		f = f->next;
	if (f == NULL) {
		f = memset(xmalloc(sizeof *f), 0, sizeof *f);
		f->feeds = feeds;
		f->log = f->ctl = f->master = -1;
		(void)snprintf(f->id, sizeof f->id, "%s", id);
		enum err rc = open_log(f, e);
		if (rc == ERR_OK && connect_shim(f) < 0 && errno == EAGAIN)
			rc = err_set(e, ERR_BUSY, 0, "the sandbox does not answer yet");
		if (rc != ERR_OK) {
			free_feed(f);
			return rc;
		}
		look(f);
		f->next = feeds->all;
		feeds->all = f;
	}
	r->feed = f;
	r->next = f->readers;
	r->link = &f->readers;
	if (r->next != NULL)
		r->next->link = &r->next;
	f->readers = r;
	return ERR_OK;
}

void feed_leave(struct feed_reader *r)
{
	struct feed *f = r->feed;

	if (f == NULL)
		return;
	r->feed = NULL;
	*r->link = r->next;
	if (r->next != NULL)
		r->next->link = r->link;
	if (f->readers != NULL)
		return;
	for (struct feed **p = &f->feeds->all; *p != NULL; p = &(*p)->next) {
		if (*p == f) {
			*p = f->next;
			break;
		}
	}
	free_feed(f);
}

static void tell(struct feed *f)
{
	for (struct feed_reader *r = f->readers, *next; r != NULL; r = next) {
		next = r->next;
		r->news(r);
	}
}

/* ---- what happens ---- */
static void hear(struct feed *f)
{
	int master, rc = ctl_take(f->ctl, &master);

	if (master >= 0) {
		if (f->master >= 0)
			close(f->master);
		f->master = master;
	}
	if (rc < 0)
		hang_up(f);
	if (rc != 0) /* whoever ends has written all there is */
		tell(f);
}

/* No news frees a feed: its readers leave from the loop's own calls. */
void feeds_step(struct feeds *feeds)
{
	struct epoll_event ev[AT_ONCE];
	int n = epoll_wait(feeds->epoll, ev, AT_ONCE, 0); /* the loop comes again when there is more */

	for (int i = 0; i < n; i++)
		hear(ev[i].data.ptr);
}

void feeds_check(struct feeds *feeds)
{
	for (struct feed *f = feeds->all; f != NULL; f = f->next) {
		if (f->ended)
			continue;
		look(f);
		if (f->ended)
			tell(f);
		else
			(void)connect_shim(f); /* it may just have begun to listen */
	}
}

off_t feed_size(struct feed *f)
{
	struct stat st;
	struct errinfo e;

	if (f->log < 0 && open_log(f, &e) != ERR_OK)
		return 0;
	return f->log >= 0 && fstat(f->log, &st) == 0 ? st.st_size : 0;
}

ssize_t feed_read(struct feed *f, void *buf, size_t len, off_t at)
{
	struct errinfo e;

	if (f->log < 0 && open_log(f, &e) != ERR_OK) {
		errno = EIO;
		return -1;
	}
	return f->log >= 0 ? pread(f->log, buf, len, at) : 0;
}

bool feed_ended(const struct feed *f, int *code)
{
	*code = f->code;
	return f->ended;
}

/* ---- typing ---- */
ssize_t feed_type(struct feed *f, const char *p, size_t len)
{
	if (f->master < 0) {
		errno = f->ctl >= 0 ? EAGAIN : ENOENT;
		return -1;
	}
	return write(f->master, p, len);
}

int feed_resize(struct feed *f, int cols, int rows)
{
	return f->ctl >= 0 ? ctl_send_size(f->ctl, cols, rows) : -1;
}

#include "sandbox/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/ctl.h"

struct feeds {
	struct life *life;
	int inotify;
	struct feed *all;
};

struct feed {
	struct feed *next;
	struct feeds *feeds;
	char id[SANDBOX_ID];
	int log, watch, ctl; /* -1: none */
	bool ended;
	int code;
	struct feed_reader *readers;
};

struct feeds *feeds_new(struct life *life)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return NULL;
	struct feeds *f = memset(xmalloc(sizeof *f), 0, sizeof *f);
	f->life = life;
	f->inotify = fd;
	return f;
}

void feeds_free(struct feeds *f)
{
	if (f == NULL)
		return;
	close(f->inotify);
	free(f);
}

int feeds_fd(const struct feeds *f)
{
	return f->inotify;
}

/* ---- one feed ---- */
static enum err open_log(struct feed *f, struct errinfo *e)
{
	char path[64];
	off_t size;
	enum err rc = life_log(f->feeds->life, f->id, &f->log, &size, e);

	if (rc != ERR_OK || f->log < 0)
		return rc;
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", f->log);
	f->watch = inotify_add_watch(f->feeds->inotify, path, IN_MODIFY);
	return f->watch >= 0 ? ERR_OK : err_set(e, ERR_IO, errno, "watch a log");
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
	if (f->watch >= 0)
		(void)inotify_rm_watch(f->feeds->inotify, f->watch);
	if (f->log >= 0)
		close(f->log);
	if (f->ctl >= 0)
		close(f->ctl);
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
		f->log = f->watch = f->ctl = -1;
		(void)snprintf(f->id, sizeof f->id, "%s", id);
		enum err rc = open_log(f, e);
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
void feeds_step(struct feeds *feeds)
{
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n = read(feeds->inotify, buf, sizeof buf); /* the loop comes again when there is more */

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const struct inotify_event *)(void *)(buf + at);
		at += (ssize_t)(sizeof *ev + ev->len);
		for (struct feed *f = feeds->all; f != NULL; f = f->next) {
			if (f->watch == ev->wd || (ev->mask & IN_Q_OVERFLOW) != 0)
				tell(f);
		}
	}
}

void feeds_check(struct feeds *feeds)
{
	for (struct feed *f = feeds->all; f != NULL; f = f->next) {
		if (f->ended)
			continue;
		look(f);
		if (f->ended)
			tell(f);
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
/* A shim that went away took its socket along: the next try makes a new connection, or says ENOENT.
 */
static int connected(struct feed *f)
{
	if (f->ctl < 0)
		f->ctl = life_ctl(f->feeds->life, f->id);
	return f->ctl >= 0 ? 0 : -1;
}

static int judge(struct feed *f, int rc)
{
	if (rc == 0 || errno == EAGAIN)
		return rc;
	int why = errno;
	close(f->ctl);
	f->ctl = -1;
	errno = why;
	return -1;
}

int feed_type(struct feed *f, const char *p, size_t len)
{
	return connected(f) < 0 ? -1 : judge(f, ctl_send_input(f->ctl, p, len));
}

int feed_resize(struct feed *f, int cols, int rows)
{
	return connected(f) < 0 ? -1 : judge(f, ctl_send_size(f->ctl, cols, rows));
}

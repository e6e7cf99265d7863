#include "relay/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"

enum { COALESCE_MS = 20, BEAT_MS = 25 * 1000 };

struct stream {
	struct stream *next, **link;
	struct relay *relay;
	struct conn *conn;
	struct credentials credentials;
	int64_t told; /* version */
	bool beat;
};

static void on_beat(void *arg)
{
	struct relay *r = arg;

	for (struct stream *s = r->streams; s != NULL; s = s->next) {
		s->beat = true;
		conn_want_write(s->conn);
	}
	if (r->streams != NULL)
		wsock_timer_set(r->loop, &r->beat, BEAT_MS, on_beat, r);
}

static void on_open(void *owner)
{
	struct stream *s = owner;

	s->beat = true; /* something at once: the client knows that it is connected */
	conn_want_write(s->conn);
}

static void on_receive(void *owner, const char *p, size_t len, bool text, bool first, bool last)
{
	(void)owner;
	(void)p;
	(void)len;
	(void)text;
	(void)first;
	(void)last;
}

static void on_writable(void *owner)
{
	struct stream *s = owner;
	char text[128];
	int n = 0;

	if (s->told != s->relay->version) {
		s->told = s->relay->version;
		n = snprintf(text, sizeof text, "id: %" PRId64 "\nevent: refreshTasks\ndata: %" PRId64 "\n\n", s->told,
			     s->told);
	} else if (s->beat) {
		n = snprintf(text, sizeof text, ": here\n\n");
	}
	s->beat = false;
	if (n > 0)
		conn_send(s->conn, text, (size_t)n, true, true, true);
}

static void on_closed(void *owner, int code)
{
	struct stream *s = owner;

	(void)code;
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	s->relay->stream_count--;
	credentials_release(&s->credentials);
	free(s);
}

static const struct conn_ops stream_ops = { on_open, on_receive, on_writable, on_closed };

int events_accept(struct relay *r, const struct upgrade *u, struct conn *c, void **owner,
		  const struct conn_ops **ops)
{
	struct credentials cred = { 0 };
	int64_t seen;
	int status = relay_admit(r, u, &cred);

	if (status != 0)
		return status;
	if (r->stream_count >= STREAMS_MAX) {
		credentials_release(&cred);
		return 503;
	}
	struct stream *s = xmalloc(sizeof *s);
	memset(s, 0, sizeof *s);
	s->relay = r;
	s->conn = c;
	s->credentials = cred;
	/* A page that comes back says what it saw last; a new one has just been rendered. */
	s->told = number_parse(u->last_event_id, 0, INT64_MAX, &seen) == 0 ? seen : r->version;
	s->next = r->streams;
	s->link = &r->streams;
	if (s->next != NULL)
		s->next->link = &s->next;
	r->streams = s;
	if (r->stream_count++ == 0)
		wsock_timer_set(r->loop, &r->beat, BEAT_MS, on_beat, r);
	*owner = s;
	*ops = &stream_ops;
	return 0;
}

static void announce(void *arg)
{
	struct relay *r = arg;

	r->announcing = false;
	for (struct stream *s = r->streams; s != NULL; s = s->next)
		conn_want_write(s->conn);
}

void events_changed(struct relay *r)
{
	if (r->streams == NULL || r->announcing)
		return; /* a running timer is not put off: a storm of changes must not silence it */
	r->announcing = true;
	wsock_timer_set(r->loop, &r->announce, COALESCE_MS, announce, r);
}

void events_recheck(struct relay *r)
{
	for (struct stream *s = r->streams; s != NULL; s = s->next) {
		if (!relay_still_good(r, &s->credentials))
			conn_close(s->conn, 1008);
	}
}

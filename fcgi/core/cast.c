#include "core/cast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/strbuf.h"

enum { FILM_MAX = 16 * 1024 * 1024, MARKS_MAX = 256 * 1024, PIECE = 32 * 1024 };

struct text {
	char *p;
	size_t len;
	const char *at; /* the next line */
};

struct maker {
	const struct cast *c;
	struct strbuf out;
	struct text film, marks;
	int64_t started_ms, log_size;
	int64_t at;	  /* offset of the log that was told up to */
	char tail[4];	  /* of a character cut by the end of an event */
	size_t tail_len;
	int (*put)(void *arg, const char *p, size_t len);
	void *arg;
	bool stopped;
};

static bool read_text(int fd, size_t max, struct text *t)
{
	struct stat st;

	*t = (struct text){ 0 };
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	size_t len = (size_t)st.st_size < max ? (size_t)st.st_size : max;
	t->p = xmalloc(len + 1);
	ssize_t n = pread(fd, t->p, len, 0);
	while (n > 0 && t->p[n - 1] != '\n')
		n--;
	t->len = n > 0 ? (size_t)n : 0;
	t->p[t->len] = '\0';
	t->at = t->p;
	return true;
}

/* The next line, without its end, as text; NULL when there is none. */
static char *next_line(struct text *t)
{
	if (t->p == NULL || t->at >= t->p + t->len)
		return NULL;
	char *line = t->p + (t->at - t->p);
	char *end = strchr(line, '\n');
	if (end == NULL)
		return NULL;
	*end = '\0';
	t->at = end + 1;
	return line;
}

/* ---- events ---- */
static void send(struct maker *m)
{
	if (!m->stopped && m->out.len > 0)
		m->stopped = m->put(m->arg, m->out.buf, m->out.len) != 0;
	strbuf_reset(&m->out);
}

static void event_begin(struct maker *m, int64_t ms, char kind)
{
	strbuf_printf(&m->out, "[%" PRId64 ".%03" PRId64 ",\"%c\",\"", ms / 1000, ms % 1000, kind);
}

static void event_end(struct maker *m)
{
	strbuf_add(&m->out, "\"]\n", 3);
	if (m->out.len > PIECE)
		send(m);
}

/* Length of the character at p as its first byte tells it, 0: none begins so. */
static size_t char_len(unsigned char c)
{
	if (c < 0x80)
		return 1;
	return c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
}

static bool char_valid(const unsigned char *p, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return false;
	}
	if (len == 3)
		return !(p[0] == 0xE0 && p[1] < 0xA0) && !(p[0] == 0xED && p[1] > 0x9F);
	return len != 4 || (!(p[0] == 0xF0 && p[1] < 0x90) && !(p[0] == 0xF4 && p[1] > 0x8F));
}

static void add_char(struct strbuf *out, const unsigned char *p, size_t len)
{
	if (len == 1 && (*p == '"' || *p == '\\')) {
		strbuf_putc(out, '\\');
		strbuf_putc(out, (char)*p);
	} else if (len == 1 && *p == '\n') {
		strbuf_add(out, "\\n", 2);
	} else if (len == 1 && *p == '\r') {
		strbuf_add(out, "\\r", 2);
	} else if (len == 1 && (*p < ' ' || *p == 0x7F)) {
		strbuf_printf(out, "\\u%04x", *p);
	} else {
		strbuf_add(out, (const char *)p, len);
	}
}

/* Bytes as JSON text; what is no UTF-8 becomes U+FFFD.  Returns how many were taken: a character that is not whole yet
 * is left, unless it is the last. */
static size_t add_text(struct strbuf *out, const unsigned char *p, size_t len, bool last)
{
	size_t at = 0;

	while (at < len) {
		size_t n = char_len(p[at]);
		if (n > len - at && !last) {
			size_t have = 1;
			while (have < len - at && (p[at + have] & 0xC0) == 0x80)
				have++;
			if (have == len - at)
				return at; /* so far it could be one */
		}
		if (n == 0 || n > len - at || !char_valid(p + at, n)) {
			strbuf_add(out, "\xEF\xBF\xBD", 3);
			at++;
			continue;
		}
		add_char(out, p + at, n);
		at += n;
	}
	return at;
}

/* The bytes up to `end` as events of this moment. */
static enum err tell_output(struct maker *m, int64_t ms, int64_t end, struct errinfo *e)
{
	unsigned char buf[4 + PIECE];

	while (m->at < end && !m->stopped) {
		int64_t left = end - m->at;
		size_t want = left < PIECE ? (size_t)left : PIECE;
		memcpy(buf, m->tail, m->tail_len);
		ssize_t n = pread(m->c->log, buf + m->tail_len, want, (off_t)m->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_IO, errno, "read a session's output");
		if (n == 0) {
			m->at = end;
			break;
		}
		m->at += n;
		size_t len = m->tail_len + (size_t)n;
		event_begin(m, ms, 'o');
		size_t taken = add_text(&m->out, buf, len, m->at == m->log_size);
		m->tail_len = len - taken;
		memcpy(m->tail, buf + taken, m->tail_len);
		event_end(m);
	}
	return ERR_OK;
}

/* The marks that were set before this moment. */
static void tell_marks(struct maker *m, int64_t ms)
{
	while (m->marks.p != NULL && m->marks.at < m->marks.p + m->marks.len) {
		char *end = NULL;
		int64_t at = strtoll(m->marks.at, &end, 10) - m->started_ms;
		if (at > ms)
			return;
		char *line = next_line(&m->marks);
		if (line == NULL)
			return;
		const char *text = strchr(line, ' ');
		if (text == NULL)
			continue;
		event_begin(m, at > 0 ? at : 0, 'm');
		(void)add_text(&m->out, (const unsigned char *)text + 1, strlen(text + 1), true);
		event_end(m);
	}
}

/* ---- the whole ---- */
static enum err tell_events(struct maker *m, struct errinfo *e)
{
	int64_t shown_ms = 0; /* when the bytes from m->at on were shown */
	char *line;
	enum err rc = ERR_OK;

	while (rc == ERR_OK && !m->stopped && (line = next_line(&m->film)) != NULL) {
		int64_t ms, offset;
		int cols, rows;
		if (sscanf(line, "%" SCNd64 " o %" SCNd64, &ms, &offset) == 2) {
			rc = tell_output(m, shown_ms, offset < m->log_size ? offset : m->log_size, e);
			shown_ms = ms;
		} else if (sscanf(line, "%" SCNd64 " r %d %d %" SCNd64, &ms, &cols, &rows, &offset) == 4) {
			rc = tell_output(m, shown_ms, offset < m->log_size ? offset : m->log_size, e);
			shown_ms = ms;
			event_begin(m, ms, 'r');
			strbuf_printf(&m->out, "%dx%d", cols, rows);
			event_end(m);
		} else {
			break;
		}
		tell_marks(m, ms);
	}
	if (rc == ERR_OK)
		rc = tell_output(m, shown_ms, m->log_size, e);
	tell_marks(m, INT64_MAX);
	send(m);
	return rc;
}

static enum err begin(struct maker *m, struct errinfo *e)
{
	struct stat st;
	int cols = 80, rows = 24;
	char *line = read_text(m->c->film, FILM_MAX, &m->film) ? next_line(&m->film) : NULL;

	if (line == NULL || sscanf(line, "film 1 %" SCNd64 " %d %d", &m->started_ms, &cols, &rows) != 3)
		return err_set(e, ERR_NOT_FOUND, 0, "there is no recording of this session");
	if (fstat(m->c->log, &st) < 0)
		return err_set(e, ERR_IO, errno, "read a session's output");
	(void)read_text(m->c->marks, MARKS_MAX, &m->marks);
	m->log_size = st.st_size;
	m->at = m->log_size > m->c->newest ? m->log_size - m->c->newest : 0;
	strbuf_printf(&m->out,
		      "{\"version\":2,\"width\":%d,\"height\":%d,\"timestamp\":%" PRId64
		      ",\"env\":{\"TERM\":\"xterm-256color\",\"SHELL\":\"/bin/bash\"}}\n",
		      cols, rows, m->started_ms / 1000);
	return ERR_OK;
}

enum err cast_write(const struct cast *c, int (*put)(void *arg, const char *p, size_t len), void *arg,
		    struct errinfo *e)
{
	struct maker m = { .c = c, .put = put, .arg = arg };

	strbuf_init(&m.out);
	enum err rc = begin(&m, e);
	if (rc == ERR_OK)
		rc = tell_events(&m, e);
	strbuf_release(&m.out);
	free(m.film.p);
	free(m.marks.p);
	return rc;
}

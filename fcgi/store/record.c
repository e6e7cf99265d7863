#include "store/record.h"

#include <ctype.h>
#include <string.h>
#include <zlib.h>

#include "core/number.h"
#include "model/codec.h"
#include "store/keys.h"

static uint32_t checksum(const char *p, size_t len)
{
	return (uint32_t)crc32_z(0, (const unsigned char *)p, len);
}

/* ---- reading the head ---- */
struct cursor {
	const char *p, *end;
};

static bool skip(struct cursor *c, const char *literal)
{
	size_t len = strlen(literal);

	if ((size_t)(c->end - c->p) < len || memcmp(c->p, literal, len) != 0)
		return false;
	c->p += len;
	return true;
}

static bool read_number(struct cursor *c, int64_t *out)
{
	int64_t v = 0;
	const char *first = c->p;

	for (; c->p < c->end && isdigit((unsigned char)*c->p); c->p++) {
		v = v * 10 + (*c->p - '0');
		if (v > NUMBER_MAX)
			return false;
	}
	*out = v;
	return c->p > first;
}

static bool read_todo(struct cursor *c, bool *out)
{
	int64_t n;

	if (!skip(c, ",\"todo\":") || !read_number(c, &n) || n > 1)
		return false;
	*out = n == 1;
	return true;
}

static bool read_status(struct cursor *c, enum status *out)
{
	if (!skip(c, ",\"status\":\""))
		return false;
	for (int i = 0; i < STATUS_COUNT; i++) {
		if (skip(c, status_name((enum status)i))) {
			*out = (enum status)i;
			return skip(c, "\"");
		}
	}
	return false;
}

static bool read_key(struct cursor *c, struct record_head *h)
{
	int64_t sum;

	if (!skip(c, ",\"key\":"))
		return true;
	h->keyed = true;
	if (!read_number(c, &sum) || sum > UINT32_MAX)
		return false;
	h->key_sum = (uint32_t)sum;
	return skip(c, ",\"at\":") && read_number(c, &h->created);
}

static bool read_head(struct cursor *c, struct record_head *h)
{
	int64_t version;

	memset(h, 0, sizeof *h);
	if (skip(c, "{\"k\":\"set\",\"id\":")) {
		h->kind = RECORD_SET;
		return read_number(c, &h->id) && read_todo(c, &h->todo) && read_status(c, &h->status) &&
		       skip(c, ",\"tokens\":") && read_number(c, &h->tokens);
	}
	if (skip(c, "{\"k\":\"new\",\"id\":")) {
		h->kind = RECORD_NEW;
		return read_number(c, &h->id) && read_key(c, h);
	}
	if (skip(c, "{\"k\":\"del\",\"id\":")) {
		h->kind = RECORD_DEL;
		return read_number(c, &h->id) && read_todo(c, &h->todo);
	}
	h->kind = RECORD_LOG;
	if (!skip(c, "{\"k\":\"log\",\"v\":") || !read_number(c, &version) || version != RECORD_VERSION ||
	    !skip(c, ",\"next_id\":") || !read_number(c, &h->id))
		return false;
	return !skip(c, ",\"gen\":") || read_number(c, &h->gen);
}

static bool read_checksum(const char *line, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		unsigned char c = (unsigned char)line[i];
		if (!isdigit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		v = v << 4 | (uint32_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	*out = v;
	return line[8] == ' ';
}

bool record_read(const char *line, size_t len, struct record_head *out)
{
	uint32_t want;

	if (len <= RECORD_HEAD || !read_checksum(line, &want))
		return false;
	struct cursor c = { line + RECORD_HEAD, line + len };
	if (checksum(c.p, len - RECORD_HEAD) != want)
		return false;
	return read_head(&c, out) && line[len - 1] == '}';
}

/* ---- writing ---- */
/* Room for the checksum now, its digits when the text is known. */
static size_t open_line(struct strbuf *out)
{
	strbuf_puts(out, "00000000 ");
	return out->len;
}

static void close_line(struct strbuf *out, size_t at)
{
	static const char digit[] = "0123456789abcdef";
	uint32_t sum = checksum(out->buf + at, out->len - at);

	for (int i = 0; i < 8; i++)
		out->buf[at - RECORD_HEAD + (size_t)i] = digit[sum >> (28 - 4 * i) & 15];
	strbuf_putc(out, '\n');
}

void record_log(struct strbuf *out, int64_t next_id, int64_t gen)
{
	size_t at = open_line(out);
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "k", "log");
	jw_i64(&w, "v", RECORD_VERSION);
	jw_i64(&w, "next_id", next_id);
	jw_i64(&w, "gen", gen);
	jw_object_end(&w);
	close_line(out, at);
}

void record_new(struct strbuf *out, const struct task *t)
{
	size_t at = open_line(out);
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "k", "new");
	jw_i64(&w, "id", t->id);
	if (t->idempotency_key != NULL) {
		jw_i64(&w, "key", key_sum(t->idempotency_key));
		jw_i64(&w, "at", t->created > 0 ? t->created : 0);
	}
	task_write(&w, t, PART_FIXED | PART_PRIVATE);
	jw_object_end(&w);
	close_line(out, at);
}

void record_set(struct strbuf *out, const struct task *t)
{
	size_t at = open_line(out);
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "k", "set");
	jw_i64(&w, "id", t->id);
	jw_i64(&w, "todo", task_has_work(t) ? 1 : 0);
	task_write(&w, t, PART_CHANGING | PART_PRIVATE);
	jw_object_end(&w);
	close_line(out, at);
}

void record_del(struct strbuf *out, int64_t id, const struct doomed *kills, size_t count)
{
	size_t at = open_line(out);
	struct jw w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "k", "del");
	jw_i64(&w, "id", id);
	jw_i64(&w, "todo", count > 0 ? 1 : 0);
	jw_array(&w, "kills");
	for (size_t i = 0; i < count; i++) {
		jw_object(&w, NULL);
		jw_str(&w, "id", kills[i].dispatch_id);
		jw_i64(&w, "attempts", kills[i].attempts);
		jw_time(&w, "next_at", kills[i].next_at);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	close_line(out, at);
}

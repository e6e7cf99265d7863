/*
 * What a WebSocket brings to the host's terminal, in fragments as the bytes say: it is typed as it
 * came, a size is within bounds, too much ends the connection, and what is said back is JSON.
 */
#include "fuzz.h"

#include <errno.h>
#include <libwebsockets.h>

#include "core/json.h"
#include "sandbox/terminal.h"

static struct {
	bool first, last, binary, busy;
	size_t typed;
} now;

/* ---- the library, and the box ---- */
int lws_callback_on_writable(struct lws *wsi)
{
	(void)wsi;
	return 0;
}
int lws_send_pipe_choked(struct lws *wsi)
{
	(void)wsi;
	return 0;
}
struct lws_context *lws_get_context(const struct lws *wsi)
{
	(void)wsi;
	return NULL;
}
int lws_rx_flow_control(struct lws *wsi, int enable)
{
	(void)wsi;
	(void)enable;
	return 0;
}
int lws_is_first_fragment(struct lws *wsi)
{
	(void)wsi;
	return now.first;
}
int lws_is_final_fragment(struct lws *wsi)
{
	(void)wsi;
	return now.last;
}
size_t lws_remaining_packet_payload(struct lws *wsi)
{
	(void)wsi;
	return 0;
}
int lws_frame_is_binary(struct lws *wsi)
{
	(void)wsi;
	return now.binary;
}
void lws_close_reason(struct lws *wsi, enum lws_close_status status, unsigned char *buf, size_t len)
{
	(void)wsi;
	(void)status;
	(void)buf;
	(void)len;
}
void lws_sul_schedule(struct lws_context *c, int tsi, lws_sorted_usec_list_t *sul, sul_cb_t cb,
		      lws_usec_t us)
{
	(void)c;
	(void)tsi;
	(void)sul;
	(void)cb;
	(void)us;
}
int lws_write(struct lws *wsi, unsigned char *buf, size_t len, enum lws_write_protocol how)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;

	(void)wsi;
	assert(how == LWS_WRITE_TEXT && json_parse(&a, (char *)buf, len, &o, &e) == ERR_OK &&
	       json_is_object(o));
	arena_reset(&a);
	return (int)len;
}
enum err feed_join(struct feeds *f, const char *id, struct feed_reader *r, struct errinfo *e)
{
	(void)f;
	(void)id;
	(void)e;
	r->feed = (struct feed *)(void *)&now;
	return ERR_OK;
}
void feed_leave(struct feed_reader *r)
{
	(void)r;
}
off_t feed_size(struct feed *f)
{
	(void)f;
	return 0;
}
ssize_t feed_read(struct feed *f, void *buf, size_t len, off_t at)
{
	(void)f;
	(void)buf;
	(void)len;
	(void)at;
	return 0;
}
bool feed_ended(const struct feed *f, int *code)
{
	(void)f;
	*code = 0;
	return false;
}
int feed_resize(struct feed *f, int cols, int rows)
{
	(void)f;
	assert(cols >= 1 && cols <= TERMINAL_CELLS_MAX && rows >= 1 && rows <= TERMINAL_CELLS_MAX);
	return 0;
}
ssize_t feed_type(struct feed *f, const char *p, size_t len)
{
	(void)f;
	(void)p;
	assert(len >= 1);
	if (now.busy) {
		errno = EAGAIN;
		return -1;
	}
	now.typed += len;
	return (ssize_t)len;
}

/* One fragment: a byte of flags, a byte of length, then that many bytes, sixteen times when the
 * flags say so. */
static size_t fragment(struct terminal *t, const char *p, size_t n, bool *open, size_t *sent,
		       int *rc)
{
	static char big[16 * 256];
	size_t len = (unsigned char)p[1] < n - 2 ? (unsigned char)p[1] : n - 2;
	int times = (p[0] & 8) != 0 ? 16 : 1;

	now.first = !*open;
	now.last = (p[0] & 1) != 0;
	if (!*open)
		now.binary = (p[0] & 2) != 0;
	now.busy = (p[0] & 4) != 0;
	*open = !now.last;
	for (int i = 0; i < times; i++)
		memcpy(big + (size_t)i * len, p + 2, len);
	*rc = terminal_receive(t, big, len * (size_t)times);
	if (now.binary)
		*sent += len * (size_t)times;
	return 2 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct terminal_want want = { .id = "x", .offset = -1 };
	struct terminal *t;
	struct errinfo e;
	bool open = false;
	size_t sent = 0;
	int rc = 0;

	if (n > FUZZ_MAX)
		return 0;
	memset(&now, 0, sizeof now);
	assert(terminal_new(NULL, &want, &t, &e) == ERR_OK);
	terminal_open(t, (struct lws *)(void *)&now);
	for (size_t i = 0; rc == 0 && i + 2 <= n;) {
		i += fragment(t, (const char *)p + i, n - i, &open, &sent, &rc);
		for (int k = 0; k < 4; k++)
			assert(terminal_writable(t) == 0);
	}
	assert(now.typed <= sent);
	terminal_free(t);
	return 0;
}

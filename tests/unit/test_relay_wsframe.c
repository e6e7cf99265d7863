/* The client's end of a WebSocket: which frames are taken, which break the protocol. */
#include "unit.h"

#include "core/strbuf.h"
#include "relay/wsframe.h"

#define BYTES(name, bytes, want)                      \
	{                                           \
		name, bytes, sizeof bytes - 1, want \
	}

/* What came, as text: t or b where a message begins, its bytes, '.' at its end; (…) for a control
 * frame; ! for a fault. */
static const struct row {
	const char *name, *in;
	size_t len;
	const char *want;
} rows[] = {
	BYTES("a binary message", "\x82\x02hi", "bhi."),
	BYTES("a text message", "\x81\x02hi", "thi."),
	BYTES("an empty message", "\x82\x00\x81\x00", "b.t."),
	BYTES("a message in parts",
	    "\x02\x01"
	    "a\x00\x01"
	    "b\x80\x01"
	    "c",
	    "babc."),
	BYTES("a ping between the parts",
	    "\x02\x01"
	    "a\x89\x01p\x80\x01"
	    "c",
	    "ba(p)c."),
	BYTES("a close with its reason", "\x88\x04\x03\xe8ok", "(\x03\xe8ok)"),
	BYTES("a length of two bytes",
	    "\x82\x7e\x00\x03"
	    "abc",
	    "babc."),
	BYTES("a length of eight bytes",
	    "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x03"
	    "abc",
	    "babc."),
	BYTES("a length beyond all measure", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x03", "!"),
	BYTES("a masked frame",
	    "\x82\x81\x00\x00\x00\x00"
	    "a",
	    "!"),
	BYTES("a reserved bit",
	    "\xc2\x01"
	    "a",
	    "!"),
	BYTES("an unknown kind",
	    "\x83\x01"
	    "a",
	    "!"),
	BYTES("an unknown control frame", "\x8b\x00", "!"),
	BYTES("a control frame in parts", "\x09\x00", "!"),
	BYTES("a control frame that is too long", "\x89\x7e\x00\x7e", "!"),
	BYTES("a part without a message",
	    "\x80\x01"
	    "a",
	    "!"),
	BYTES("a message inside a message",
	    "\x02\x01"
	    "a\x82\x01"
	    "b",
	    "ba!"),
};

static void read_all(struct strbuf *got, const char *p, size_t len, size_t step)
{
	struct wsframe_reader r = { 0 };
	struct wsframe_part part;

	strbuf_reset(got);
	for (size_t i = 0; i < len; i += step) {
		const char *at = p + i;
		size_t left = len - i < step ? len - i : step;
		for (enum wsframe_kind k;
		     (k = wsframe_read(&r, &at, &left, &part)) != WSFRAME_IS_NOTHING;) {
			if (k == WSFRAME_IS_BAD) {
				strbuf_putc(got, '!');
				return;
			}
			if (k == WSFRAME_IS_CONTROL || part.first)
				strbuf_putc(got, k == WSFRAME_IS_CONTROL ? '('
						 : part.text             ? 't'
									 : 'b');
			strbuf_add(got, part.p, part.len);
			if (k == WSFRAME_IS_CONTROL || part.last)
				strbuf_putc(got, k == WSFRAME_IS_CONTROL ? ')' : '.');
		}
	}
}

static void row_holds(void **state)
{
	ROW(struct row);
	struct strbuf got;

	strbuf_init(&got);
	for (size_t step = 1; step <= r->len; step++) {
		read_all(&got, r->in, r->len, step);
		assert_string_equal(got.buf, r->want);
	}
	strbuf_release(&got);
}

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
static const struct answer {
	const char *name, *text;
	int want; /* 1: the whole of it */
} answers[] = {
	{ "an upgrade",
	  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept:  " ACCEPT
	  " \r\n\r\n",
	  1 },
	{ "half an answer",
	  "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " ACCEPT "\r\n", 0 },
	{ "a refusal", "HTTP/1.1 404 Not Found\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", -1 },
	{ "an answer to another key",
	  "HTTP/1.1 101 \r\nSec-WebSocket-Accept: t3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", -1 },
	{ "an answer without a key", "HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n", -1 },
};

static void answer_holds(void **state)
{
	ROW(struct answer);
	int len = (int)strlen(r->text);

	assert_int_equal(wsframe_answer(r->text, (size_t)len, ACCEPT),
			 r->want == 1 ? len : r->want);
}

static void a_head_that_never_ends_is_refused(void **state)
{
	char text[WSFRAME_ANSWER_MAX];

	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(wsframe_answer(text, sizeof text - 1, ACCEPT), 0);
	assert_int_equal(wsframe_answer(text, sizeof text, ACCEPT), -1);
}

/* RFC 6455, 5.7 */
static void a_masked_hello_is_that_of_the_rfc(void **state)
{
	static const unsigned char want[] = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
					      0x7f, 0x9f, 0x4d, 0x51, 0x58 };
	unsigned char out[WSFRAME_HEAD_MAX + 5];

	(void)state;
	size_t n = wsframe_write(out, WSFRAME_TEXT, true,
				 (const unsigned char[4]){ 0x37, 0xfa, 0x21, 0x3d }, "Hello", 5);
	assert_int_equal(n, sizeof want);
	assert_memory_equal(out, want, n);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, row_holds);
	PLAN_ROWS(&p, answers, answer_holds);
	plan_add(&p, "a head that never ends is refused", a_head_that_never_ends_is_refused, NULL);
	plan_add(&p, "a masked hello is that of the RFC", a_masked_hello_is_that_of_the_rfc, NULL);
	return plan_run("relay_wsframe", &p);
}

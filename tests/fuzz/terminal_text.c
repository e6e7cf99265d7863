/*
 * Control messages of a terminal, from a browser and from a host, for a viewer with and without the
 * pen: whatever is said back or handed on is JSON on a line of its own.
 */
#include "fuzz.h"

#include "core/json.h"
#include "relay/viewer.h"

void conn_want_write(struct conn *c)
{
	(void)c;
}

static void check_lines(const struct strbuf *lines)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;

	assert(lines->len == 0 || lines->buf[lines->len - 1] == '\n');
	for (const char *p = lines->buf, *nl; (nl = strchr(p, '\n')) != NULL; p = nl + 1)
		assert(json_parse(&a, p, (size_t)(nl - p), &o, &e) == ERR_OK && json_is_object(o));
	arena_reset(&a);
}

static void say(struct viewer *v, const char *p, size_t n)
{
	viewer_browser_text(v, p, n);
	assert(v->cols >= 1 && v->cols <= SIZE_MAX_CELLS && v->rows >= 1 &&
	       v->rows <= SIZE_MAX_CELLS);
	check_lines(&v->notes);
	check_lines(&v->controls);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct relay r = { 0 };
	struct viewer a = {
		.relay = &r, .task = 1, .cols = 80, .rows = 24, .pen = true, .offset = -1
	};
	struct viewer b = { .relay = &r, .task = 1, .cols = 80, .rows = 24, .offset = -1 };
	struct viewer *both[] = { &a, &b };

	if (n > FUZZ_MAX)
		return 0;
	r.viewers = &a;
	a.next = &b;
	a.host = b.host = (struct conn *)&r; /* never looked into */
	for (int i = 0; i < 2; i++) {
		strbuf_init(&both[i]->notes);
		strbuf_init(&both[i]->controls);
		strbuf_init(&both[i]->input);
	}
	say(&b, (const char *)p, n);
	assert(a.pen != b.pen);
	say(&a, (const char *)p, n);
	assert(a.pen != b.pen);
	assert(viewer_host_text(&a, (const char *)p, n) == HOST_NONSENSE || n > 1);
	assert(a.offset >= -1 && a.exit_code >= -255 && a.exit_code <= 255);
	for (int i = 0; i < 2; i++) {
		strbuf_release(&both[i]->notes);
		strbuf_release(&both[i]->controls);
		strbuf_release(&both[i]->input);
	}
	return 0;
}

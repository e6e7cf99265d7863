/* The control messages of a terminal: JSON texts, ours and the Sandbox SDK's (docs/PROTOCOL.md). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/number.h"
#include "relay/viewer.h"

void viewer_note(struct viewer *v, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n <= 0 || (size_t)n >= sizeof text || v->notes.len > 4 * TEXT_MESSAGE_MAX)
		return; /* a viewer that does not read: the newest state is told when it does */
	strbuf_add(&v->notes, text, (size_t)n);
	strbuf_putc(&v->notes, '\n');
	conn_want_write(v->browser);
}

void viewer_tell_link(struct viewer *v)
{
	static const char *const names[] = { "waiting", "connecting", "live", "reconnecting", "ended" };

	viewer_note(v, "{\"type\":\"state\",\"state\":\"%s\"}", names[v->link]);
}

static void control(struct viewer *v, const char *text)
{
	if (v->host == NULL || v->controls.len > TEXT_MESSAGE_MAX)
		return;
	strbuf_puts(&v->controls, text);
	strbuf_putc(&v->controls, '\n');
	conn_want_write(v->host);
}

void viewer_resized(struct viewer *v)
{
	char text[80];

	if (!v->pen)
		return; /* remembered for the day it takes the pen */
	(void)snprintf(text, sizeof text, "{\"type\":\"resize\",\"cols\":%d,\"rows\":%d}", v->cols, v->rows);
	control(v, text);
	pen_resized(v);
}

static void resize(struct viewer *v, const struct json_object *o)
{
	struct errinfo e;
	int64_t cols, rows;

	if (jr_i64(o, "cols", 1, SIZE_MAX_CELLS, &cols, &e) != ERR_OK || jr_i64(o, "rows", 1, SIZE_MAX_CELLS, &rows, &e) != ERR_OK) {
		viewer_note(v, "{\"type\":\"error\",\"message\":\"Invalid dimensions: cols and rows must be 1 to %d\"}",
			    SIZE_MAX_CELLS);
		return;
	}
	v->cols = (int)cols;
	v->rows = (int)rows;
	viewer_resized(v);
}

void viewer_browser_text(struct viewer *v, const char *p, size_t len)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	const char *type = "";
	bool take = false;

	if (json_parse(&a, p, len, &o, &e) != ERR_OK || jr_str_opt(o, "type", 0, 32, &type, &e) != ERR_OK ||
	    !json_is_object(o))
		viewer_note(v, "{\"type\":\"error\",\"message\":\"Invalid control message\"}");
	else if (strcmp(type, "resize") == 0 || (*type == '\0' && jr_has(o, "cols")))
		resize(v, o);
	else if (strcmp(type, "pen") == 0 && jr_bool_opt(o, "take", &take, &e) == ERR_OK && take)
		pen_take(v);
	arena_reset(&a); /* unknown types are ignored, as the Sandbox SDK does */
}

enum host_word viewer_host_text(struct viewer *v, const char *p, size_t len)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e;
	const char *type = "";
	int64_t n = 0;
	enum host_word word = HOST_NONSENSE;

	if (json_parse(&a, p, len, &o, &e) == ERR_OK && json_is_object(o) &&
	    jr_str_opt(o, "type", 0, 32, &type, &e) == ERR_OK) {
		word = HOST_OTHER;
		if (strcmp(type, "at") == 0 && jr_i64(o, "offset", 0, NUMBER_MAX, &n, &e) == ERR_OK) {
			v->offset = n;
			word = HOST_AT;
		} else if (strcmp(type, "ready") == 0) {
			word = HOST_READY;
		} else if (strcmp(type, "exit") == 0) {
			if (jr_i64_opt(o, "code", -255, 255, &n, &e) == ERR_OK)
				v->exit_code = (int)n;
			word = HOST_EXIT;
		}
	}
	arena_reset(&a);
	return word;
}

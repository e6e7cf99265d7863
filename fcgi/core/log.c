#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/err.h"
#include "core/strbuf.h"
#include "core/utf8.h"

enum { VALUE_MAX = 200 };

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static const char *program = "chomp";
static enum log_level threshold = LOG_INFO;

void log_init(const char *prog)
{
	const char *want = getenv("CHOMP_LOG");

	program = prog;
	for (int i = LOG_DEBUG; want != NULL && i <= LOG_ERROR; i++) {
		if (strcmp(want, level_names[i]) == 0)
			threshold = (enum log_level)i;
	}
}

static int plain(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7F)
			return 0;
	}
	return len > 0;
}

static void put_value(struct strbuf *out, const char *s)
{
	size_t len = utf8_cut(s, strlen(s), VALUE_MAX);

	if (plain(s, len)) {
		strbuf_add(out, s, len);
		return;
	}
	strbuf_putc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\')
			strbuf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7F)
			strbuf_printf(out, "\\x%02x", c);
		else
			strbuf_putc(out, (char)c);
	}
	strbuf_putc(out, '"');
}

void log_fields(enum log_level level, const char *ev, const struct log_field *f)
{
	char when[CLOCK_TEXT];
	struct strbuf line;

	if (level < threshold)
		return;
	strbuf_init(&line);
	strbuf_printf(&line, "ts=%s lvl=%s prog=%s pid=%d ev=%s", clock_rfc3339(clock_wall_ms(), when),
		      level_names[level], program, (int)getpid(), ev);
	for (; f->key != NULL; f++) {
		strbuf_printf(&line, " %s=", f->key);
		if (f->text != NULL)
			put_value(&line, f->text);
		else
			strbuf_i64(&line, f->number);
	}
	strbuf_putc(&line, '\n');
	if (write(STDERR_FILENO, line.buf, line.len) < 0) {
		/* a log that cannot be written has nowhere to say so */
	}
	strbuf_release(&line);
}

void log_err(enum log_level level, const char *ev, const struct errinfo *e)
{
	log_event(level, ev, LOG_S("code", err_code(e)), LOG_S("why", e->what));
}

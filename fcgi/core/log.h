/*
 * One line per event on stderr, key=value:
 *   ts=2026-02-11T10:00:00.123Z lvl=info prog=worker pid=41 ev=task.run id=42 session=s3
 * Values with space, quote or control bytes are quoted and escaped and cut at 200 bytes.  Never a token, a key or a prompt.
 */
#ifndef CHOMP_CORE_LOG_H
#define CHOMP_CORE_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_init(const char *prog); /* a literal; reads CHOMP_LOG (debug, info, warn, error; default info) */

/* A field: its key (a literal) and either text or a number. */
struct log_field {
	const char *key;
	const char *text; /* NULL: number counts */
	int64_t number;
};
#define LOG_S(k, s) { .key = (k), .text = (s) != NULL ? (s) : "" }
#define LOG_I(k, n) { .key = (k), .text = 0, .number = (int64_t)(n) }

/* `ev` is noun.verb.  Fields end with one whose key is NULL; use the macro. */
void log_fields(enum log_level level, const char *ev, const struct log_field *fields);
#define log_event(level, ev, ...) \
	log_fields(level, ev, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,){ .key = 0 } })

struct errinfo;
void log_err(enum log_level level, const char *ev, const struct errinfo *e);

#endif

/* What a handler answers.  Nothing is sent before the handler returns, but for a stream. */
#ifndef CHOMP_HTTP_RESPONSE_H
#define CHOMP_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/strbuf.h"

enum { RESPONSE_HEADERS_MAX = 12 };

/* Where a stream writes to; -1 when the client has gone. */
struct sink {
	int (*write)(struct sink *s, const char *p, size_t len);
};

struct response {
	int status; /* 200 unless set */
	const char *type; /* content type, "application/json" unless set */
	struct strbuf body;
	struct {
		const char *name, *value; /* literal; lives in the request's arena, without CR or LF */
	} headers[RESPONSE_HEADERS_MAX];
	int header_count;
	/* Instead of body: a file from off to off + len (closed by the response) … */
	int fd;
	int64_t fd_off, fd_len;
	/* … or a function that writes the rest as it goes. */
	int (*stream)(struct sink *out, void *arg);
	void *stream_arg;
};

void response_init(struct response *rs);
void response_release(struct response *rs);

/* A further header; ignored when value holds a line break. */
void response_header(struct response *rs, const char *name, const char *value);

/* Forget what a handler prepared and answer the error instead, as JSON (docs/API.md, "Errors"). */
void response_error(struct response *rs, const struct errinfo *e);

/* 303 to a path on this server. */
void response_redirect(struct response *rs, const char *location);

#endif

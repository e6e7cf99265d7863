#include "http/response.h"

#include <string.h>
#include <unistd.h>

#include "core/json.h"

void response_init(struct response *rs)
{
	memset(rs, 0, sizeof *rs);
	rs->status = 200;
	rs->type = "application/json";
	rs->fd = -1;
	strbuf_init(&rs->body);
}

void response_release(struct response *rs)
{
	if (rs->fd >= 0)
		close(rs->fd);
	rs->fd = -1;
	strbuf_release(&rs->body);
}

void response_header(struct response *rs, const char *name, const char *value)
{
	if (strpbrk(value, "\r\n") != NULL || rs->header_count == RESPONSE_HEADERS_MAX)
		return;
	rs->headers[rs->header_count].name = name;
	rs->headers[rs->header_count].value = value;
	rs->header_count++;
}

/* 5xx keep their reasons for the log; what the client can act on is told. */
static const char *public_message(const struct errinfo *e)
{
	if (e->code == ERR_IO)
		return "something went wrong on the server; its log has the reason";
	if (e->code == ERR_CORRUPT)
		return "the stored state is damaged; run chompctl doctor";
	return e->what;
}

void response_error(struct response *rs, const struct errinfo *e)
{
	struct jw w;

	response_release(rs);
	response_init(rs);
	rs->status = err_status(e->code);
	jw_init(&w, &rs->body);
	jw_object(&w, NULL);
	jw_object(&w, "error");
	jw_str(&w, "code", err_code(e));
	jw_str(&w, "message", public_message(e));
	jw_object_end(&w);
	jw_object_end(&w);
	if (e->code == ERR_BUSY || e->code == ERR_READONLY)
		response_header(rs, "Retry-After", "1");
	else if (e->code == ERR_LIMIT)
		response_header(rs, "Retry-After", "60");
	else if (e->code == ERR_NO_TOKEN)
		response_header(rs, "WWW-Authenticate", "Bearer");
}

void response_redirect(struct response *rs, const char *location)
{
	response_release(rs);
	rs->status = 303;
	rs->type = "text/plain";
	response_header(rs, "Location", location);
}

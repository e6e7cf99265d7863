#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/json.h"
#include "http/response.h"
#include "unit.h"

static const char *header(const struct response *rs, const char *name)
{
	for (int i = 0; i < rs->header_count; i++) {
		if (strcmp(rs->headers[i].name, name) == 0)
			return rs->headers[i].value;
	}
	return NULL;
}

static void fresh_one_is_empty_json(void **state)
{
	struct response rs;

	(void)state;
	response_init(&rs);
	assert_int_equal(rs.status, 200);
	assert_string_equal(rs.type, "application/json");
	assert_int_equal(rs.body.len, 0);
	assert_int_equal(rs.header_count, 0);
	assert_int_equal(rs.fd, -1);
	assert_null(rs.stream);
	response_release(&rs);
	response_release(&rs);
}

static void release_closes_the_file(void **state)
{
	struct response rs;

	(void)state;
	response_init(&rs);
	rs.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = rs.fd;
	response_release(&rs);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static void header_cannot_be_split(void **state)
{
	struct response rs;

	(void)state;
	response_init(&rs);
	response_header(&rs, "X-A", "fine");
	response_header(&rs, "X-B", "evil\r\nSet-Cookie: x=y");
	response_header(&rs, "X-C", "evil\n");
	response_header(&rs, "X-D", "\r");
	assert_int_equal(rs.header_count, 1);
	for (int i = 0; i < 100; i++)
		response_header(&rs, "X-More", "y");
	assert_int_equal(rs.header_count, RESPONSE_HEADERS_MAX);
	response_release(&rs);
}

/* ---- errors ---- */
static const struct row {
	const char *name;
	enum err code;
	const char *wire;
	const char *said, *header, *value;
} rows[] = {
	{ "a 400 says why", ERR_BAD_INPUT, "bad_id", "the \"secret\" reason", NULL, NULL },
	{ "a 401 names the scheme", ERR_NO_TOKEN, NULL, "the \"secret\" reason", "WWW-Authenticate",
	  "Bearer" },
	{ "a 409 says why", ERR_CONFLICT, "not_queued", "the \"secret\" reason", NULL, NULL },
	{ "a 429 says when to come back", ERR_LIMIT, NULL, "the \"secret\" reason", "Retry-After",
	  "60" },
	{ "a busy store says when to come back", ERR_BUSY, NULL, "the \"secret\" reason",
	  "Retry-After", "1" },
	{ "a read-only store says when to come back", ERR_READONLY, NULL, "the \"secret\" reason",
	  "Retry-After", "1" },
	{ "a full disk says so", ERR_DISK_FULL, NULL, "the \"secret\" reason", NULL, NULL },
	{ "a 500 keeps its reason for the log", ERR_IO, NULL,
	  "something went wrong on the server; its log has the reason", NULL, NULL },
	{ "damage keeps its reason for the log", ERR_CORRUPT, NULL,
	  "the stored state is damaged; run chompctl doctor", NULL, NULL },
};

static void error_replaces_what_was_prepared(void **state)
{
	ROW(struct row);
	struct arena a = { 0 };
	struct json_object *o, *inner = NULL;
	struct errinfo e, pe;
	struct response rs;
	const char *code = NULL, *message = NULL;

	err_wire(&e, r->code, r->wire, "the \"secret\" reason");
	response_init(&rs);
	rs.status = 200;
	rs.type = "text/html";
	strbuf_puts(&rs.body, "half an answer");
	response_header(&rs, "HX-Trigger", "refreshTasks");
	rs.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	response_error(&rs, &e);
	assert_int_equal(rs.status, err_status(r->code));
	assert_string_equal(rs.type, "application/json");
	assert_null(header(&rs, "HX-Trigger")); /* nothing has changed */
	assert_int_equal(rs.fd, -1);
	assert_ok(json_parse(&a, rs.body.buf, rs.body.len, &o, &pe), &pe);
	assert_ok(jr_obj_opt(o, "error", &inner, &pe), &pe);
	assert_ok(jr_str(inner, "code", 1, 99, &code, &pe), &pe);
	assert_ok(jr_str(inner, "message", 1, 999, &message, &pe), &pe);
	assert_string_equal(code, r->wire != NULL ? r->wire
						  : err_code(&(struct errinfo){ .code = r->code }));
	assert_string_equal(message, r->said);
	if (r->header != NULL)
		assert_text(header(&rs, r->header), r->value);
	else
		assert_int_equal(rs.header_count, 0);
	response_release(&rs);
	arena_reset(&a);
}

static void error_is_json_whatever_it_quotes(void **state)
{
	struct arena a = { 0 };
	struct json_object *o;
	struct errinfo e, pe;
	struct response rs;

	(void)state;
	err_set(&e, ERR_NOT_FOUND, 0, "task 7 has no session %.20s", "\xff\xfe\"\n<script>\xc3");
	response_init(&rs);
	response_error(&rs, &e);
	assert_ok(json_parse(&a, rs.body.buf, rs.body.len, &o, &pe), &pe);
	response_release(&rs);
	arena_reset(&a);
}

static void redirect_has_no_body(void **state)
{
	struct response rs;

	(void)state;
	response_init(&rs);
	strbuf_puts(&rs.body, "{}");
	response_redirect(&rs, "/login");
	assert_int_equal(rs.status, 303);
	assert_int_equal(rs.body.len, 0);
	assert_text(header(&rs, "Location"), "/login");
	response_release(&rs);
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "a fresh one is empty JSON", fresh_one_is_empty_json, NULL);
	plan_add(&p, "release closes the file", release_closes_the_file, NULL);
	plan_add(&p, "a header cannot be split", header_cannot_be_split, NULL);
	PLAN_ROWS(&p, rows, error_replaces_what_was_prepared);
	plan_add(&p, "an error is JSON whatever it quotes", error_is_json_whatever_it_quotes, NULL);
	plan_add(&p, "a redirect has no body", redirect_has_no_body, NULL);
	return plan_run("response", &p);
}

/* Handlers called with a struct request, over a store in a directory of the test's own; no server.
 */
#ifndef CHOMP_TESTS_API_KIT_H
#define CHOMP_TESTS_API_KIT_H

#include "api/api.h"
#include "core/json.h"
#include "core/log.h"
#include "http/auth.h"
#include "model/capability.h"
#include "store/secret.h"
#include "world.h"

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"

/* Log lines are asked for by these tests, and of no use on the screen (WRAP_test_… := log_fields
 * log_err). */
void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f);
void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e);

void __wrap_log_fields(enum log_level level, const char *ev, const struct log_field *f)
{
	(void)level;
	(void)ev;
	(void)f;
}

void __wrap_log_err(enum log_level level, const char *ev, const struct errinfo *e)
{
	(void)level;
	(void)ev;
	(void)e;
}

static struct world w;
static struct app app;
static int64_t now_ms;

static inline int64_t api_clock_(void)
{
	return now_ms;
}

static inline int api_setup(void **state)
{
	struct errinfo e;

	(void)state;
	world_open(&w);
	assert_ok(secret_ensure(w.var, SECRET_OWNER, &e), &e);
	assert_ok(secret_ensure(w.var, SECRET_COOKIE, &e), &e);
	assert_ok(secret_ensure(w.var, SECRET_AGENT, &e), &e);
	setenv("CHOMP_AGENTS", world_path(&w, "agents"), 1);
	now_ms = 1770804000000;
	app = (struct app){ .store = w.store,
			    .var = w.var,
			    .cookie_name = "chomp_8000",
			    .origins = { "http://127.0.0.1:8000" },
			    .origin_count = 1,
			    .throttle = throttle_new(),
			    .now = api_clock_ };
	return 0;
}

static inline int api_teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

struct ask {
	handler_fn *handler;
	const char *id, *second; /* what {} matched in the path */
	const char *query;
	const char *type, *body; /* type NULL: none */
	size_t body_len;         /* 0: strlen */
	const char *bearer;      /* NULL: the owner asks */
	bool nobody;             /* nobody asks */
	const char *key, *origin, *addr, *session;
};

struct reply {
	int status;
	const char *code; /* of an error, else NULL */
	const char *message;
	const char *type;
	const char *body;
	size_t len;
	const char *location, *cookie, *trigger, *retry;
	struct json_object *json; /* NULL when the body is none */
};

static inline const char *text_or_(const char *s)
{
	return s != NULL ? s : "";
}

struct api_sink_ {
	struct sink sink;
	struct strbuf *out;
};

static inline int api_sink_write_(struct sink *s, const char *p, size_t len)
{
	strbuf_add(((struct api_sink_ *)s)->out, p, len);
	return 0;
}

static inline const char *reply_header(const struct response *rs, const char *name)
{
	for (int i = 0; i < rs->header_count; i++) {
		if (strcmp(rs->headers[i].name, name) == 0)
			return arena_strdup(&w.a, rs->headers[i].value);
	}
	return NULL;
}

/* All of the body: what was prepared, what streams, what lies in a file. */
static inline void reply_body_(struct reply *r, struct response *rs)
{
	struct api_sink_ sink = { { api_sink_write_ }, &rs->body };

	if (rs->stream != NULL)
		assert_int_equal(rs->stream(&sink.sink, rs->stream_arg), 0);
	if (rs->fd >= 0) {
		char *p = strbuf_grow(&rs->body, (size_t)rs->fd_len);
		assert_int_equal(pread(rs->fd, p, (size_t)rs->fd_len, (off_t)rs->fd_off),
				 rs->fd_len);
		rs->body.len += (size_t)rs->fd_len;
		rs->body.buf[rs->body.len] = '\0';
	}
	r->body = arena_strndup(&w.a, rs->body.buf, rs->body.len);
	r->len = rs->body.len;
}

static inline void reply_error_(struct reply *r)
{
	struct json_object *error = NULL;
	struct errinfo e;

	if (r->json != NULL && jr_obj_opt(r->json, "error", &error, &e) == ERR_OK &&
	    error != NULL) {
		assert_ok(jr_str(error, "code", 1, 99, &r->code, &e), &e);
		assert_ok(jr_str(error, "message", 1, 999, &r->message, &e), &e);
	}
}

static inline struct reply ask(struct ask q)
{
	struct request rq = { .method = "POST",
			      .path = "/",
			      .query = text_or_(q.query),
			      .content_type = text_or_(q.type) };
	struct reply r = { 0 };
	struct response rs;
	struct errinfo e = { 0 };

	rq.host = rq.fetch_site = rq.authorization = rq.cookie = rq.accept = rq.if_none_match =
		rq.referer = "";
	rq.origin = text_or_(q.origin);
	rq.idempotency_key = text_or_(q.key);
	rq.remote_addr = q.addr != NULL ? q.addr : "192.0.2.1";
	rq.params[0] = q.id;
	rq.params[1] = q.second;
	rq.body_len = q.body_len != 0 ? q.body_len : strlen(text_or_(q.body));
	rq.body = arena_strndup(&rq.arena, text_or_(q.body), rq.body_len);
	rq.bearer = q.bearer;
	rq.session = q.session;
	rq.who = q.nobody ? WHO_NOBODY : q.bearer != NULL ? WHO_BEARER : WHO_OWNER;
	response_init(&rs);
	enum err rc = q.handler(&app, &rq, &rs, &e);
	if (rc != ERR_OK) {
		assert_int_equal(rc, e.code);
		response_error(&rs, &e);
	}
	r.status = rs.status;
	r.type = rs.type;
	reply_body_(&r, &rs);
	r.location = reply_header(&rs, "Location");
	r.cookie = reply_header(&rs, "Set-Cookie");
	r.trigger = reply_header(&rs, "HX-Trigger");
	r.retry = reply_header(&rs, "Retry-After");
	if (strcmp(rs.type, JSON) == 0 && r.len > 0)
		assert_ok(json_parse(&w.a, r.body, r.len, &r.json, &e), &e);
	reply_error_(&r);
	if (rc != ERR_OK)
		assert_non_null(r.code);
	response_release(&rs);
	arena_reset(&rq.arena);
	return r;
}

/* POST of a JSON body by the owner. */
static inline struct reply post(handler_fn *handler, const char *body)
{
	return ask((struct ask){ .handler = handler, .type = JSON, .body = body });
}

static inline struct reply get(handler_fn *handler, const char *id)
{
	return ask((struct ask){ .handler = handler, .id = id });
}

static inline const char *field(const struct json_object *o, const char *key)
{
	const char *text = NULL;
	struct errinfo e;

	assert_ok(jr_str_opt(o, key, 0, SIZE_MAX, &text, &e), &e);
	return text;
}

static inline int64_t number(const struct json_object *o, const char *key)
{
	struct errinfo e;
	int64_t n = -1;

	assert_ok(jr_i64_opt(o, key, INT64_MIN, INT64_MAX, &n, &e), &e);
	return n;
}

/* Member i of an array, or NULL. */
static inline struct json_object *item(const struct json_object *o, const char *key, size_t i)
{
	struct json_object *arr = NULL;
	struct errinfo e;

	assert_ok(jr_arr_opt(o, key, &arr, &e), &e);
	return arr != NULL ? json_array_at(arr, i) : NULL;
}

static inline void assert_status(struct reply r, int status)
{
	if (r.status != status)
		print_error("%d, not %d: %s\n", r.status, status, r.body);
	assert_int_equal(r.status, status);
}

/* A task with a prompt, by its id. */
static inline const char *make_task(const char *fields)
{
	struct reply r = post(api_task_create, arena_printf(&w.a, "{\"prompt\":\"x\"%s%s}",
							    *fields != '\0' ? "," : "", fields));

	assert_status(r, 200);
	return field(r.json, "id");
}

static inline struct task task_now(const char *id)
{
	struct errinfo e;
	struct task t;

	assert_ok(store_get(w.store, &w.a, strtoll(id, NULL, 10), &t, &e), &e);
	return t;
}

/* The token of a task's newest session, as the dispatcher makes it. */
static inline const char *token_of(const char *id)
{
	struct task t = task_now(id);
	const char *key;
	struct errinfo e;

	assert_ok(secret_read(w.var, SECRET_AGENT, &w.a, &key, &e), &e);
	return capability_make(&w.a, key, t.id, task_last_session(&t));
}

static inline const char *run_task(const char *fields)
{
	const char *id = make_task(fields);

	assert_status(post(api_task_run, arena_printf(&w.a, "{\"id\":\"%s\"}", id)), 200);
	return id;
}

/* Five tasks: 1 queued, 2 active, 3 done, 4 stopped by its budget, 5 deleted. */
static inline void make_five(void)
{
	make_task("");
	run_task("");
	assert_status(post(api_task_done, arena_printf(&w.a, "{\"id\":\"%s\"}", run_task(""))),
		      200);
	const char *id = run_task("\"token_budget\":10,\"on_budget\":\"stop\"");
	assert_status(
		post(api_task_update, arena_printf(&w.a, "{\"id\":\"%s\",\"tokens\":10}", id)),
		200);
	assert_status(post(api_task_delete, arena_printf(&w.a, "{\"id\":\"%s\"}", make_task(""))),
		      200);
}

/* The refusal is as the contract says, and the state is byte for byte what it was. */
static inline void assert_refused(struct ask q, int status, const char *code)
{
	struct strbuf before = world_picture(&w, "state"), after;
	struct reply r = ask(q);

	after = world_picture(&w, "state");
	assert_status(r, status);
	assert_text(r.code, code);
	assert_null(r.trigger);
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.buf, before.buf, before.len);
	strbuf_release(&before);
	strbuf_release(&after);
}

#endif

/* What a session's terminal showed, as plain text: the dispatcher's copy, escape codes removed. */
#include <errno.h>
#include <unistd.h>

#include "api/answer.h"
#include "api/api.h"
#include "core/ansi.h"
#include "core/cast.h"
#include "store/output.h"
#include "store/store.h"

enum { CHUNK = 64 * 1024, RECORDED = 64 * 1024 * 1024 /* the newest of it */ };

struct output_stream {
	int fd;
};

static void close_stream(void *arg)
{
	struct output_stream *s = arg;

	close(s->fd);
}

static int write_plain(struct sink *out, void *arg)
{
	struct output_stream *s = arg;
	struct ansi state = { 0 };
	struct strbuf text;
	char buf[CHUNK];
	ssize_t n;
	int rc = 0;

	strbuf_init(&text);
	while (rc == 0 && (n = read(s->fd, buf, sizeof buf)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = -1;
			break;
		}
		strbuf_reset(&text);
		ansi_strip(&state, buf, (size_t)n, &text);
		rc = out->write(out, text.buf, text.len);
	}
	strbuf_reset(&text);
	ansi_end(&state, &text);
	if (rc == 0)
		rc = out->write(out, text.buf, text.len);
	strbuf_release(&text);
	return rc;
}

/* An empty answer when the session has shown nothing yet. */
static enum err answer_output(struct app *app, struct request *rq, struct response *rs, const struct task *t,
			      const struct session *s, struct errinfo *e)
{
	struct output_stream *stream;
	int64_t len;
	int fd;

	rs->type = "text/plain; charset=utf-8";
	if (s == NULL)
		return ERR_OK;
	enum err rc = output_open(app->var, t->id, s->id, &fd, &len, e);
	if (rc == ERR_NOT_FOUND)
		return ERR_OK;
	if (rc != ERR_OK)
		return rc;
	stream = arena_alloc(&rq->arena, sizeof *stream);
	stream->fd = fd;
	arena_defer(&rq->arena, close_stream, stream);
	rs->stream = write_plain;
	rs->stream_arg = stream;
	return ERR_OK;
}

static enum err wanted_task(struct app *app, struct request *rq, struct task *t, struct errinfo *e)
{
	int64_t id;
	enum err rc = wanted_id(rq, NULL, &id, e);

	return rc == ERR_OK ? store_get(app->store, &rq->arena, id, t, e) : rc;
}

/* ---- the recording ---- */
static void close_cast(void *arg)
{
	const struct cast *c = arg;
	const int fds[] = { c->log, c->film, c->marks };

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static int put_sink(void *arg, const char *p, size_t len)
{
	struct sink *out = arg;

	return out->write(out, p, len);
}

static int write_cast(struct sink *out, void *arg)
{
	struct errinfo e;

	return cast_write(arg, put_sink, out, &e) == ERR_OK ? 0 : -1;
}

enum err api_recording(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct task t;
	int64_t len;
	enum err rc = wanted_task(app, rq, &t, e);

	if (rc != ERR_OK)
		return rc;
	const struct session *s = task_find_session(&t, rq->params[1]);
	if (s == NULL)
		return err_set(e, ERR_NOT_FOUND, 0, "task %lld has no session %.20s", (long long)t.id, rq->params[1]);
	struct cast *c = arena_alloc(&rq->arena, sizeof *c);
	*c = (struct cast){ .log = -1, .film = -1, .marks = -1, .newest = RECORDED };
	arena_defer(&rq->arena, close_cast, c);
	if ((rc = output_open_part(app->var, t.id, s->id, OUTPUT_FILM, &c->film, &len, e)) == ERR_NOT_FOUND ||
	    (rc == ERR_OK && (rc = output_open(app->var, t.id, s->id, &c->log, &len, e)) == ERR_NOT_FOUND))
		return err_set(e, ERR_NOT_FOUND, 0, "there is no recording of session %.20s", s->id);
	if (rc != ERR_OK)
		return rc;
	if (output_open_part(app->var, t.id, s->id, OUTPUT_MARKS, &c->marks, &len, NULL) != ERR_OK)
		c->marks = -1;
	rs->type = "application/x-asciicast";
	rs->stream = write_cast;
	rs->stream_arg = c;
	return ERR_OK;
}

enum err api_output_latest(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct task t;
	enum err rc = wanted_task(app, rq, &t, e);

	return rc == ERR_OK ? answer_output(app, rq, rs, &t, task_last_session(&t), e) : rc;
}

enum err api_output_session(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct task t;
	enum err rc = wanted_task(app, rq, &t, e);

	if (rc != ERR_OK)
		return rc;
	const struct session *s = task_find_session(&t, rq->params[1]);
	if (s == NULL)
		return err_set(e, ERR_NOT_FOUND, 0, "task %lld has no session %.20s", (long long)t.id, rq->params[1]);
	return answer_output(app, rq, rs, &t, s, e);
}

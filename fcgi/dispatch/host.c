#include "dispatch/host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/mac.h"
#include "core/utf8.h"

enum { LIMIT_MS = 10000, DISPATCH_LIMIT_MS = 30000, ANSWER_MAX = 64 * 1024, BOUNDARY_MAX = 300,
       FILM_ANSWER_MAX = 2 * 1024 * 1024 };

static const char *const prefixes[CALL_KINDS] = {
	[CALL_DISPATCH] = "/dispatch",
	[CALL_STATUS] = "/status/",
	[CALL_LOGS] = "/logs/",
	[CALL_FILM] = "/film/",
	[CALL_KILL] = "/kill/",
};

bool host_id_valid(const char *id)
{
	size_t len = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-");

	return len > 0 && len <= HOST_ID_MAX && id[len] == '\0';
}

static struct call *make_call(enum call_kind kind, const char *id, const char *query)
{
	struct call *c = xmalloc(sizeof *c);
	struct strbuf path;

	memset(c, 0, sizeof *c);
	strbuf_init(&path);
	strbuf_printf(&path, "%s%s%s", prefixes[kind], id, query);
	c->path = xstrdup(path.buf);
	strbuf_release(&path);
	c->kind = kind;
	c->post = kind == CALL_DISPATCH || kind == CALL_KILL;
	c->limit_ms = kind == CALL_DISPATCH ? DISPATCH_LIMIT_MS : LIMIT_MS;
	c->answer_max = ANSWER_MAX;
	c->log_start = c->log_end = -1;
	strbuf_init(&c->body);
	strbuf_init(&c->answer);
	return c;
}

struct call *host_call(enum call_kind kind, const char *id)
{
	return make_call(kind, kind == CALL_DISPATCH ? "" : id, "");
}

struct call *host_call_logs(const char *id, int64_t offset)
{
	struct arena a = { 0 };
	struct call *c = make_call(CALL_LOGS, id, arena_printf(&a, "?offset=%" PRId64, offset));

	arena_reset(&a);
	return c;
}

struct call *host_call_film(const char *id, int64_t offset)
{
	struct arena a = { 0 };
	struct call *c = make_call(CALL_FILM, id, arena_printf(&a, "?offset=%" PRId64, offset));

	c->answer_max = FILM_ANSWER_MAX;
	arena_reset(&a);
	return c;
}

/* ---- answers ---- */
static enum err parse(struct arena *a, const struct call *c, struct json_object **out,
		      struct errinfo *e)
{
	if (json_parse(a, c->answer.buf, c->answer.len, out, e) != ERR_OK || !json_is_object(*out))
		return err_set(e, ERR_BAD_INPUT, 0,
			       "the sandbox host's answer is not a JSON object");
	return ERR_OK;
}

enum err host_read_started(struct arena *a, const struct call *c, struct started *out,
			   struct errinfo *e)
{
	struct json_object *o;
	const char *status = NULL;
	enum err rc = parse(a, c, &o, e);

	if (rc != ERR_OK)
		return rc;
	if (jr_str_opt(o, "status", 0, 64, &status, NULL) != ERR_OK)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "the sandbox host's answer has a status that is no text");
	*out = (struct started){ .destroyed = status != NULL && strcmp(status, "destroyed") == 0 };
	rc = jr_str_opt(o, "sandboxId", 1, HOST_ID_MAX, &out->sandbox_id, NULL);
	bool valid = rc == ERR_OK && out->sandbox_id != NULL && host_id_valid(out->sandbox_id);
	if (!valid && !out->destroyed)
		return err_set(e, ERR_BAD_INPUT, 0, "the sandbox host's answer names no sandbox");
	(void)jr_str_opt(o, "boundary", 1, BOUNDARY_MAX, &out->boundary, NULL);
	return ERR_OK;
}

enum err host_read_status(struct arena *a, const struct call *c, const char *sandbox_id,
			  struct host_status *out, struct errinfo *e)
{
	struct json_object *o;
	const char *id = NULL;
	enum err rc = parse(a, c, &o, e);

	memset(out, 0, sizeof *out);
	if (rc != ERR_OK)
		return rc;
	if ((rc = jr_str(o, "sandboxId", 1, HOST_ID_MAX, &id, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "alive", &out->alive, e)) != ERR_OK ||
	    (rc = jr_bool_opt(o, "running", &out->running, e)) != ERR_OK ||
	    (rc = jr_i64_opt(o, "exitCode", INT32_MIN, INT32_MAX, &out->exit_code, e)) != ERR_OK ||
	    (rc = jr_str_opt(o, "reason", 0, 64, &out->reason, e)) != ERR_OK ||
	    (rc = jr_str_opt(o, "error", 0, SIZE_MAX, &out->error, e)) != ERR_OK)
		return rc;
	if (strcmp(id, sandbox_id) != 0 || !jr_has(o, "alive"))
		return err_set(e, ERR_BAD_INPUT, 0,
			       "the sandbox host's answer is not about this sandbox");
	out->has_exit_code = jr_has(o, "exitCode");
	if (out->error != NULL)
		out->error = arena_strndup(a, out->error,
					   utf8_cut(out->error, strlen(out->error), HOST_TEXT_MAX));
	return ERR_OK;
}

bool host_refused(const struct call *c)
{
	return c->status >= 400 && c->status < 500 && c->status != 409 && c->status != 429;
}

const char *host_message(struct arena *a, const struct call *c)
{
	struct json_object *o, *error = NULL;
	const char *text = NULL;

	if (c->status == 0 || parse(a, c, &o, NULL) != ERR_OK ||
	    jr_obj_opt(o, "error", &error, NULL) != ERR_OK || error == NULL ||
	    jr_str_opt(error, "message", 1, SIZE_MAX, &text, NULL) != ERR_OK || text == NULL)
		return NULL;
	return arena_strndup(a, text, utf8_cut(text, strlen(text), HOST_TEXT_MAX));
}

const char *host_complaint(struct arena *a, const struct call *c)
{
	const char *said = host_message(a, c);

	if (c->status == 0)
		return arena_printf(a, "the sandbox host cannot be reached: %s", c->why);
	if (c->status == 401)
		return "the sandbox host does not accept our secret (401)";
	if (said == NULL)
		return arena_printf(a, "the sandbox host answered %d", c->status);
	return arena_printf(a, "the sandbox host answered %d: %s", c->status, said);
}

const char *host_derive_id(struct arena *a, const char *secret, const char *dispatch_id)
{
	uint8_t mac[MAC_LEN];
	char *hex = arena_alloc(a, MAC_HEX);

	hmac_sha256(secret, strlen(secret), dispatch_id, strlen(dispatch_id), mac);
	hex_encode(hex, mac, MAC_LEN / 2);
	return hex;
}

/*
 * platforms.json: {"<id>": {"mark", "status", "reason", "credits_cents", "checked_at"}, …}, times
 * in unix milliseconds. It holds nothing that could not be asked again: what cannot be read of an
 * entry counts as never checked.
 */
#include "store/platforms.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env.h"
#include "core/json.h"
#include "core/mac.h"
#include "core/number.h"
#include "core/strbuf.h"
#include "store/document.h"
#include "store/settings.h"

#define FILE_NAME "platforms.json"
enum { WANT_EVERY_MS = 60 * 1000, REASON_MAX = 400 };

const struct platform platforms[PLATFORM_COUNT] = {
	[PLATFORM_SHELLEY] = { "shelley",
			       "Shelley",
			       "#C8A630",
			       { NULL },
			       "CHOMP_SHELLEY_URL",
			       NULL },
	[PLATFORM_CLOUDFLARE] = { "cf-ai",
				  "Cloudflare AI",
				  "#F6821F",
				  { "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID",
				    "CLOUDFLARE_AI_GATEWAY_ID" },
				  "CHOMP_CLOUDFLARE_URL",
				  "https://api.cloudflare.com" },
	[PLATFORM_OPENROUTER] = { "openrouter",
				  "OpenRouter",
				  "#6566F1",
				  { "OPENROUTER_API_KEY" },
				  "CHOMP_OPENROUTER_URL",
				  "https://openrouter.ai" },
	[PLATFORM_ZEN] = { "zen",
			   "OpenCode Zen",
			   "#4F6EC5",
			   { "OPENCODE_ZEN_API_KEY" },
			   "CHOMP_ZEN_URL",
			   "https://opencode.ai" },
};

static const char *const status_names[] = { "unknown", "unconfigured", "live", "limited", "down" };

const char *platform_status_name(enum platform_status s)
{
	return status_names[s];
}

/* ---- keys ---- */
static void make_mark(const struct strbuf *text, char mark[static MARK_LEN + 1])
{
	uint8_t digest[MAC_LEN];

	sha256(text->buf, text->len, digest);
	hex_encode(mark, digest, MARK_LEN / 2);
}

enum err platform_keys_read(const char *var, struct arena *a, enum platform_id id,
			    struct platform_keys *out, struct errinfo *e)
{
	const struct platform *p = &platforms[id];
	struct strbuf text;
	enum err rc = ERR_OK;

	memset(out, 0, sizeof *out);
	out->set = p->url != NULL || env_text(p->url_env, NULL) != NULL;
	strbuf_init(&text);
	strbuf_printf(&text, "%s\n%s", p->id, p->keys[0] == NULL ? env_text(p->url_env, "") : "");
	for (size_t i = 0; rc == ERR_OK && i < PLATFORM_KEYS && p->keys[i] != NULL; i++) {
		rc = key_read(var, a, p->keys[i], &out->values[i], e);
		out->set = out->set && out->values[i] != NULL;
		strbuf_printf(&text, "\n%s", out->values[i] != NULL ? out->values[i] : "");
	}
	if (out->set)
		make_mark(&text, out->mark);
	explicit_bzero(text.buf, text.len);
	strbuf_release(&text);
	return rc;
}

/* ---- reading ---- */
static enum platform_status parse_status(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof status_names / sizeof status_names[0]; i++) {
		if (strcmp(status_names[i], name) == 0)
			return (enum platform_status)i;
	}
	return PLATFORM_UNKNOWN;
}

const char *platform_dollars(struct arena *a, int64_t cents)
{
	int64_t abs = cents < 0 ? -cents : cents;

	return arena_printf(a, "%s%" PRId64 ".%02d", cents < 0 ? "-" : "", abs / 100,
			    (int)(abs % 100));
}

static void read_entry(const struct json_object *o, struct platform_state *s)
{
	const char *status = NULL;
	struct errinfo e;

	(void)jr_str_opt(o, "mark", 0, MARK_LEN, &s->mark, &e);
	(void)jr_str_opt(o, "status", 0, 32, &status, &e);
	(void)jr_str_opt(o, "reason", 0, REASON_MAX, &s->reason, &e);
	(void)jr_i64_opt(o, "checked_at", 0, NUMBER_MAX, &s->checked_at, &e);
	s->has_credits =
		jr_has(o, "credits_cents") &&
		jr_i64_opt(o, "credits_cents", -NUMBER_MAX, NUMBER_MAX, &s->credits, &e) == ERR_OK;
	s->status = parse_status(status);
}

static enum err settle(const char *var, struct arena *a, enum platform_id id,
		       struct platform_state *s, struct errinfo *e)
{
	struct platform_keys keys;
	enum err rc = platform_keys_read(var, a, id, &keys, e);

	if (rc != ERR_OK)
		return rc;
	if (!keys.set)
		*s = (struct platform_state){ .status = PLATFORM_UNCONFIGURED };
	else if (s->mark == NULL || strcmp(s->mark, keys.mark) != 0)
		*s = (struct platform_state){ .status = PLATFORM_UNKNOWN };
	return ERR_OK;
}

enum err platforms_read(const char *var, struct arena *a,
			struct platform_state out[static PLATFORM_COUNT], struct errinfo *e)
{
	struct json_object *all;
	enum err rc = document_read(var, FILE_NAME, a, &all, e);

	for (int i = 0; rc == ERR_OK && i < PLATFORM_COUNT; i++) {
		struct json_object *o = NULL;
		struct errinfo ignored;
		out[i] = (struct platform_state){ .status = PLATFORM_UNKNOWN };
		if (all != NULL && jr_obj_opt(all, platforms[i].id, &o, &ignored) == ERR_OK &&
		    o != NULL)
			read_entry(o, &out[i]);
		rc = settle(var, a, (enum platform_id)i, &out[i], e);
	}
	return rc;
}

/* ---- writing ---- */
struct writing {
	struct arena *a;
	const char *id;
	const struct platform_state *s;
	struct jw w;
};

static enum err copy_other(const char *key, struct json_object *value, void *arg)
{
	struct writing *job = arg;

	if (strcmp(key, job->id) != 0) {
		const char *text = json_text(job->a, value);
		jw_raw(&job->w, key, text, strlen(text));
	}
	return ERR_OK;
}

static enum err write_entry(const struct json_object *old, struct strbuf *out, void *arg,
			    struct errinfo *e)
{
	struct writing *job = arg;
	const struct platform_state *s = job->s;

	(void)e;
	jw_init(&job->w, out);
	jw_object(&job->w, NULL);
	if (old != NULL)
		(void)json_each(old, copy_other, job);
	jw_object(&job->w, job->id);
	jw_str(&job->w, "mark", s->mark);
	jw_str(&job->w, "status", platform_status_name(s->status));
	jw_str(&job->w, "reason", s->reason);
	if (s->has_credits)
		jw_i64(&job->w, "credits_cents", s->credits);
	jw_i64(&job->w, "checked_at", s->checked_at);
	jw_object_end(&job->w);
	jw_object_end(&job->w);
	strbuf_putc(out, '\n');
	return ERR_OK;
}

enum err platforms_write(const char *var, struct arena *a, enum platform_id id,
			 const struct platform_state *s, struct errinfo *e)
{
	struct writing job = { .a = a, .id = platforms[id].id, .s = s };

	return document_change(var, FILE_NAME, a, write_entry, &job, e);
}

/* ---- asking ---- */
void platforms_want(const char *var, struct arena *a, int64_t now_ms)
{
	const char *path = arena_printf(a, "%s/run/worker/" PLATFORMS_WANTED, var);
	struct timespec times[2];
	struct stat st;

	if (stat(path, &st) == 0) {
		int64_t age =
			now_ms - ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
		if (age >= 0 && age < WANT_EVERY_MS)
			return;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	times[0] = times[1] = (struct timespec){ now_ms / 1000, now_ms % 1000 * 1000000 };
	(void)futimens(fd, times);
	close(fd);
}

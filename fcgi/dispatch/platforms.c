#include "dispatch/platforms.h"

#include <stdlib.h>
#include <string.h>

#include "core/env.h"
#include "core/json.h"
#include "core/log.h"
#include "core/number.h"
#include "dispatch/dispatcher.h"
#include "dispatch/httpc.h"

/* ---- where they are ---- */
enum err platforms_configure(struct platform_checks *p, struct errinfo *e)
{
	for (int i = 0; i < PLATFORM_COUNT; i++) {
		const char *url = env_text(platforms[i].url_env, platforms[i].url);
		struct platform_check *c = &p->each[i];
		bool tls = false;
		if (url == NULL)
			continue;
		enum err rc = access_url(platforms[i].url_env, url, &c->base, &tls, &c->local, e);
		if (rc != ERR_OK)
			return rc;
		if (!tls && !c->local && platforms[i].keys[0] != NULL)
			return err_set(e, ERR_BAD_INPUT, 0,
				       "%s: a key does not go over plain http to another machine; "
				       "use https://",
				       platforms[i].url_env);
	}
	return ERR_OK;
}

void platforms_release(struct platform_checks *p)
{
	for (int i = 0; i < PLATFORM_COUNT; i++)
		free(p->each[i].base);
	memset(p, 0, sizeof *p);
}

/* ---- what they answer ---- */
struct money {
	struct arena *a;
	const char *want;
	bool found;
	double dollars;
};

static enum err find_money(const char *key, struct json_object *value, void *arg)
{
	struct money *m = arg;

	if (strcmp(key, m->want) != 0)
		return ERR_OK;
	const char *text = json_text(m->a, value);
	char *end;
	double n = strtod(text, &end);
	if (*end == '\0' && end != text && n > -1e12 && n < 1e12) { /* NaN is neither */
		m->dollars = n;
		m->found = true;
	}
	return ERR_OK;
}

/* {"data": {…}}: a number of it. */
static bool read_money(struct arena *a, const struct call *c, const char *key, double *out)
{
	struct json_object *o = NULL, *data = NULL;
	struct money m = { .a = a, .want = key };
	struct errinfo e;

	if (json_parse(a, c->answer.buf, c->answer.len, &o, &e) != ERR_OK ||
	    jr_obj_opt(o, "data", &data, &e) != ERR_OK || data == NULL)
		return false;
	(void)json_each(data, find_money, &m);
	*out = m.dollars;
	return m.found;
}

static void take_credits(struct platform_state *s, double dollars)
{
	s->has_credits = true;
	/* Not more than there is, but 0.29 is 29. */
	s->credits = (int64_t)(dollars * 100 + (dollars < 0 ? -1e-6 : 1e-6));
	if (s->credits <= 0) {
		s->status = PLATFORM_LIMITED;
		s->reason = "no credits are left";
	}
}

static void judge(struct arena *a, struct platform_state *s, const struct call *c)
{
	s->status = PLATFORM_DOWN;
	s->reason = NULL;
	if (c->status == 200)
		s->status = PLATFORM_LIVE;
	else if (c->status == 429)
		s->status = PLATFORM_LIMITED,
		s->reason = "it answers that there were too many requests";
	else if (c->status == 402)
		s->status = PLATFORM_LIMITED, s->reason = "no credits are left";
	else if (c->status == 401 || c->status == 403)
		s->reason = arena_printf(a, "the key is refused (%d)", c->status);
	else if (c->status != 0)
		s->reason = arena_printf(a, "it answers %d", c->status);
	else
		s->reason = arena_printf(a, "it cannot be reached: %s", c->why);
}

/* Each says what is asked next: a path, or NULL when all is known.  values: the platform's keys. */
typedef const char *question_fn(struct arena *a, struct platform_check *p, const struct call *c,
				const char *const *values);

/* A key may have a limit of its own; else the account's credits count, which not every key may see.
 */
static const char *openrouter(struct arena *a, struct platform_check *p, const struct call *c,
			      const char *const *values)
{
	double left = 0, used = 0;

	(void)values;
	if (p->step == 0)
		return "/api/v1/key";
	if (p->step == 1) {
		judge(a, &p->found, c);
		if (c->status != 200)
			return NULL;
		if (!read_money(a, c, "limit_remaining", &left))
			return "/api/v1/credits";
		take_credits(&p->found, left);
	} else if (c->status == 200 && read_money(a, c, "total_credits", &left) &&
		   read_money(a, c, "total_usage", &used)) {
		take_credits(&p->found, left - used);
	}
	return NULL;
}

static bool token_active(struct arena *a, const struct call *c)
{
	struct json_object *o = NULL, *result = NULL;
	const char *status = NULL;
	struct errinfo e;

	return json_parse(a, c->answer.buf, c->answer.len, &o, &e) == ERR_OK &&
	       jr_obj_opt(o, "result", &result, &e) == ERR_OK && result != NULL &&
	       jr_str_opt(result, "status", 0, 32, &status, &e) == ERR_OK && status != NULL &&
	       strcmp(status, "active") == 0;
}

/* A user's token is verified at one address, an account's own at another. */
static const char *cloudflare(struct arena *a, struct platform_check *p, const struct call *c,
			      const char *const *values)
{
	if (p->step == 0)
		return "/client/v4/user/tokens/verify";
	judge(a, &p->found, c);
	if (p->step == 1 && (c->status == 401 || c->status == 403) && host_id_valid(values[1]))
		return arena_printf(a, "/client/v4/accounts/%s/tokens/verify", values[1]);
	if (c->status == 200 && !token_active(a, c)) {
		p->found.status = PLATFORM_DOWN;
		p->found.reason = "the token is not active";
	}
	return NULL;
}

/* Zen has no address that tells of a key: it lives when it answers and does not refuse it. */
static const char *zen(struct arena *a, struct platform_check *p, const struct call *c,
		       const char *const *values)
{
	(void)values;
	if (p->step == 0)
		return "/zen/v1/models";
	judge(a, &p->found, c);
	return NULL;
}

/* A server of the owner's: any answer but a failure shows that it runs. */
static const char *shelley(struct arena *a, struct platform_check *p, const struct call *c,
			   const char *const *values)
{
	(void)values;
	if (p->step == 0)
		return "/";
	judge(a, &p->found, c);
	if (c->status >= 200 && c->status < 400)
		p->found = (struct platform_state){ .status = PLATFORM_LIVE };
	return NULL;
}

static question_fn *const questions[PLATFORM_COUNT] = {
	[PLATFORM_SHELLEY] = shelley,
	[PLATFORM_CLOUDFLARE] = cloudflare,
	[PLATFORM_OPENROUTER] = openrouter,
	[PLATFORM_ZEN] = zen,
};

/* ---- asking ---- */
static void answered(struct call *c);

/* Only the status counts there, and the list of models is long. */
static bool enough(struct call *c, const char *p, size_t len)
{
	(void)c;
	(void)p;
	(void)len;
	return false;
}

static void send_question(struct platform_check *p, const char *path, const char *bearer)
{
	struct call *c = xmalloc(sizeof *c);
	struct strbuf url;

	memset(c, 0, sizeof *c);
	strbuf_init(&c->body);
	strbuf_init(&c->answer);
	strbuf_init(&url);
	strbuf_printf(&url, "%s%s", p->base, path);
	c->path = xstrdup(url.buf);
	strbuf_release(&url);
	c->kind = CALL_PLATFORM;
	c->bearer = xstrdup(bearer != NULL ? bearer : "");
	c->local = p->local;
	c->limit_ms = PLATFORM_LIMIT_MS;
	c->answer_max = PLATFORM_ANSWER_MAX;
	c->take = p->id == PLATFORM_ZEN || p->id == PLATFORM_SHELLEY ? enough : NULL;
	c->done = answered;
	c->arg = p;
	c->sent_ms = p->d->mono_ms();
	p->busy = true;
	p->step++;
	p->d->send(p->d->to, c);
}

static void write_down(struct platform_check *p, struct arena *a)
{
	struct errinfo e = { 0 };

	p->busy = false;
	p->found.checked_at = p->d->wall_ms();
	p->found.mark = p->mark;
	if (platforms_write(p->d->var, a, p->id, &p->found, &e) != ERR_OK)
		log_err(LOG_WARN, "platform.not_written", &e);
	else
		log_event(LOG_INFO, "platform.checked", LOG_S("platform", platforms[p->id].id),
			  LOG_S("status", platform_status_name(p->found.status)),
			  LOG_S("why", p->found.reason != NULL ? p->found.reason : ""));
	p->found = (struct platform_state){ .status = PLATFORM_UNKNOWN };
}

static void answered(struct call *c)
{
	struct platform_check *p = c->arg;
	struct arena a = { 0 };
	struct platform_keys keys;
	struct errinfo e = { 0 };

	if (platform_keys_read(p->d->var, &a, p->id, &keys, &e) != ERR_OK ||
	    strcmp(keys.mark, p->mark) != 0) {
		p->busy = false; /* other keys meanwhile: this answer counts for nothing */
		p->checked_at = 0;
	} else {
		const char *path = questions[p->id](&a, p, c, keys.values);
		if (path != NULL)
			send_question(p, path, keys.values[0]);
		else
			write_down(p, &a);
	}
	p->found.reason = NULL; /* it lived in the arena */
	p->due = 0;
	arena_reset(&a);
}

static void begin(struct platform_check *p, struct arena *a, const struct platform_keys *keys)
{
	const char *bearer = keys->values[0];

	memcpy(p->mark, keys->mark, sizeof p->mark);
	p->checked_at = p->d->mono_ms();
	p->step = 0;
	p->found = (struct platform_state){ .status = PLATFORM_UNKNOWN };
	if (bearer != NULL && (strlen(bearer) > BEARER_MAX || !access_fits_header(bearer))) {
		p->found.status = PLATFORM_DOWN;
		p->found.reason = "the key holds characters that no key has";
		write_down(p, a);
		return;
	}
	send_question(p, questions[p->id](a, p, NULL, keys->values), bearer);
}

/* A check that was made before this process began counts too. */
static void recall(struct platform_check *p, struct arena *a)
{
	struct platform_state all[PLATFORM_COUNT];
	struct errinfo e;
	int64_t age;

	p->known = true;
	if (platforms_read(p->d->var, a, all, &e) != ERR_OK || all[p->id].mark == NULL)
		return;
	age = p->d->wall_ms() - all[p->id].checked_at;
	if (age < 0 || age >= PLATFORM_EVERY_MS || strlen(all[p->id].mark) != MARK_LEN)
		return;
	memcpy(p->mark, all[p->id].mark, sizeof p->mark);
	p->checked_at = p->d->mono_ms() - age;
}

static int64_t check(struct platform_check *p, struct arena *a)
{
	struct dispatcher *d = p->d;
	struct platform_keys keys;
	struct errinfo e = { 0 };

	if (p->base == NULL || p->busy)
		return NEVER;
	if (!p->known)
		recall(p, a);
	if (p->checked_at != 0 && p->checked_at >= d->platforms.looked_at)
		return NEVER; /* nobody looked since */
	if (platform_keys_read(d->var, a, p->id, &keys, &e) != ERR_OK || !keys.set)
		return NEVER;
	int64_t due = p->checked_at + PLATFORM_EVERY_MS;
	if (p->checked_at != 0 && due > d->mono_ms() && strcmp(p->mark, keys.mark) == 0)
		return due;
	begin(p, a, &keys);
	return NEVER;
}

int64_t platforms_round(struct dispatcher *d)
{
	struct arena a = { 0 };
	int64_t next = NEVER;

	if (d->platforms.looked_at == 0 || d->draining)
		return NEVER;
	if (d->mono_ms() - d->platforms.looked_at > PLATFORM_LOOKED_MS) {
		d->platforms.looked_at = 0;
		return NEVER;
	}
	for (int i = 0; i < PLATFORM_COUNT; i++) {
		struct platform_check *p = &d->platforms.each[i];
		p->d = d;
		p->id = (enum platform_id)i;
		if (p->due <= d->mono_ms())
			p->due = check(p, &a);
		next = p->due < next ? p->due : next;
	}
	arena_reset(&a);
	return next;
}

static void look_again(struct dispatcher *d)
{
	d->platforms.looked_at = d->mono_ms();
	for (int i = 0; i < PLATFORM_COUNT; i++)
		d->platforms.each[i].due = 0;
}

void platforms_asked(struct dispatcher *d)
{
	look_again(d);
}

void platforms_keys_changed(struct dispatcher *d)
{
	int64_t looked_at = d->platforms.looked_at;

	if (looked_at != 0 && d->mono_ms() - looked_at <= PLATFORM_LOOKED_MS)
		look_again(d);
}

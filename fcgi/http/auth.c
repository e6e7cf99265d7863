#include "http/auth.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "core/mac.h"
#include "core/number.h"
#include "core/rand.h"

/* ---- Host and Origin ---- */
static const char *origin_host(const char *origin)
{
	const char *p = strstr(origin, "://");

	return p != NULL ? p + 3 : origin;
}

enum err auth_host(const struct app *app, const char *host, struct errinfo *e)
{
	for (size_t i = 0; i < app->origin_count; i++) {
		if (strcasecmp(origin_host(app->origins[i]), host) == 0)
			return ERR_OK;
	}
	return err_set(e, ERR_MISDIRECTED, 0, "this server does not answer for host %.80s; see CHOMP_PUBLIC_ORIGINS",
		       host);
}

bool auth_origin_known(const struct app *app, const char *origin)
{
	for (size_t i = 0; i < app->origin_count; i++) {
		if (strcasecmp(app->origins[i], origin) == 0)
			return true;
	}
	return false;
}

/* ---- cookie: v1.<expiry>.<nonce>.<MAC> ---- */
static const char *cookie_mac(struct arena *a, const char *owner_token, const char *cookie_key,
			      const char *text, size_t len)
{
	/* Both secrets are in the key: a new token ends every browser session too. */
	const char *key = arena_printf(a, "%s %s", cookie_key, owner_token);
	uint8_t mac[MAC_LEN];
	char *out = arena_alloc(a, MAC_B64);

	hmac_sha256(key, strlen(key), text, len, mac);
	base64url_encode(out, mac, sizeof mac);
	return out;
}

const char *auth_cookie_make(const struct app *app, struct arena *a, const char *owner_token,
			     const char *cookie_key)
{
	char nonce[33];

	rand_hex(nonce, 16);
	const char *text = arena_printf(a, "v1.%" PRId64 ".%s",
					app->now() + (int64_t)COOKIE_DAYS * 24 * 3600 * 1000, nonce);
	/* Secure where the public address is https; a plain http loopback could not keep such a cookie. */
	const char *secure = strncmp(app->origins[0], "https:", 6) == 0 ? "; Secure" : "";
	return arena_printf(a, "%s=%s.%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", app->cookie_name,
			    text, cookie_mac(a, owner_token, cookie_key, text, strlen(text)),
			    COOKIE_DAYS * 24 * 3600, secure);
}

const char *auth_cookie_clear(const struct app *app, struct arena *a)
{
	return arena_printf(a, "%s=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", app->cookie_name);
}

/* The cookie's value, or NULL. */
static const char *find_cookie(struct arena *a, const char *header, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = header; *p != '\0';) {
		while (*p == ' ' || *p == ';')
			p++;
		size_t n = strcspn(p, ";");
		if (n > len && strncmp(p, name, len) == 0 && p[len] == '=')
			return arena_strndup(a, p + len + 1, n - len - 1);
		p += n;
	}
	return NULL;
}

static bool cookie_valid(const struct app *app, struct arena *a, const char *value, const char *owner_token,
			 const char *cookie_key, const char **nonce)
{
	const char *last = strrchr(value, '.');
	int64_t expires;

	if (last == NULL || strncmp(value, "v1.", 3) != 0 || strlen(value) > 256)
		return false;
	const char *good = cookie_mac(a, owner_token, cookie_key, value, (size_t)(last - value));
	if (!secret_equal(last + 1, good))
		return false;
	char *text = arena_strndup(a, value + 3, (size_t)(last - value - 3));
	char *dot = strchr(text, '.');
	if (dot == NULL)
		return false;
	*dot = '\0';
	*nonce = dot + 1;
	return number_parse(text, 0, INT64_MAX, &expires) == 0 && expires > app->now();
}

static bool from_elsewhere(const struct app *app, const struct request *rq)
{
	if (*rq->origin != '\0' && !auth_origin_known(app, rq->origin))
		return true;
	if (*rq->fetch_site == '\0')
		return false;
	return strcmp(rq->fetch_site, "same-origin") != 0 && strcmp(rq->fetch_site, "none") != 0;
}

enum err auth_identify(const struct app *app, struct request *rq, const char *owner_token,
		       const char *cookie_key, struct errinfo *e)
{
	rq->who = WHO_NOBODY;
	if (strncasecmp(rq->authorization, "Bearer ", 7) == 0) {
		rq->bearer = rq->authorization + 7;
		while (*rq->bearer == ' ')
			rq->bearer++;
		rq->who = secret_equal(rq->bearer, owner_token) ? WHO_OWNER : WHO_BEARER;
		return ERR_OK;
	}
	const char *value = find_cookie(&rq->arena, rq->cookie, app->cookie_name);
	const char *nonce = NULL;
	if (value == NULL || !cookie_valid(app, &rq->arena, value, owner_token, cookie_key, &nonce))
		return ERR_OK;
	if (from_elsewhere(app, rq))
		return err_set(e, ERR_FORBIDDEN, 0, "a request from another site is not taken");
	rq->who = WHO_OWNER;
	rq->session = nonce;
	return ERR_OK;
}

/* ---- throttle ---- */
enum { BUCKETS = 1024, FAILURES_MAX = 20, WINDOW_MS = 60 * 1000 };

struct throttle {
	struct {
		_Atomic int64_t since;
		_Atomic int count;
	} bucket[BUCKETS];
};

struct throttle *throttle_new(void)
{
	void *p = mmap(NULL, sizeof(struct throttle), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

bool throttle_failure(struct throttle *t, const char *addr, int64_t now_ms)
{
	uint8_t digest[MAC_LEN];

	if (t == NULL)
		return false;
	sha256(addr, strlen(addr), digest);
	size_t i = ((size_t)digest[0] << 8 | digest[1]) % BUCKETS;
	int64_t since = atomic_load(&t->bucket[i].since);
	if (now_ms - since > WINDOW_MS || now_ms < since) { /* over, or the clock was turned back */
		atomic_store(&t->bucket[i].since, now_ms);
		atomic_store(&t->bucket[i].count, 0);
	}
	return atomic_fetch_add(&t->bucket[i].count, 1) >= FAILURES_MAX;
}

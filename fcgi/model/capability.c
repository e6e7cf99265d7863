#include "model/capability.h"

#include <inttypes.h>
#include <string.h>

#include "core/mac.h"
#include "core/number.h"

static const char *sign(struct arena *a, const char *key, const char *text, size_t len)
{
	uint8_t mac[MAC_LEN];
	char *out = arena_alloc(a, MAC_B64);

	hmac_sha256(key, strlen(key), text, len, mac);
	base64url_encode(out, mac, sizeof mac);
	return out;
}

const char *capability_make(struct arena *a, const char *key, int64_t task, const struct session *s)
{
	const char *text = arena_printf(a, "c1.%" PRId64 ".%s.%s.%" PRId64, task, s->id,
					s->nonce != NULL ? s->nonce : "", s->expires_at);

	return arena_printf(a, "%s.%s", text, sign(a, key, text, strlen(text)));
}

bool capability_like(const char *text)
{
	return strncmp(text, "c1.", 3) == 0;
}

bool capability_read(struct arena *a, const char *key, const char *text, struct capability *out)
{
	const char *last = strrchr(text, '.');
	char *part[5], *p;

	if (!capability_like(text) || last == NULL || strlen(text) > 512)
		return false;
	if (!secret_equal(last + 1, sign(a, key, text, (size_t)(last - text))))
		return false;
	p = arena_strndup(a, text, (size_t)(last - text));
	for (int i = 0; i < 5; i++) {
		part[i] = p;
		if (p == NULL)
			return false;
		p = strchr(p, '.');
		if (p != NULL)
			*p++ = '\0';
	}
	out->sid = part[2];
	out->nonce = part[3];
	return p == NULL && number_parse(part[1], 1, NUMBER_MAX, &out->task) == 0 &&
	       number_parse(part[4], 0, INT64_MAX, &out->expires_at) == 0;
}

bool capability_fits(const struct capability *c, const struct session *s)
{
	return s->id != NULL && s->nonce != NULL && strcmp(s->id, c->sid) == 0 &&
	       secret_equal(s->nonce, c->nonce) && s->expires_at == c->expires_at;
}

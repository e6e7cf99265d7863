#include "core/mac.h"

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <string.h>

void sha256(const void *p, size_t len, uint8_t out[static MAC_LEN])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, len, p);
	sha256_digest(&ctx, MAC_LEN, out);
}

void hmac_sha256(const void *key, size_t key_len, const void *p, size_t len, uint8_t out[static MAC_LEN])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, len, p);
	hmac_sha256_digest(&ctx, MAC_LEN, out);
}

void hex_encode(char *out, const uint8_t *p, size_t len)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digit[p[i] >> 4];
		*out++ = digit[p[i] & 15];
	}
	*out = '\0';
}

void base64url_encode(char *out, const uint8_t *p, size_t len)
{
	struct base64_encode_ctx ctx;

	base64url_encode_init(&ctx);
	size_t n = base64_encode_update(&ctx, out, len, p);
	n += base64_encode_final(&ctx, out + n);
	while (n > 0 && out[n - 1] == '=')
		n--;
	out[n] = '\0';
}

bool secret_equal(const char *a, const char *b)
{
	uint8_t da[MAC_LEN], db[MAC_LEN];

	/* Digests first, so that lengths may differ without a way out of the comparison. */
	sha256(a, strlen(a), da);
	sha256(b, strlen(b), db);
	return memeql_sec(da, db, MAC_LEN) != 0;
}

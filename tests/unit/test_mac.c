#include "core/mac.h"
#include "unit.h"

/* ---- SHA-256: FIPS 180-4, the examples of the NIST ---- */
static const struct digest {
	const char *name;
	const char *text;
	size_t times;
	const char *hex;
} digests[] = {
	{ "SHA-256 of nothing", "", 1,
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "SHA-256 of abc", "abc", 1,
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "SHA-256 of 448 bits", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "SHA-256 of 896 bits",
	  "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
	  "lmnopqrsmnopqrstnopqrstu",
	  1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	{ "SHA-256 of a million times a", "a", 1000000,
	  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

static void digest_is_that_of_the_standard(void **state)
{
	ROW(struct digest);
	size_t len = strlen(r->text);
	uint8_t out[MAC_LEN];
	char hex[MAC_HEX], *all = malloc(len * r->times + 1);

	assert_non_null(all);
	for (size_t i = 0; i < r->times; i++)
		memcpy(all + i * len, r->text, len);
	sha256(all, len * r->times, out);
	free(all);
	hex_encode(hex, out, sizeof out);
	assert_string_equal(hex, r->hex);
}

/* ---- HMAC-SHA-256: RFC 4231, section 4; a key or text of one repeated byte is given by its count
 * ---- */
static const struct mac {
	const char *name;
	const char *key;
	size_t key_len;
	const char *text;
	size_t text_len;
	const char *hex;
} macs[] = {
	{ "HMAC of RFC 4231, case 1", "\x0b", 20, "Hi There", 0,
	  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "HMAC of RFC 4231, case 2", "Jefe", 0, "what do ya want for nothing?", 0,
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "HMAC of RFC 4231, case 3", "\xaa", 20, "\xdd", 50,
	  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
	{ "HMAC of RFC 4231, case 4",
	  "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16"
	  "\x17\x18\x19",
	  0, "\xcd", 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
	{ "HMAC of RFC 4231, case 6", "\xaa", 131,
	  "Test Using Larger Than Block-Size Key - Hash Key First", 0,
	  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	{ "HMAC of RFC 4231, case 7", "\xaa", 131,
	  "This is a test using a larger than block-size key and a larger than block-size data. "
	  "The key needs to be "
	  "hashed before being used by the HMAC algorithm.",
	  0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
};

static size_t spread(char *to, const char *from, size_t repeat)
{
	if (repeat == 0) {
		memcpy(to, from, strlen(from));
		return strlen(from);
	}
	memset(to, (unsigned char)from[0], repeat);
	return repeat;
}

static void keyed_digest_is_that_of_the_rfc(void **state)
{
	ROW(struct mac);
	char key[200], text[200], hex[MAC_HEX];
	uint8_t out[MAC_LEN];
	size_t key_len = spread(key, r->key, r->key_len), len = spread(text, r->text, r->text_len);

	hmac_sha256(key, key_len, text, len, out);
	hex_encode(hex, out, sizeof out);
	assert_string_equal(hex, r->hex);
}

/* ---- base64url: RFC 4648, sections 5 and 10, without padding ---- */
static const struct base64 {
	const char *name;
	const char *raw, *text;
} base64s[] = {
	{ "base64url of nothing", "", "" },
	{ "base64url of one byte", "f", "Zg" },
	{ "base64url of two bytes", "fo", "Zm8" },
	{ "base64url of three bytes", "foo", "Zm9v" },
	{ "base64url of four bytes", "foob", "Zm9vYg" },
	{ "base64url of five bytes", "fooba", "Zm9vYmE" },
	{ "base64url of six bytes", "foobar", "Zm9vYmFy" },
	{ "base64url has - for +", "\xfb\xef\xbe", "----" },
	{ "base64url has _ for /", "\xff\xff\xff", "____" },
};

static void encoded_for_urls(void **state)
{
	ROW(struct base64);
	size_t len = strlen(r->raw), room = (len + 2) / 3 * 4 + 1;
	char *out = malloc(room); /* exactly the room the header asks for: ASan looks on */

	assert_non_null(out);
	base64url_encode(out, (const uint8_t *)r->raw, len);
	assert_string_equal(out, r->text);
	free(out);
}

static void digest_fits_its_text_forms(void **state)
{
	uint8_t raw[MAC_LEN];
	char *b64 = malloc(MAC_B64), *hex = malloc(MAC_HEX);

	(void)state;
	memset(raw, 0xff, sizeof raw);
	base64url_encode(b64, raw, sizeof raw);
	hex_encode(hex, raw, sizeof raw);
	assert_int_equal(strlen(b64), 43);
	assert_int_equal(strlen(hex), 64);
	free(b64);
	free(hex);
}

/* ---- comparison ---- */
static const struct pair {
	const char *name;
	const char *a, *b;
	bool equal;
} pairs[] = {
	{ "equal secrets are equal", "correct horse", "correct horse", true },
	{ "two empty ones are equal", "", "", true },
	{ "another last byte differs", "correct horse", "correct horsf", false },
	{ "another first byte differs", "correct horse", "dorrect horse", false },
	{ "the beginning alone differs", "correct horse", "correct", false },
	{ "nothing differs from something", "", "x", false },
	{ "case differs", "Secret", "secret", false },
};

static void compared(void **state)
{
	ROW(struct pair);

	assert_int_equal(secret_equal(r->a, r->b), r->equal);
	assert_int_equal(secret_equal(r->b, r->a), r->equal);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, digests, digest_is_that_of_the_standard);
	PLAN_ROWS(&p, macs, keyed_digest_is_that_of_the_rfc);
	PLAN_ROWS(&p, base64s, encoded_for_urls);
	plan_add(&p, "a digest fits its text forms", digest_fits_its_text_forms, NULL);
	PLAN_ROWS(&p, pairs, compared);
	return plan_run("mac", &p);
}

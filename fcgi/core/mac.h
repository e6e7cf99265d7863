/* Digests and keyed digests (nettle), their text forms, and comparison in constant time.  The only user of nettle. */
#ifndef CHOMP_CORE_MAC_H
#define CHOMP_CORE_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAC_LEN = 32, MAC_HEX = 65, MAC_B64 = 45 };

void sha256(const void *p, size_t len, uint8_t out[static MAC_LEN]);
void hmac_sha256(const void *key, size_t key_len, const void *p, size_t len, uint8_t out[static MAC_LEN]);

void hex_encode(char *out, const uint8_t *p, size_t len);            /* 2*len digits, lower case, and a NUL */
void base64url_encode(char *out, const uint8_t *p, size_t len); /* no padding, and a NUL; out has room for (len + 2) / 3 * 4 + 1 */

/* True when both strings are equal; the time taken depends on the lengths only. */
bool secret_equal(const char *a, const char *b);

#endif

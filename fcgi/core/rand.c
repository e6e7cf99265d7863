#include "core/rand.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/mac.h"

void rand_bytes(void *buf, size_t len)
{
	/* Up to 256 bytes come whole once the kernel's pool is ready, also when a signal arrives (getrandom(2)). */
	for (size_t done = 0; done < len;) {
		size_t want = len - done > 256 ? 256 : len - done;
		ssize_t n = getrandom((char *)buf + done, want, 0);
		if (n < 0)
			abort();
		done += (size_t)n;
	}
}

void rand_hex(char *out, size_t len)
{
	unsigned char raw[64];

	if (len > sizeof raw)
		abort();
	rand_bytes(raw, len);
	hex_encode(out, raw, len);
}

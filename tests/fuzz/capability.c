/* A session's token: what is taken is what we would make ourselves, byte for byte. */
#include "fuzz.h"

#include "model/capability.h"

static const char key[] = "a key of the agents, 32 bytes ...";

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };
	struct capability c;

	if (n > FUZZ_MAX)
		return 0;
	const char *text = arena_strndup(&a, (const char *)p, n);
	if (capability_read(&a, key, text, &c)) {
		struct session s = { .id = c.sid, .nonce = c.nonce, .expires_at = c.expires_at };
		assert(strcmp(capability_make(&a, key, c.task, &s), text) == 0);
		assert(capability_fits(&c, &s));
	}
	/* Sign what was given as a nonce: it is read back as it was, or refused for its dots or
	 * length. */
	struct session s = { .id = "s1", .nonce = text, .expires_at = 5 };
	const char *token = capability_make(&a, key, 7, &s);
	bool read = capability_read(&a, key, token, &c);
	assert(read == (strchr(text, '.') == NULL && strlen(token) <= 512));
	assert(!read || (strcmp(c.nonce, text) == 0 && c.task == 7));
	arena_reset(&a);
	return 0;
}

/* Cookie, Authorization, Host and Origin, a line each: nobody gets in who does not know a secret.
 */
#include "fuzz.h"

#include "http/auth.h"

static int64_t now(void)
{
	return 1770804000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct app app = { .cookie_name = "chomp_8000",
					.origins = { "http://127.0.0.1:8000" },
					.origin_count = 1,
					.now = now };
	struct request rq = { .fetch_site = "" };
	char *line[4];

	if (n > FUZZ_MAX)
		return 0;
	char *rest = arena_strndup(&rq.arena, (const char *)p, n);
	for (int i = 0; i < 4; i++) {
		line[i] = rest;
		rest += strcspn(rest, "\n");
		if (*rest != '\0')
			*rest++ = '\0';
	}
	rq.cookie = line[0];
	rq.authorization = line[1];
	rq.origin = line[3];
	assert(auth_host(&app, line[2], NULL) == ERR_OK ? strcmp(line[2], "127.0.0.1:8000") == 0
							: true);
	(void)auth_identify(&app, &rq, "an owner's token of 32 bytes ....",
			    "a cookie key of 32 bytes ........", NULL);
	assert(rq.who != WHO_OWNER && rq.session == NULL);
	arena_reset(&rq.arena);
	return 0;
}

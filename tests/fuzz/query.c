/* A query string and a path's parameter. */
#include "fuzz.h"

#include "core/number.h"
#include "core/utf8.h"
#include "http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const names[] = { "code", "q", "status", "limit", "cursor", "" };
	struct request rq = { 0 };
	int64_t id = 0;

	if (n > FUZZ_MAX)
		return 0;
	rq.query = arena_strndup(&rq.arena, (const char *)p, n);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = request_query(&rq, names[i]);
		assert(value == NULL || (strlen(value) <= n && utf8_valid(value, strlen(value))));
	}
	if (request_id(rq.query, &id, NULL) == ERR_OK)
		assert(id == -1 || (id > 0 && id <= NUMBER_MAX));
	arena_reset(&rq.arena);
	return 0;
}

/*
 * Lines of the task log.  As they are: none is taken whose checksum does not fit.  With the
 * checksum made to fit: the head is read, the index follows or calls it damage, and its counts are
 * those of its slots.
 */
#include "fuzz.h"

#include <stdio.h>
#include <zlib.h>

#include "core/json.h"
#include "core/number.h"
#include "model/codec.h"
#include "store/index.h"

static void read_line(struct index *ix, const char *json, size_t len, int64_t off)
{
	char line[FUZZ_MAX + 16];
	struct record_head h;
	int n = snprintf(line, sizeof line, "%08lx ", crc32_z(0, (const unsigned char *)json, len));

	memcpy(line + n, json, len);
	if (!record_read(line, (size_t)n + len, &h))
		return;
	assert(h.id >= 0 && h.id <= NUMBER_MAX && h.tokens >= 0 && h.tokens <= NUMBER_MAX);
	assert(h.kind != RECORD_SET || (h.status >= 0 && h.status < STATUS_COUNT));
	line[3] = line[3] != '0' ? '0' : '1';
	struct record_head ignored;
	assert(!record_read(line, (size_t)n + len, &ignored));
	if (h.kind != RECORD_LOG && h.id > 20000)
		h.id = h.id %
		       20000; /* chunks are large; what is far out of reach has a unit test */
	(void)index_apply(ix, &h, (struct place){ .off = off, .len = (uint32_t)len });
}

static void assert_sound(const struct index *ix)
{
	int64_t counts[STATUS_COUNT] = { 0 }, steps = INT64_MAX, below = ix->next_id, id;
	__int128 tokens = 0;

	while ((id = index_before(ix, &below, ~0U, &steps)) != 0) {
		counts[index_slot(ix, id) - SLOT_STATUS]++;
		tokens += index_entry(ix, id)->tokens;
		assert(index_after(ix, id - 1, ~0U) == id);
	}
	assert(memcmp(counts, ix->counts, sizeof counts) == 0 && tokens == ix->tokens);
	for (id = 0; (id = index_next_todo(ix, id)) != 0;)
		assert(index_todo(ix, id));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *from = (const char *)p, *end = from + n;
	struct record_head h;
	struct index ix;

	if (n > FUZZ_MAX)
		return 0;
	if (record_read(from, n, &h))
		assert(n > RECORD_HEAD);
	index_init(&ix);
	while (from < end) {
		const char *nl = memchr(from, '\n', (size_t)(end - from)),
			   *to = nl != NULL ? nl : end;
		read_line(&ix, from, (size_t)(to - from), from - (const char *)p);
		from = to + 1;
	}
	assert_sound(&ix);
	index_release(&ix);
	return 0;
}

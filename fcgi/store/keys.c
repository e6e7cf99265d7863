#include "store/keys.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/arena.h"

enum { FIRST_SIZE = 64 };

uint32_t key_sum(const char *key)
{
	return (uint32_t)crc32_z(0, (const unsigned char *)key, strlen(key));
}

void keys_release(struct keys *k)
{
	free(k->young.slots);
	free(k->old.slots);
	memset(k, 0, sizeof *k);
}

static void put(struct key_table *t, struct key_slot new)
{
	size_t i = new.sum & (t->size - 1);

	while (t->slots[i].id != 0)
		i = (i + 1) & (t->size - 1);
	t->slots[i] = new;
}

static void grow(struct key_table *t)
{
	struct key_table bigger = { .size = t->size > 0 ? 2 * t->size : FIRST_SIZE, .used = t->used, .since = t->since };

	bigger.slots = xmalloc(bigger.size * sizeof *bigger.slots);
	memset(bigger.slots, 0, bigger.size * sizeof *bigger.slots);
	for (size_t i = 0; i < t->size; i++) {
		if (t->slots[i].id != 0)
			put(&bigger, t->slots[i]);
	}
	free(t->slots);
	*t = bigger;
}

void keys_add(struct keys *k, uint32_t sum, int64_t id, int64_t created)
{
	if (id <= 0 || id > UINT32_MAX)
		return;
	if (k->young.used > 0 && created > k->young.since + KEY_AGE_MS) {
		free(k->old.slots);
		k->old = k->young;
		k->young = (struct key_table){ 0 };
	}
	struct key_table *t = &k->young;
	if (t->used == 0)
		t->since = created;
	if ((t->used + 1) * 3 > t->size * 2)
		grow(t);
	put(t, (struct key_slot){ sum, (uint32_t)id });
	t->used++;
}

/* *at counts the places of both tables, the young one's first; a run of taken places ends at a free one. */
static int64_t find_in(const struct key_table *t, uint32_t sum, size_t *step)
{
	while (t->size > 0 && *step < t->size) {
		const struct key_slot *s = &t->slots[(sum + *step) & (t->size - 1)];
		if (s->id == 0)
			break;
		(*step)++;
		if (s->sum == sum)
			return s->id;
	}
	return 0;
}

int64_t keys_find(const struct keys *k, uint32_t sum, size_t *at)
{
	const size_t second = (size_t)1 << (8 * sizeof(size_t) - 1);
	int64_t id;

	if ((*at & second) == 0) {
		if ((id = find_in(&k->young, sum, at)) != 0)
			return id;
		*at = second;
	}
	size_t step = *at & ~second;
	id = find_in(&k->old, sum, &step);
	*at = second | step;
	return id;
}

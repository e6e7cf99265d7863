#include "store/cache.h"

#include <stdlib.h>

static void drop(struct cache *c, size_t i)
{
	if (c->slots[i] == NULL)
		return;
	c->bytes -= c->slots[i]->size;
	free(c->slots[i]);
	c->slots[i] = NULL;
}

void cache_release(struct cache *c)
{
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		drop(c, i);
	free(c->guest);
	c->guest = NULL;
}

const struct clone *cache_find(const struct cache *c, int64_t id, int64_t version)
{
	size_t i = (size_t)id % CACHE_SLOTS;
	const struct clone *found = c->slots[i];

	return found != NULL && found->task.id == id && c->versions[i] == version ? found : NULL;
}

const struct clone *cache_put(struct cache *c, const struct task *t, int64_t version)
{
	size_t i = (size_t)t->id % CACHE_SLOTS;
	struct clone *new = task_clone(t, CACHE_TEXT_MAX);

	free(c->guest);
	c->guest = NULL;
	drop(c, i);
	if (new->size > CACHE_ENTRY_MAX)
		return c->guest = new;
	if (c->bytes + new->size > CACHE_BYTES)
		cache_release(c);
	c->slots[i] = new;
	c->versions[i] = version;
	c->bytes += new->size;
	return new;
}

#include "store/cache.h"

#include <stdlib.h>

#include "core/json.h"
#include "model/codec.h"

static void drop(struct cache *c, size_t i)
{
	if (c->slots[i] == NULL)
		return;
	c->bytes -= c->slots[i]->size + c->texts[i].len;
	free(c->slots[i]);
	free(c->texts[i].json);
	c->slots[i] = NULL;
	c->texts[i] = (struct cache_text){ 0 };
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

const struct cache_text *cache_json(struct cache *c, const struct clone *entry)
{
	size_t i = (size_t)entry->task.id % CACHE_SLOTS;
	struct strbuf text;
	struct jw w;

	if (c->slots[i] != entry || entry->cut)
		return NULL;
	if (c->texts[i].json == NULL) {
		strbuf_init(&text);
		jw_init(&w, &text);
		task_write_public(&w, NULL, &entry->task);
		c->texts[i] = (struct cache_text){ text.buf, text.len };
		c->bytes += text.len;
	}
	return &c->texts[i];
}

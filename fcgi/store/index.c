#include "store/index.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

void index_init(struct index *ix)
{
	memset(ix, 0, sizeof *ix);
	ix->next_id = 1;
}

void index_release(struct index *ix)
{
	for (size_t i = 0; i < ix->chunk_count; i++)
		free(ix->chunks[i]);
	free(ix->chunks);
	keys_release(&ix->keys);
	index_init(ix);
}

static struct index_chunk *chunk_of(const struct index *ix, int64_t id)
{
	size_t n = (size_t)id / INDEX_CHUNK;

	return n < ix->chunk_count ? ix->chunks[n] : NULL;
}

static struct index_chunk *make_chunk(struct index *ix, int64_t id)
{
	size_t n = (size_t)id / INDEX_CHUNK;

	if (n >= ix->chunk_count) {
		ix->chunks = xrealloc(ix->chunks, (n + 1) * sizeof(struct index_chunk *));
		for (size_t i = ix->chunk_count; i <= n; i++)
			ix->chunks[i] = NULL;
		ix->chunk_count = n + 1;
	}
	if (ix->chunks[n] == NULL) {
		ix->chunks[n] = xmalloc(sizeof *ix->chunks[n]);
		memset(ix->chunks[n], 0, sizeof *ix->chunks[n]);
	}
	return ix->chunks[n];
}

int index_slot(const struct index *ix, int64_t id)
{
	const struct index_chunk *c = id > 0 ? chunk_of(ix, id) : NULL;

	return c != NULL ? c->slot[id % INDEX_CHUNK] : SLOT_NONE;
}

const struct entry *index_entry(const struct index *ix, int64_t id)
{
	return &chunk_of(ix, id)->entries[id % INDEX_CHUNK];
}

static void set_todo(struct index_chunk *c, size_t i, bool todo)
{
	if (c->todo[i] != (todo ? 1 : 0)) {
		c->todo[i] = todo ? 1 : 0;
		c->todo_count += todo ? 1 : (uint32_t)-1;
	}
}

static void set_slot(struct index_chunk *c, size_t i, int slot)
{
	if (c->slot[i] >= SLOT_STATUS)
		c->counts[c->slot[i] - SLOT_STATUS]--;
	if (slot >= SLOT_STATUS)
		c->counts[slot - SLOT_STATUS]++;
	c->slot[i] = (uint8_t)slot;
}

static void uncount(struct index *ix, int slot, const struct entry *en)
{
	if (slot >= SLOT_STATUS) {
		ix->counts[slot - SLOT_STATUS]--;
		ix->tokens -= en->tokens;
	}
}

bool index_apply(struct index *ix, const struct record_head *h, struct place place)
{
	if (h->id > TASK_ID_MAX + (h->kind == RECORD_LOG ? 1 : 0))
		return false;
	if (h->kind == RECORD_LOG) {
		if (h->id > ix->next_id)
			ix->next_id = h->id;
		if (h->gen > ix->gen)
			ix->gen = h->gen;
		return true;
	}
	if (h->id <= 0)
		return false;
	int slot = index_slot(ix, h->id);
	if (h->kind == RECORD_NEW) {
		if (slot != SLOT_NONE || h->id < ix->next_id)
			return false;
		struct index_chunk *c = make_chunk(ix, h->id);
		/* Until its first `set` is seen the task counts as deleted: both lines are one write. */
		c->slot[h->id % INDEX_CHUNK] = SLOT_DELETED;
		c->entries[h->id % INDEX_CHUNK].fixed = place;
		ix->live += place.len + 1;
		ix->next_id = h->id + 1;
		if (h->keyed)
			keys_add(&ix->keys, h->key_sum, h->id, h->created);
		return true;
	}
	if (slot == SLOT_NONE && h->kind == RECORD_DEL && h->id < ix->next_id)
		slot = SLOT_DELETED; /* the rest of it is gone, its sandboxes may not be */
	struct index_chunk *c = slot == SLOT_NONE ? NULL : make_chunk(ix, h->id);
	size_t i = (size_t)(h->id % INDEX_CHUNK);
	if (slot == SLOT_NONE || (slot == SLOT_DELETED && c->entries[i].changing.len != 0 && h->kind == RECORD_SET))
		return false;
	struct entry *en = &c->entries[i];
	uncount(ix, slot, en);
	ix->live += (int64_t)place.len - en->changing.len + (en->changing.len == 0 ? 1 : 0);
	en->changing = place;
	en->tokens = h->kind == RECORD_SET ? h->tokens : 0;
	set_todo(c, i, h->todo);
	if (h->kind == RECORD_DEL) {
		ix->live -= en->fixed.len != 0 ? en->fixed.len + 1 : 0;
		en->fixed.len = 0;
		set_slot(c, i, SLOT_DELETED);
		return true;
	}
	set_slot(c, i, SLOT_STATUS + (int)h->status);
	ix->counts[h->status]++;
	ix->tokens += en->tokens;
	return true;
}

bool index_todo(const struct index *ix, int64_t id)
{
	const struct index_chunk *c = chunk_of(ix, id);

	return c != NULL && c->todo[id % INDEX_CHUNK] != 0;
}

static bool in_mask(int slot, unsigned mask)
{
	return slot >= SLOT_STATUS && (mask >> (slot - SLOT_STATUS) & 1) != 0;
}

static bool chunk_has(const struct index_chunk *c, unsigned mask)
{
	for (int i = 0; c != NULL && i < STATUS_COUNT; i++) {
		if (c->counts[i] > 0 && (mask >> i & 1) != 0)
			return true;
	}
	return false;
}

int64_t index_before(const struct index *ix, int64_t *below, unsigned status_mask, int64_t *steps)
{
	int64_t id = *below > ix->next_id ? ix->next_id : *below;

	while (--id > 0 && *steps > 0) {
		const struct index_chunk *c = chunk_of(ix, id);
		(*steps)--;
		if (!chunk_has(c, status_mask)) {
			id -= id % INDEX_CHUNK;
			continue;
		}
		if (in_mask(c->slot[id % INDEX_CHUNK], status_mask)) {
			*below = id;
			return id;
		}
	}
	*below = id < 1 ? 1 : id + 1;
	return 0;
}

int64_t index_after(const struct index *ix, int64_t after, unsigned status_mask)
{
	for (int64_t id = after + 1; id < ix->next_id; id++) {
		const struct index_chunk *c = chunk_of(ix, id);
		if (!chunk_has(c, status_mask)) {
			id += INDEX_CHUNK - 1 - id % INDEX_CHUNK;
			continue;
		}
		if (in_mask(c->slot[id % INDEX_CHUNK], status_mask))
			return id;
	}
	return 0;
}

int64_t index_next_todo(const struct index *ix, int64_t after)
{
	for (int64_t id = after + 1; id < ix->next_id; id++) {
		const struct index_chunk *c = chunk_of(ix, id);
		if (c == NULL || c->todo_count == 0) {
			id += INDEX_CHUNK - 1 - id % INDEX_CHUNK;
			continue;
		}
		if (c->todo[id % INDEX_CHUNK] != 0)
			return id;
	}
	return 0;
}

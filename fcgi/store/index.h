/*
 * Where each task's newest lines are in the log, and what lists and counters need without reading them.
 * Kept in chunks of fixed size: a parent builds it before it forks, and a child that follows the log copies only the
 * pages it changes.
 */
#ifndef CHOMP_STORE_INDEX_H
#define CHOMP_STORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/keys.h"
#include "store/record.h"

enum { INDEX_CHUNK = 4096 };
enum { SLOT_NONE = 0, SLOT_DELETED = 1, SLOT_STATUS = 2 }; /* SLOT_STATUS + enum status: a live task */

struct place { /* a line without its newline */
	int64_t off;
	uint32_t len;
};

struct entry {
	struct place fixed, changing; /* `new`; newest `set` or `del` (len 0: none yet) */
	int64_t tokens;
};

struct index_chunk {
	uint8_t slot[INDEX_CHUNK];
	uint8_t todo[INDEX_CHUNK];
	uint32_t todo_count, counts[STATUS_COUNT]; /* a chunk without what is looked for is passed over at once */
	struct entry entries[INDEX_CHUNK];
};

struct index {
	struct index_chunk **chunks;
	size_t chunk_count;
	int64_t next_id;
	int64_t counts[STATUS_COUNT];
	__int128 tokens; /* of all live tasks: a thousand of 2^53 each are more than 64 bits hold */
	int64_t live;	/* bytes of the lines that still count */
	int64_t gen;	/* of the log */
	struct keys keys; /* of tasks made in the last day */
};

void index_init(struct index *ix);
void index_release(struct index *ix);

/* Take in a line's head, found at `place`.  false: it contradicts what came before (damage). */
bool index_apply(struct index *ix, const struct record_head *h, struct place place);

/* SLOT_…; SLOT_NONE for ids that never were. */
int index_slot(const struct index *ix, int64_t id);
const struct entry *index_entry(const struct index *ix, int64_t id); /* of a slot that is not SLOT_NONE */

bool index_todo(const struct index *ix, int64_t id); /* of a slot that is not SLOT_NONE */

/* The highest live id below `below` whose status is in the mask (1 << status); looks at most `steps` ids down;
 * 0 when none is left.  *below moves to where to go on. */
int64_t index_before(const struct index *ix, int64_t *below, unsigned status_mask, int64_t *steps);

/* The lowest live id above `after` whose status is in the mask, 0 when there is none. */
int64_t index_after(const struct index *ix, int64_t after, unsigned status_mask);

/* The lowest id above `after` with work for the dispatcher, 0 when there is none. */
int64_t index_next_todo(const struct index *ix, int64_t after);

#endif

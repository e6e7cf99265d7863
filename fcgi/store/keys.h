/*
 * Which task was made with which Idempotency-Key in the last day: a question every create with a key asks under the lock.
 *
 * Keys are kept by a 32-bit checksum with the id, 8 bytes each, in an open table; whoever finds one reads the record and
 * compares.  Two tables take turns: what the older one holds was created a day before the newer one's first entry, or
 * longer ago, once a third would be begun; so nothing is ever searched for what is too old.
 */
#ifndef CHOMP_STORE_KEYS_H
#define CHOMP_STORE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_AGE_MS = 24 * 3600 * 1000 };

struct key_slot {
	uint32_t sum, id; /* id 0: free */
};

struct key_table {
	struct key_slot *slots;
	size_t size, used; /* size: a power of two, or 0 */
	int64_t since;	   /* creation of its first entry, unix ms */
};

struct keys {
	struct key_table young, old;
};

uint32_t key_sum(const char *key);

void keys_release(struct keys *k);

/* id: 1 … TASK_ID_MAX - 1; larger ones are not kept. */
void keys_add(struct keys *k, uint32_t sum, int64_t id, int64_t created);

/* The next id with this sum: *at is 0 to begin with.  0: no more. */
int64_t keys_find(const struct keys *k, uint32_t sum, size_t *at);

#endif

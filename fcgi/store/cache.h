/*
 * Tasks as this process has read them lately, so that a list of fifty is not fifty reads and fifty parsed documents each
 * time somebody looks.  One place for each id modulo CACHE_SLOTS: the newest ids, which lists show, never push each other
 * out.  An entry counts as long as the index gives its task the same version.
 */
#ifndef CHOMP_STORE_CACHE_H
#define CHOMP_STORE_CACHE_H

#include "model/clone.h"

enum {
	CACHE_SLOTS = 1024,
	CACHE_BYTES = 4 << 20,	   /* all of them; beyond it the cache begins anew */
	CACHE_ENTRY_MAX = 64 << 10, /* what is larger is not kept */
	CACHE_TEXT_MAX = 2 << 10,
};

struct cache_text { /* as the API shows the task; NULL: nobody has asked yet */
	char *json;
	size_t len;
};

struct cache {
	struct clone *slots[CACHE_SLOTS];
	struct cache_text texts[CACHE_SLOTS];
	int64_t versions[CACHE_SLOTS];
	size_t bytes;
	struct clone *guest; /* read last, too large to be kept */
};

void cache_release(struct cache *c);

/* The entry of this task in this version, NULL when there is none. */
const struct clone *cache_find(const struct cache *c, int64_t id, int64_t version);

/* Keep a copy of *t, long texts cut; it lives until the next cache_put. */
const struct clone *cache_put(struct cache *c, const struct task *t, int64_t version);

/* The public JSON of an entry that is kept and not cut; NULL of another one.  It lives until the next cache_put. */
const struct cache_text *cache_json(struct cache *c, const struct clone *entry);

#endif

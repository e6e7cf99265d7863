/* A task as JSON and back: one shape for the log, the API and old state files (docs/STATE.md, docs/API.md). */
#ifndef CHOMP_MODEL_CODEC_H
#define CHOMP_MODEL_CODEC_H

#include "core/json.h"
#include "model/task.h"

/* Which members are written. */
enum parts {
	PART_FIXED = 1,	  /* what never changes, for a `new` line */
	PART_CHANGING = 2, /* the rest, for a `set` line */
	PART_PRIVATE = 4, /* what only the log may hold: nonces, the idempotency key */
};

/* Members only; the caller has opened the object and may have written members of its own. */
void task_write(struct jw *w, const struct task *t, unsigned parts);

/* The whole object for a client: everything but PART_PRIVATE. */
void task_write_public(struct jw *w, const char *key, const struct task *t);

/*
 * Read the members found in `o` into *t, on top of what is there: read the `new` line, then the newest `set` line.
 * Lenient as adoption needs it (null is absent); wrong types are ERR_BAD_INPUT.  Text is borrowed from `o`, which
 * must live as long as `a`.
 */
enum err task_read(struct arena *a, const struct json_object *o, struct task *t, struct errinfo *e);

/*
 * The same for a task of an old state file, where the id is text: members that are not known, in the task and in its
 * sessions, go to `extra`.  ERR_BAD_INPUT names the field that cannot be adopted.
 */
enum err task_adopt(struct arena *a, const struct json_object *o, struct task *t, struct errinfo *e);

/* {input,output,cache_read,cache_write}; missing members are 0; known becomes true. */
enum err usage_read(const struct json_object *o, struct usage *u, struct errinfo *e);

#endif

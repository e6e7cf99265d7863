/* A copy of a task that owns itself: one piece of memory, to be kept longer than the record it was read from. */
#ifndef CHOMP_MODEL_CLONE_H
#define CHOMP_MODEL_CLONE_H

#include "model/task.h"

struct clone {
	size_t size; /* bytes of the whole */
	bool cut;    /* a text was longer than text_max and ends early, at the end of a character */
	struct task task;
};

/* Texts longer than text_max bytes are cut (SIZE_MAX: none is); `extra`, which is JSON, is then left out.  free() ends it. */
struct clone *task_clone(const struct task *t, size_t text_max);

/* The same into an arena, uncut. */
void task_copy(struct arena *a, const struct task *t, struct task *out);

#endif

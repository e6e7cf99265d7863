/* One viewer of a task types; the others watch. */
#include <string.h>

#include "relay/viewer.h"

static bool same_terminal(const struct viewer *a, const struct viewer *b)
{
	return a->task == b->task && strcmp(a->sid, b->sid) == 0;
}

static void tell(struct viewer *v)
{
	viewer_note(v, "{\"type\":\"pen\",\"mine\":%s}", v->pen ? "true" : "false");
}

struct viewer *pen_holder(const struct viewer *v)
{
	for (struct viewer *other = v->relay->viewers; other != NULL; other = other->next) {
		if (other->pen && same_terminal(other, v))
			return other;
	}
	return NULL;
}

void pen_resized(struct viewer *v)
{
	for (struct viewer *other = v->relay->viewers; other != NULL; other = other->next) {
		if (other != v && same_terminal(other, v)) {
			other->told_size = false;
			conn_want_write(other->browser);
		}
	}
}

static void give(struct viewer *v)
{
	v->pen = true;
	tell(v);
	viewer_resized(v); /* the terminal takes the size of the one who types */
}

void pen_take(struct viewer *v)
{
	struct viewer *before = pen_holder(v);

	if (before == v) {
		tell(v);
		return;
	}
	if (before != NULL) {
		before->pen = false;
		strbuf_reset(&before->input);
		tell(before);
	}
	give(v);
}

void pen_offer(struct viewer *v)
{
	if (pen_holder(v) == NULL)
		give(v);
	else
		tell(v);
}

void pen_leave(struct viewer *v)
{
	v->pen = false;
}

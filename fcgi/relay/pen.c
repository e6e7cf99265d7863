/* One viewer of a task types; the others watch. */
#include <stdio.h>
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

static struct viewer *holder(const struct viewer *v)
{
	for (struct viewer *other = v->relay->viewers; other != NULL; other = other->next) {
		if (other->pen && same_terminal(other, v))
			return other;
	}
	return NULL;
}

static void give(struct viewer *v)
{
	char text[80];

	v->pen = true;
	tell(v);
	/* The terminal takes the size of the one who types. */
	if (v->cols > 0 && v->rows > 0) {
		int n = snprintf(text, sizeof text, "{\"type\":\"resize\",\"cols\":%d,\"rows\":%d}", v->cols, v->rows);
		viewer_browser_text(v, text, (size_t)n);
	}
}

void pen_take(struct viewer *v)
{
	struct viewer *before = holder(v);

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
	if (holder(v) == NULL)
		give(v);
	else
		tell(v);
}

void pen_leave(struct viewer *v)
{
	v->pen = false;
}

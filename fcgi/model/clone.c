/*
 * The same walk runs twice: first without memory, to count, then to copy.  So the two cannot disagree, and a copy is
 * one malloc and one free.
 */
#include "model/clone.h"

#include <stdint.h>
#include <string.h>

enum { ALIGN = 16 };

struct walk {
	char *mem; /* NULL: only count */
	size_t used, text_max;
	bool cut;
};

static void *take(struct walk *w, size_t len)
{
	void *p = w->mem != NULL ? w->mem + w->used : NULL;

	w->used += len;
	return p;
}

static void *take_aligned(struct walk *w, size_t len)
{
	w->used = (w->used + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	return take(w, len);
}

static void text(struct walk *w, const char **field)
{
	if (*field == NULL)
		return;
	size_t len = strlen(*field);
	if (len > w->text_max) {
		w->cut = true;
		for (len = w->text_max; len > 0 && ((unsigned char)(*field)[len] & 0xC0) == 0x80;)
			len--; /* not within a character */
	}
	char *p = take(w, len + 1);
	if (p == NULL)
		return;
	memcpy(p, *field, len);
	p[len] = '\0';
	*field = p;
}

/* Members of an adopted record: half of a JSON text is worth nothing. */
static void extra(struct walk *w, const char **field)
{
	if (*field != NULL && strlen(*field) > w->text_max) {
		w->cut = true;
		*field = NULL;
	}
	text(w, field);
}

static void outbox(struct walk *w, struct outbox *o)
{
	text(w, &o->id);
	text(w, &o->error);
}

static void session_texts(struct walk *w, struct session *s)
{
	text(w, &s->id);
	text(w, &s->agent);
	text(w, &s->model);
	text(w, &s->router);
	text(w, &s->summary);
	text(w, &s->sandbox_id);
	outbox(w, &s->dispatch);
	outbox(w, &s->kill);
	text(w, &s->gate.name);
	text(w, &s->gate.output);
	text(w, &s->gate.tree);
	text(w, &s->gate.gate_hash);
	text(w, &s->gate.log_hash);
	text(w, &s->nonce);
	extra(w, &s->extra);
}

static void artifact_texts(struct walk *w, struct artifact *f)
{
	text(w, &f->name);
	text(w, &f->session);
}

static void task_texts(struct walk *w, struct task *t)
{
	text(w, &t->prompt);
	text(w, &t->dir);
	text(w, &t->repo_url);
	text(w, &t->branch);
	text(w, &t->host);
	text(w, &t->network);
	text(w, &t->idempotency_key);
	text(w, &t->gate);
	extra(w, &t->extra);
	text(w, &t->platform);
	text(w, &t->model);
	text(w, &t->router);
	text(w, &t->result);
	text(w, &t->error);
	text(w, &t->review.comment);
}

/* *t is a copy of the struct already; here its pointers are led into the new memory. */
static void all(struct walk *w, struct task *t)
{
	struct session *sessions = take_aligned(w, t->session_count * sizeof *sessions);
	struct artifact *artifacts = take_aligned(w, t->artifact_count * sizeof *artifacts);

	for (size_t i = 0; i < t->session_count; i++) {
		struct session s = t->sessions[i];
		session_texts(w, &s);
		if (sessions != NULL)
			sessions[i] = s;
	}
	for (size_t i = 0; i < t->artifact_count; i++) {
		struct artifact f = t->artifacts[i];
		artifact_texts(w, &f);
		if (artifacts != NULL)
			artifacts[i] = f;
	}
	task_texts(w, t);
	t->sessions = sessions;
	t->artifacts = artifacts;
}

struct clone *task_clone(const struct task *t, size_t text_max)
{
	struct walk w = { .text_max = text_max };
	struct task copy = *t;

	(void)take(&w, sizeof(struct clone));
	all(&w, &copy);
	struct clone *c = xmalloc(w.used);
	*c = (struct clone){ .size = w.used, .cut = w.cut, .task = *t };
	w = (struct walk){ .mem = (char *)c, .used = sizeof *c, .text_max = text_max };
	all(&w, &c->task);
	return c;
}

void task_copy(struct arena *a, const struct task *t, struct task *out)
{
	struct walk w = { .text_max = SIZE_MAX };
	struct task copy = *t;

	all(&w, &copy);
	w = (struct walk){ .mem = arena_alloc(a, w.used), .text_max = SIZE_MAX };
	*out = *t;
	all(&w, out);
}

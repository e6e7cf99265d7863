#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/number.h"
#include "core/utf8.h"
#include "model/codec.h"
#include "store/adopt.h"
#include "store/inside.h"
#include "store/mark.h"
#include "store/reserve.h"
#include "store/transfer.h"

enum { LIST_STEPS = 20000 };

/* ---- open, close ---- */
static enum err first_line(struct store *s, struct errinfo *e)
{
	struct strbuf line;
	enum err rc = lock_take(&s->lock, e);

	if (rc != ERR_OK)
		return rc;
	strbuf_init(&line);
	if ((rc = log_catch_up(&s->log, e)) == ERR_OK && s->log.end == 0) {
		record_log(&line, 1, 1);
		rc = log_append(&s->log, line.buf, line.len, e);
	}
	strbuf_release(&line);
	lock_drop(&s->lock);
	return rc == ERR_OK ? log_sync(&s->log, e) : rc;
}

static enum err adopt(struct store *s, int dirfd, struct errinfo *e)
{
	enum err rc = lock_take(&s->lock, e);

	if (rc != ERR_OK)
		return rc;
	if ((rc = transfer_resume(dirfd, e)) == ERR_OK)
		rc = adopt_old_state(dirfd, e);
	lock_drop(&s->lock);
	return rc;
}

static enum err mend(struct store *s, struct errinfo *e)
{
	enum err rc = lock_take(&s->lock, e);

	if (rc != ERR_OK)
		return rc;
	rc = log_mend(&s->log, e);
	lock_drop(&s->lock);
	return rc;
}

static enum err open_files(struct store *s, enum store_mode mode, struct errinfo *e)
{
	enum err rc;

	s->dirfd = openat(s->var_fd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dirfd < 0)
		return err_set(e, ERR_IO, errno, "open state/");
	if ((rc = lock_open(&s->lock, s->dirfd, e)) != ERR_OK)
		return rc;
	if (mode == STORE_OWNER)
		rc = adopt(s, s->dirfd, e);
	if (rc == ERR_OK)
		rc = log_open(&s->log, s->dirfd, e);
	if (rc != ERR_OK) {
		lock_close(&s->lock);
		return rc;
	}
	if (mode == STORE_OWNER && s->log.damage >= 0)
		rc = mend(s, e);
	if (rc == ERR_OK && fsync(s->dirfd) < 0) /* the names of files just created */
		rc = err_set(e, ERR_IO, errno, "sync state/");
	if (rc == ERR_OK && mode == STORE_OWNER && s->log.end == 0 && s->log.damage < 0)
		rc = first_line(s, e);
	if (rc != ERR_OK) {
		log_close(&s->log);
		lock_close(&s->lock);
	}
	return rc;
}

/*
 * After a failed sync the kernel may hold as written what the disk never got.  All that was read is written anew, so that
 * it is durable, or changes stay refused.
 */
static void start_over(struct store *s)
{
	struct errinfo e;

	if (mark_clear(s->var_fd)) {
		if (s->log.damage >= 0 || store_compact(s, &e) == ERR_OK)
			log_event(LOG_WARN, "store.read_only_cleared");
		else
			store_poison(s, &e);
	}
	if (lock_take(&s->lock, &e) != ERR_OK)
		return; /* whoever creates the first task makes it */
	if (reserve_ensure(s->dirfd, &e) != ERR_OK)
		log_err(LOG_WARN, "store.no_reserve", &e);
	lock_drop(&s->lock);
}

enum err store_open(struct store **out, const char *var, enum store_mode mode, struct errinfo *e)
{
	struct store *s = xmalloc(sizeof *s);

	memset(s, 0, sizeof *s);
	*out = NULL;
	s->var_fd = open(var, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->var_fd < 0) {
		err_set(e, ERR_IO, errno, "open %s", var);
		free(s);
		return ERR_IO;
	}
	s->dirfd = -1;
	enum err rc = open_files(s, mode, e);
	if (rc != ERR_OK) {
		if (s->dirfd >= 0)
			close(s->dirfd);
		close(s->var_fd);
		free(s);
		return rc;
	}
	if (mode == STORE_OWNER)
		start_over(s);
	*out = s;
	return ERR_OK;
}

void store_close(struct store *s)
{
	cache_release(&s->cache);
	log_close(&s->log);
	lock_close(&s->lock);
	close(s->dirfd);
	close(s->var_fd);
	free(s);
}

enum err store_after_fork(struct store *s, struct errinfo *e)
{
	enum err rc;

	lock_close(&s->lock);
	rc = lock_open(&s->lock, s->dirfd, e);
	return rc == ERR_OK ? log_after_fork(&s->log, e) : rc;
}

/* ---- following, syncing ---- */
enum err store_catch_up(struct store *s, struct errinfo *e)
{
	return log_catch_up(&s->log, e);
}

int64_t store_version(const struct store *s)
{
	return s->log.index.gen << 42 | s->log.end; /* 4 TiB a generation */
}

void store_poison(struct store *s, const struct errinfo *why)
{
	s->poisoned = true;
	(void)mark_set(s->var_fd, why);
}

enum err store_sync(struct store *s, struct errinfo *e)
{
	struct errinfo mine;
	enum err rc = log_sync(&s->log, &mine);

	if (rc != ERR_OK) {
		store_poison(s, &mine);
		if (e != NULL)
			*e = mine;
	}
	return rc;
}

enum err store_writable(struct store *s, struct errinfo *e)
{
	if (s->log.damage >= 0)
		return err_set(e, ERR_CORRUPT, 0, "the task log is damaged at byte %" PRId64, s->log.damage);
	return s->poisoned || mark_is_set(s->var_fd) ? mark_refuse(e) : ERR_OK;
}

bool store_has_room(const struct store *s)
{
	return reserve_can_be_whole(s->dirfd);
}

/* ---- reading ---- */
static enum err no_task(int64_t id, struct errinfo *e)
{
	return err_set(e, ERR_NOT_FOUND, 0, "there is no task %" PRId64, id);
}

static enum err read_part(struct store *s, struct arena *a, struct place p, struct task *t, struct errinfo *e)
{
	struct json_object *o;
	const char *text;
	size_t len;
	enum err rc = log_line(&s->log, p, a, &text, &len, e);

	if (rc != ERR_OK)
		return rc;
	if ((rc = json_parse(a, text, len, &o, e)) != ERR_OK || (rc = task_read(a, o, t, e)) != ERR_OK)
		return err_set(e, ERR_CORRUPT, 0, "the record at byte %" PRId64 " of the task log cannot be read", p.off);
	return ERR_OK;
}

static enum err read_task(struct store *s, struct arena *a, int64_t id, struct task *t, struct errinfo *e)
{
	enum err rc;

	if (index_slot(&s->log.index, id) < SLOT_STATUS)
		return no_task(id, e);
	const struct entry *en = index_entry(&s->log.index, id);
	memset(t, 0, sizeof *t);
	if ((rc = read_part(s, a, en->fixed, t, e)) != ERR_OK)
		return rc;
	return read_part(s, a, en->changing, t, e);
}

enum err store_get(struct store *s, struct arena *a, int64_t id, struct task *out, struct errinfo *e)
{
	enum err rc = log_catch_up(&s->log, e);

	if (rc != ERR_OK && rc != ERR_CORRUPT)
		return rc;
	const struct clone *c = cache_find(&s->cache, id, store_task_version(s, id));
	if (c == NULL || c->cut || store_is_deleted(s, id))
		return read_task(s, a, id, out, e);
	task_copy(a, &c->task, out);
	return ERR_OK;
}

enum err store_glance(struct store *s, int64_t id, const struct task **out, bool *cut, struct errinfo *e)
{
	int64_t version = store_task_version(s, id);
	const struct clone *c = cache_find(&s->cache, id, version);

	if (c == NULL || store_is_deleted(s, id)) {
		struct arena a = { 0 };
		struct task t;
		enum err rc = read_task(s, &a, id, &t, e);
		if (rc == ERR_OK)
			c = cache_put(&s->cache, &t, version);
		arena_reset(&a);
		if (rc != ERR_OK)
			return rc;
	}
	*out = &c->task;
	if (cut != NULL)
		*cut = c->cut;
	return ERR_OK;
}

const char *store_glance_json(struct store *s, const struct task *t, size_t *len)
{
	const struct clone *c = cache_find(&s->cache, t->id, store_task_version(s, t->id));
	const struct cache_text *text = c != NULL && &c->task == t ? cache_json(&s->cache, c) : NULL;

	*len = text != NULL ? text->len : 0;
	return text != NULL ? text->json : NULL;
}

size_t store_list(struct store *s, unsigned status_mask, int64_t cursor, int64_t *ids, size_t max,
		  int64_t *next)
{
	int64_t below = cursor > 0 ? cursor : s->log.index.next_id;
	int64_t steps = LIST_STEPS, id;
	size_t n = 0;

	while (n < max && (id = index_before(&s->log.index, &below, status_mask, &steps)) != 0)
		ids[n++] = id;
	*next = below > 1 ? below : 0;
	return n;
}

int64_t store_next(const struct store *s, unsigned status_mask, int64_t after)
{
	return index_after(&s->log.index, after, status_mask);
}

size_t store_bytes(const struct store *s, int64_t id)
{
	if (index_slot(&s->log.index, id) < SLOT_STATUS)
		return 0;
	const struct entry *en = index_entry(&s->log.index, id);
	return (size_t)en->fixed.len + en->changing.len;
}

int64_t store_next_live(const struct store *s, int64_t after)
{
	return index_after(&s->log.index, after, ~0U);
}

struct store_counts store_counts(const struct store *s)
{
	struct store_counts c = { .tokens = NUMBER_MAX, .next_id = s->log.index.next_id,
				  .bytes = s->log.end };

	if (s->log.index.tokens < NUMBER_MAX)
		c.tokens = (int64_t)s->log.index.tokens;

	memcpy(c.by_status, s->log.index.counts, sizeof c.by_status);
	return c;
}

/* ---- changing ---- */
/* With the lock held: everything up to date and writable, or the lock is dropped again. */
enum err store_begin(struct store *s, struct errinfo *e)
{
	enum err rc;

	if (s->log.damage >= 0)
		(void)log_catch_up(&s->log, NULL); /* it may have been repaired */
	if ((rc = store_writable(s, e)) != ERR_OK || (rc = lock_take(&s->lock, e)) != ERR_OK)
		return rc;
	if ((rc = log_catch_up(&s->log, e)) != ERR_OK)
		lock_drop(&s->lock);
	return rc;
}

/* What ends work may spend the reserve; a create may not.  The torn line of a write that found no room is cut by the next one. */
static enum err append(struct store *s, const struct strbuf *lines, bool spend, struct errinfo *e)
{
	enum err rc;

	do {
		rc = log_append(&s->log, lines->buf, lines->len, e);
	} while (rc == ERR_DISK_FULL && spend && reserve_spend(s->dirfd));
	return rc;
}

/*
 * Write, unlock, sync.  The lock is not held while the disk works, so that writers share syncs.  What is no UTF-8 is
 * refused here, whoever forgot to check it: such a record could never be read back.
 */
static enum err commit(struct store *s, struct strbuf *lines, bool spend, struct errinfo *e)
{
	struct errinfo mine;
	enum err rc = utf8_valid(lines->buf, lines->len) ?
			      append(s, lines, spend, &mine) :
			      err_set(&mine, ERR_BAD_INPUT, 0, "a text is not UTF-8; nothing changed");

	if (rc == ERR_IO)
		store_poison(s, &mine);
	lock_drop(&s->lock);
	strbuf_release(lines);
	if (rc == ERR_OK)
		return store_sync(s, e);
	if (e != NULL)
		*e = mine;
	return rc;
}

/* The task made with this key in the last 24 hours, or 0. */
static int64_t find_key(struct store *s, const struct task *t)
{
	uint32_t sum = key_sum(t->idempotency_key);
	int64_t id, found = 0;
	size_t at = 0;

	while (found == 0 && (id = keys_find(&s->log.index.keys, sum, &at)) != 0) {
		struct arena a = { 0 };
		struct task old = { 0 };
		struct errinfo e;
		if (index_slot(&s->log.index, id) >= SLOT_STATUS &&
		    read_part(s, &a, index_entry(&s->log.index, id)->fixed, &old, &e) == ERR_OK &&
		    old.created >= t->created - KEY_AGE_MS && old.idempotency_key != NULL &&
		    strcmp(old.idempotency_key, t->idempotency_key) == 0)
			found = id;
		arena_reset(&a);
	}
	return found;
}

enum err store_create(struct store *s, struct arena *a, struct task *t, struct errinfo *e)
{
	struct strbuf lines;
	int64_t first;
	enum err rc = store_begin(s, e);

	if (rc != ERR_OK)
		return rc;
	if (t->idempotency_key != NULL && (first = find_key(s, t)) != 0) {
		rc = read_task(s, a, first, t, e);
		lock_drop(&s->lock);
		return rc == ERR_OK ? store_sync(s, e) : rc; /* the first answer may not be on disk yet */
	}
	if ((rc = reserve_ensure(s->dirfd, e)) != ERR_OK) {
		lock_drop(&s->lock);
		return rc;
	}
	if (s->log.index.next_id > TASK_ID_MAX) {
		lock_drop(&s->lock);
		return err_set(e, ERR_CONFLICT, 0, "all ids are used up");
	}
	t->id = s->log.index.next_id;
	strbuf_init(&lines);
	record_new(&lines, t);
	record_set(&lines, t);
	return commit(s, &lines, false, e);
}

static enum err change(struct store *s, struct arena *a, int64_t id, struct change c, bool spend, struct task *out,
		       struct errinfo *e)
{
	struct strbuf lines;
	struct task t;
	bool skip = false;
	enum err rc = store_begin(s, e);

	if (rc != ERR_OK)
		return rc;
	if ((rc = read_task(s, a, id, &t, e)) == ERR_OK)
		rc = c.fn(&t, a, c.arg, &skip, e);
	if (rc == ERR_OK && !skip && !spend)
		rc = reserve_ensure(s->dirfd, e);
	if (rc != ERR_OK || skip) {
		lock_drop(&s->lock);
		if (rc == ERR_OK)
			rc = store_sync(s, e); /* what makes this change needless may not be on disk yet */
	} else {
		strbuf_init(&lines);
		record_set(&lines, &t);
		rc = commit(s, &lines, spend, e);
	}
	if (rc == ERR_OK && out != NULL)
		*out = t;
	return rc;
}

enum err store_change(struct store *s, struct arena *a, int64_t id, struct change c, struct task *out,
		      struct errinfo *e)
{
	return change(s, a, id, c, true, out, e);
}

enum err store_change_if_room(struct store *s, struct arena *a, int64_t id, struct change c, struct task *out,
			      struct errinfo *e)
{
	return change(s, a, id, c, false, out, e);
}

static size_t living_sandboxes(const struct task *t, struct doomed *kills, int64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < t->session_count; i++) {
		const struct session *se = &t->sessions[i];
		bool ended = !session_open(se) && se->kill.state != STEP_PENDING;
		if (se->dispatch.state == STEP_NONE || se->dispatch.id == NULL || ended)
			continue;
		kills[n++] = (struct doomed){ .dispatch_id = se->dispatch.id, .next_at = now };
	}
	return n;
}

enum err store_delete(struct store *s, struct arena *a, int64_t id, int64_t now, struct task *out,
		      struct errinfo *e)
{
	struct strbuf lines;
	struct task t;
	enum err rc = store_begin(s, e);

	if (rc != ERR_OK)
		return rc;
	if ((rc = read_task(s, a, id, &t, e)) != ERR_OK) {
		lock_drop(&s->lock);
		return rc;
	}
	struct doomed *kills = arena_alloc(a, (t.session_count + 1) * sizeof *kills);
	strbuf_init(&lines);
	record_del(&lines, id, kills, living_sandboxes(&t, kills, now));
	rc = commit(s, &lines, true, e);
	if (rc == ERR_OK && out != NULL)
		*out = t;
	return rc;
}

int64_t store_next_queued(const struct store *s, int64_t after)
{
	return index_after(&s->log.index, after, 1U << STATUS_QUEUED);
}

/* ---- for the dispatcher ---- */
int64_t store_next_todo(const struct store *s, int64_t after)
{
	return index_next_todo(&s->log.index, after);
}

bool store_is_deleted(const struct store *s, int64_t id)
{
	return index_slot(&s->log.index, id) == SLOT_DELETED;
}

int64_t store_task_version(const struct store *s, int64_t id)
{
	if (index_slot(&s->log.index, id) == SLOT_NONE)
		return 0;
	return s->log.index.gen << 42 | index_entry(&s->log.index, id)->changing.off;
}

enum err store_peek(struct store *s, struct arena *a, int64_t id, struct task *out, struct errinfo *e)
{
	enum err rc = log_catch_up(&s->log, e);

	if (rc != ERR_OK && rc != ERR_CORRUPT)
		return rc;
	if (index_slot(&s->log.index, id) < SLOT_STATUS)
		return no_task(id, e);
	memset(out, 0, sizeof *out);
	return read_part(s, a, index_entry(&s->log.index, id)->changing, out, e);
}

enum err store_doomed(struct store *s, struct arena *a, int64_t id, struct doomed **kills, size_t *count,
		      struct errinfo *e)
{
	struct json_object *o, *arr = NULL;
	const char *text;
	size_t len;
	enum err rc;

	*count = 0;
	if (!store_is_deleted(s, id) || index_entry(&s->log.index, id)->changing.len == 0)
		return ERR_OK;
	if ((rc = log_line(&s->log, index_entry(&s->log.index, id)->changing, a, &text, &len, e)) != ERR_OK ||
	    (rc = json_parse(a, text, len, &o, e)) != ERR_OK || (rc = jr_arr_opt(o, "kills", &arr, e)) != ERR_OK)
		return rc;
	size_t n = arr != NULL ? json_array_len(arr) : 0;
	*kills = arena_alloc(a, (n + 1) * sizeof **kills);
	for (size_t i = 0; i < n; i++) {
		struct doomed *d = &(*kills)[i];
		const struct json_object *k = json_array_at(arr, i);
		const char *when = NULL;
		if ((rc = jr_str(k, "id", 1, 64, &d->dispatch_id, e)) != ERR_OK ||
		    (rc = jr_i64_opt(k, "attempts", 0, INT64_MAX, &d->attempts, e)) != ERR_OK ||
		    (rc = jr_str_opt(k, "next_at", 0, 64, &when, e)) != ERR_OK)
			return rc;
		if (when != NULL && clock_parse(when, &d->next_at) < 0)
			d->next_at = 0;
	}
	*count = n;
	return ERR_OK;
}

enum err store_set_doomed(struct store *s, int64_t id, const struct doomed *kills, size_t count,
			  struct errinfo *e)
{
	struct strbuf lines;
	enum err rc = store_begin(s, e);

	if (rc != ERR_OK)
		return rc;
	if (!store_is_deleted(s, id)) {
		lock_drop(&s->lock);
		return no_task(id, e);
	}
	strbuf_init(&lines);
	record_del(&lines, id, kills, count);
	return commit(s, &lines, true, e);
}

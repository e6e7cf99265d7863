#include "store/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/number.h"
#include "model/codec.h"
#include "store/record.h"

enum { OLD_STATE_MAX = 512 * 1024 * 1024, OLD_BUDGET = 300000 };
#define ORIGINAL "state.json.adopted"

static bool wanted(int dirfd)
{
	struct stat st;

	if (fstatat(dirfd, "tasks.log", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
		return false;
	return fstatat(dirfd, "state.json", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int by_id(const void *a, const void *b)
{
	int64_t x = ((const struct task *)a)->id, y = ((const struct task *)b)->id;

	return (x > y) - (x < y);
}

static enum err read_tasks(struct arena *a, const struct json_object *o, struct task **out, size_t *count,
			   struct errinfo *e)
{
	struct json_object *arr = NULL;
	enum err rc = jr_arr_opt(o, "tasks", &arr, e);

	*count = 0;
	*out = NULL;
	if (rc != ERR_OK || arr == NULL)
		return rc;
	size_t n = json_array_len(arr);
	*out = arena_alloc(a, (n + 1) * sizeof **out);
	for (size_t i = 0; i < n; i++) {
		if ((rc = task_adopt(a, json_array_at(arr, i), &(*out)[i], e)) != ERR_OK)
			return rc;
		if ((*out)[i].token_budget == 0)
			(*out)[i].token_budget = OLD_BUDGET; /* what the first version flagged at */
	}
	qsort(*out, n, sizeof **out, by_id);
	for (size_t i = 1; i < n; i++) {
		if ((*out)[i].id == (*out)[i - 1].id)
			return err_set(e, ERR_BAD_INPUT, 0, "two tasks have id %" PRId64, (*out)[i].id);
	}
	*count = n;
	return ERR_OK;
}

struct others {
	struct jw w;
	struct arena *a;
	size_t count;
};

static enum err keep_other(const char *key, struct json_object *value, void *arg)
{
	struct others *o = arg;

	if (strcmp(key, "tasks") == 0 || strcmp(key, "next_id") == 0)
		return ERR_OK;
	const char *text = json_text(o->a, value);
	jw_raw(&o->w, key, text, strlen(text));
	o->count++;
	return ERR_OK;
}

static enum err write_others(int dirfd, struct arena *a, const struct json_object *o, struct errinfo *e)
{
	struct others others = { .a = a };
	struct strbuf text;
	enum err rc = ERR_OK;

	strbuf_init(&text);
	jw_init(&others.w, &text);
	jw_object(&others.w, NULL);
	(void)json_each(o, keep_other, &others); /* keep_other never fails */
	jw_object_end(&others.w);
	if (others.count > 0)
		rc = file_replace(dirfd, "adopted.json", text.buf, text.len, 0600, e);
	strbuf_release(&text);
	return rc;
}

static enum err write_log(int dirfd, const struct task *tasks, size_t count, int64_t next_id, struct errinfo *e)
{
	struct strbuf text;

	strbuf_init(&text);
	record_log(&text, 1, 1);
	for (size_t i = 0; i < count; i++) {
		record_new(&text, &tasks[i]);
		record_set(&text, &tasks[i]);
	}
	record_log(&text, next_id, 1); /* it may be ahead of the ids */
	enum err rc = file_replace(dirfd, "tasks.log", text.buf, text.len, 0600, e);
	strbuf_release(&text);
	return rc;
}

static enum err adopt(int dirfd, struct arena *a, struct errinfo *e)
{
	struct json_object *o;
	struct task *tasks;
	char *text;
	size_t len, count;
	int64_t next_id = 1;
	enum err rc = file_read(dirfd, "state.json", OLD_STATE_MAX, a, &text, &len, e);

	if (rc != ERR_OK)
		return rc;
	rc = json_parse(a, text, len, &o, e);
	if (rc == ERR_OK && !json_is_object(o))
		rc = err_set(e, ERR_BAD_JSON, 0, "it is no JSON object");
	if (rc != ERR_OK || jr_i64_opt(o, "next_id", 0, TASK_ID_MAX + 1, &next_id, e) != ERR_OK ||
	    read_tasks(a, o, &tasks, &count, e) != ERR_OK)
		return err_set(e, ERR_CORRUPT, 0, "state/state.json cannot be adopted: %.180s",
			       arena_strdup(a, e->what));
	/* The log comes last: as long as it is missing, everything is done again at the next start. */
	if (linkat(dirfd, "state.json", dirfd, ORIGINAL, 0) < 0 && errno != EEXIST)
		return err_set(e, ERR_IO, errno, "keep state.json as " ORIGINAL);
	if ((rc = write_others(dirfd, a, o, e)) != ERR_OK || (rc = write_log(dirfd, tasks, count, next_id, e)) != ERR_OK)
		return rc;
	log_event(LOG_INFO, "store.adopted", LOG_I("tasks", count), LOG_I("next_id", next_id));
	return ERR_OK;
}

enum err adopt_old_state(int dirfd, struct errinfo *e)
{
	struct arena a = { 0 };
	struct errinfo mine;
	enum err rc = wanted(dirfd) ? adopt(dirfd, &a, e != NULL ? e : &mine) : ERR_OK;

	arena_reset(&a);
	return rc;
}

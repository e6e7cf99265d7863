/* The work product of a task: written by its agent, read by its owner. */
#include <fcntl.h>
#include <string.h>

#include "api/access.h"
#include "api/answer.h"
#include "api/api.h"
#include "core/json.h"
#include "model/patch.h"
#include "store/output.h"
#include "store/store.h"

struct artifact_job {
	struct access_claim claim;
	const char *var, *name;
	struct staged staged;
	int64_t size, now;
	struct patch_stat patch;
	bool kept, fresh; /* the file has its name; nothing had it before */
};

/* Where the artifact is in the task's list, or would be. */
static size_t place_of(const struct task *t, const char *name)
{
	size_t i = 0;

	while (i < t->artifact_count && strcmp(t->artifacts[i].name, name) != 0)
		i++;
	return i;
}

static enum err check_open(const struct artifact_job *job, const struct task *t, struct errinfo *e)
{
	bool again;
	enum err rc;

	if (task_open_session(t) == NULL)
		return err_wire(e, ERR_CONFLICT, "not_active", "task %lld has no running session", (long long)t->id);
	if ((rc = access_check(&job->claim, t, RESULT_OPEN, job->now, &again, e)) != ERR_OK)
		return rc;
	if (place_of(t, job->name) >= ARTIFACTS_MAX)
		return err_set(e, ERR_CONFLICT, 0, "a task keeps at most %d artifacts", ARTIFACTS_MAX);
	return ERR_OK;
}

static enum err record_artifact(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	struct artifact_job *job = arg;
	enum err rc = check_open(job, t, e);
	size_t i = place_of(t, job->name);

	(void)skip;
	if (rc != ERR_OK || (rc = artifact_keep(job->var, &job->staged, job->name, e)) != ERR_OK)
		return rc;
	job->kept = true;
	job->fresh = i == t->artifact_count;
	struct artifact *all = arena_alloc(a, (t->artifact_count + 1) * sizeof *all);
	if (t->artifact_count > 0)
		memcpy(all, t->artifacts, t->artifact_count * sizeof *all);
	all[i] = (struct artifact){ .name = job->name, .size = job->size, .at = job->now,
				    .session = task_open_session(t)->id, .patch = job->patch };
	t->artifacts = all;
	t->artifact_count += i == t->artifact_count ? 1 : 0;
	t->updated = job->now;
	return ERR_OK;
}

static bool is_patch(const char *name)
{
	size_t len = strlen(name);

	return len > 6 && strcmp(name + len - 6, ".patch") == 0;
}

static enum err wanted_name(struct request *rq, const char **out, struct errinfo *e)
{
	*out = rq->params[1];
	if (!artifact_name_valid(*out))
		return err_set(e, ERR_BAD_INPUT, 0, "name: letters, digits, dot, dash and underscore, at most %d, are wanted",
			       ARTIFACT_NAME_MAX);
	return ERR_OK;
}

enum err api_artifact_post(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct artifact_job job = { .var = app->var, .now = app->now(), .size = (int64_t)rq->body_len };
	struct task t;
	int64_t id;
	enum err rc;

	if ((rc = access_claim(app, rq, &job.claim, e)) != ERR_OK || (rc = wanted_id(rq, NULL, &id, e)) != ERR_OK ||
	    (rc = wanted_name(rq, &job.name, e)) != ERR_OK)
		return rc;
	if (job.claim.owner)
		return err_set(e, ERR_FORBIDDEN, 0, "artifacts are written by the task's agent");
	if (job.claim.cap.task != id)
		return err_set(e, ERR_FORBIDDEN, 0, "this token is for another task");
	if ((rc = store_get(app->store, &rq->arena, id, &t, e)) != ERR_OK || (rc = check_open(&job, &t, e)) != ERR_OK ||
	    (rc = artifact_stage(app->var, id, rq->body, rq->body_len, &job.staged, e)) != ERR_OK)
		return rc;
	if (is_patch(job.name))
		job.patch = patch_count(rq->body, rq->body_len);
	/* The file gets its name under the lock, by the same change that lists it: a record never points at nothing, and a
	 * session that ended meanwhile leaves no file that nobody lists or deletes. */
	struct change c = { record_artifact, &job };
	if ((rc = store_change(app->store, &rq->arena, id, c, &t, e)) != ERR_OK) {
		if (!job.kept)
			artifact_drop(app->var, &job.staged);
		else if (job.fresh && rc == ERR_DISK_FULL)
			artifact_remove(app->var, id, job.name);
		return rc;
	}
	answer_changed(rs, &t);
	return ERR_OK;
}

/* Only what a browser shows as text is shown; all else is a download. */
static const char *content_type(const char *name)
{
	static const char *const text[] = { ".patch", ".diff", ".txt", ".log", ".md", ".json" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
		size_t n = strlen(text[i]);
		if (len > n && strcmp(name + len - n, text[i]) == 0)
			return "text/plain; charset=utf-8";
	}
	return "application/octet-stream";
}

enum err api_artifact_get(struct app *app, struct request *rq, struct response *rs, struct errinfo *e)
{
	struct access_claim claim;
	const char *name;
	struct task t;
	bool again;
	int64_t id;
	enum err rc;

	if ((rc = access_claim(app, rq, &claim, e)) != ERR_OK || (rc = wanted_id(rq, NULL, &id, e)) != ERR_OK ||
	    (rc = wanted_name(rq, &name, e)) != ERR_OK)
		return rc;
	if (!claim.owner && claim.cap.task != id)
		return err_set(e, ERR_FORBIDDEN, 0, "this token is for another task");
	if ((rc = store_get(app->store, &rq->arena, id, &t, e)) != ERR_OK ||
	    (rc = access_check(&claim, &t, RESULT_OPEN, app->now(), &again, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < t.artifact_count; i++) {
		if (strcmp(t.artifacts[i].name, name) != 0)
			continue;
		if ((rc = artifact_open(app->var, id, name, &rs->fd, &rs->fd_len, e)) != ERR_OK)
			return rc;
		rs->type = content_type(name);
		response_header(rs, "Content-Disposition",
				arena_printf(&rq->arena, "inline; filename=\"task-%lld-%s\"", (long long)id, name));
		return ERR_OK;
	}
	return err_set(e, ERR_NOT_FOUND, 0, "task %lld has no artifact %s", (long long)id, name);
}

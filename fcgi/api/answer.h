/* What the handlers of this room share: reading ids, answering with a task, agents that are known. */
#ifndef CHOMP_API_ANSWER_H
#define CHOMP_API_ANSWER_H

#include "http/app.h"
#include "http/form.h"
#include "http/response.h"
#include "model/task.h"

/* 200 with the task and HX-Trigger: something changed. */
void answer_changed(struct response *rs, const struct task *t);
void answer_task(struct response *rs, const struct task *t);

/* The id in the path or the body; ERR_BAD_INPUT (bad_id), ERR_NOT_FOUND when no task can have it. */
enum err wanted_id(struct request *rq, const struct form *f, int64_t *out, struct errinfo *e);

/* What may end up on a command line of git or of an agent: no option, nothing a terminal would act on.  NULL is fine. */
enum err plain_argument(const char *name, const char *s, struct errinfo *e);

/* Built in, or in agents.json. ERR_BAD_INPUT with wire code unknown_agent. */
enum err known_agent(struct app *app, struct request *rq, const char *id, struct errinfo *e);

/* Why the agent cannot run here as far as can be seen from outside the box, or NULL when it can. */
const char *agent_missing(struct app *app, struct request *rq, const char *id);

/* The agent a task gets when none is named: the setting, else the first that is installed, else shell. */
const char *default_agent(struct app *app, struct request *rq);

#endif

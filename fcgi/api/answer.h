/* What the handlers of this room share: reading ids, answering with a task, text that is safe as an argument. */
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

#endif

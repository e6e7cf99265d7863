/* What the files of the state machine share (transition.c, gate.c, review.c), and nobody outside uses. */
#ifndef CHOMP_MODEL_MOVES_H
#define CHOMP_MODEL_MOVES_H

#include "model/transition.h"

/* ERR_CONFLICT with this wire code unless the task has the status; what: "an active task can be done". */
enum err want_status(const struct task *t, enum status want, const char *wire, const char *what, struct errinfo *e);
enum err want_active(const struct task *t, const char *what, struct errinfo *e);

enum err check_report(const struct report *r, struct errinfo *e);
void take_report(struct task *t, struct arena *a, const struct report *r, int64_t now);

void close_session(struct task *t, enum result result, const char *summary, int64_t now);
void leave(struct task *t, enum status to, int64_t now);

/* Done, or waiting for its review where one is wanted.  The session is closed before. */
void become_done(struct task *t, int64_t now);

#endif

/* What an agent's verbs have in common: the fields that tell of tokens and results. */
#ifndef CHOMP_API_REPORT_H
#define CHOMP_API_REPORT_H

#include "http/form.h"
#include "model/transition.h"

/* tokens, usage, result, summary, exit_code; each may be left out.  ERR_BAD_INPUT. */
enum err report_read(const struct form *f, struct arena *a, struct report *r, struct errinfo *e);

#endif

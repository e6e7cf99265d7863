#include "model/session.h"

#include <stddef.h>
#include <string.h>

static const char *const results[] = {
	[RESULT_OPEN] = "",	      [RESULT_DONE] = "done",
	[RESULT_FAILED] = "failed",   [RESULT_HANDOFF] = "handoff",
	[RESULT_GATE_FAILED] = "gate_failed", [RESULT_CANCELLED] = "cancelled",
	[RESULT_LOST] = "lost",	      [RESULT_BUDGET] = "budget",
};

const char *result_name(enum result r)
{
	return results[r];
}

enum result result_parse(const char *name)
{
	for (size_t i = 1; name != NULL && i < sizeof results / sizeof results[0]; i++) {
		if (strcmp(results[i], name) == 0)
			return (enum result)i;
	}
	return RESULT_OPEN;
}

const char *step_name(enum step s, const char *done)
{
	switch (s) {
	case STEP_PENDING:
		return "pending";
	case STEP_DONE:
		return done;
	case STEP_FAILED:
		return "failed";
	case STEP_NONE:
		break;
	}
	return NULL;
}

enum step step_parse(const char *name)
{
	if (name == NULL)
		return STEP_NONE;
	if (strcmp(name, "pending") == 0)
		return STEP_PENDING;
	if (strcmp(name, "failed") == 0)
		return STEP_FAILED;
	return STEP_DONE;
}

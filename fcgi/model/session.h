/*
 * One run of an agent on a task.  Text is borrowed from the arena (or the parsed record) the task came with;
 * a field without text is NULL.  Times are unix milliseconds, 0 = none.
 */
#ifndef CHOMP_MODEL_SESSION_H
#define CHOMP_MODEL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "model/usage.h"

enum result {
	RESULT_OPEN, /* the session is running */
	RESULT_DONE,
	RESULT_FAILED,
	RESULT_HANDOFF,
	RESULT_GATE_FAILED,
	RESULT_CANCELLED,
	RESULT_LOST,
	RESULT_BUDGET
};

/* What the dispatcher still has to do, or did: the outbox. */
enum step { STEP_NONE, STEP_PENDING, STEP_DONE, STEP_FAILED };

struct outbox {
	const char *id; /* dispatch: 32 hex digits, made before anything is sent; kill: NULL */
	enum step state;
	int64_t attempts;
	const char *error;
	int64_t next_at; /* not before */
	int64_t since;   /* when it first became pending */
};

/* What a gate said of the work of a session.  The text is bounded, the whole log is an artifact. */
struct gate_verdict {
	bool known; /* false: no gate has run */
	int64_t attempt; /* 1 … as the server counts them, since the run that opened the sandbox */
	bool passed;
	int64_t exit_code;
	const char *name;      /* path of the gate in the repository */
	const char *output;    /* the end of it, at most GATE_TAIL_MAX bytes */
	const char *tree;      /* git tree hash of what was judged */
	const char *gate_hash; /* SHA-256 of the script that judged */
	const char *log_hash;  /* SHA-256 of its whole output */
	bool changed; /* the agent's tree has another gate than the one that judged, or than the base commit */
	int64_t at;
};

struct session {
	const char *id; /* "s1" … */
	const char *agent, *model, *router;
	int64_t started_at, ended_at;
	bool reported; /* tokens are a report, not an absence */
	int64_t tokens;
	struct usage usage;
	enum result result;
	const char *summary;
	const char *sandbox_id;
	const char *boundary; /* what stands around the sandbox, in its host's words */
	bool has_exit_code;
	int64_t exit_code;
	struct outbox dispatch; /* STEP_NONE: adopted, not attached to any sandbox */
	struct outbox kill;
	struct gate_verdict gate;
	int64_t parked_until; /* it ended at a limit of the provider that is over then */
	const char *nonce;  /* of the capability token; never shown */
	int64_t expires_at; /* of the capability token, and the session's time-out */
	int64_t active_at;  /* last sign of life: callback, report or terminal byte */
	const char *extra;  /* members of an adopted record that chomp does not know: a JSON object's text */
};

static inline bool session_open(const struct session *s)
{
	return s->result == RESULT_OPEN && s->ended_at == 0;
}

const char *result_name(enum result r); /* "" for RESULT_OPEN */
enum result result_parse(const char *name); /* unknown text: RESULT_OPEN */
const char *step_name(enum step s, const char *done); /* done: what STEP_DONE is called here */
enum step step_parse(const char *name);

#endif

/*
 * A task and its sessions (docs/API.md, "Objects").  Plain data: text is borrowed from the arena or record it came with,
 * NULL = none.  Times are unix milliseconds, 0 = none.
 */
#ifndef CHOMP_MODEL_TASK_H
#define CHOMP_MODEL_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "model/session.h"

enum {
	PROMPT_MAX = 256 * 1024,
	LONG_TEXT_MAX = 64 * 1024, /* summary, result, reason, gate output */
	TEXT_MAX = 4 * 1024,	   /* every other text */
	GATE_TAIL_MAX = 8 * 1024,  /* of a gate's output: it is written again with every change of the task */
	GATE_LOOPS_MAX = 100,
	SESSIONS_MAX = 1000,
	ARTIFACTS_MAX = 64,
	PRIORITY_MAX = 1000,
};

/* A new text or array below belongs into model/clone.c too. */

/* Ids are given in turn; memory and time of the index grow with the highest, so there is one. */
#define TASK_ID_MAX (INT64_C(1) << 32)

enum status { STATUS_QUEUED, STATUS_ACTIVE, STATUS_DONE, STATUS_FAILED, STATUS_COUNT };
enum on_budget { BUDGET_FLAG, BUDGET_STOP };
/* Where its boxes are: on this machine, or at the host that CHOMP_SANDBOX_URL names (Cloudflare's). */
enum site { SITE_HERE, SITE_AWAY, SITES };

enum review_state { REVIEW_NONE, REVIEW_WAITING, REVIEW_APPROVED, REVIEW_SENT_BACK };

struct review {
	bool wanted;
	enum review_state state;
	const char *comment; /* of who approved it or sent it back */
};

/* Counts of changes.patch; for every other file known is false. */
struct patch_stat {
	bool known;
	int64_t files, added, removed;
};

struct artifact {
	const char *name;
	int64_t size;
	int64_t at;
	const char *session; /* id of the session that wrote it */
	struct patch_stat patch;
};

struct task {
	int64_t id;
	/* never changes */
	const char *prompt, *dir, *repo_url, *branch, *host, *network;
	const char *idempotency_key;
	const char *gate;    /* path in the repository, "none", or NULL: gates/health.sh if it is there */
	int64_t gate_loops;  /* so many times may the gate fail in one run; 0 counts as 1 */
	bool gate_edits;     /* the agent's own version of the gate counts, not the base commit's */
	const char *extra; /* members of an adopted record that chomp does not know: a JSON object's text */
	int64_t created;
	/* changes */
	enum status status;
	const char *platform; /* the agent's id; the name is older than agents */
	const char *model, *router;
	int64_t priority;
	int64_t updated;
	int64_t tokens;
	int64_t token_budget; /* 0: none */
	enum on_budget on_budget;
	bool budget_exceeded;
	const char *result, *error;
	bool held;
	int64_t parked_until;
	struct review review;
	struct artifact *artifacts;
	size_t artifact_count;
	struct session *sessions;
	size_t session_count;
};

const char *status_name(enum status s);
/* 0 and *out, or -1. */
int status_parse(const char *name, enum status *out);

/* The session that runs, or NULL.  At most one does, and it is the last. */
struct session *task_open_session(const struct task *t);
struct session *task_find_session(const struct task *t, const char *sid);
struct session *task_last_session(const struct task *t); /* NULL when there is none */

/* Append a zeroed session with the next id ("s<n>"); the array lives in `a`. */
struct session *task_add_session(struct task *t, struct arena *a);

/*
 * The session that went on in the sandbox of `s` after a failed gate, NULL when there is none: the sandbox is its to end.
 */
const struct session *task_heir(const struct task *t, const struct session *s);

/* Done, and a gate passed the work that made it so. */
bool task_verified(const struct task *t);

/* A gate is named, and has not passed what the open session did. */
bool task_gate_due(const struct task *t);

const char *review_name(enum review_state s); /* NULL for REVIEW_NONE */
enum review_state review_parse(const char *name); /* NULL and unknown text: REVIEW_NONE */

/* Whether the dispatcher has anything to do or to watch for this task. */
bool task_has_work(const struct task *t);

/* `^[a-z0-9]+(-[a-z0-9]+)*$`, at most 64 bytes. */
bool agent_id_valid(const char *id);

/* What the task's `host` asks for; `usual` when it says nothing. */
enum site task_site(const struct task *t, enum site usual);

#endif

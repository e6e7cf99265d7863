/*
 * The words of the host protocol (docs/API.md, "Sandbox host protocol"): a dispatch read strictly,
 * answers written. Pure: no files, no processes.
 */
#ifndef CHOMP_SANDBOX_PROTO_H
#define CHOMP_SANDBOX_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/strbuf.h"

enum { DISPATCH_ENV_MAX = 64, DISPATCH_ALLOW_MAX = 24, BODY_MAX = 2 * 1024 * 1024 };

enum network_policy { NETWORK_INTERNET, NETWORK_NONE, NETWORK_HOST };
const char *network_policy_name(enum network_policy p);

struct env_pair {
	const char *name, *value;
};

struct dispatch {            /* texts live in the request's arena; optional ones may be NULL */
	const char *id;      /* ^[0-9a-f]{32}$ */
	const char *task;    /* decimal */
	const char *session; /* ^s[0-9]+$ */
	const char *prompt, *agent;
	const char *history; /* a JSON array, as text */
	const char *model, *command, *router, *repo_url, *branch;
	const char
		*dir; /* a path inside the clone; without repo_url an absolute one on this host */
	enum network_policy network;
	const char *allow[DISPATCH_ALLOW_MAX]; /* HOST:PORT, open besides the policy */
	size_t allow_len;
	const char *callback_url, *callback_token;
	struct env_pair env[DISPATCH_ENV_MAX];
	size_t env_len;
	int64_t timeout_s;
};

/* ERR_BAD_JSON, ERR_BAD_INPUT (bad_field, naming the field). */
enum err dispatch_parse(struct arena *a, const char *body, size_t len, struct dispatch *out,
			struct errinfo *e);

struct status { /* an unknown sandbox: all zero but id */
	const char *id;
	bool alive, running, has_code;
	int64_t exit_code, started_ms;
	const char *reason, *error, *ended; /* NULL or "": left out */
};

/* boundary: what stands between the agent and this machine, in a few words for the owner. */
void answer_started(struct strbuf *out, const char *sandbox_id, const char *boundary);
void answer_destroyed(struct strbuf *out);
void answer_status(struct strbuf *out, const struct status *st);
void answer_health(struct strbuf *out, int active, int capacity);
void answer_error(struct strbuf *out, const struct errinfo *e); /* a 5xx says its code only */

#endif

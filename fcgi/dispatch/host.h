/*
 * The sandbox host protocol (docs/PROTOCOL.md): calls made, answers read.  What a host says is not
 * trusted: text is cut, ids are checked before they become part of a path.
 */
#ifndef CHOMP_DISPATCH_HOST_H
#define CHOMP_DISPATCH_HOST_H

#include "core/arena.h"
#include "core/err.h"
#include "dispatch/call.h"

enum { HOST_ID_MAX = 64, HOST_BODY_MAX = 2 * 1024 * 1024, HOST_TEXT_MAX = 2000 };

/* [A-Za-z0-9_-]{1,64} */
bool host_id_valid(const char *id);

/* A call without its job and its `done`; the body of a dispatch is the caller's to fill. */
struct call *host_call(enum call_kind kind, const char *id);
struct call *host_call_logs(const char *id, int64_t offset);
struct call *host_call_film(const char *id, int64_t offset); /* the answer is collected */

/* 200 {sandboxId, status}.  destroyed: it was killed before.  ERR_BAD_INPUT when it is something
 * else. */
struct started {
	const char *sandbox_id;
	const char *boundary; /* NULL: the host does not say */
	bool destroyed;
};
enum err host_read_started(struct arena *a, const struct call *c, struct started *out,
			   struct errinfo *e);

/* 200 {sandboxId, alive, running, exitCode?, reason?, error?} about this very sandbox. */
struct host_status {
	bool alive;   /* the box */
	bool running; /* the agent */
	bool has_exit_code;
	int64_t exit_code;
	const char *reason; /* exit, timeout, killed, error; may be NULL */
	const char *error;  /* why the box did not start; may be NULL */
};
enum err host_read_status(struct arena *a, const struct call *c, const char *sandbox_id,
			  struct host_status *out, struct errinfo *e);

/* Whether asking the same again is pointless: a 4xx other than 409 and 429. */
bool host_refused(const struct call *c);

/* What went wrong, for people.  host_message: the host's own sentence only, NULL when it said none.
 */
const char *host_complaint(struct arena *a, const struct call *c);
const char *host_message(struct arena *a, const struct call *c);

/* The id that a host with this secret gives the sandbox of this dispatch; for when its answer was
 * lost. */
const char *host_derive_id(struct arena *a, const char *secret, const char *dispatch_id);

#endif

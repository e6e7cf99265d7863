/* The body of POST /dispatch (docs/PROTOCOL.md): all that a box needs to know of its session, and
 * not one key more. */
#ifndef CHOMP_DISPATCH_PAYLOAD_H
#define CHOMP_DISPATCH_PAYLOAD_H

#include "core/arena.h"
#include "core/err.h"
#include "core/strbuf.h"
#include "model/task.h"

struct payload_input {
	const char *var, *callback_url;
	const struct task *task;       /* whole */
	const struct session *session; /* of that task */
	int64_t now;                   /* wall ms */
};

/*
 * Append the JSON to out.  At most HOST_BODY_MAX bytes: where the summaries of earlier sessions do
 * not fit, the oldest are left out; *left_out says how many.  Errors are those of the secret and
 * the documents: ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT; ERR_TOO_LARGE when it does not fit even
 * without history.
 */
enum err payload_build(const struct payload_input *in, struct arena *a, struct strbuf *out,
		       size_t *left_out, struct errinfo *e);

#endif

/*
 * `dir` without `repoUrl`: a repository on this host, to be cloned by the agent's side from a
 * read-only view of it. Only the repository itself is shown to the box, never the files checked out
 * beside it: what is not committed
 * (.env, keys, chomp's own var/) stays outside.
 */
#ifndef CHOMP_SANDBOX_SOURCE_H
#define CHOMP_SANDBOX_SOURCE_H

#include "core/arena.h"
#include "core/err.h"

struct source {
	const char *from; /* on this host, resolved: DIR/.git, or DIR itself when bare */
	const char *to;   /* in the box: /source/.git or /source (a literal) */
};

/* ERR_BAD_INPUT says what is wrong with `dir` (absolute) and how to mend it. */
enum err source_check(struct arena *a, const char *dir, struct source *out, struct errinfo *e);

#endif

/* The only builder of a bwrap command line, and of the environment inside. */
#ifndef CHOMP_SANDBOX_ARGV_H
#define CHOMP_SANDBOX_ARGV_H

#include "core/strbuf.h"
#include "sandbox/limits.h"
#include "sandbox/proto.h"
#include "sandbox/source.h"

#define BOX_ENTRY "/opt/chomp/run-agent"

struct box_host { /* what this host gives to every box; absolute paths, NULL when there is none */
	const char *scripts, *agents, *callback;
	const char *etc; /* directory that holds our passwd, group and resolv.conf */
	const struct limits *limits;
};

/* bwrap's options, each with its NUL, for --args: `where` is the sandbox's directory, source may be
 * NULL. */
void argv_box(struct strbuf *out, const struct box_host *h, const struct dispatch *d,
	      const char *where, const struct source *source);

/* The same namespaces and mounts without anything of a dispatch: can a box be built here at all? */
void argv_probe(struct strbuf *out);

/* NAME=value strings, each with its NUL. */
void argv_env(struct strbuf *out, const struct box_host *h, const struct dispatch *d,
	      const struct source *source);

/* What no terminal may show, each with its NUL: the session's token, and the variables that are no settings. */
void argv_secrets(struct strbuf *out, const struct dispatch *d);

#endif

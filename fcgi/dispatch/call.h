/*
 * One exchange with the sandbox host, or with a platform.  Made by host.c or platforms.c, sent through a function pointer (httpc_send,
 * or a test's own), ended by exactly one call of `done`, after which the sender frees it.  `done`
 * runs outside of every other callback, so it may send further calls.
 */
#ifndef CHOMP_DISPATCH_CALL_H
#define CHOMP_DISPATCH_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/strbuf.h"

enum call_kind { CALL_DISPATCH, CALL_STATUS, CALL_LOGS, CALL_FILM, CALL_KILL, CALL_PLATFORM, CALL_KINDS };

struct job;

struct call {
	enum call_kind kind;
	struct job *job;    /* outlives its calls; NULL for a platform */
	int site;           /* whose host, enum site */
	char *path;         /* below the host's address */
	/* Somewhere else than at the host: `path` is a whole address, and this is shown there in
	 * place of the host's secret ("": nothing).  NULL: the host. */
	char *bearer;
	bool local; /* then: the address is on this machine */
	void *arg;  /* for `done` */
	bool post;          /* else GET */
	struct strbuf body; /* of a POST, JSON */
	int limit_ms;       /* from the moment it leaves the queue */
	size_t answer_max;
	/* A piece of the body of a 200, as it comes; false: enough, the rest is not wanted.  NULL:
	 * collected in `answer`. */
	bool (*take)(struct call *c, const char *p, size_t len);
	void (*done)(struct call *c);
	int64_t sent_ms;    /* monotonic */
	uint64_t number;    /* calls are numbered in the order in which they are sent */
	size_t taken;       /* for `take`: bytes so far */
	int64_t asked_from; /* of logs: what was copied before */

	/* the answer */
	int status;    /* 0: none came */
	char why[160]; /* then why not */
	int64_t retry_after_ms;
	int64_t log_start, log_end; /* X-Log-Start, X-Log-End; -1: not said */
	struct strbuf answer;

	/* the sender's own */
	struct call *next;
	void *handle, *headers;
	unsigned generation;
	bool cut, too_long, again;
};

void call_free(struct call *c);

#endif

/* One request and its answer, without the connection: connection.c fills it and sends, route.c
 * decides. */
#ifndef CHOMP_SANDBOX_EXCHANGE_H
#define CHOMP_SANDBOX_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/strbuf.h"
#include "sandbox/life.h"

struct exchange {
	struct life_wait wait; /* first: a waiting exchange is found from it */
	struct arena arena;
	struct life *life;
	int capacity;

	/* the request */
	const char *method, *path;
	const char *offset;                        /* ?offset=, or NULL */
	const char *authorization, *host, *origin; /* NULL when missing */
	char *body;
	size_t body_len;

	/* the answer: head and the first part of the body in `out`, then file_left bytes of `file`
	 * from file_at */
	bool answered;
	struct strbuf out;
	int file; /* -1: none */
	off_t file_at;
	int64_t file_left;
	void (*ready)(struct exchange *x); /* called when `answered` becomes true */
	void *connection;
};

struct exchange *exchange_new(struct life *life, int capacity);
void exchange_free(struct exchange *x); /* also takes it off life's lists */

/* What can be refused before the body is read: identity, route, method.  ERR_OK: go on. */
enum err route_check(const struct exchange *x, const char *secret, bool tcp, const char **allow,
		     struct errinfo *e);

/* Do it; x is answered now or later. */
void route_run(struct exchange *x);

void exchange_error(struct exchange *x, const struct errinfo *e, const char *allow);

#endif

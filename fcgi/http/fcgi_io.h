/* FastCGI: the accept loop and the carrying of requests and responses.  The only user of libfcgi. */
#ifndef CHOMP_HTTP_FCGI_IO_H
#define CHOMP_HTTP_FCGI_IO_H

#include <signal.h>

#include "http/request.h"
#include "http/response.h"

enum { REQUEST_LIMIT_S = 30 }; /* a request that outlives this takes its worker along (SIGALRM) */

/*
 * How large a body this request may have; decided from its head, before the body is read.
 * 0 is a valid answer.
 */
typedef size_t body_limit_fn(const struct request *rq, void *arg);
typedef void serve_fn(struct request *rq, struct response *rs, void *arg);

/*
 * Serve until *stop is set by a signal handler.  listener: a listening, non-blocking unix socket.  Stop signals are
 * blocked by the caller and unblocked only inside the wait: a request in hand is finished.
 */
void fcgi_serve(int listener, const sigset_t *unblocked, const volatile sig_atomic_t *stop,
		body_limit_fn *limit, serve_fn *serve, void *arg);

#endif

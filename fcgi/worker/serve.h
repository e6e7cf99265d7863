/* One request from its head to its answer: door, Host, route, identity, handler, errors. */
#ifndef CHOMP_WORKER_SERVE_H
#define CHOMP_WORKER_SERVE_H

#include "http/app.h"
#include "http/request.h"
#include "http/response.h"

size_t serve_body_limit(const struct request *rq, void *app);
void serve_request(struct request *rq, struct response *rs, void *app);

#endif

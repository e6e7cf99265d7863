/* Every address chomp answers, who may use it, and which handler serves it. */
#ifndef CHOMP_WORKER_ROUTES_H
#define CHOMP_WORKER_ROUTES_H

#include "http/router.h"

extern const struct route routes[];
extern const size_t route_count;

#endif

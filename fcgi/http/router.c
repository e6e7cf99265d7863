#include "http/router.h"

#include <string.h>

/* Whether path fits the pattern; fills params (at most PARAMS_MAX) when it is not NULL. */
static bool fits(const char *pattern, const char *path, struct arena *a, const char **params)
{
	int n = 0;

	while (*pattern != '\0') {
		if (pattern[0] == '{') {
			size_t len = strcspn(path, "/");
			if (len == 0 || n == PARAMS_MAX)
				return false;
			if (params != NULL)
				params[n] = arena_strndup(a, path, len);
			n++;
			path += len;
			pattern += 2;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

static bool method_fits(const char *route, const char *asked)
{
	return strcmp(route, asked) == 0 || (strcmp(route, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

static bool literal(const char *pattern)
{
	return strchr(pattern, '{') == NULL;
}

enum err router_find(const struct route *routes, size_t count, struct request *rq, const struct route **out,
		     const char **allow, struct errinfo *e)
{
	bool any = false, only_literal = false;

	*allow = NULL;
	for (size_t i = 0; i < count && !only_literal; i++)
		only_literal = literal(routes[i].pattern) && fits(routes[i].pattern, rq->path, NULL, NULL);
	for (size_t i = 0; i < count; i++) {
		const struct route *r = &routes[i];
		if ((only_literal && !literal(r->pattern)) || !fits(r->pattern, rq->path, NULL, NULL))
			continue;
		if (method_fits(r->method, rq->method)) {
			(void)fits(r->pattern, rq->path, &rq->arena, rq->params);
			*out = r;
			return ERR_OK;
		}
		any = true;
		*allow = *allow == NULL ? r->method : arena_printf(&rq->arena, "%s, %s", *allow, r->method);
	}
	if (any)
		return err_set(e, ERR_METHOD, 0, "%.20s is not served here; allowed: %s", rq->method, *allow);
	return err_set(e, ERR_NOT_FOUND, 0, "there is nothing at this address");
}

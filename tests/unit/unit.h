/*
 * What every unit test starts with: cmocka with the headers it wants before it, and tests made of
 * rows.
 *
 * A row is a struct whose first member is `const char *name`; the test function gets it by
 * `ROW(struct row)`.
 */
#ifndef CHOMP_TESTS_UNIT_H
#define CHOMP_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

enum { PLAN_MAX = 1200 };

struct plan {
	struct CMUnitTest tests[PLAN_MAX];
	size_t count;
};

static inline void plan_add(struct plan *p, const char *name, CMUnitTestFunction fn,
			    const void *row)
{
	if (p->count == PLAN_MAX)
		abort();
	p->tests[p->count++] = (struct CMUnitTest){ name, fn, NULL, NULL, (void *)(uintptr_t)row };
}

/* One test per row. */
#define PLAN_ROWS(p, rows, fn)                                                         \
	do {                                                                           \
		for (size_t row_ = 0; row_ < sizeof(rows) / sizeof((rows)[0]); row_++) \
			plan_add((p), (rows)[row_].name, (fn), &(rows)[row_]);         \
	} while (0)

#define ROW(type) const type *r = *(const type *const *)state

/* The raw count of failures would wrap at 256. */
static inline int plan_run(const char *group, struct plan *p)
{
	return _cmocka_run_group_tests(group, p->tests, p->count, NULL, NULL) != 0;
}

static inline void unit_expect_(enum err got, enum err want, const struct errinfo *e,
				const char *expr, const char *file, int line)
{
	if (got == want)
		return;
	print_error("%s: %s, not %s%s%s\n", expr, err_code(&(struct errinfo){ .code = got }),
		    err_code(&(struct errinfo){ .code = want }), got != ERR_OK ? ": " : "",
		    got != ERR_OK ? e->what : "");
	_fail(file, line);
}

/* `e` is the errinfo the expression fills; its message is shown when the test fails. */
#define assert_err(expr, want, e) unit_expect_((expr), (want), (e), #expr, __FILE__, __LINE__)
#define assert_ok(expr, e) assert_err(expr, ERR_OK, e)

#define assert_text(got, want)                             \
	do {                                               \
		const char *got_ = (got), *want_ = (want); \
		if (got_ == NULL || want_ == NULL)         \
			assert_ptr_equal(got_, want_);     \
		else                                       \
			assert_string_equal(got_, want_);  \
	} while (0)

#endif

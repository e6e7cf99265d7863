/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef CHOMP_CORE_UTF8_H
#define CHOMP_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_valid(const char *s, size_t len); /* NUL counts as a valid character: callers refuse it themselves */

/* The largest n <= max such that the first n bytes of s end at a character border. */
size_t utf8_cut(const char *s, size_t len, size_t max);

#endif

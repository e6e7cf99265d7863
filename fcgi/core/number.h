/* Whole numbers from text: decimal digits only, an optional minus, the whole string, within a range. */
#ifndef CHOMP_CORE_NUMBER_H
#define CHOMP_CORE_NUMBER_H

#include <stdint.h>

#define NUMBER_MAX (INT64_C(1) << 53) /* what JSON readers everywhere keep exactly */

/* 0 and *out, or -1 (not a number, trailing text, out of range). */
int number_parse(const char *s, int64_t min, int64_t max, int64_t *out);

#endif

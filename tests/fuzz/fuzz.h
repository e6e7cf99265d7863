/* What every fuzz target starts with: one entry, 4 KiB at most, and assertions that stay on. */
#ifndef CHOMP_TESTS_FUZZ_H
#define CHOMP_TESTS_FUZZ_H

#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FUZZ_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#endif

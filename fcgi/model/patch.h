/* What a patch changes, counted from its text. */
#ifndef CHOMP_MODEL_PATCH_H
#define CHOMP_MODEL_PATCH_H

#include <stddef.h>

#include "model/task.h"

/*
 * Of a patch as git writes it (diff or format-patch).  files: `diff --git` headers; added and removed: lines within hunks,
 * which the hunks' own headers bound, so that no line of a file can pass for a header.  A binary file has no lines.
 */
struct patch_stat patch_count(const char *text, size_t len);

#endif

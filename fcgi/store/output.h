/*
 * What is kept beside the log: terminal output of sessions (log/sessions/<task>-<session>.log, written by the dispatcher)
 * and the work products of tasks (state/artifacts/<task>/<name>).
 */
#ifndef CHOMP_STORE_OUTPUT_H
#define CHOMP_STORE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

enum { ARTIFACT_NAME_MAX = 64, ARTIFACT_MAX = 32 * 1024 * 1024 };

/* OUTPUT_LOG: what was shown; OUTPUT_FILM: when; OUTPUT_MARKS: what a viewer may jump to (formats: core/cast.h). */
enum output_part { OUTPUT_LOG, OUTPUT_FILM, OUTPUT_MARKS };

/* A descriptor to read the copied output from, *len bytes.  ERR_NOT_FOUND when nothing has been copied. */
enum err output_open(const char *var, int64_t task, const char *sid, int *fd, int64_t *len, struct errinfo *e);
enum err output_open_part(const char *var, int64_t task, const char *sid, enum output_part part, int *fd, int64_t *len,
			  struct errinfo *e);

/* How much has been copied, 0 when nothing. */
int64_t output_size(const char *var, int64_t task, const char *sid, enum output_part part);

/*
 * Append at offset `at`, which must be the present size: ERR_CONFLICT otherwise (somebody else copied).
 * ERR_DISK_FULL, ERR_IO.
 */
enum err output_append(const char *var, int64_t task, const char *sid, enum output_part part, int64_t at,
		       const void *buf, size_t len, struct errinfo *e);

/* Something happened at this moment; one line of text.  What cannot be written is a mark less. */
void output_mark(const char *var, int64_t task, const char *sid, int64_t now, const char *text);

/* Remove what belongs to a deleted task; what is not there is no error. */
void output_remove(const char *var, int64_t task, const char *sid);

/* [A-Za-z0-9][A-Za-z0-9._-]*, at most ARTIFACT_NAME_MAX bytes. */
bool artifact_name_valid(const char *name);

/*
 * An upload in two steps, for a session may end between them: stage writes and syncs a file under a name nobody lists;
 * keep, called within the change that records it, gives it its own name; drop throws it away instead.
 */
struct staged {
	int64_t task;
	char name[32];
};
enum err artifact_stage(const char *var, int64_t task, const void *buf, size_t len, struct staged *out,
			struct errinfo *e);
enum err artifact_keep(const char *var, const struct staged *s, const char *name, struct errinfo *e);
void artifact_drop(const char *var, const struct staged *s);

enum err artifact_open(const char *var, int64_t task, const char *name, int *fd, int64_t *len,
		       struct errinfo *e);
void artifact_remove(const char *var, int64_t task, const char *name);

#endif

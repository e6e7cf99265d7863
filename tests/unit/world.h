/* A CHOMP_VAR of a test's own, with the directories that the worker pool makes at its start. */
#ifndef CHOMP_TESTS_WORLD_H
#define CHOMP_TESTS_WORLD_H

#include <dirent.h>
#include <fcntl.h>

#include "core/file.h"
#include "core/strbuf.h"
#include "scratch.h"
#include "store/store.h"
#include "unit.h"

struct world {
	struct scratch dir;
	const char *var;
	struct arena a;
	struct store *store;
};

static inline void world_make(struct world *w)
{
	static const char *const dirs[] = { "state",        "secrets", "secrets/codes", "log",
					    "log/sessions", "run",     "run/worker" };

	memset(w, 0, sizeof *w);
	scratch_open(&w->dir);
	w->var = w->dir.path;
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		assert_int_equal(mkdir(arena_printf(&w->a, "%s/%s", w->var, dirs[i]), 0700), 0);
}

static inline void world_open(struct world *w)
{
	struct errinfo e;

	world_make(w);
	assert_ok(store_open(&w->store, w->var, STORE_OWNER, &e), &e);
}

/* Close the store and open it as another process would find it. */
static inline void world_reopen(struct world *w, enum store_mode mode)
{
	struct errinfo e;

	if (w->store != NULL)
		store_close(w->store);
	assert_ok(store_open(&w->store, w->var, mode, &e), &e);
}

static inline void world_close(struct world *w)
{
	if (w->store != NULL)
		store_close(w->store);
	arena_reset(&w->a);
	scratch_close(&w->dir);
}

/* A path below CHOMP_VAR. */
static inline const char *world_path(struct world *w, const char *name)
{
	return arena_printf(&w->a, "%s/%s", w->var, name);
}

static inline char *world_read(struct world *w, const char *name, size_t *len)
{
	struct errinfo e;
	char *text;

	assert_ok(file_read(AT_FDCWD, world_path(w, name), 64 << 20, &w->a, &text, len, &e), &e);
	return text;
}

static inline void world_write(struct world *w, const char *name, const void *p, size_t len)
{
	int fd = open(world_path(w, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, p, len), 0);
	close(fd);
}

static inline bool world_has(struct world *w, const char *name)
{
	return access(world_path(w, name), F_OK) == 0;
}

/* Names and contents of everything below a directory, in order: equal before and after means
 * nothing has changed. */
static inline void world_list_(struct strbuf *out, const char *path, const char *name)
{
	struct dirent **all;
	struct arena a = { 0 };
	struct errinfo e;
	char *text;
	size_t len;
	int n = scandir(path, &all, NULL, alphasort);

	strbuf_printf(out, "%s\n", name);
	if (n < 0) {
		assert_ok(file_read(AT_FDCWD, path, 64 << 20, &a, &text, &len, &e), &e);
		strbuf_add(out, text, len);
	}
	for (int i = 0; i < n; i++) {
		const char *child = all[i]->d_name;
		if (strcmp(child, ".") != 0 && strcmp(child, "..") != 0)
			world_list_(out, arena_printf(&a, "%s/%s", path, child),
				    arena_printf(&a, "%s/%s", name, child));
		free(all[i]);
	}
	if (n >= 0)
		free(all);
	arena_reset(&a);
}

static inline struct strbuf world_picture(struct world *w, const char *name)
{
	struct strbuf out;

	strbuf_init(&out);
	world_list_(&out, world_path(w, name), name);
	return out;
}

#endif

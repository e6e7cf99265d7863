#include <fcntl.h>

#include "sandbox/source.h"
#include "scratch.h"
#include "unit.h"

static void touch(const char *dir, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void make(const char *dir, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

enum kind { MISSING, PLAIN_FILE, EMPTY, WORKTREE, NORMAL, BARE, ALTERNATES };

static const struct row {
	const char *name;
	enum kind kind;
	enum err want;
	const char *to, *says;
} rows[] = {
	{ "a directory that is missing", MISSING, ERR_BAD_INPUT, NULL, "does not exist" },
	{ "a file", PLAIN_FILE, ERR_BAD_INPUT, NULL, "not a directory" },
	{ "a directory without git", EMPTY, ERR_BAD_INPUT, NULL, "not a git repository" },
	{ "a linked worktree", WORKTREE, ERR_BAD_INPUT, NULL, "main repository" },
	{ "a repository shows its .git only", NORMAL, ERR_OK, "/source/.git", NULL },
	{ "a bare repository is shown itself", BARE, ERR_OK, "/source", NULL },
	{ "one that borrows objects", ALTERNATES, ERR_BAD_INPUT, NULL, "repack" },
};

static void fill_git(const char *git)
{
	make(git, "objects");
	make(git, "objects/info");
	make(git, "refs");
	touch(git, "HEAD");
}

static void build(enum kind kind, const char *base)
{
	char git[128];

	(void)snprintf(git, sizeof git, "%s/r/.git", base);
	if (kind == PLAIN_FILE)
		touch(base, "r");
	if (kind <= PLAIN_FILE)
		return;
	make(base, "r");
	if (kind == WORKTREE)
		touch(base, "r/.git");
	if (kind == BARE) {
		git[strlen(git) - strlen("/.git")] = '\0';
		fill_git(git);
	}
	if (kind == NORMAL || kind == ALTERNATES) {
		make(base, "r/.git");
		fill_git(git);
	}
	if (kind == ALTERNATES)
		touch(git, "objects/info/alternates");
}

static void check_row(void **state)
{
	ROW(struct row);
	struct scratch s;
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct source out = { 0 };

	scratch_open(&s);
	build(r->kind, s.path);
	const char *dir = arena_printf(&a, "%s/r", s.path);
	assert_err(source_check(&a, dir, &out, &e), r->want, &e);
	assert_text(out.to, r->to);
	if (r->says != NULL)
		assert_non_null(strstr(e.what, r->says));
	else
		assert_text(out.from,
			    arena_printf(&a, r->kind == BARE ? "%s/r" : "%s/r/.git", s.path));
	arena_reset(&a);
	scratch_close(&s);
}

static void no_permission(void **state)
{
	struct scratch s;
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	struct source out = { 0 };

	(void)state;
	scratch_open(&s);
	build(NORMAL, s.path);
	const char *dir = arena_printf(&a, "%s/r", s.path);
	const char *git = arena_printf(&a, "%s/r/.git", s.path);
	assert_int_equal(chmod(git, 0), 0);
	if (access(git, R_OK) == 0) { /* root may read everything */
		scratch_close(&s);
		arena_reset(&a);
		skip();
	}
	assert_err(source_check(&a, dir, &out, &e), ERR_BAD_INPUT, &e);
	assert_non_null(strstr(e.what, "setfacl -R -m u:"));
	assert_int_equal(chmod(git, 0700), 0);
	assert_int_equal(chmod(dir, 0), 0);
	assert_err(source_check(&a, dir, &out, &e), ERR_BAD_INPUT, &e);
	assert_non_null(strstr(e.what, "setfacl -R -m u:"));
	assert_int_equal(chmod(dir, 0700), 0);
	arena_reset(&a);
	scratch_close(&s);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, check_row);
	plan_add(&p, "what we may not read is refused with the mend", no_permission, NULL);
	return plan_run("sandbox source", &p);
}

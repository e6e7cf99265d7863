#include "sandbox/source.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *our_name(void)
{
	struct passwd *pw = getpwuid(geteuid());

	return pw != NULL ? pw->pw_name : "the sandbox host's user";
}

static enum err unreadable(const char *dir, struct errinfo *e)
{
	/* The two commands must survive the cut of a long path: name it once. */
	return err_set(e, ERR_BAD_INPUT, 0,
		       "dir: user %s may not read %.90s; let it: setfacl -R -m u:%s:rX on it, and "
		       "setfacl -m u:%s:x on "
		       "each directory above",
		       our_name(), dir, our_name(), our_name());
}

static enum err refuse(const char *dir, struct errinfo *e)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(e, ERR_BAD_INPUT, 0, "dir: %.150s does not exist", dir);
	if (errno == EACCES)
		return unreadable(dir, e);
	return err_set(e, ERR_BAD_INPUT, errno, "dir: %.150s", dir);
}

/* Looks like a repository of git's: HEAD, objects/, refs/. */
static bool has_git_files(struct arena *a, const char *path)
{
	struct stat st;

	return stat(arena_printf(a, "%s/objects", path), &st) == 0 && S_ISDIR(st.st_mode) &&
	       stat(arena_printf(a, "%s/refs", path), &st) == 0 && S_ISDIR(st.st_mode) &&
	       stat(arena_printf(a, "%s/HEAD", path), &st) == 0;
}

static enum err check_git(struct arena *a, const char *dir, const char *git, struct errinfo *e)
{
	if (access(git, R_OK | X_OK) < 0 || access(arena_printf(a, "%s/HEAD", git), R_OK) < 0 ||
	    access(arena_printf(a, "%s/objects", git), R_OK | X_OK) < 0)
		return refuse(dir, e);
	if (access(arena_printf(a, "%s/objects/info/alternates", git), F_OK) == 0)
		return err_set(e, ERR_BAD_INPUT, 0,
			       "dir: %.100s borrows objects from another repository, which the box "
			       "cannot see; "
			       "run git repack -a -d and remove .git/objects/info/alternates",
			       dir);
	return ERR_OK;
}

enum err source_check(struct arena *a, const char *dir, struct source *out, struct errinfo *e)
{
	char real[PATH_MAX];
	struct stat st;

	if (realpath(dir, real) == NULL)
		return refuse(dir, e);
	if (stat(real, &st) < 0)
		return refuse(dir, e);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_BAD_INPUT, 0, "dir: %.150s is not a directory", dir);
	if (access(real, R_OK | X_OK) < 0)
		return refuse(dir, e);
	const char *git = arena_printf(a, "%s/.git", real);
	bool there = lstat(git, &st) == 0;
	if (!there && errno == EACCES)
		return unreadable(dir, e);
	if (there && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_BAD_INPUT, 0,
			       "dir: the .git of %.120s is a link or a file (a linked worktree, a "
			       "submodule); name the "
			       "main repository",
			       dir);
	if (there && access(git, R_OK | X_OK) < 0)
		return refuse(dir, e);
	bool bare = !has_git_files(a, git) && has_git_files(a, real);
	if (bare)
		git = arena_strdup(a, real);
	if (bare || has_git_files(a, git)) {
		enum err rc = check_git(a, dir, git, e);
		if (rc == ERR_OK)
			*out = (struct source){ .from = git,
						.to = bare ? "/source" : "/source/.git" };
		return rc;
	}
	return err_set(
		e, ERR_BAD_INPUT, 0,
		"dir: %.150s is not a git repository; run git init and commit something there",
		dir);
}

#include "sandbox/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/rand.h"

enum { DEPTH_MAX = 64 };

static int trash_open(int root)
{
	if (make_dir(root, SWEEP_TRASH, 0700) < 0)
		return -1;
	return openat(root, SWEEP_TRASH, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static bool move_to(int trash, int from, const char *name)
{
	char unique[33];

	rand_hex(unique, 16);
	if (renameat(from, name, trash, unique) == 0)
		return true;
	/* Renaming a directory changes its ".."; an agent may have made it read-only. */
	if (errno == EACCES && fchmodat(from, name, 0700, 0) == 0 &&
	    renameat(from, name, trash, unique) == 0)
		return true;
	return errno == ENOENT;
}

bool sweep_move(int root, int from, const char *name)
{
	int trash = trash_open(root);

	if (trash < 0)
		return false;
	bool ok = move_to(trash, from, name);
	int why = errno;
	close(trash);
	errno = why;
	return ok;
}

static bool remove_tree(int trash, int parent, const char *name, int depth);

static bool remove_entries(int trash, int fd, int depth)
{
	struct dirent *d;
	bool ok = true;
	DIR *dir = fdopendir(fd);

	if (dir == NULL) {
		close(fd);
		return false;
	}
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (d->d_type != DT_DIR && unlinkat(dirfd(dir), d->d_name, 0) == 0)
			continue;
		ok = remove_tree(trash, dirfd(dir), d->d_name, depth + 1) && ok;
	}
	closedir(dir);
	return ok;
}

/* Agents nest directories deeper than a stack or a table of descriptors: too deep ones come back as
 * a root of their own. */
static bool remove_tree(int trash, int parent, const char *name, int depth)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	if (errno == ENOTDIR)
		return unlinkat(parent, name, 0) == 0;
	if (fchmodat(parent, name, 0700, 0) < 0 && errno == ENOENT)
		return true;
	if (depth > DEPTH_MAX)
		return move_to(trash, parent, name);
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool ok = remove_entries(trash, fd, depth);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 && ok;
}

static bool has_entries(int trash)
{
	struct dirent *d;
	bool found = false;
	int fd = openat(trash, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL)
		return false;
	while (!found && (d = readdir(dir)) != NULL)
		found = strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	closedir(dir);
	return found;
}

bool sweep_trash(int root)
{
	bool ok = true;
	int trash = trash_open(root);

	if (trash < 0)
		return false;
	while (ok && has_entries(trash)) {
		int fd = openat(trash, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ok = fd >= 0 && remove_entries(trash, fd, 0);
	}
	close(trash);
	return ok;
}

pid_t sweep_start(int root)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	/* Keep nothing of the server's: above all not its lock, which a successor wants, nor a
	 * box's. */
	if (dup2(root, 3) < 0)
		_exit(1);
	closefrom(4);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpriority(PRIO_PROCESS, 0, 10);
	_exit(sweep_trash(3) ? 0 : 1);
}

#include "sandbox/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TREE_MAX = 2048 /* enough for any honest agent; a fork bomb gets SIGKILL soon after */ };

int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int pidfd_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

struct list {
	pid_t pid[TREE_MAX];
	size_t n;
};

/* The children that one thread made, space separated. */
static void add_children(struct list *l, pid_t pid, const char *tid)
{
	char path[80], text[4096];
	size_t have = 0;

	if ((size_t)snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, tid) >=
	    sizeof path)
		return;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (;;) {
		ssize_t got = read(fd, text + have, sizeof text - 1 - have);
		if (got <= 0)
			break;
		have += (size_t)got;
		text[have] = '\0';
		char *p = text, *space;
		while ((space = strchr(p, ' ')) != NULL && l->n < TREE_MAX) {
			long child = strtol(p, NULL, 10);
			if (child > 0)
				l->pid[l->n++] = (pid_t)child;
			p = space + 1;
		}
		have = strlen(p); /* a number cut by the end of the buffer */
		memmove(text, p, have);
		if (l->n == TREE_MAX)
			break;
	}
	close(fd);
}

static void add_threads_children(struct list *l, pid_t pid)
{
	char path[40];
	struct dirent *d;

	if ((size_t)snprintf(path, sizeof path, "/proc/%d/task", (int)pid) >= sizeof path)
		return;
	DIR *dir = opendir(path);
	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] != '.')
			add_children(l, pid, d->d_name);
	}
	closedir(dir);
}

/* The pid namespace of a process; 0 when it is not told. */
static ino_t namespace_of(pid_t pid)
{
	char path[40];
	struct stat st;

	if ((size_t)snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid) >= sizeof path ||
	    stat(path, &st) < 0)
		return 0;
	return st.st_ino;
}

void tree_signal(pid_t init, int sig)
{
	ino_t ns = namespace_of(init);
	struct list *l = calloc(1, sizeof *l);

	if (l == NULL || ns == 0 || ns == namespace_of(getpid())) {
		free(l);
		return;
	}
	add_threads_children(l, init);
	for (size_t i = 0; i < l->n; i++)
		add_threads_children(l, l->pid[i]);
	for (size_t i = 0; i < l->n; i++) {
		/* A number may belong to somebody else by now; the descriptor, once checked,
		 * cannot. */
		int fd = pidfd_of(l->pid[i]);
		if (fd < 0)
			continue;
		if (namespace_of(l->pid[i]) == ns)
			(void)pidfd_signal(fd, sig);
		close(fd);
	}
	free(l);
}

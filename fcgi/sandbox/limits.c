#include "sandbox/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/number.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

void limits_default(struct limits *l)
{
	int64_t ram = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	*l = (struct limits){ .processes = 1024, .memory = 8 * GIB, .file = 8 * GIB, .files = 8192, .tmp = GIB };
	/* One box must not take the whole machine. */
	if (ram > 0 && l->memory > ram / 4 * 3)
		l->memory = ram / 4 * 3;
	if (ram > 0 && l->tmp > ram / 4)
		l->tmp = ram / 4;
}

/* ---- text ---- */
static const struct name {
	const char *name;
	size_t at;
	int64_t min;
} names[] = {
	{ "processes", offsetof(struct limits, processes), 16 },
	{ "memory", offsetof(struct limits, memory), 64 * MIB },
	{ "file", offsetof(struct limits, file), MIB },
	{ "files", offsetof(struct limits, files), 64 },
	{ "tmp", offsetof(struct limits, tmp), MIB },
};
enum { NAMES = sizeof names / sizeof names[0] };

static int64_t *field(struct limits *l, const struct name *n)
{
	return (int64_t *)(void *)((char *)l + n->at);
}

static int parse_size(const char *text, size_t len, int64_t *out)
{
	char digits[32];
	int shift = 0;

	if (len == 0 || len >= sizeof digits)
		return -1;
	memcpy(digits, text, len);
	digits[len] = '\0';
	switch (digits[len - 1]) {
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	default:
		break;
	}
	if (shift != 0)
		digits[len - 1] = '\0';
	if (number_parse(digits, 1, NUMBER_MAX >> shift, out) < 0)
		return -1;
	*out <<= shift;
	return 0;
}

static enum err parse_one(struct limits *l, const char *text, size_t len, struct errinfo *e)
{
	for (size_t i = 0; i < NAMES; i++) {
		size_t n = strlen(names[i].name);
		int64_t value;
		if (len <= n || strncmp(text, names[i].name, n) != 0 || text[n] != '=')
			continue;
		if (parse_size(text + n + 1, len - n - 1, &value) < 0 || value < names[i].min)
			return err_set(e, ERR_BAD_INPUT, 0, "limits: %.60s: at least %" PRId64 " is wanted", text,
				       names[i].min);
		*field(l, &names[i]) = value;
		return ERR_OK;
	}
	return err_set(e, ERR_BAD_INPUT, 0, "limits: %.60s is none of processes, memory, file, files, tmp", text);
}

enum err limits_parse(struct limits *l, const char *text, struct errinfo *e)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		enum err rc = parse_one(l, text, len, e);
		if (rc != ERR_OK)
			return rc;
		text += len;
		text += *text == ',';
	}
	return ERR_OK;
}

const char *limits_text(const struct limits *l, char out[LIMITS_TEXT])
{
	(void)snprintf(out, LIMITS_TEXT,
		       "processes=%" PRId64 ",memory=%" PRId64 ",file=%" PRId64 ",files=%" PRId64 ",tmp=%" PRId64,
		       l->processes, l->memory, l->file, l->files, l->tmp);
	return out;
}

/* ---- rlimits ---- */
static int set(__rlimit_resource_t what, int64_t value)
{
	struct rlimit r;

	if (getrlimit(what, &r) < 0)
		return -1;
	if (r.rlim_max == RLIM_INFINITY || (rlim_t)value < r.rlim_max)
		r.rlim_max = (rlim_t)value;
	r.rlim_cur = r.rlim_max;
	return setrlimit(what, &r);
}

int limits_apply(const struct limits *l, bool tree)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* When memory runs out all the same, the kernel shall take an agent and nothing of ours. */
	if (fd >= 0) {
		(void)!write(fd, "1000", 4);
		close(fd);
	}
	/* Of the writable memory, not of addresses: node and bun reserve many times what they use. */
	if (!tree && set(RLIMIT_DATA, l->memory) < 0)
		return -1;
	if (set(RLIMIT_NPROC, l->processes) < 0 || set(RLIMIT_FSIZE, l->file) < 0 ||
	    set(RLIMIT_NOFILE, l->files) < 0 || set(RLIMIT_CORE, 0) < 0)
		return -1;
	return 0;
}

/* ---- cgroup v2 ---- */
static int put(const char *dir, const char *name, const char *file, const char *text)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof path, "%s/%s/%s", dir, name, file) >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int rc = write_all(fd, text, strlen(text));
	int why = errno;
	close(fd);
	errno = why;
	return rc;
}

bool limits_cgroup_usable(const char *dir)
{
	char path[PATH_MAX], text[256];

	if ((size_t)snprintf(path, sizeof path, "%s/cgroup.subtree_control", dir) >= sizeof path)
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, "memory") != NULL && strstr(text, "pids") != NULL && access(dir, W_OK) == 0;
}

int limits_cgroup_join(const char *dir, const char *name, const struct limits *l)
{
	char path[PATH_MAX], number[32];

	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -1;
	(void)snprintf(number, sizeof number, "%" PRId64, l->memory);
	if (put(dir, name, "memory.max", number) < 0)
		return -1;
	(void)put(dir, name, "memory.swap.max", "0");  /* only where swap is counted */
	(void)put(dir, name, "memory.oom.group", "1"); /* the box as a whole, not a random part of it */
	(void)snprintf(number, sizeof number, "%" PRId64, l->processes);
	if (put(dir, name, "pids.max", number) < 0)
		return -1;
	return put(dir, name, "cgroup.procs", "0");
}

void limits_cgroup_remove(const char *dir, const char *name)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
		return;
	(void)put(dir, name, "cgroup.kill", "1");
	(void)rmdir(path);
}

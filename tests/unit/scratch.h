/* A directory of a test's own, in memory where the machine has it (/dev/shm), gone at the end also
 * of a failed test. */
#ifndef CHOMP_TESTS_SCRATCH_H
#define CHOMP_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct scratch {
	char path[64];
};

static inline int scratch_remove_one_(const char *path, const struct stat *st, int kind,
				      struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

/* A failed assertion jumps over scratch_close: the whole base goes when the program ends. */
static char scratch_base_[48];
static pid_t scratch_owner_;

static inline void scratch_sweep_(void)
{
	if (scratch_owner_ == getpid())
		(void)nftw(scratch_base_, scratch_remove_one_, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_open(struct scratch *s)
{
	static int count;

	if (scratch_owner_ == 0) {
		const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
		(void)snprintf(scratch_base_, sizeof scratch_base_, "%s/chomp-unit-XXXXXX", top);
		if (mkdtemp(scratch_base_) == NULL)
			abort();
		scratch_owner_ = getpid();
		atexit(scratch_sweep_);
	}
	(void)snprintf(s->path, sizeof s->path, "%s/%d", scratch_base_, ++count);
	if (mkdir(s->path, 0700) < 0)
		abort();
}

static inline void scratch_close(struct scratch *s)
{
	(void)nftw(s->path, scratch_remove_one_, 16, FTW_DEPTH | FTW_PHYS);
}

#endif

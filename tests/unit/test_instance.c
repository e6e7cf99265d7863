#include <signal.h>
#include <sys/wait.h>

#include "core/instance.h"
#include "world.h"

/* Waiting for a lock that stays held takes no time here. */
int __wrap_nanosleep(const struct timespec *want, struct timespec *left);
int __wrap_nanosleep(const struct timespec *want, struct timespec *left)
{
	(void)want;
	(void)left;
	return 0;
}

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static void one_lives_at_a_time(void **state)
{
	const char *path = world_path(&w, "run/lock");
	struct errinfo e;
	int fd, other = -1;

	(void)state;
	assert_false(instance_alive(path)); /* there is no file yet */
	assert_ok(instance_lock(path, &fd, &e), &e);
	assert_true(instance_alive(path));
	assert_true(instance_alive(path)); /* asking takes nothing away */
	assert_err(instance_lock(path, &other, &e), ERR_BUSY, &e);
	close(other);
	close(fd);
	assert_false(instance_alive(path));
	assert_ok(instance_lock(path, &fd, &e), &e);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0); /* a child must not live on with it */
	close(fd);
}

static void killed_one_is_dead(void **state)
{
	const char *path = world_path(&w, "run/lock");
	int up[2], status;
	char byte;

	(void)state;
	assert_int_equal(pipe(up), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd;
		if (instance_lock(path, &fd, NULL) != ERR_OK)
			_exit(1);
		(void)!write(up[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(up[0], &byte, 1), 1);
	close(up[0]);
	close(up[1]);
	assert_true(instance_alive(path));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(instance_alive(path));
}

static void group_may_look_whatever_the_umask(void **state)
{
	const char *path = world_path(&w, "run/lock");
	struct errinfo e;
	struct stat st;
	int fd;

	(void)state;
	mode_t before = umask(0777);
	assert_ok(instance_lock(path, &fd, &e), &e);
	umask(before);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	close(fd);
}

static void path_that_leads_nowhere_is_an_error(void **state)
{
	struct errinfo e;
	int fd;

	(void)state;
	assert_err(instance_lock(world_path(&w, "nowhere/lock"), &fd, &e), ERR_IO, &e);
	assert_int_equal(symlink("/tmp", world_path(&w, "run/link")), 0);
	assert_err(instance_lock(world_path(&w, "run/link"), &fd, &e), ERR_IO, &e);
	assert_false(instance_alive(world_path(&w, "run/link")));
}

#define T(name, fn)                             \
	{                                       \
		name, fn, setup, teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T("one lives at a time", one_lives_at_a_time),
		T("a killed one is dead", killed_one_is_dead),
		T("the group may look, whatever the umask", group_may_look_whatever_the_umask),
		T("a path that leads nowhere is an error", path_that_leads_nowhere_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

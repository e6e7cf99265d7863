#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "sandbox/sweep.h"
#include "scratch.h"
#include "unit.h"

static int root;
static struct scratch place;

static int setup(void **state)
{
	(void)state;
	scratch_open(&place);
	root = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(root);
	scratch_close(&place);
	return 0;
}

static void make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int make_and_open(int parent, const char *name)
{
	assert_int_equal(mkdirat(parent, name, 0700), 0);
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool trash_empty(void)
{
	bool empty = unlinkat(root, SWEEP_TRASH, AT_REMOVEDIR) == 0;

	return empty || errno == ENOENT;
}

static void moves(void **state)
{
	(void)state;
	close(make_and_open(root, "a"));
	assert_true(sweep_move(root, root, "a"));
	assert_false(exists(root, "a"));
	assert_true(sweep_move(root, root, "a")); /* missing: fine */
	assert_true(sweep_trash(root));
	assert_true(trash_empty());
}

static void keeps_what_links_name(void **state)
{
	(void)state;
	int out = make_and_open(root, "outside");
	make_file(out, "kept");
	int a = make_and_open(root, "a");
	assert_int_equal(symlinkat("../outside", a, "link"), 0);
	assert_int_equal(symlinkat("nowhere", a, "dangling"), 0);
	assert_int_equal(mkfifoat(a, "pipe", 0600), 0);
	assert_true(sweep_move(root, root, "a"));
	assert_true(sweep_trash(root));
	assert_true(trash_empty());
	assert_true(exists(out, "kept"));
	close(a);
	close(out);
}

static void closed_directories(void **state)
{
	(void)state;
	int a = make_and_open(root, "a");
	int b = make_and_open(a, "b");
	make_file(b, "file");
	assert_int_equal(fchmod(b, 0), 0);
	assert_int_equal(fchmod(a, 0500), 0);
	assert_true(sweep_move(root, root, "a"));
	assert_true(sweep_trash(root));
	assert_true(trash_empty());
	close(b);
	close(a);
}

static void deep(void **state)
{
	int at = make_and_open(root, "a");

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int next = make_and_open(at, "deeper");
		assert_true(next >= 0);
		make_file(at, "file");
		close(at);
		at = next;
	}
	close(at);
	assert_true(sweep_move(root, root, "a"));
	assert_true(sweep_trash(root));
	assert_true(trash_empty());
}

static void in_a_child(void **state)
{
	int status = -1;

	(void)state;
	int a = make_and_open(root, "a");
	make_file(a, "file");
	close(a);
	assert_true(sweep_move(root, root, "a"));
	pid_t pid = sweep_start(root);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(trash_empty());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(moves, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_what_links_name, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(deep, setup, teardown),
		cmocka_unit_test_setup_teardown(in_a_child, setup, teardown),
	};

	return cmocka_run_group_tests_name("sandbox sweep", tests, NULL, NULL) != 0;
}

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "scratch.h"
#include "store/lock.h"
#include "unit.h"

/* ---- the clock the lock waits by: turned forward, five seconds pass in a fifth of one ---- */
static int64_t faster = 1;

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);

int64_t __wrap_clock_mono_ms(void)
{
	static int64_t began;

	if (began == 0)
		began = __real_clock_mono_ms();
	return began + (__real_clock_mono_ms() - began) * faster;
}

static struct scratch dir;
static int dirfd = -1;

static int setup(void **state)
{
	(void)state;
	faster = 1;
	scratch_open(&dir);
	dirfd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dirfd);
	scratch_close(&dir);
	return 0;
}

/* A child that holds the lock until it is told (a byte, or the end of the pipe); returns when it
 * has it. */
struct holder {
	pid_t pid;
	int go;
};

static struct holder hold(void)
{
	int up[2], down[2];
	char byte;
	struct holder h;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	h.pid = fork();
	if (h.pid == 0) {
		struct lock l;
		close(down[1]);
		if (lock_open(&l, dirfd, NULL) != ERR_OK || lock_take(&l, NULL) != ERR_OK)
			_exit(1);
		(void)!write(up[1], "x", 1);
		(void)!read(down[0], &byte, 1);
		_exit(0); /* the lock goes with the process */
	}
	close(up[1]);
	close(down[0]);
	h.go = down[1];
	assert_int_equal(read(up[0], &byte, 1), 1);
	close(up[0]);
	return h;
}

static void let_go(struct holder *h)
{
	int status;

	close(h->go);
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_int_equal(status, 0);
}

static void taken_and_dropped(void **state)
{
	struct lock a, b;
	struct errinfo e;

	(void)state;
	assert_ok(lock_open(&a, dirfd, &e), &e);
	assert_ok(lock_open(&b, dirfd, &e), &e);
	for (int i = 0; i < 3; i++) {
		assert_ok(lock_take(&a, &e), &e);
		lock_drop(&a);
		assert_ok(lock_take(&b, &e), &e);
		lock_drop(&b);
	}
	lock_close(&a);
	lock_close(&b);
}

static void held_too_long_is_busy(void **state)
{
	struct holder h = hold();
	struct lock l;
	struct errinfo e;

	(void)state;
	assert_ok(lock_open(&l, dirfd, &e), &e);
	faster = 50;
	int64_t began = __real_clock_mono_ms();
	assert_err(lock_take(&l, &e), ERR_BUSY, &e);
	int64_t took = __real_clock_mono_ms() - began;
	assert_true(took >= LOCK_WAIT_MS / 50 - 10);
	assert_true(took < LOCK_WAIT_MS / 2); /* the alarm comes ten times a second, not once */
	assert_non_null(strstr(e.what, "nothing changed"));
	let_go(&h);
	assert_ok(lock_take(&l, &e), &e); /* and it can be had afterwards */
	lock_drop(&l);
	lock_close(&l);
}

static void two_in_one_process_exclude_each_other(void **state)
{
	struct lock a, b;
	struct errinfo e;

	(void)state;
	assert_ok(lock_open(&a, dirfd, &e), &e);
	assert_ok(lock_open(&b, dirfd, &e), &e);
	assert_ok(lock_take(&a, &e), &e);
	faster = 50;
	assert_err(lock_take(&b, &e), ERR_BUSY, &e);
	lock_drop(&a);
	assert_ok(lock_take(&b, &e), &e);
	lock_close(&a);
	lock_close(&b);
}

static void killed_holder_leaves_it_free(void **state)
{
	struct holder h = hold();
	struct lock l;
	struct errinfo e;
	int status;

	(void)state;
	assert_ok(lock_open(&l, dirfd, &e), &e);
	kill(h.pid, SIGKILL);
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
	close(h.go);
	assert_ok(lock_take(&l, &e), &e);
	lock_close(&l);
}

static void waits_for_a_holder_that_lets_go(void **state)
{
	struct holder h = hold();
	struct lock l;
	struct errinfo e;

	(void)state;
	assert_ok(lock_open(&l, dirfd, &e), &e);
	pid_t pid = fork();
	if (pid == 0) { /* lets the holder go when the waiter has had time to begin to wait; no
			   order is relied on */
		usleep(150 * 1000);
		close(h.go);
		_exit(0);
	}
	close(h.go);
	assert_ok(lock_take(&l, &e), &e);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(waitpid(h.pid, NULL, 0), h.pid);
	lock_close(&l);
}

/* A child that inherits the descriptor shares the lock; one that opens its own is kept out. */
static void child_takes_its_own(void **state)
{
	struct lock l;
	struct errinfo e;
	int status;

	(void)state;
	assert_ok(lock_open(&l, dirfd, &e), &e);
	faster = 50;
	struct lock other;
	assert_ok(lock_open(&other, dirfd, &e), &e);
	assert_ok(lock_take(&other, &e), &e);
	assert_err(lock_take(&l, &e), ERR_BUSY, &e); /* the parent has made its timer */
	pid_t pid = fork();
	if (pid == 0) {
		struct errinfo ce;
		lock_close(&l); /* must not touch the parent's timer */
		if (lock_open(&l, dirfd, &ce) != ERR_OK)
			_exit(1);
		_exit(lock_take(&l, &ce) == ERR_BUSY ? 0 : 2); /* and waits by a timer of its own */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_err(lock_take(&l, &e), ERR_BUSY, &e);
	lock_close(&other);
	lock_close(&l);
}

static void file_that_cannot_be_opened_is_an_error(void **state)
{
	struct lock l;
	struct errinfo e;

	(void)state;
	assert_int_equal(symlinkat("elsewhere", dirfd, "lock"), 0);
	assert_err(lock_open(&l, dirfd, &e), ERR_IO, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "it is taken and dropped", taken_and_dropped, setup, teardown, NULL },
		{ "held too long is busy", held_too_long_is_busy, setup, teardown, NULL },
		{ "two in one process exclude each other", two_in_one_process_exclude_each_other,
		  setup, teardown, NULL },
		{ "a killed holder leaves it free", killed_holder_leaves_it_free, setup, teardown,
		  NULL },
		{ "it waits for a holder that lets go", waits_for_a_holder_that_lets_go, setup,
		  teardown, NULL },
		{ "a child takes its own", child_takes_its_own, setup, teardown, NULL },
		{ "a file that cannot be opened is an error",
		  file_that_cannot_be_opened_is_an_error, setup, teardown, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

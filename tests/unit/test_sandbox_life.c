/* The life of a sandbox with a stand-in for the shim: a script that begins, or does not, and stays
 * or goes. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "core/clock.h"
#include "sandbox/life.h"
#include "sandbox/life_table.h"
#include "sandbox/tree.h"
#include "scratch.h"
#include "unit.h"

#define BEGIN "echo \"1000 $$\" >/proc/self/fd/4/begun; printf + >&5; exec 5>&-; "
#define END(code) "echo '{\"exitCode\":" code ",\"reason\":\"exit\"}' >/proc/self/fd/4/exit; "

static struct scratch place;
static struct life *life;
static char shim[96], boxes[96];

struct waiter {
	struct life_wait wait;
	int calls;
	enum err rc;
	struct errinfo e;
};

static void heard(struct life_wait *w, enum err rc, const struct errinfo *e)
{
	struct waiter *x = (struct waiter *)w;

	x->calls++;
	x->rc = rc;
	if (e != NULL)
		x->e = *e;
}

static struct waiter waiter(void)
{
	return (struct waiter){ .wait = { .done = heard } };
}

static void start_host(int capacity)
{
	const struct life_conf conf = {
		.dir = boxes,
		.secret = "secret",
		.shim = shim,
		.host = { .scripts = "/" },
		.capacity = capacity,
	};
	struct errinfo e = { 0 };

	assert_ok(life_open(&conf, &life, &e), &e);
	/* Whether this machine can build boxes is not the matter here. */
	life->boundary_known = true;
	memcpy(life->bwrap, "/bin/true", sizeof "/bin/true");
}

static void write_shim(const char *script)
{
	FILE *f = fopen(shim, "w");

	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\n%s\n", script) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(shim, 0755), 0);
}

static int setup(void **state)
{
	(void)state;
	scratch_open(&place);
	(void)snprintf(shim, sizeof shim, "%s/shim", place.path);
	(void)snprintf(boxes, sizeof boxes, "%s/boxes", place.path);
	start_host(2);
	return 0;
}

static void end_all(void)
{
	for (int i = 0; i < life->len; i++)
		(void)kill(life->box[i]->shim, SIGKILL);
}

static int teardown(void **state)
{
	(void)state;
	end_all();
	life_free(life);
	scratch_close(&place);
	return 0;
}

/* Turn the loop until it holds. */
static void until(bool (*holds)(const void *), const void *arg)
{
	int64_t end = clock_mono_ms() + 10000;

	while (!holds(arg)) {
		struct pollfd p = { .fd = life_fd(life), .events = POLLIN };
		assert_true(clock_mono_ms() < end);
		(void)poll(&p, 1, 20);
		life_step(life);
	}
}

static bool was_heard(const void *w)
{
	return ((const struct waiter *)w)->calls > 0;
}

static bool all_gone(const void *unused)
{
	(void)unused;
	return life_count(life) == 0;
}

static struct dispatch sample(const char *id)
{
	return (struct dispatch){ .id = id,
				  .task = "7",
				  .session = "s1",
				  .prompt = "p",
				  .agent = "shell",
				  .history = "[]",
				  .callback_url = "http://h",
				  .callback_token = "t",
				  .timeout_s = 60 };
}

static enum err dispatch(const char *id, struct waiter *w)
{
	struct arena a = { 0 };
	struct dispatch d = sample(id);

	*w = waiter();
	life_dispatch(life, &a, &d, &w->wait);
	arena_reset(&a);
	until(was_heard, w);
	assert_int_equal(w->calls, 1);
	return w->rc;
}

static enum err kill_it(const char *id, struct waiter *w)
{
	*w = waiter();
	life_kill(life, id, &w->wait);
	until(was_heard, w);
	return w->rc;
}

static struct status status_of(struct arena *a, const char *id)
{
	struct status st;

	assert_ok(life_status(life, a, id, &st, NULL), NULL);
	return st;
}

static void starts_once(void **state)
{
	struct arena a = { 0 };
	struct waiter one, two;

	(void)state;
	write_shim(BEGIN "exec sleep 30");
	assert_ok(dispatch("d1", &one), &one.e);
	assert_ok(dispatch("d1", &two), &two.e);
	assert_text(one.wait.id, two.wait.id);
	assert_int_equal(life_count(life), 1);
	struct status st = status_of(&a, one.wait.id);
	assert_true(st.alive && st.running);
	assert_int_equal(st.started_ms, 1000);
	arena_reset(&a);
}

static void together(void **state)
{
	struct arena a = { 0 };
	struct dispatch d = sample("d1");
	struct waiter one = waiter(), two = waiter(), gone = waiter();

	(void)state;
	write_shim(BEGIN "exec sleep 30");
	life_dispatch(life, &a, &d, &one.wait);
	life_dispatch(life, &a, &d, &gone.wait);
	life_dispatch(life, &a, &d, &two.wait);
	life_forget(life, &gone.wait);
	until(was_heard, &one);
	assert_int_equal(two.calls, 1);
	assert_int_equal(gone.calls, 0);
	assert_int_equal(life_count(life), 1);
	arena_reset(&a);
}

static void ends(void **state)
{
	struct arena a = { 0 };
	struct waiter w;

	(void)state;
	write_shim(BEGIN END("3"));
	assert_ok(dispatch("d1", &w), &w.e);
	until(all_gone, NULL);
	struct status st = status_of(&a, w.wait.id);
	assert_false(st.alive || st.running);
	assert_true(st.has_code);
	assert_int_equal(st.exit_code, 3);
	assert_ok(dispatch("d1", &w), &w.e); /* known, not started again */
	assert_int_equal(life_count(life), 0);
	arena_reset(&a);
}

static void shim_fails(void **state)
{
	struct waiter w;

	(void)state;
	write_shim("printf 'no terminal' >&5; exit 1");
	assert_err(dispatch("d1", &w), ERR_IO, &w.e);
	assert_non_null(strstr(w.e.what, "no terminal"));
	until(all_gone, NULL);
	write_shim(BEGIN "exec sleep 30"); /* it never began: the same dispatch may try again */
	assert_ok(dispatch("d1", &w), &w.e);
	assert_int_equal(life_count(life), 1);
}

static void shim_is_missing(void **state)
{
	struct waiter w;

	(void)state;
	(void)unlink(shim);
	assert_err(dispatch("d1", &w), ERR_IO, &w.e);
	assert_int_equal(life_count(life), 0);
}

static void full(void **state)
{
	struct waiter w;

	(void)state;
	write_shim(BEGIN "exec sleep 30");
	assert_ok(dispatch("d1", &w), &w.e);
	assert_ok(dispatch("d2", &w), &w.e);
	assert_err(dispatch("d3", &w), ERR_LIMIT, &w.e);
	assert_ok(dispatch("d2", &w), &w.e); /* known ones are answered all the same */
}

static void killed_before(void **state)
{
	struct arena a = { 0 };
	struct waiter w;

	(void)state;
	assert_ok(kill_it("0123456789abcdef0123456789abcdef", &w), &w.e);
	assert_err(dispatch("0123456789abcdef0123456789abcdef", &w), ERR_CONFLICT, &w.e);
	assert_text(status_of(&a, w.wait.id).reason, "killed");
	life_free(life);
	start_host(2);
	assert_err(dispatch("0123456789abcdef0123456789abcdef", &w), ERR_CONFLICT, &w.e);
	arena_reset(&a);
}

static void killed_while_stuck(void **state)
{
	struct arena a = { 0 };
	struct waiter w, again;

	(void)state;
	write_shim(BEGIN "exec sleep 30"); /* every signal is blocked: it never hears SIGTERM */
	assert_ok(dispatch("d1", &w), &w.e);
	struct waiter k = waiter();
	life_kill(life, w.wait.id, &k.wait);
	assert_int_equal(k.calls, 0);
	assert_err(dispatch("d1", &again), ERR_CONFLICT, &again.e); /* on its way out already */
	assert_true(life->box[0]->deadline_ms > clock_mono_ms());
	life->box[0]->deadline_ms = clock_mono_ms(); /* do not wait for it here */
	table_set_timer(life);
	until(was_heard, &k);
	assert_ok(k.rc, &k.e);
	assert_false(status_of(&a, w.wait.id).alive);
	assert_ok(kill_it(w.wait.id, &k), &k.e); /* as often as asked */
	assert_err(dispatch("d1", &again), ERR_CONFLICT, &again.e);
	arena_reset(&a);
}

static void killed_while_starting(void **state)
{
	struct arena a = { 0 };
	struct dispatch d = sample("d1");
	struct waiter start = waiter(), k = waiter();

	(void)state;
	write_shim("exit 0"); /* goes without a word, as one that hears SIGTERM before it began */
	life_dispatch(life, &a, &d, &start.wait);
	life_kill(life, start.wait.id, &k.wait);
	until(was_heard, &k);
	assert_ok(k.rc, &k.e);
	assert_int_equal(start.calls, 1);
	assert_err(start.rc, ERR_CONFLICT, &start.e);
	write_shim(BEGIN "exec sleep 30");
	assert_err(dispatch("d1", &start), ERR_CONFLICT, &start.e);
	arena_reset(&a);
}

static void adopted(void **state)
{
	struct arena a = { 0 };
	struct waiter w;
	char id[SANDBOX_ID];

	(void)state;
	write_shim(BEGIN "exec sleep 30");
	assert_ok(dispatch("d1", &w), &w.e);
	memcpy(id, w.wait.id, sizeof id);
	life_free(life);
	start_host(2);
	assert_int_equal(life_count(life), 1);
	assert_true(status_of(&a, id).running);
	assert_ok(dispatch("d1", &w), &w.e);
	assert_text(w.wait.id, id);
	end_all();
	until(all_gone, NULL);
	assert_false(status_of(&a, id).alive);
	arena_reset(&a);
}

static void drained(void **state)
{
	struct waiter w;

	(void)state;
	write_shim(BEGIN "exec sleep 30");
	assert_ok(dispatch("d1", &w), &w.e);
	life_drain(life);
	assert_err(dispatch("d2", &w), ERR_BUSY, &w.e);
	assert_false(life_drained(life));
	end_all();
	until(all_gone, NULL);
}

static void unknown(void **state)
{
	struct arena a = { 0 };
	struct errinfo e = { 0 };
	int fd = -1;
	off_t size = 0;

	(void)state;
	struct status st = status_of(&a, "0123456789abcdef0123456789abcdef");
	assert_false(st.alive || st.running || st.has_code);
	assert_err(life_log(life, "0123456789abcdef0123456789abcdef", &fd, &size, &e),
		   ERR_NOT_FOUND, &e);
	arena_reset(&a);
}

static void bad_source(void **state)
{
	struct arena a = { 0 };
	struct dispatch d = sample("d1");
	struct waiter w = waiter();

	(void)state;
	d.dir = "/nowhere/at/all";
	life_dispatch(life, &a, &d, &w.wait);
	assert_err(w.rc, ERR_BAD_INPUT, &w.e);
	assert_int_not_equal(faccessat(life->root, w.wait.id, F_OK, 0),
			     0); /* nothing is left behind */
	arena_reset(&a);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(starts_once),
		TEST(together),
		TEST(ends),
		TEST(shim_fails),
		TEST(shim_is_missing),
		TEST(full),
		TEST(killed_before),
		TEST(killed_while_stuck),
		TEST(killed_while_starting),
		TEST(adopted),
		TEST(drained),
		TEST(unknown),
		TEST(bad_source),
	};

	if (pidfd_of(getpid()) < 0) { /* valgrind of Debian 12 does not know the call */
		print_message("[  SKIPPED ] sandbox life: no pidfd_open\n");
		return 0;
	}
	return cmocka_run_group_tests_name("sandbox life", tests, NULL, NULL) != 0;
}

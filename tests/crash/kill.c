/*
 * kill -9 of processes that write the store, again and again: whatever was acknowledged is there
 * afterwards, the log is undamaged, and the next process goes on.
 *
 * A writer acknowledges an operation by a line on a pipe after the store has answered; the parent
 * kills at a moment of the clock's choosing, reads what is left in the pipe, and opens the store as
 * a new process would.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/world.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "store/document.h"

enum { WRITERS = 4, RUN_MS = 2500, KILLS_MIN = 20, IDS = 1 << 17 };

/* One acknowledged operation. */
struct ack {
	enum { CREATED, CHANGED, DELETED, DOCUMENT } what;
	int64_t id, n;
};

/* What the parent knows to be true. */
static struct known {
	bool created, deleted;
	int64_t n;
} known[IDS];
static int64_t document_n;

static struct world w;

/* ---- a writer ---- */
static enum err set_n(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)skip;
	(void)e;
	t->result = arena_printf(a, "%lld", (long long)*(const int64_t *)arg);
	return ERR_OK;
}

static enum err set_document(const struct json_object *old, struct strbuf *out, void *arg,
			     struct errinfo *e)
{
	int64_t n = 0;
	enum err rc = old != NULL ? jr_i64(old, "n", 0, INT64_MAX, &n, e) : ERR_OK;

	*(int64_t *)arg = n + 1;
	strbuf_printf(out, "{\"n\":%lld}", (long long)n + 1);
	return rc;
}

static void tell(int fd, struct ack ack)
{
	if (write(fd, &ack, sizeof ack) != (ssize_t)sizeof ack)
		_exit(3);
}

static void one_round(struct store *s, int fd, int64_t round)
{
	struct task t = { .prompt =
				  "a task of some length, so that a line is more than a few bytes",
			  .created = 1,
			  .updated = 1 };
	struct arena a = { 0 };
	struct errinfo e;
	int64_t n = 0;

	if (store_create(s, &a, &t, &e) != ERR_OK)
		_exit(4);
	tell(fd, (struct ack){ CREATED, t.id, 0 });
	for (n = 1; n < 4; n++) {
		struct change c = { set_n, &n };
		if (store_change(s, &a, t.id, c, NULL, &e) != ERR_OK)
			_exit(5);
		tell(fd, (struct ack){ CHANGED, t.id, n });
	}
	if (round % 3 == 0) {
		if (store_delete(s, &a, t.id, 1, NULL, &e) != ERR_OK)
			_exit(6);
		tell(fd, (struct ack){ DELETED, t.id, 0 });
	}
	if (round % 8 == 0) {
		if (document_change(w.var, "doc.json", &a, set_document, &n, &e) != ERR_OK)
			_exit(7);
		tell(fd, (struct ack){ DOCUMENT, 0, n });
	}
	arena_reset(&a);
}

static void writer(int fd)
{
	struct store *s;
	struct errinfo e;

	if (store_open(&s, w.var, STORE_WRITER, &e) != ERR_OK)
		_exit(2);
	for (int64_t round = 1;; round++)
		one_round(s, fd, round);
}

static void compactor(void)
{
	struct store *s;
	struct errinfo e;

	if (store_open(&s, w.var, STORE_WRITER, &e) != ERR_OK)
		_exit(2);
	for (;;) {
		if (store_compact(s, &e) != ERR_OK || store_snapshot(s, &e) != ERR_OK)
			_exit(8);
	}
}

/* ---- the parent ---- */
struct child {
	pid_t pid;
	int fd; /* its acknowledgements; -1: the compactor has none */
};

static struct child start(bool writes)
{
	struct child c = { .fd = -1 };
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	/* Room for all that is said between two looks: a writer never waits for the parent. */
	(void)fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
	c.pid = fork();
	if (c.pid == 0) {
		close(p[0]);
		if (writes)
			writer(p[1]);
		else
			compactor();
	}
	close(p[1]);
	c.fd = p[0];
	return c;
}

static void learn(const struct ack *ack)
{
	if (ack->what == DOCUMENT) {
		document_n = ack->n > document_n ? ack->n : document_n;
		return;
	}
	assert_true(ack->id > 0 && ack->id < IDS);
	struct known *k = &known[ack->id];
	if (ack->what == CREATED) {
		assert_false(k->created); /* no id is given twice */
		k->created = true;
	}
	k->n = ack->what == CHANGED ? ack->n : k->n;
	k->deleted = k->deleted || ack->what == DELETED;
}

/* Everything the child said before it died. */
static int hear(int fd)
{
	struct ack ack;
	int n = 0;

	while (read(fd, &ack, sizeof ack) == (ssize_t)sizeof ack) {
		learn(&ack);
		n++;
	}
	close(fd);
	return n;
}

static int end(struct child *c)
{
	int status;

	assert_int_equal(kill(c->pid, SIGKILL), 0);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	if (!WIFSIGNALED(status))
		print_error("a child ended by itself: %d\n", WEXITSTATUS(status));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return hear(c->fd);
}

static void assert_task(struct store *s, int64_t id, const struct known *k)
{
	struct arena a = { 0 };
	struct errinfo e;
	struct task t;
	enum err rc = store_get(s, &a, id, &t, &e);

	if (k->deleted) {
		assert_err(rc, ERR_NOT_FOUND, &e);
	} else if (rc == ERR_NOT_FOUND) {
		/* Deleted, but killed before it could say so: it had said all else. */
		assert_int_equal(k->n, 3);
	} else {
		assert_ok(rc, &e);
		assert_true(k->n == 0 || strtoll(t.result, NULL, 10) >= k->n);
	}
	arena_reset(&a);
}

static void assert_everything_known_is_there(void)
{
	struct store *s;
	struct errinfo e;
	struct json_object *doc = NULL;
	struct arena a = { 0 };
	int64_t n = 0;

	assert_ok(store_open(&s, w.var, STORE_WRITER, &e), &e);
	assert_ok(store_writable(s, &e), &e);
	for (int64_t id = 1; id < IDS; id++) {
		if (known[id].created)
			assert_task(s, id, &known[id]);
	}
	assert_ok(document_read(w.var, "doc.json", &a, &doc, &e), &e);
	if (doc != NULL)
		assert_ok(jr_i64(doc, "n", 0, INT64_MAX, &n, &e), &e);
	assert_true(n >= document_n);
	/* And it goes on. */
	struct task t = { .prompt = "after", .created = 1 };
	assert_ok(store_create(s, &a, &t, &e), &e);
	assert_false(known[t.id].created);
	known[t.id].created = true;
	store_close(s);
	arena_reset(&a);
}

static uint32_t any(uint32_t n)
{
	static uint32_t seed = 4711;

	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void nap(uint32_t us)
{
	struct timespec t = { .tv_nsec = us * 1000L };

	(void)nanosleep(&t, NULL);
}

static void storm(bool compact)
{
	const int64_t until = clock_mono_ms() + RUN_MS;
	struct child all[WRITERS], packer = { 0 };
	int kills = 0, acks = 0;

	memset(known, 0, sizeof known);
	document_n = 0;
	world_open(&w);
	for (int i = 0; i < WRITERS; i++)
		all[i] = start(true);
	if (compact)
		packer = start(false);
	while (clock_mono_ms() < until || kills < KILLS_MIN) { /* a busy machine takes longer */
		int who = (int)any(WRITERS + (compact ? 1 : 0));
		nap(200 + any(8000));
		struct child *c = who < WRITERS ? &all[who] : &packer;
		acks += end(c);
		if (++kills % 10 == 0)
			assert_everything_known_is_there();
		*c = start(who < WRITERS);
	}
	for (int i = 0; i < WRITERS; i++)
		acks += end(&all[i]);
	if (compact)
		(void)end(&packer);
	assert_everything_known_is_there();
	print_message("             %d kills, %d acknowledged changes\n", kills, acks);
	assert_true(acks > 100);
	world_close(&w);
}

static void killed_writers_lose_nothing(void **state)
{
	(void)state;
	storm(false);
}

static void killed_compactors_lose_nothing(void **state)
{
	(void)state;
	storm(true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_writers_lose_nothing),
		cmocka_unit_test(killed_compactors_lose_nothing),
	};

	setenv("CHOMP_LOG", "error", 1);
	log_init("crash");
	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

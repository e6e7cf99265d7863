#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/strbuf.h"
#include "unit.h"

/* ---- memory that runs out: malloc and realloc are wrapped ---- */
static bool exhausted;

void *__real_malloc(size_t len);
void *__real_realloc(void *p, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_realloc(void *p, size_t len);

void *__wrap_malloc(size_t len)
{
	return exhausted ? NULL : __real_malloc(len);
}

void *__wrap_realloc(void *p, size_t len)
{
	return exhausted ? NULL : __real_realloc(p, len);
}

static void use_xmalloc(void)
{
	(void)xmalloc(1);
}

static void use_xrealloc(void)
{
	(void)xrealloc(NULL, 1);
}

static void use_xstrdup(void)
{
	(void)xstrdup("x");
}

static void use_alloc(void)
{
	struct arena a = { 0 };

	(void)arena_alloc(&a, 1);
}

static void use_defer(void)
{
	struct arena a = { 0 };

	arena_defer(&a, free, NULL);
}

static void use_printf(void)
{
	struct arena a = { 0 };

	(void)arena_printf(&a, "%d", 1);
}

static void use_strbuf(void)
{
	struct strbuf sb;

	strbuf_init(&sb);
	strbuf_putc(&sb, 'x');
}

static void use_absurd_length(void)
{
	struct arena a = { 0 };

	exhausted = false; /* refused before malloc is asked: rounding up would wrap */
	(void)arena_alloc(&a, SIZE_MAX - 3);
}

static const struct row {
	const char *name;
	void (*use)(void);
} rows[] = {
	{ "xmalloc ends the process with 70", use_xmalloc },
	{ "xrealloc ends the process with 70", use_xrealloc },
	{ "xstrdup ends the process with 70", use_xstrdup },
	{ "arena_alloc ends the process with 70", use_alloc },
	{ "arena_defer ends the process with 70", use_defer },
	{ "arena_printf ends the process with 70", use_printf },
	{ "a growing strbuf ends the process with 70", use_strbuf },
	{ "a length that would wrap ends the process with 70", use_absurd_length },
};

static void out_of_memory_ends_the_process(void **state)
{
	ROW(struct row);
	int p[2], status;
	char said[200] = "";

	assert_int_equal(pipe(p), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[1], 2);
		exhausted = true;
		r->use();
		_exit(0);
	}
	close(p[1]);
	assert_true(read(p[0], said, sizeof said - 1) > 0);
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 70);
	assert_string_equal(said, "lvl=error ev=process.oom\n");
}

/* ---- plenty ---- */
static void memory_is_zero_aligned_and_separate(void **state)
{
	struct arena a = { 0 };
	unsigned char *p[400];

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		p[i] = arena_alloc(&a, i);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(p[i][k], 0);
		memset(p[i], (int)(i & 0xFF), i);
	}
	for (size_t i = 0; i < 400; i++) {
		for (size_t k = 0; k < i; k++)
			assert_int_equal(p[i][k], i & 0xFF);
	}
	arena_reset(&a);
}

static void one_piece_may_be_large(void **state)
{
	struct arena a = { 0 };

	(void)state;
	char *small = arena_strdup(&a, "small");
	char *big = arena_alloc(&a, 5 << 20);
	memset(big, 'x', 5 << 20);
	char *after = arena_strdup(&a, "after");
	assert_string_equal(small, "small");
	assert_string_equal(after, "after");
	arena_reset(&a);
	assert_null(a.blocks);
}

static void text_is_copied(void **state)
{
	struct arena a = { 0 };
	char from[] = "abcdef";

	(void)state;
	char *whole = arena_strdup(&a, from), *part = arena_strndup(&a, from, 3);
	char *none = arena_strndup(&a, from, 0);
	from[0] = 'X';
	assert_string_equal(whole, "abcdef");
	assert_string_equal(part, "abc");
	assert_string_equal(none, "");
	assert_string_equal(arena_printf(&a, "%s %d", whole, 7), "abcdef 7");
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	assert_int_equal(strlen(arena_printf(&a, "%*d", 40000, 1)), 40000);
	arena_reset(&a);
}

static char order[8];

static void note(void *arg)
{
	size_t n = strlen(order);

	order[n] = *(const char *)arg;
	order[n + 1] = '\0';
}

static void deferred_calls_run_last_in_first_out(void **state)
{
	struct arena a = { 0 };

	(void)state;
	order[0] = '\0';
	/* The argument lives in the arena itself: calls come before memory goes. */
	arena_defer(&a, note, arena_strdup(&a, "1"));
	arena_defer(&a, note, arena_strdup(&a, "2"));
	arena_alloc(&a, 100000);
	arena_defer(&a, note, arena_strdup(&a, "3"));
	assert_string_equal(order, "");
	arena_reset(&a);
	assert_string_equal(order, "321");
	arena_reset(&a);
	assert_string_equal(order, "321"); /* once each */
}

static void reset_one_is_usable_again(void **state)
{
	struct arena a = { 0 };

	(void)state;
	arena_reset(&a); /* an empty one too */
	for (int i = 0; i < 100; i++) {
		char *p = arena_alloc(&a, 20000);
		assert_int_equal(p[19999], 0);
		p[19999] = 'x';
		arena_reset(&a);
	}
}

int main(void)
{
	static struct plan p;

	plan_add(&p, "memory is zero, aligned and separate", memory_is_zero_aligned_and_separate,
		 NULL);
	plan_add(&p, "one piece may be large", one_piece_may_be_large, NULL);
	plan_add(&p, "text is copied", text_is_copied, NULL);
	plan_add(&p, "deferred calls run last in, first out", deferred_calls_run_last_in_first_out,
		 NULL);
	plan_add(&p, "a reset arena is usable again", reset_one_is_usable_again, NULL);
	PLAN_ROWS(&p, rows, out_of_memory_ends_the_process);
	return plan_run("arena", &p);
}

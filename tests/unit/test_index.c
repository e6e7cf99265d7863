#include "core/number.h"
#include "store/index.h"
#include "unit.h"

static int64_t at; /* where the next line would be in the file */

static bool apply(struct index *ix, enum record_kind kind, int64_t id, enum status status,
		  int64_t tokens, bool todo)
{
	struct record_head h = {
		.kind = kind, .id = id, .todo = todo, .status = status, .tokens = tokens
	};
	struct place p = { .off = at, .len = 100 };

	at += 101;
	return index_apply(ix, &h, p);
}

static bool create(struct index *ix, int64_t id)
{
	return apply(ix, RECORD_NEW, id, 0, 0, false) &&
	       apply(ix, RECORD_SET, id, STATUS_QUEUED, 0, false);
}

/* ---- what contradicts what came before ---- */
static const struct line {
	enum record_kind kind;
	int64_t id;
} NO_LINE = { RECORD_LOG, 0 };

static const struct row {
	const char *name;
	struct line steps[5];
	bool good; /* of the last step; those before are good */
} rows[] = {
	{ "a change follows its task", { { RECORD_NEW, 1 }, { RECORD_SET, 1 } }, true },
	{ "changes follow changes",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 1 }, { RECORD_SET, 1 } },
	  true },
	{ "a tombstone follows its task",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 1 }, { RECORD_DEL, 1 } },
	  true },
	{ "a tombstone follows a tombstone",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 1 }, { RECORD_DEL, 1 }, { RECORD_DEL, 1 } },
	  true },
	{ "ids may have gaps",
	  { { RECORD_NEW, 5 }, { RECORD_SET, 5 }, { RECORD_NEW, 900 } },
	  true },
	{ "a task may be cut off before its first change",
	  { { RECORD_NEW, 1 }, { RECORD_NEW, 2 } },
	  true },
	{ "a tombstone may have outlived its task",
	  { { RECORD_NEW, 9 }, { RECORD_SET, 9 }, { RECORD_DEL, 3 } },
	  true },
	{ "a change before its task is damage", { { RECORD_SET, 1 } }, false },
	{ "a change of a task that never was is damage",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 2 } },
	  false },
	{ "a change of an id passed over is damage",
	  { { RECORD_NEW, 5 }, { RECORD_SET, 4 } },
	  false },
	{ "a change after a tombstone is damage",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 1 }, { RECORD_DEL, 1 }, { RECORD_SET, 1 } },
	  false },
	{ "a second task of one id is damage",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 1 }, { RECORD_NEW, 1 } },
	  false },
	{ "a task after its tombstone is damage",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 1 }, { RECORD_DEL, 1 }, { RECORD_NEW, 1 } },
	  false },
	{ "a smaller id is damage", { { RECORD_NEW, 5 }, { RECORD_NEW, 4 } }, false },
	{ "an id below the log's next is damage",
	  { { RECORD_LOG, 10 }, { RECORD_NEW, 9 } },
	  false },
	{ "a tombstone from the future is damage",
	  { { RECORD_NEW, 1 }, { RECORD_DEL, 2 } },
	  false },
	{ "a change in a chunk that never was is damage",
	  { { RECORD_NEW, 1 }, { RECORD_SET, 5 * INDEX_CHUNK } },
	  false },
};

static void contradiction_is_damage(void **state)
{
	ROW(struct row);
	struct index ix;

	index_init(&ix);
	for (int i = 0; i < 5 && r->steps[i].id != NO_LINE.id; i++) {
		bool last = i == 4 || r->steps[i + 1].id == NO_LINE.id;
		assert_int_equal(
			apply(&ix, r->steps[i].kind, r->steps[i].id, STATUS_QUEUED, 0, false),
			!last || r->good);
	}
	index_release(&ix);
}

static void id_zero_is_damage(void **state)
{
	struct index ix;

	(void)state;
	index_init(&ix);
	assert_false(apply(&ix, RECORD_NEW, 0, 0, 0, false));
	assert_false(apply(&ix, RECORD_SET, 0, 0, 0, false));
	assert_false(apply(&ix, RECORD_DEL, 0, 0, 0, false));
	assert_int_equal(index_slot(&ix, 0), SLOT_NONE);
	assert_int_equal(index_slot(&ix, -5), SLOT_NONE);
	assert_int_equal(index_slot(&ix, NUMBER_MAX), SLOT_NONE);
	index_release(&ix);
}

/* One line with a right checksum must not make the index ask for more memory than there is. */
static void id_beyond_all_counting_is_damage(void **state)
{
	struct index ix;

	(void)state;
	index_init(&ix);
	assert_false(apply(&ix, RECORD_NEW, NUMBER_MAX, 0, 0, false));
	assert_false(apply(&ix, RECORD_NEW, TASK_ID_MAX + 1, 0, 0, false));
	assert_false(apply(&ix, RECORD_LOG, TASK_ID_MAX + 2, 0, 0, false));
	assert_true(apply(&ix, RECORD_LOG, TASK_ID_MAX + 1, 0, 0, false)); /* all are spent */
	assert_int_equal(index_after(&ix, 0, ~0U), 0);
	int64_t below = ix.next_id, steps = 1000000;
	assert_int_equal(index_before(&ix, &below, ~0U, &steps), 0);
	index_release(&ix);
}

/* ---- what is known of a task ---- */
static void newest_lines_win(void **state)
{
	struct index ix;

	(void)state;
	index_init(&ix);
	at = 1000;
	assert_true(apply(&ix, RECORD_NEW, 7, 0, 0, false));
	assert_int_equal(index_slot(&ix, 7), SLOT_DELETED); /* nobody sees half a creation */
	assert_int_equal(index_after(&ix, 0, ~0U), 0);
	assert_true(apply(&ix, RECORD_SET, 7, STATUS_QUEUED, 5, false));
	assert_true(apply(&ix, RECORD_SET, 7, STATUS_DONE, 9, true));
	assert_int_equal(index_slot(&ix, 7), SLOT_STATUS + STATUS_DONE);
	const struct entry *en = index_entry(&ix, 7);
	assert_int_equal(en->fixed.off, 1000);
	assert_int_equal(en->changing.off, 1202);
	assert_int_equal(en->changing.len, 100);
	assert_int_equal(en->tokens, 9);
	assert_true(index_todo(&ix, 7));
	assert_int_equal(ix.next_id, 8);
	assert_true(apply(&ix, RECORD_LOG, 100, 0, 0, false));
	assert_int_equal(ix.next_id, 100);
	assert_true(apply(&ix, RECORD_LOG, 50, 0, 0, false)); /* ids are never used again */
	assert_int_equal(ix.next_id, 100);
	index_release(&ix);
}

static void counts_follow_every_change(void **state)
{
	struct index ix;

	(void)state;
	index_init(&ix);
	for (int64_t id = 1; id <= 10; id++)
		assert_true(create(&ix, id));
	assert_int_equal(ix.counts[STATUS_QUEUED], 10);
	assert_true(apply(&ix, RECORD_SET, 3, STATUS_ACTIVE, 100, true));
	assert_true(apply(&ix, RECORD_SET, 4, STATUS_DONE, 50, false));
	assert_true(apply(&ix, RECORD_SET, 5, STATUS_FAILED, 7, false));
	assert_true(apply(&ix, RECORD_SET, 3, STATUS_ACTIVE, 120, true));
	assert_int_equal(ix.counts[STATUS_QUEUED], 7);
	assert_int_equal(ix.counts[STATUS_ACTIVE], 1);
	assert_int_equal(ix.counts[STATUS_DONE], 1);
	assert_int_equal(ix.counts[STATUS_FAILED], 1);
	assert_int_equal(ix.tokens, 177);
	assert_true(apply(&ix, RECORD_DEL, 3, 0, 0, true));
	assert_true(apply(&ix, RECORD_DEL, 3, 0, 0, false));
	assert_int_equal(ix.counts[STATUS_ACTIVE], 0);
	assert_int_equal(ix.tokens, 57);
	index_release(&ix);
}

static void live_bytes_are_those_of_the_newest_lines(void **state)
{
	struct index ix;

	(void)state;
	index_init(&ix);
	assert_true(create(&ix, 1));
	assert_true(create(&ix, 2));
	assert_int_equal(ix.live, 4 * 101);
	assert_true(apply(&ix, RECORD_SET, 1, STATUS_DONE, 0,
			  false)); /* takes the place of the one before */
	assert_int_equal(ix.live, 4 * 101);
	assert_true(apply(&ix, RECORD_DEL, 1, 0, 0, true));
	assert_int_equal(ix.live, 3 * 101);
	assert_true(apply(&ix, RECORD_DEL, 1, 0, 0, false));
	assert_int_equal(ix.live, 3 * 101);
	index_release(&ix);
}

/* ---- walking ---- */
/* Ids on both sides of chunks, with whole chunks missing. */
static const int64_t ids[] = { 1, 2, 4095, 4096, 4097, 8191, 5 * 4096, 5 * 4096 + 1, 9 * 4096 - 1 };
enum { IDS = sizeof ids / sizeof ids[0] };

static void fill(struct index *ix)
{
	index_init(ix);
	for (int i = 0; i < IDS; i++)
		assert_true(create(ix, ids[i]));
}

static void newest_first(void **state)
{
	struct index ix;
	int64_t below, steps;

	(void)state;
	fill(&ix);
	below = ix.next_id;
	steps = 1000000;
	for (int i = IDS - 1; i >= 0; i--)
		assert_int_equal(index_before(&ix, &below, ~0U, &steps), ids[i]);
	assert_int_equal(index_before(&ix, &below, ~0U, &steps), 0);
	assert_int_equal(below, 1);
	/* A cursor from nowhere is the end. */
	below = INT64_MAX;
	assert_int_equal(index_before(&ix, &below, ~0U, &steps), ids[IDS - 1]);
	below = 0;
	assert_int_equal(index_before(&ix, &below, ~0U, &steps), 0);
	index_release(&ix);
}

/* However few steps are allowed at a time, going on from the cursor finds every one once. */
static void bounded_steps_lose_nobody(void **state)
{
	struct index ix;

	(void)state;
	fill(&ix);
	for (int64_t step = 1; step <= 6000; step = step * 3 + 1) {
		int64_t below = ix.next_id, rounds = 0;
		int i = IDS;
		while (below > 1 && rounds++ < 100000) {
			int64_t steps = step, id = index_before(&ix, &below, ~0U, &steps);
			assert_true(steps >= 0);
			if (id != 0)
				assert_int_equal(id, ids[--i]);
		}
		assert_int_equal(i, 0);
	}
	index_release(&ix);
}

static void only_the_statuses_asked_for(void **state)
{
	struct index ix;
	int64_t below, steps = 1000000;

	(void)state;
	fill(&ix);
	assert_true(apply(&ix, RECORD_SET, 4096, STATUS_DONE, 0, false));
	assert_true(apply(&ix, RECORD_SET, 2, STATUS_FAILED, 0, false));
	assert_true(apply(&ix, RECORD_DEL, 4097, 0, 0, false));
	below = ix.next_id;
	assert_int_equal(index_before(&ix, &below, 1U << STATUS_DONE | 1U << STATUS_FAILED, &steps),
			 4096);
	assert_int_equal(index_before(&ix, &below, 1U << STATUS_DONE | 1U << STATUS_FAILED, &steps),
			 2);
	assert_int_equal(index_before(&ix, &below, 1U << STATUS_DONE | 1U << STATUS_FAILED, &steps),
			 0);
	below = ix.next_id;
	assert_int_equal(index_before(&ix, &below, 1U << STATUS_ACTIVE, &steps), 0);
	below = 4098;
	assert_int_equal(index_before(&ix, &below, ~0U, &steps),
			 4096); /* the deleted one is passed over */
	index_release(&ix);
}

static void oldest_first(void **state)
{
	struct index ix;
	int64_t id = 0;

	(void)state;
	fill(&ix);
	for (int i = 0; i < IDS; i++) {
		id = index_after(&ix, id, ~0U);
		assert_int_equal(id, ids[i]);
	}
	assert_int_equal(index_after(&ix, id, ~0U), 0);
	assert_true(apply(&ix, RECORD_DEL, 1, 0, 0, true));
	assert_int_equal(index_after(&ix, 0, ~0U), 2);
	index_release(&ix);
}

static void work_is_found(void **state)
{
	struct index ix;

	(void)state;
	fill(&ix);
	assert_int_equal(index_next_todo(&ix, 0), 0);
	assert_true(apply(&ix, RECORD_SET, 4095, STATUS_ACTIVE, 0, true));
	assert_true(apply(&ix, RECORD_DEL, 5 * 4096, 0, 0,
			  true)); /* a tombstone with a sandbox to kill */
	assert_true(apply(&ix, RECORD_SET, 9 * 4096 - 1, STATUS_ACTIVE, 0, true));
	assert_int_equal(index_next_todo(&ix, 0), 4095);
	assert_int_equal(index_next_todo(&ix, 4095), 5 * 4096);
	assert_int_equal(index_next_todo(&ix, 5 * 4096), 9 * 4096 - 1);
	assert_int_equal(index_next_todo(&ix, 9 * 4096 - 1), 0);
	assert_true(apply(&ix, RECORD_SET, 4095, STATUS_DONE, 0, false));
	assert_true(apply(&ix, RECORD_SET, 4095, STATUS_DONE, 0, false));
	assert_int_equal(index_next_todo(&ix, 0), 5 * 4096);
	assert_true(apply(&ix, RECORD_DEL, 5 * 4096, 0, 0, false));
	assert_true(apply(&ix, RECORD_SET, 9 * 4096 - 1, STATUS_FAILED, 0, false));
	assert_int_equal(index_next_todo(&ix, 0), 0);
	index_release(&ix);
}

/* One session may report 2^53 tokens: a thousand and twenty-four of them are more than 64 bits
 * hold. */
static void tokens_do_not_overflow(void **state)
{
	struct index ix;

	(void)state;
	index_init(&ix);
	for (int64_t id = 1; id <= 3000; id++) {
		assert_true(create(&ix, id));
		assert_true(apply(&ix, RECORD_SET, id, STATUS_DONE, NUMBER_MAX, false));
	}
	for (int64_t id = 1; id < 3000; id++)
		assert_true(apply(&ix, RECORD_DEL, id, 0, 0, false));
	assert_true(ix.tokens == NUMBER_MAX);
	index_release(&ix);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, rows, contradiction_is_damage);
	plan_add(&p, "id 0 is damage", id_zero_is_damage, NULL);
	plan_add(&p, "an id beyond all counting is damage", id_beyond_all_counting_is_damage, NULL);
	plan_add(&p, "the newest lines win", newest_lines_win, NULL);
	plan_add(&p, "counts follow every change", counts_follow_every_change, NULL);
	plan_add(&p, "live bytes are those of the newest lines",
		 live_bytes_are_those_of_the_newest_lines, NULL);
	plan_add(&p, "tasks are found newest first", newest_first, NULL);
	plan_add(&p, "bounded steps lose nobody", bounded_steps_lose_nobody, NULL);
	plan_add(&p, "only the statuses asked for are found", only_the_statuses_asked_for, NULL);
	plan_add(&p, "tasks are found oldest first", oldest_first, NULL);
	plan_add(&p, "work is found", work_is_found, NULL);
	plan_add(&p, "tokens do not overflow", tokens_do_not_overflow, NULL);
	return plan_run("index", &p);
}

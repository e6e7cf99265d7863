#include "dispatch/watch.h"

#include "unit.h"

/* A story: at each time (s) a look finds something; the last says what becomes of the session. */
enum found {
	RUNS,
	EXIT0,
	EXIT3,
	SIGNAL9,
	TIMEOUT,
	KILLED,
	BROKEN,
	NO_AGENT,
	GONE,
	GONE_WITH_CODE,
	SILENCE
};

static const struct host_status says[] = {
	[RUNS] = { .alive = true, .running = true },
	[EXIT0] = { .alive = true, .has_exit_code = true, .reason = "exit" },
	[EXIT3] = { .alive = true, .has_exit_code = true, .exit_code = 3, .reason = "exit" },
	[SIGNAL9] = { .has_exit_code = true, .exit_code = 137 },
	[TIMEOUT] = { .has_exit_code = true, .exit_code = 0, .reason = "timeout" },
	[KILLED] = { .has_exit_code = true, .exit_code = 137, .reason = "killed" },
	[BROKEN] = { .reason = "error", .error = "bwrap is not installed" },
	[NO_AGENT] = { .alive = true },
	[GONE] = { .alive = false },
	[GONE_WITH_CODE] = { .has_exit_code = true, .exit_code = 0 },
};

enum { HOUR = 3600, LOOKS = 12 };

static const struct story {
	const char *name;
	struct look {
		double s;
		enum found found;
	} looks[LOOKS];
	size_t count;
	enum result want;
	const char *why;
} stories[] = {
	{ "a running agent goes on",
	  { { 1, RUNS }, { 2, RUNS }, { 3, RUNS } },
	  3,
	  RESULT_OPEN,
	  NULL },
	{ "an exit record is not believed at the first look",
	  { { 1, RUNS }, { 2, EXIT0 } },
	  2,
	  RESULT_OPEN,
	  NULL },
	{ "nor half a second later", { { 2, EXIT0 }, { 2.5, EXIT0 } }, 2, RESULT_OPEN, NULL },
	{ "exit 0 is done", { { 2, EXIT0 }, { 3, EXIT0 } }, 2, RESULT_DONE, NULL },
	{ "exit 3 is failed", { { 2, EXIT3 }, { 3, EXIT3 } }, 2, RESULT_FAILED, "exit code 3" },
	{ "a signal is named",
	  { { 2, SIGNAL9 }, { 3, SIGNAL9 } },
	  2,
	  RESULT_FAILED,
	  "exit code 137 (signal 9)" },
	{ "a time-out is failed whatever the code",
	  { { 2, TIMEOUT }, { 3, TIMEOUT } },
	  2,
	  RESULT_FAILED,
	  "timed out after 4 h" },
	{ "a killed box is failed",
	  { { 2, KILLED }, { 3, KILLED } },
	  2,
	  RESULT_FAILED,
	  "the sandbox was killed" },
	{ "a box that did not start says why",
	  { { 2, BROKEN }, { 3, BROKEN } },
	  2,
	  RESULT_FAILED,
	  "bwrap is not installed" },
	{ "a box that is gone with a record has a record",
	  { { 2, GONE_WITH_CODE }, { 3, GONE_WITH_CODE } },
	  2,
	  RESULT_DONE,
	  NULL },
	{ "gone once is not lost", { { 2, GONE } }, 1, RESULT_OPEN, NULL },
	{ "gone twice within 5 s is not lost",
	  { { 2, GONE }, { 4, GONE }, { 6.9, GONE } },
	  3,
	  RESULT_OPEN,
	  NULL },
	{ "gone twice 5 s apart is lost",
	  { { 2, GONE }, { 7, GONE } },
	  2,
	  RESULT_LOST,
	  "lost: the sandbox is gone and left no exit record" },
	{ "found in between, the row starts anew",
	  { { 2, GONE }, { 4, RUNS }, { 7, GONE } },
	  3,
	  RESULT_OPEN,
	  NULL },
	{ "silence in between, the row starts anew",
	  { { 2, GONE }, { 4, SILENCE }, { 7, GONE }, { 9, GONE } },
	  4,
	  RESULT_OPEN,
	  NULL },
	{ "and is lost 5 s later",
	  { { 2, GONE }, { 4, SILENCE }, { 7, GONE }, { 12, GONE } },
	  4,
	  RESULT_LOST,
	  "lost: the sandbox is gone and left no exit record" },
	{ "an hour of silence is not lost",
	  { { 2, SILENCE }, { HOUR, SILENCE }, { 2 * HOUR, SILENCE } },
	  3,
	  RESULT_OPEN,
	  NULL },
	{ "silence past the session's time is lost",
	  { { 4 * HOUR, SILENCE }, { 4 * HOUR + 61, SILENCE } },
	  2,
	  RESULT_LOST,
	  "lost: the sandbox host cannot be reached and the session's time is over" },
	{ "one silent look past the time is not", { { 5 * HOUR, SILENCE } }, 1, RESULT_OPEN, NULL },
	{ "a box without an agent gets ten seconds",
	  { { 2, NO_AGENT }, { 11, NO_AGENT } },
	  2,
	  RESULT_OPEN,
	  NULL },
	{ "then it is lost",
	  { { 2, NO_AGENT }, { 12, NO_AGENT } },
	  2,
	  RESULT_LOST,
	  "lost: the sandbox is there, but no agent runs in it" },
	{ "a starting box is no box without an agent",
	  { { 0.1, NO_AGENT }, { 1, RUNS }, { 12, RUNS } },
	  3,
	  RESULT_OPEN,
	  NULL },
	{ "the host is given a moment to end what is late",
	  { { 4 * HOUR + 10, RUNS } },
	  1,
	  RESULT_OPEN,
	  NULL },
	{ "when it does not, we do",
	  { { 4 * HOUR + 16, RUNS } },
	  1,
	  RESULT_FAILED,
	  "timed out after 4 h" },
	{ "a record after silence counts",
	  { { 2, SILENCE }, { 9, EXIT0 }, { 10, EXIT0 } },
	  3,
	  RESULT_DONE,
	  NULL },
};

static const int64_t wall_start = INT64_C(1770000000000), mono_start = 5000;

static struct verdict tell(const struct story *r, struct watch *w, struct arena *a)
{
	struct verdict v = { .result = RESULT_OPEN };

	for (size_t i = 0; i < r->count; i++) {
		int64_t at = (int64_t)(r->looks[i].s * 1000);
		struct watched s = { .started_at = wall_start,
				     .expires_at = wall_start + 4 * HOUR * 1000,
				     .wall = wall_start + at };
		assert_int_equal(v.result, RESULT_OPEN);
		if (r->looks[i].found == SILENCE)
			v = watch_silence(w, &s, mono_start + at);
		else
			v = watch_answer(w, a, &says[r->looks[i].found], &s, mono_start + at);
		if (v.result == RESULT_OPEN)
			assert_true(w->next > mono_start + at);
	}
	return v;
}

static void verdict(void **state)
{
	ROW(struct story);
	struct watch w = { 0 };
	struct arena a = { 0 };
	struct verdict v = tell(r, &w, &a);

	assert_int_equal(v.result, r->want);
	if (r->why != NULL)
		assert_text(v.reason, r->why);
	arena_reset(&a);
}

/* From the death of a box to the verdict, looking when the watch says so. */
static void death_is_known_within_15_s(void **state)
{
	struct watch w = { 0 };
	struct arena a = { 0 };
	struct verdict v = { .result = RESULT_OPEN };
	int64_t mono = 10, death = 300 * 1000 + 7;

	(void)state;
	while (v.result == RESULT_OPEN) {
		struct watched s = { .started_at = wall_start,
				     .expires_at = wall_start + 4 * HOUR * 1000,
				     .wall = wall_start + mono };
		v = watch_answer(&w, &a, &says[mono >= death ? GONE : RUNS], &s, mono);
		if (v.result == RESULT_OPEN)
			mono = w.next;
	}
	assert_int_equal(v.result, RESULT_LOST);
	assert_true(mono - death < 10 * 1000);
	arena_reset(&a);
}

static void looks_grow_rarer(void **state)
{
	struct watch w = { 0 };
	struct arena a = { 0 };
	struct watched s = { .started_at = wall_start, .wall = wall_start + 5000 };

	(void)state;
	watch_answer(&w, &a, &says[RUNS], &s, 100);
	assert_int_equal(w.next, 1100);
	s.wall += 3600 * 1000;
	watch_answer(&w, &a, &says[RUNS], &s, 100);
	assert_int_equal(w.next, 2100);
	int64_t mono = 100;
	static const int64_t want[] = { 1000, 2000, 4000, 5000, 5000 };
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		watch_silence(&w, &s, mono);
		assert_int_equal(w.next - mono, want[i]);
		mono = w.next;
	}
	arena_reset(&a);
}

static const struct duration {
	const char *name;
	int64_t ms;
} durations[] = {
	{ "45 s", 45000 },      { "1 min", 60000 },        { "1 min 30 s", 90000 },
	{ "4 h", 4 * 3600000 }, { "1 h 30 min", 5400000 }, { "36 h", 36 * 3600000 },
	{ "0 s", 0 },
};

static void duration_reads(void **state)
{
	ROW(struct duration);
	struct arena a = { 0 };

	assert_string_equal(watch_duration(&a, r->ms), r->name);
	arena_reset(&a);
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, stories, verdict);
	PLAN_ROWS(&p, durations, duration_reads);
	plan_add(&p, "the death of a box is known within 15 s", death_is_known_within_15_s, NULL);
	plan_add(&p, "looks grow rarer", looks_grow_rarer, NULL);
	return plan_run("watch", &p);
}

#include "model/agent.h"
#include "model/task.h"
#include "unit.h"

/* ---- names ---- */
static const struct word {
	const char *name;
	const char *text;
	enum status status;
} words[] = {
	{ "queued is a status", "queued", STATUS_QUEUED },
	{ "active is a status", "active", STATUS_ACTIVE },
	{ "done is a status", "done", STATUS_DONE },
	{ "failed is a status", "failed", STATUS_FAILED },
	{ "nothing is no status", "", STATUS_COUNT },
	{ "parked is no status", "parked", STATUS_COUNT },
	{ "Done is no status", "Done", STATUS_COUNT },
	{ "the beginning of one is no status", "queue", STATUS_COUNT },
	{ "more than one is no status", "queued ", STATUS_COUNT },
};

static void status_by_its_name(void **state)
{
	ROW(struct word);
	enum status got = STATUS_COUNT;

	assert_int_equal(status_parse(r->text, &got), r->status == STATUS_COUNT ? -1 : 0);
	assert_int_equal(got, r->status);
	if (r->status != STATUS_COUNT)
		assert_string_equal(status_name(r->status), r->text);
}

static const struct result_word {
	const char *name;
	const char *text;
	enum result result;
} result_words[] = {
	{ "done is a result", "done", RESULT_DONE },
	{ "failed is a result", "failed", RESULT_FAILED },
	{ "handoff is a result", "handoff", RESULT_HANDOFF },
	{ "gate_failed is a result", "gate_failed", RESULT_GATE_FAILED },
	{ "cancelled is a result", "cancelled", RESULT_CANCELLED },
	{ "lost is a result", "lost", RESULT_LOST },
	{ "budget is a result", "budget", RESULT_BUDGET },
	{ "no text is no result yet", "", RESULT_OPEN },
	{ "unknown text is no result yet", "exploded", RESULT_OPEN },
	{ "nothing at all is no result yet", NULL, RESULT_OPEN },
};

static void result_by_its_name(void **state)
{
	ROW(struct result_word);

	assert_int_equal(result_parse(r->text), r->result);
	if (r->result != RESULT_OPEN)
		assert_string_equal(result_name(r->result), r->text);
}

static void steps_by_their_names(void **state)
{
	(void)state;
	assert_null(step_name(STEP_NONE, "started"));
	assert_string_equal(step_name(STEP_PENDING, "started"), "pending");
	assert_string_equal(step_name(STEP_DONE, "started"), "started");
	assert_string_equal(step_name(STEP_DONE, "done"), "done");
	assert_string_equal(step_name(STEP_FAILED, "started"), "failed");
	assert_int_equal(step_parse(NULL), STEP_NONE);
	assert_int_equal(step_parse("pending"), STEP_PENDING);
	assert_int_equal(step_parse("started"), STEP_DONE);
	assert_int_equal(step_parse("done"), STEP_DONE);
	assert_int_equal(step_parse("failed"), STEP_FAILED);
}

/* ---- agent ids ---- */
#define ID32 "abcdefghijklmnopqrstuvwxyz012345"

static const struct id {
	const char *name;
	const char *id;
	bool valid;
} ids[] = {
	{ "a word is an agent id", "pi", true },
	{ "one letter is", "a", true },
	{ "digits are", "007", true },
	{ "a dash between is", "my-agent-2", true },
	{ "64 bytes are", ID32 ID32, true },
	{ "65 bytes are not", ID32 ID32 "x", false },
	{ "nothing is not", "", false },
	{ "a dash alone is not", "-", false },
	{ "a dash first is not", "-a", false },
	{ "a dash last is not", "a-", false },
	{ "two dashes are not", "a--b", false },
	{ "a capital is not", "Pi", false },
	{ "an underscore is not", "a_b", false },
	{ "a dot is not", "a.b", false },
	{ "a slash is not", "../x", false },
	{ "a space is not", "a b", false },
	{ "a line feed behind is not", "a\n", false },
	{ "a letter with an accent is not", "\xC3\xA4", false },
};

static void agent_id_judged(void **state)
{
	ROW(struct id);

	assert_int_equal(agent_id_valid(r->id), r->valid);
}

static void built_in_agents_are_known(void **state)
{
	static const char *const all[] = { "shell",  "pi",    "opencode", "shelley",
					   "claude", "codex", "gemini" };

	(void)state;
	assert_int_equal(builtin_agent_count, 7);
	for (size_t i = 0; i < 7; i++) {
		const struct agent *ag = agent_find(all[i]);
		assert_non_null(ag);
		assert_true(agent_id_valid(ag->id));
		assert_int_equal(ag->color[0], '#');
		/* The default is among the suggestions, which are words with one space between. */
		assert_non_null(strstr(ag->models, ag->default_model));
		assert_null(strstr(ag->models, "  "));
	}
	assert_string_equal(agent_find("shell")->default_model, "bash");
	assert_null(agent_find("pip"));
	assert_null(agent_find(""));
	assert_null(agent_find(NULL));
}

/* ---- sessions ---- */
static void sessions_are_numbered_and_found(void **state)
{
	struct arena a = { 0 };
	struct task t = { 0 };

	(void)state;
	assert_null(task_last_session(&t));
	assert_null(task_open_session(&t));
	assert_null(task_find_session(&t, "s1"));
	for (int i = 1; i <= 12; i++) {
		struct session *s = task_add_session(&t, &a);
		assert_string_equal(s->id, arena_printf(&a, "s%d", i));
		assert_ptr_equal(task_last_session(&t), s);
		assert_ptr_equal(task_open_session(&t), s);
		s->ended_at = 1000 + i;
		s->result = RESULT_HANDOFF;
		assert_null(task_open_session(&t));
	}
	assert_int_equal(t.session_count, 12);
	assert_int_equal(task_find_session(&t, "s1")->ended_at, 1001);
	assert_int_equal(task_find_session(&t, "s12")->ended_at, 1012);
	assert_null(task_find_session(&t, "s13"));
	assert_null(task_find_session(&t, "s"));
	assert_null(task_find_session(&t, ""));
	arena_reset(&a);
}

static const struct work {
	const char *name;
	struct session s;
	bool work;
} works[] = {
	{ "a pending dispatch is work", { .dispatch.state = STEP_PENDING }, true },
	{ "a running sandbox is to be watched", { .dispatch.state = STEP_DONE }, true },
	{ "an open session never dispatched is none", { .dispatch.state = STEP_NONE }, false },
	{ "a pending kill is work",
	  { .result = RESULT_DONE,
	    .ended_at = 1,
	    .dispatch.state = STEP_DONE,
	    .kill.state = STEP_PENDING },
	  true },
	{ "a finished kill is none",
	  { .result = RESULT_DONE,
	    .ended_at = 1,
	    .dispatch.state = STEP_DONE,
	    .kill.state = STEP_DONE },
	  false },
	{ "a closed session that never was anywhere is none",
	  { .result = RESULT_DONE, .ended_at = 1 },
	  false },
};

static void work_is_seen(void **state)
{
	ROW(struct work);
	struct session two[2] = { r->s, { .result = RESULT_DONE, .ended_at = 1 } };
	struct task t = { .sessions = two, .session_count = 1 };

	assert_int_equal(task_has_work(&t), r->work);
	t.session_count = 2; /* also in a session that is not the last */
	assert_int_equal(task_has_work(&t), r->work);
	t.session_count = 0;
	assert_false(task_has_work(&t));
}

int main(void)
{
	static struct plan p;

	PLAN_ROWS(&p, words, status_by_its_name);
	PLAN_ROWS(&p, result_words, result_by_its_name);
	plan_add(&p, "steps have names of their own", steps_by_their_names, NULL);
	PLAN_ROWS(&p, ids, agent_id_judged);
	plan_add(&p, "the built-in agents are known", built_in_agents_are_known, NULL);
	plan_add(&p, "sessions are numbered and found", sessions_are_numbered_and_found, NULL);
	PLAN_ROWS(&p, works, work_is_seen);
	return plan_run("task", &p);
}

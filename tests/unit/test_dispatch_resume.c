/* A parked task goes on by itself, when its time has come and not before, and only where it may. */
#include "dispatch/resume.h"
#include "dispatch_kit.h"
#include "store/settings.h"

enum { PARK_MS = 90 * 1000 };

static void setting(bool resume, bool paused, int64_t max_active)
{
	struct errinfo e;
	struct settings s;

	assert_ok(settings_read(kit.var, &kit.a, &s, &e), &e);
	s.auto_resume = resume;
	s.paused = paused;
	s.max_active = max_active;
	assert_ok(settings_write(kit.var, &kit.a, &s, &e), &e);
}

/* A task whose session was parked, its sandbox gone. */
static int64_t parked(void)
{
	int64_t id = kit_running(), wait = PARK_MS;

	kit_change(id, kit_park_fn, &wait);
	kit_serve(300, KIT_EXIT(1), "429");
	kit_answer(CALL_KILL, 200, "{\"status\":\"destroyed\"}");
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
	assert_int_equal(kit_session(id).kill.state, STEP_DONE);
	return id;
}

static void goes_on_when_its_time_has_come(void **state)
{
	(void)state;
	int64_t id = parked();
	kit_pass(PARK_MS - 2000);
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
	kit_pass(3000);
	struct task t = kit_task(id);
	assert_int_equal(t.status, STATUS_ACTIVE);
	assert_int_equal(t.session_count, 2);
	assert_int_equal(t.parked_until, 0);
}

static void goes_on_after_a_restart(void **state)
{
	(void)state;
	int64_t id = parked();
	kit_restart();
	kit_pass(PARK_MS + 1000);
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
}

static void not_while_switched_off(void **state)
{
	(void)state;
	int64_t id = parked();
	setting(false, false, 4);
	kit_pass(PARK_MS + 60 * 1000);
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
	setting(true, false, 4);
	kit_pass(RESUME_LOOK_MS + 1000);
	assert_int_equal(kit_task(id).status, STATUS_ACTIVE);
}

static void not_while_paused_or_full(void **state)
{
	(void)state;
	int64_t id = parked();
	setting(true, true, 4);
	kit_pass(PARK_MS + 10 * 1000);
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
	setting(true, false, 0);
	kit_pass(RESUME_LOOK_MS + 1000);
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
}

static enum err use_up(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	(void)a;
	(void)arg;
	(void)skip;
	(void)e;
	t->on_budget = BUDGET_STOP;
	t->budget_exceeded = true;
	return ERR_OK;
}

static void not_beyond_its_budget(void **state)
{
	(void)state;
	int64_t id = parked();
	kit_change(id, use_up, NULL);
	kit_pass(PARK_MS + 10 * 1000);
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
}

static void not_after_it_was_run_by_hand(void **state)
{
	(void)state;
	int64_t id = parked();
	kit_run_as(id, "shell", NULL);
	kit_started("box2");
	kit_change(id, kit_done_fn, NULL);
	kit_pass(PARK_MS + 1000);
	assert_int_equal(kit_task(id).status, STATUS_DONE);
	assert_int_equal(kit_task(id).session_count, 2);
}

int main(void)
{
	static struct plan p;

	kit_test(&p, goes_on_when_its_time_has_come);
	kit_test(&p, goes_on_after_a_restart);
	kit_test(&p, not_while_switched_off);
	kit_test(&p, not_while_paused_or_full);
	kit_test(&p, not_beyond_its_budget);
	kit_test(&p, not_after_it_was_run_by_hand);
	return plan_run("dispatch_resume", &p);
}

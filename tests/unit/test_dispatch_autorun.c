#include "dispatch/autorun.h"

#include "dispatch_kit.h"
#include "store/settings.h"

/* ---- what the owner does ---- */
struct want {
	bool auto_run, paused;
	int64_t max_active;
};

static enum err want_fn(struct settings *s, void *arg, struct errinfo *e)
{
	const struct want *w = arg;

	(void)e;
	s->auto_run = w->auto_run;
	s->paused = w->paused;
	s->max_active = w->max_active;
	return ERR_OK;
}

static void set_quietly(bool auto_run, bool paused, int64_t max_active)
{
	struct want w = { auto_run, paused, max_active };
	struct errinfo e;

	assert_ok(settings_change(kit.var, &kit.a, want_fn, &w, NULL, &e), &e);
}

/* With the word that the loop gets of it. */
static void set(bool auto_run, bool paused, int64_t max_active)
{
	set_quietly(auto_run, paused, max_active);
	kit.d.autorun.known = false;
	kit_turn();
}

struct queued {
	const char *agent;
	int64_t priority, parked_until;
	bool held;
};

static int64_t queue(struct queued q)
{
	struct task t = { .prompt = "x",
			  .platform = q.agent != NULL ? q.agent : "shell",
			  .priority = q.priority,
			  .held = q.held,
			  .parked_until = q.parked_until,
			  .created = kit_wall(),
			  .updated = kit_wall() };
	struct errinfo e;

	assert_ok(store_create(kit.worker, &kit.a, &t, &e), &e);
	return t.id;
}

static bool active(int64_t id)
{
	return kit_task(id).status == STATUS_ACTIVE;
}

static enum err done_fn(struct task *t, struct arena *a, void *arg, bool *skip, struct errinfo *e)
{
	struct report r = REPORT_NONE;

	(void)arg;
	(void)skip;
	return task_done(t, a, &r, kit_wall(), e);
}

/* ---- who is started ---- */
static void nothing_starts_unless_it_is_on(void **state)
{
	(void)state;
	int64_t id = queue((struct queued){ 0 });
	kit_news();
	assert_false(active(id));
	set(true, true, 4);
	assert_false(active(id));
	set(true, false, 0);
	assert_false(active(id));
	assert_int_equal(kit_turn(), NEVER);
	assert_int_equal(kit.d.autorun.count, 0); /* and nobody looked */
	set(true, false, 4);
	assert_true(active(id));
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
	assert_text(kit_session(id).agent, "shell");
	assert_text(kit_session(id).model, "bash");
	assert_int_equal(kit_session(id).expires_at, kit_wall() + KIT_TIMEOUT_MS);
}

static void by_priority_then_age_as_places_are_free(void **state)
{
	(void)state;
	int64_t old = queue((struct queued){ .priority = 0 });
	int64_t later = queue((struct queued){ .priority = 0 });
	int64_t high = queue((struct queued){ .priority = 5 });
	int64_t low = queue((struct queued){ .priority = -5 });
	set(true, false, 1);
	assert_true(active(high));
	assert_false(active(old) || active(later) || active(low));
	kit_change(high, done_fn, NULL);
	assert_true(active(old));
	assert_false(active(later) || active(low));
	set(true, false, 2);
	assert_true(active(later));
	assert_false(active(low));
	int64_t higher = queue((struct queued){ .priority = 1 });
	kit_change(old, done_fn, NULL);
	assert_true(active(higher));
	assert_false(active(low));
	set(true, false, 3);
	assert_true(active(low));
}

/* Somebody's own runs take places, and are never refused for want of one. */
static void runs_by_hand_count(void **state)
{
	(void)state;
	set(true, false, 1);
	int64_t first = queue((struct queued){ 0 }), second = queue((struct queued){ 0 });
	kit_run_as(second, "shell", NULL);
	assert_true(active(second));
	assert_false(active(first));
	kit_change(second, done_fn, NULL);
	assert_true(active(first));
}

static void held_and_parked_ones_wait(void **state)
{
	(void)state;
	int64_t held = queue((struct queued){ .held = true, .priority = 9 });
	int64_t parked = queue(
		(struct queued){ .parked_until = kit_wall() + 3 * 3600 * 1000, .priority = 8 });
	set(true, false, 4);
	assert_false(active(held) || active(parked));
	assert_true(kit_turn() <= kit_mono() + AUTORUN_PARKED_MS);
	kit_pass(3 * 3600 * 1000 - 1);
	assert_false(active(parked));
	kit_pass(1);
	assert_true(active(parked));
	assert_int_equal(kit_task(parked).parked_until, 0);
	assert_false(active(held));
}

static void a_cancelled_task_stays_held(void **state)
{
	(void)state;
	set(true, false, 1);
	int64_t id = queue((struct queued){ 0 });
	kit_news();
	assert_true(active(id));
	kit_change(id, kit_cancel_fn, NULL);
	kit_pass(60 * 1000);
	assert_int_equal(kit_task(id).status, STATUS_QUEUED);
	assert_int_equal(kit_task(id).session_count, 1);
}

static void a_task_handed_off_goes_on(void **state)
{
	(void)state;
	set(true, false, 1);
	int64_t id = queue((struct queued){ 0 });
	kit_news();
	kit_change(id, kit_handoff_fn, NULL);
	assert_true(active(id));
	assert_int_equal(kit_task(id).session_count, 2);
}

/* An agent that is gone: its task is held and says why, the next one gets the place. */
static void what_cannot_run_stands_in_nobodys_way(void **state)
{
	(void)state;
	int64_t bad = queue((struct queued){ .agent = "nobody", .priority = 9 });
	int64_t good = queue((struct queued){ 0 });
	set(true, false, 1);
	assert_true(active(good));
	struct task t = kit_task(bad);
	assert_int_equal(t.status, STATUS_QUEUED);
	assert_true(t.held);
	assert_non_null(strstr(t.error, "agent nobody is not known"));
	kit_change(good, done_fn, NULL);
	assert_int_equal(kit_turn() == 0, 0); /* and is not tried again and again */
}

/* ---- never twice, never after the end ---- */
static void off_counts_before_its_news_arrive(void **state)
{
	(void)state;
	set(true, false, 4);
	set_quietly(false, false, 4);
	int64_t id = queue((struct queued){ 0 });
	kit_news();
	assert_false(active(id));
	assert_false(kit.d.autorun.on);
}

static void a_limit_counts_before_its_news_arrive(void **state)
{
	(void)state;
	set(true, false, 4);
	set_quietly(true, false, 1);
	int64_t a = queue((struct queued){ 0 }), b = queue((struct queued){ 0 });
	kit_news();
	assert_true(active(a));
	assert_false(active(b));
}

static void one_that_was_run_by_hand_is_not_run_again(void **state)
{
	struct kit_run r = { "shell", "bash", NULL, KIT_TIMEOUT_MS };
	struct errinfo e;

	(void)state;
	int64_t id = queue((struct queued){ 0 });
	set_quietly(true, false, 4);
	assert_ok(dispatcher_refresh(&kit.d, &e), &e);
	/* The dispatcher has read it as queued; another process runs it now. */
	assert_ok(store_change(kit.worker, &kit.a, id, (struct change){ kit_run_fn, &r }, NULL, &e),
		  &e);
	kit.d.autorun.known = false;
	kit.d.changed = false;
	dispatcher_round(&kit.d);
	kit_news();
	assert_int_equal(kit_task(id).session_count, 1);
	assert_int_equal(kit_waiting(CALL_DISPATCH), 1);
}

static void a_restart_goes_on_where_it_was(void **state)
{
	int64_t ids[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		ids[i] = queue((struct queued){ 0 });
	set(true, false, 2);
	for (int i = 0; i < 6; i++) {
		kit_restart();
		kit_turn();
		for (int k = 0; k < 6; k++)
			assert_int_equal(kit_task(ids[k]).session_count, k < i + 2 ? 1 : 0);
		kit_change(ids[i], done_fn, NULL);
	}
}

static void draining_starts_nothing(void **state)
{
	(void)state;
	kit.d.draining = true;
	int64_t id = queue((struct queued){ 0 });
	set(true, false, 4);
	assert_false(active(id));
}

static void a_store_that_refuses_is_left_alone(void **state)
{
	(void)state;
	int64_t id = queue((struct queued){ 0 });
	const char *mark = arena_printf(&kit.a, "%s/run/worker/read_only", kit.var);
	set_quietly(true, false, 4); /* settings are refused as well after that */
	close(open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	kit.d.autorun.known = false;
	kit_turn();
	assert_false(active(id));
	assert_int_equal(kit_turn(), kit_mono() + STORE_REFUSED_MS);
	assert_int_equal(unlink(mark), 0);
	kit_pass(STORE_REFUSED_MS);
	assert_true(active(id));
}

static void settings_that_cannot_be_read_are_off(void **state)
{
	(void)state;
	int64_t id = queue((struct queued){ 0 });
	int fd = open(arena_printf(&kit.a, "%s/state/settings.json", kit.var),
		      O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	setenv("CHOMP_LOG", "error", 1);
	kit.d.autorun.known = false;
	assert_int_equal(kit_turn(), NEVER);
	assert_false(active(id));
}

/* More tasks than are read in a round: nobody is started before all are known. */
static void the_best_of_very_many(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * AUTORUN_READS; i++)
		queue((struct queued){ .priority = i % 7 });
	int64_t best = queue((struct queued){ .priority = 100 });
	set_quietly(true, false, 1);
	kit.d.autorun.known = false;
	struct errinfo e;
	assert_ok(dispatcher_refresh(&kit.d, &e), &e);
	int rounds = 0;
	while (kit_task(best).status == STATUS_QUEUED && rounds++ < 10)
		assert_true(dispatcher_round(&kit.d) <= kit_mono());
	assert_true(active(best));
	assert_true(rounds > 2);
	/* What is known stays known: a change costs one read. */
	kit_news();
	kit.d.autorun.read = 0;
	for (size_t i = 0; i < kit.d.autorun.count; i++)
		assert_true(kit.d.autorun.tasks[i].version != 0);
	kit_change(best, done_fn, NULL);
	assert_int_equal(store_counts(kit.d.store).by_status[STATUS_ACTIVE], 1);
	set(false, false, 1);
	assert_null(kit.d.autorun.tasks);
}

int main(void)
{
	static struct plan p;

	kit_test(&p, nothing_starts_unless_it_is_on);
	kit_test(&p, by_priority_then_age_as_places_are_free);
	kit_test(&p, runs_by_hand_count);
	kit_test(&p, held_and_parked_ones_wait);
	kit_test(&p, a_cancelled_task_stays_held);
	kit_test(&p, a_task_handed_off_goes_on);
	kit_test(&p, what_cannot_run_stands_in_nobodys_way);
	kit_test(&p, off_counts_before_its_news_arrive);
	kit_test(&p, a_limit_counts_before_its_news_arrive);
	kit_test(&p, one_that_was_run_by_hand_is_not_run_again);
	kit_test(&p, a_restart_goes_on_where_it_was);
	kit_test(&p, draining_starts_nothing);
	kit_test(&p, a_store_that_refuses_is_left_alone);
	kit_test(&p, settings_that_cannot_be_read_are_off);
	kit_test(&p, the_best_of_very_many);
	return plan_run("autorun", &p);
}

/* Two sandbox hosts: whose is a task, and what becomes of one whose host is not there. */
#include "dispatch_kit.h"

static int64_t create_at(const char *host)
{
	struct task t = { .prompt = "echo hello",
			  .platform = "shell",
			  .model = "bash",
			  .host = host,
			  .created = kit_wall(),
			  .updated = kit_wall() };
	struct errinfo e;

	assert_ok(store_create(kit.worker, &kit.a, &t, &e), &e);
	kit_run_as(t.id, "shell", NULL);
	return t.id;
}

static void with_both(void)
{
	kit.d.at[SITE_AWAY] = (struct at_site){ "https://chomp.example", "away-secret" };
	kit.d.usual = SITE_AWAY;
}

static void a_task_goes_where_it_says_and_else_to_the_usual_host(void **state)
{
	static const struct {
		const char *host;
		int site;
		const char *callback;
	} rows[] = {
		{ "local", SITE_HERE, "http://127.0.0.1:8000" },
		{ "cloudflare", SITE_AWAY, "https://chomp.example" },
		{ NULL, SITE_AWAY, "https://chomp.example" },
	};

	(void)state;
	with_both();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		create_at(rows[i].host);
		struct call *c = kit_take(CALL_DISPATCH);
		assert_int_equal(c->site, rows[i].site);
		assert_non_null(strstr(c->body.buf, rows[i].callback));
		kit_reply(c, 200, arena_printf(&kit.a, "{\"sandboxId\":\"box%zu\",\"status\":\"started\"}", i));
		c = kit_take(CALL_STATUS);
		assert_int_equal(c->site, rows[i].site);
		kit_reply(c, 0, "");
		c = kit_take(CALL_LOGS);
		assert_int_equal(c->site, rows[i].site);
		kit_reply(c, 0, "");
	}
}

static void without_such_a_host_a_task_fails_and_says_so(void **state)
{
	(void)state;
	int64_t id = create_at("cloudflare");
	assert_int_equal(kit_waiting(CALL_DISPATCH), 0);
	struct task t = kit_task(id);
	assert_int_equal(t.status, STATUS_FAILED);
	assert_non_null(strstr(t.error, "no Cloudflare host"));
}

static void a_deleted_task_is_ended_at_both(void **state)
{
	(void)state;
	with_both();
	int64_t id = create_at("local");
	kit_started("box");
	kit_delete(id);
	for (size_t i = kit.count; i-- > 0;) { /* what was asked about the living task */
		if (kit.calls[i]->kind != CALL_KILL)
			kit_answer(kit.calls[i]->kind, 0, "");
	}
	for (int site = SITE_HERE; site <= SITE_AWAY; site++) {
		struct call *c = kit_take(CALL_KILL);
		assert_int_equal(c->site, site);
		kit_reply(c, 200, "{}");
	}
	assert_int_equal(kit.d.job_count, 0);
}

int main(void)
{
	static struct plan p;

	kit_test(&p, a_task_goes_where_it_says_and_else_to_the_usual_host);
	kit_test(&p, without_such_a_host_a_task_fails_and_says_so);
	kit_test(&p, a_deleted_task_is_ended_at_both);
	return plan_run("dispatch sites", &p);
}
